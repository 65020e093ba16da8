//! The engine in a world that somebody else owns: the same systems, one shard, no threads.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::config::EngineConfig;
use crate::engine_handle::{EngineHandle, Shared};
use crate::node::plan::ScenePlan;
use crate::observe::census::{self, Census};
use crate::observe::metrics::Snapshot;
use crate::record::event::Record;
use crate::record::node_histograms::NodeHistograms;
use crate::tick::install::ShardSpec;
use crate::tick::join::Records;
use crate::tick::run::EngineWorld;
use crate::tick::shard::Shard;

pub use crate::tick::shard::{FirstHalf, SecondHalf};

/// The engine inside a foreign world, as a resource.
#[derive(Resource, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    records: Vec<Record>,
}

impl Embedded {
    /// A handle for hosts, which opens sessions.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle { shared: Arc::clone(&self.shared) }
    }

    /// The events of the last tick, by session id.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// The world of the engine, in which the foreign world is the one shard while [`tick`] runs.
#[derive(Resource)]
struct EmbeddedEngine(EngineWorld);

/// Swaps a foreign world into its place among the shards, and back when the tick is over or has panicked.
struct Loan<'a> {
    world: &'a mut World,
    engine: &'a mut EngineWorld,
}

impl<'a> Loan<'a> {
    fn new(world: &'a mut World, engine: &'a mut EngineWorld) -> Self {
        let mut loan = Self { world, engine };
        loan.swap();
        loan
    }

    fn swap(&mut self) {
        std::mem::swap(self.world, &mut self.engine.shards_mut().list[0].world);
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.swap();
    }
}

/// Installs a scene into `world`: resources, and the schedules [`FirstHalf`] and [`SecondHalf`] that [`tick`] runs,
/// to which the owner may add systems in the order of [`Stage`](crate::tick::Stage). Sessions, queues and segments
/// become entities of that world and end with it: when the world is dropped, their hosts are told as when an engine
/// is dropped.
///
/// # Panics
/// If the world already holds a scene.
pub fn embed(world: &mut World, plan: &Arc<ScenePlan>, config: EngineConfig) -> EngineHandle {
    assert!(!world.contains_resource::<Embedded>(), "one world holds one scene: it has one already");
    let config = EngineConfig { shards: Some(1), threads: 1, ..config };
    let shared = Shared::new(Arc::clone(plan), &config);
    let mut engine = EngineWorld::new(plan, &shared.open, config.seed, config.time);
    let wants_audio = engine.hub().wants_audio();
    let spec = ShardSpec { plan, open: &shared.open, shard: 0, seed: config.seed, wants_audio: &wants_audio };
    engine.add_shards(vec![Shard::foreign(&spec, world)], None);
    world.insert_resource(EmbeddedEngine(engine));
    world.insert_resource(Embedded { shared: Arc::clone(&shared), records: Vec::new() });
    EngineHandle { shared }
}

/// Runs one tick of the embedded engine at engine time `now_us`: the same tick as
/// [`Engine::tick`](crate::Engine::tick). To be called from an exclusive system or between frames. The tick touches
/// nothing that [`embed`] did not put there. While nothing is under way no schedule runs.
///
/// # Panics
/// If [`embed`] has put no scene into the world.
pub fn tick(world: &mut World, now_us: u64) {
    world.resource_scope(|world, mut engine: Mut<'_, EmbeddedEngine>| {
        Loan::new(world, &mut engine.0).engine.tick(now_us);
        let records = &mut engine.0.world.resource_mut::<Records>().list;
        std::mem::swap(records, &mut world.resource_mut::<Embedded>().records);
    });
}

/// Number of nodes of the embedded scene.
fn nodes(world: &World) -> usize {
    world.resource::<Embedded>().shared.plan.nodes.len()
}

/// Fills in [`Engine::census`](crate::Engine::census) of the embedded engine; its entities are all of the world's.
///
/// # Panics
/// If [`embed`] has put no scene into the world, and inside [`tick`].
pub fn census<'c>(world: &World, census: &'c mut Census) -> &'c Census {
    let core = &world.resource::<EmbeddedEngine>().0;
    census.fill(nodes(world), std::iter::once(world), core.world.resource(), &core.hub());
    census
}

/// Fills in [`Engine::queued`](crate::Engine::queued) of the embedded engine.
///
/// # Panics
/// If [`embed`] has put no scene into the world.
pub fn queued<'q>(world: &World, queued: &'q mut Vec<u64>) -> &'q [u64] {
    census::fill_queued(nodes(world), std::iter::once(world), queued);
    queued
}

/// Fills in [`Engine::histograms`](crate::Engine::histograms) of the embedded engine.
///
/// # Panics
/// If [`embed`] has put no scene into the world.
pub fn histograms<'h>(world: &World, node: NodeId, histograms: &'h mut NodeHistograms) -> &'h NodeHistograms {
    census::fill_histograms(node, std::iter::once(world), histograms);
    histograms
}

/// Keeps metrics from now on, as [`Engine::keep_metrics`](crate::Engine::keep_metrics) does.
///
/// # Panics
/// If [`embed`] has put no scene into the world.
pub fn keep_metrics(world: &mut World) {
    let plan = Arc::clone(&world.resource::<Embedded>().shared.plan);
    world.resource_mut::<EmbeddedEngine>().0.keep_metrics(&plan);
}

/// Fills in [`Engine::metrics`](crate::Engine::metrics) of the embedded engine.
///
/// # Panics
/// If [`embed`] has put no scene into the world.
pub fn metrics(world: &World, out: &mut Snapshot) -> bool {
    world.resource::<EmbeddedEngine>().0.metrics(std::iter::once(world), out)
}
