//! The same systems in a world that somebody else owns: one shard, one chain, no threads.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleLabel;

use crate::base::ids::NodeId;
use crate::config::EngineConfig;
use crate::engine_handle::{EngineHandle, Shared};
use crate::node::plan::ScenePlan;
use crate::observe::census::{self, Census};
use crate::observe::metrics::Snapshot;
use crate::record::event::Record;
use crate::record::node_histograms::NodeHistograms;
use crate::tick::install::{ShardSpec, install};
use crate::tick::run::EngineCore;
use crate::tick::shard::{ShardState, ShardWorld, single_threaded};

/// Schedule of the first half of a tick: sessions, messages, arrivals, turn taking, the scene's nodes, in the order of
/// [`Stage`](crate::tick::Stage).
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FirstHalf;

/// Schedule of the second half: what leaves, and the accounts.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecondHalf;

/// The engine inside a foreign world, as a resource.
#[derive(Resource, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    records: Vec<Record>,
}

impl Embedded {
    /// The way in for hosts.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle { shared: Arc::clone(&self.shared) }
    }

    /// What happened in the last tick, by session id.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// What [`tick`] needs beside the world.
#[derive(Resource)]
struct EmbeddedEngine {
    core: EngineCore,
    state: ShardState,
}

/// The world as the one shard of the engine in it.
struct ForeignShard<'w> {
    world: &'w mut World,
    state: &'w mut ShardState,
}

impl ShardWorld for ForeignShard<'_> {
    fn world(&self) -> &World {
        self.world
    }
    fn world_mut(&mut self) -> &mut World {
        self.world
    }
    fn state(&self) -> &ShardState {
        self.state
    }
    fn state_mut(&mut self) -> &mut ShardState {
        self.state
    }
    fn parts(&mut self) -> (&mut World, &mut ShardState) {
        (self.world, self.state)
    }
    fn run_first(&mut self) {
        self.world.run_schedule(FirstHalf);
    }
    // The trackers of change are the owner's to clear.
    fn run_second(&mut self) {
        self.world.run_schedule(SecondHalf);
    }
}

/// Installs a scene into `world`: resources, and the schedules [`FirstHalf`] and [`SecondHalf`] that [`tick`] runs, to
/// which the owner may add systems in the order of [`Stage`](crate::tick::Stage). Sessions, queues and segments become
/// entities of that world, and end with it: when the world is dropped their hosts are told as when an engine is.
///
/// # Panics
/// When the world holds a scene already.
pub fn embed(world: &mut World, plan: &Arc<ScenePlan>, config: EngineConfig) -> EngineHandle {
    assert!(!world.contains_resource::<Embedded>(), "one world holds one scene: it has one already");
    let config = EngineConfig { shards: Some(1), threads: 1, ..config };
    let shared = Shared::new(Arc::clone(plan), &config);
    let core = EngineCore::new(plan, &shared.open, config.seed, config.time);
    let mut first = single_threaded(Schedule::new(FirstHalf));
    let mut second = single_threaded(Schedule::new(SecondHalf));
    let wants_audio = core.hub.wants_audio();
    let spec = ShardSpec { plan, open: &shared.open, shard: 0, seed: config.seed, wants_audio: &wants_audio };
    install(&spec, world, &mut first, &mut second);
    let state = ShardState::new(&spec, world);
    world.add_schedule(first);
    world.add_schedule(second);
    world.insert_resource(EmbeddedEngine { core, state });
    world.insert_resource(Embedded { shared: Arc::clone(&shared), records: Vec::new() });
    EngineHandle { shared }
}

/// Runs one tick of the embedded engine at engine time `now_us`: the same tick as [`Engine::tick`](crate::Engine::tick).
/// Call it from an exclusive system or between frames; it touches nothing that [`embed`] did not put there. While nothing
/// is under way no schedule runs.
///
/// # Panics
/// When [`embed`] has put no scene into the world.
pub fn tick(world: &mut World, now_us: u64) {
    world.resource_scope(|world, mut engine: Mut<'_, EmbeddedEngine>| {
        let EmbeddedEngine { core, state } = &mut *engine;
        core.run(&mut [ForeignShard { world, state }], None, now_us);
        std::mem::swap(&mut core.records, &mut world.resource_mut::<Embedded>().records);
    });
}

/// [`Engine::census`](crate::Engine::census) of the embedded engine; its entities are all of the world's.
///
/// # Panics
/// When [`embed`] has put no scene into the world, and inside of [`tick`].
pub fn census<'c>(world: &World, census: &'c mut Census) -> &'c Census {
    let core = &world.resource::<EmbeddedEngine>().core;
    census.fill(core.plan.nodes.len(), std::iter::once(world), &core.serial, &core.hub);
    census
}

/// [`Engine::queued`](crate::Engine::queued) of the embedded engine.
///
/// # Panics
/// When [`embed`] has put no scene into the world.
pub fn queued<'q>(world: &World, queued: &'q mut Vec<u64>) -> &'q [u64] {
    let nodes = world.resource::<EmbeddedEngine>().core.plan.nodes.len();
    census::fill_queued(nodes, std::iter::once(world), queued);
    queued
}

/// [`Engine::histograms`](crate::Engine::histograms) of the embedded engine.
///
/// # Panics
/// When [`embed`] has put no scene into the world.
pub fn histograms<'h>(world: &World, node: NodeId, histograms: &'h mut NodeHistograms) -> &'h NodeHistograms {
    census::fill_histograms(node, std::iter::once(world), histograms);
    histograms
}

/// [`Engine::keep_metrics`](crate::Engine::keep_metrics) of the embedded engine.
///
/// # Panics
/// When [`embed`] has put no scene into the world.
pub fn keep_metrics(world: &mut World) {
    world.resource_mut::<EmbeddedEngine>().core.keep_metrics();
}

/// [`Engine::metrics`](crate::Engine::metrics) of the embedded engine.
///
/// # Panics
/// When [`embed`] has put no scene into the world.
pub fn metrics(world: &World, out: &mut Snapshot) -> bool {
    let core = &world.resource::<EmbeddedEngine>().core;
    let Some(windows) = &core.metrics else { return false };
    windows.fill(core.now.us, std::iter::once(world), &core.hub, out);
    true
}
