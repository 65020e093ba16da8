//! The one tick: the world of an engine and the systems that run in it. An [`Engine`](crate::Engine) runs the tick over its
//! shards, a foreign world runs the tick over itself as the one shard of the engine that is embedded there.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use rayon::ThreadPool;

use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::node::plan::ScenePlan;
use crate::observe::metrics::{MetricsWindows, Snapshot};
use crate::record::event::Record;
use crate::record::stage_times::StageTimes;
use crate::service::api::{ServiceWaker, TimeMode};
use crate::service::hub::Hub;
use crate::tick::batch::batch;
use crate::tick::deliver::deliver;
use crate::tick::join::{Records, join_records};
use crate::tick::metrics::{Metrics, hear_answers, rotate_metrics};
use crate::tick::order::{Ordered, PlacedSystem, boxed};
use crate::tick::services::start_services;
use crate::tick::shard::{Shard, built};
use crate::tick::shards::{Shards, first_halves, second_halves};
use crate::tick::stage::Stage;

/// The systems of a tick, in order. The first and the last are left out while no metrics are kept.
pub(crate) fn engine_systems() -> Vec<PlacedSystem> {
    vec![
        PlacedSystem::new(Stage::Rotate, "rotate_metrics", boxed(rotate_metrics)),
        PlacedSystem::new(Stage::Deliver, "deliver", boxed(deliver)),
        PlacedSystem::new(Stage::FirstHalf, "first_halves", boxed(first_halves)),
        PlacedSystem::new(Stage::Batch, "batch", boxed(batch)),
        PlacedSystem::new(Stage::SecondHalf, "second_halves", boxed(second_halves)),
        PlacedSystem::new(Stage::Join, "join_records", boxed(join_records)),
        PlacedSystem::new(Stage::Observe, "hear_answers", boxed(hear_answers)),
    ]
}

/// The schedule of a tick in this world.
fn schedule(world: &mut World) -> Schedule {
    let mut systems = engine_systems();
    if !world.contains_resource::<Metrics>() {
        systems.retain(|placed| !matches!(placed.stage, Stage::Rotate | Stage::Observe));
    }
    let mut tick = Schedule::default();
    Ordered::new(&[], systems).install(&mut tick, None);
    built(tick, world)
}

/// An engine: a world with its services, stations, shards and metrics, and the schedule of its tick.
pub(crate) struct EngineWorld {
    pub(crate) world: World,
    tick: Schedule,
    /// Whether a tick has begun and not ended: the next tick then knows that it panicked.
    is_torn: bool,
}

impl EngineWorld {
    /// Starts the services of a scene. The world has no shards yet.
    pub(crate) fn new(plan: &ScenePlan, open: &Arc<OpenSessions>, seed: u64, time: TimeMode) -> Self {
        let mut world = World::new();
        start_services(&mut world, plan, seed, time, &ServiceWaker(Arc::clone(&open.bell)));
        world.insert_resource(Now::default());
        world.insert_resource(StageTimes::default());
        world.insert_resource(Records::new(open.sessions_max));
        let shards = Shards { list: Vec::new(), open: Arc::clone(open), threads: None };
        world.insert_resource(shards);
        let tick = schedule(&mut world);
        Self { world, tick, is_torn: false }
    }

    /// Adds the shards, and the threads that they may be ticked on.
    pub(crate) fn add_shards(&mut self, list: Vec<Shard>, threads: Option<Arc<ThreadPool>>) {
        let shards = self.shards_mut();
        (shards.list, shards.threads) = (list, threads);
    }

    /// Runs one tick at engine time `now_us`; a time before the last tick counts as that tick's.
    pub(crate) fn tick(&mut self, now_us: u64) {
        if std::mem::replace(&mut self.is_torn, true) {
            // The executor would leave out the systems that ran before the panic.
            self.tick = schedule(&mut self.world);
        }
        let sessions_open = self.shards().sessions_open();
        let mut now = self.world.resource_mut::<Now>();
        *now = now.next(now_us, sessions_open);
        self.tick.run(&mut self.world);
        self.world.clear_trackers();
        self.is_torn = false;
    }

    pub(crate) fn now(&self) -> Now {
        *self.world.resource()
    }

    pub(crate) fn shards(&self) -> &Shards {
        self.world.resource()
    }

    pub(crate) fn shards_mut(&mut self) -> &mut Shards {
        self.world.resource_mut::<Shards>().into_inner()
    }

    /// The events of the last tick.
    pub(crate) fn records(&self) -> &[Record] {
        &self.world.resource::<Records>().list
    }

    pub(crate) fn hub(&self) -> Hub<'_> {
        Hub::new(&self.world)
    }

    /// Keeps metrics from now on: windows that rotate every 5 s of engine time.
    pub(crate) fn keep_metrics(&mut self, plan: &ScenePlan) {
        let calls = plan.nodes.iter().map(|node| node.service.is_some()).chain([false]);
        let sessions_max = self.shards().open.sessions_max;
        let windows = MetricsWindows::new(self.now().us, calls, sessions_max as usize);
        self.world.insert_resource(Metrics(Box::new(windows)));
        self.tick = schedule(&mut self.world);
    }

    /// Fills in the metrics of shards with these worlds, if they are kept.
    pub(crate) fn metrics<'a>(
        &self,
        worlds: impl Iterator<Item = &'a World> + Clone,
        out: &mut Snapshot,
    ) -> bool {
        let Some(Metrics(windows)) = self.world.get_resource() else { return false };
        windows.fill(self.now().us, worlds, self.hub(), out);
        true
    }
}
