//! The engine as a host drives it: a world of its own, with services and shards, and a tick.
//!
//! A tick is a function of (world, arrivals, now, seed). Nothing here reads a clock; the host gives the time.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
#[cfg(feature = "mutations")]
use crate::base::mutation::Mutation;
use crate::base::strikes::NodeStrikes;
use crate::base::time::Now;
use crate::config::EngineConfig;
use crate::engine_handle::{EngineHandle, Shared};
use crate::node::plan::ScenePlan;
use crate::observe::census::{self, Census};
use crate::observe::metrics::Snapshot;
use crate::observe::session_view;
use crate::observe::session_view::SessionView;
use crate::record::event::Record;
use crate::record::node_histograms::NodeHistograms;
use crate::record::stage_times::{StageTimes, Stopwatch};
use crate::service::hub::Hub;
use crate::speech::segment::Segment;
use crate::tick::install::ShardSpec;
use crate::tick::run::EngineWorld;
use crate::tick::shard::Shard;
use crate::workers::{NoThreads, Workers};

/// A running scene. When the engine is dropped every session ends where it stands: its host is woken and finds the
/// session [closed](crate::SessionHandle::is_closed), and no session can be opened any more.
pub struct Engine {
    core: EngineWorld,
    shared: Arc<Shared>,
    /// Threads of its own, in which the host may stay for many ticks.
    own: Option<Workers>,
}

impl Engine {
    /// Builds the shards of a compiled scene and starts its services.
    ///
    /// # Panics
    /// If the operating system refuses the worker threads; [`Self::try_new`] returns an error instead. One thread is
    /// never refused.
    pub fn new(plan: Arc<ScenePlan>, config: EngineConfig) -> Self {
        Self::try_new(plan, config).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Builds the shards of a compiled scene and starts its services.
    ///
    /// # Errors
    /// [`NoThreads`] if the operating system refuses the worker threads.
    pub fn try_new(plan: Arc<ScenePlan>, config: EngineConfig) -> Result<Self, NoThreads> {
        let workers = Workers::start(config.threads)?;
        let engine = Self::on_workers(plan, config, &workers);
        Ok(Self { own: Some(workers), ..engine })
    }

    /// Builds the shards of a compiled scene and starts its services; the ticks share `workers` with other engines,
    /// which may tick at the same time from other threads. `config.threads` is ignored: the number of threads is that
    /// of `workers`. Neither ever changes a result.
    ///
    /// While an engine waits for its last shards, a thread may work on the tick of another engine: a tick can last as
    /// much longer as half a tick of the others.
    pub fn on_workers(plan: Arc<ScenePlan>, config: EngineConfig, workers: &Workers) -> Self {
        let config = EngineConfig { threads: workers.threads(), ..config };
        let shared = Shared::new(Arc::clone(&plan), &config);
        let mut core = EngineWorld::new(&plan, &shared.open, config.seed, config.time);
        let wants_audio = core.hub().wants_audio();
        let shard = |shard| {
            let (plan, open, wants_audio) = (&plan, &shared.open, &*wants_audio);
            Shard::new(&ShardSpec { plan, open, shard, seed: config.seed, wants_audio })
        };
        core.add_shards((0..shared.open.ports.len()).map(shard).collect(), workers.pool().cloned());
        Self { core, shared, own: None }
    }

    /// A handle for hosts, which opens sessions.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle { shared: Arc::clone(&self.shared) }
    }

    /// The compiled scene.
    pub fn plan(&self) -> &Arc<ScenePlan> {
        &self.shared.plan
    }

    /// Engine time of the last tick in microseconds.
    pub fn now_us(&self) -> u64 {
        self.core.now().us
    }

    /// Lends a stopwatch to each shard, and one to the steps outside the shards.
    pub fn lend_stopwatches(&mut self, mut make: impl FnMut() -> Box<dyn Stopwatch>) {
        let nodes = self.shared.plan.nodes.len();
        for shard in &mut self.core.shards_mut().list {
            *shard.world.resource_mut::<StageTimes>() = StageTimes::lent(make(), nodes);
        }
        *self.core.world.resource_mut::<StageTimes>() = StageTimes::lent(make(), nodes);
    }

    /// Runs `work` inside the engine's own thread pool, so that ticks need not cross into it one by one. An engine on
    /// [shared threads](Self::on_workers) has none: there `work` runs on the calling thread, or one engine's loop would
    /// hold up the others'.
    pub fn within<R: Send>(&mut self, work: impl FnOnce(&mut Self) -> R + Send) -> R {
        match self.own.as_ref().and_then(Workers::pool).cloned() {
            Some(pool) => pool.install(|| work(self)),
            None => work(self),
        }
    }

    /// Runs one tick at engine time `now_us`; a time before the last tick counts as that tick's.
    pub fn tick(&mut self, now_us: u64) {
        self.core.tick(now_us);
    }

    /// The events of the last tick: by session id, within a session in order.
    pub fn records(&self) -> &[Record] {
        self.core.records()
    }

    /// The services and the stations before them.
    pub fn hub(&self) -> Hub<'_> {
        self.core.hub()
    }

    /// Fills in the sums over all shards after the tick, and returns them. Changes nothing, and allocates nothing
    /// with a `census` that was filled before. A few reads a shard and node: cheap enough for every tick.
    pub fn census<'c>(&self, census: &'c mut Census) -> &'c Census {
        census.fill(
            self.shared.plan.nodes.len(),
            self.worlds(),
            self.core.world.resource(),
            &self.core.hub(),
        );
        census
    }

    /// Fills in the frames found waiting at each node (the last entry: the output), in its queues and outside full
    /// ones, and returns them. Looks at every queue and uses no count: cheap beside a tick, not free.
    pub fn queued<'q>(&self, queued: &'q mut Vec<u64>) -> &'q [u64] {
        census::fill_queued(self.shared.plan.nodes.len(), self.worlds(), queued);
        queued
    }

    /// Fills in the distributions of the times and depths of `node` (after the last one: the output) since the start,
    /// over all shards, and returns them. Costs some microseconds a shard: not for every tick.
    pub fn histograms<'h>(&self, node: NodeId, histograms: &'h mut NodeHistograms) -> &'h NodeHistograms {
        census::fill_histograms(node, self.worlds(), histograms);
        histograms
    }

    /// The engine's own world, for inspection: services, the nodes that call them with their stations, the shards as
    /// a resource.
    pub fn world(&self) -> &World {
        &self.core.world
    }

    /// The worlds of the shards, for inspection: each with its sessions, queues and segments.
    pub fn shard_worlds(&self) -> impl Iterator<Item = &World> {
        self.worlds()
    }

    /// The sessions whose entities exist, in id order within each shard.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView<'_>> {
        self.worlds().flat_map(session_view::sessions)
    }

    /// The segments in use, by shard.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.worlds().flat_map(session_view::segments)
    }

    /// Keeps metrics from now on: windows that rotate every 5 s of engine time. Allocates here, 0.3 MB a node.
    pub fn keep_metrics(&mut self) {
        self.core.keep_metrics(&self.shared.plan);
    }

    /// Fills in the metrics of this moment, and says whether metrics are kept; if not, `out` is unchanged. Changes
    /// nothing else, and allocates nothing with the `out` of an earlier call. Costs some microseconds a shard and
    /// node: for once a second, not for every tick.
    pub fn metrics(&self, out: &mut Snapshot) -> bool {
        self.core.metrics(self.worlds(), out)
    }

    /// Has nodes panic from the next tick on, as the value says, which then lives as long as the program.
    #[doc(hidden)]
    pub fn strike_nodes(&mut self, strikes: NodeStrikes) {
        self.core.world.resource_mut::<Now>().strikes = Some(Box::leak(Box::new(strikes)));
    }

    /// The nodes that panic on purpose.
    #[doc(hidden)]
    pub fn node_strikes(&self) -> Option<NodeStrikes> {
        self.core.now().strikes.copied()
    }

    /// Breaks the engine from the next tick on.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: Mutation) {
        self.core.world.resource_mut::<Now>().mutation = Some(mutation);
    }

    /// The worlds of the shards.
    fn worlds(&self) -> impl Iterator<Item = &World> + Clone {
        self.core.shards().worlds()
    }
}
