//! Where the time of a tick goes: laps between two systems, by a stopwatch of the host.

use bevy_ecs::prelude::*;

/// Receives the time between two systems. Lent by the host, write-only: no decision ever reads it.
pub trait Stopwatch: Send + Sync {
    /// The work since the last call belongs to `stage`: a node's index, or behind the last node's that of one of
    /// [`ENGINE_STAGES`].
    fn lap(&mut self, stage: usize);
    /// Nothing before this call counts: half a tick of a shard begins, or a step that no shard does.
    fn start(&mut self);
    /// Nanoseconds so far, by stage.
    fn totals_ns(&self) -> &[u64];
}

/// What a stopwatch tells apart beside the nodes, in this order: the session's output; what comes before the first node
/// (sessions, control messages, arrivals, barge-in); what closes the tick (hosts, segments, event log); the hub and the
/// way to and from it.
pub const ENGINE_STAGES: [&str; 4] = ["output", "edge", "account", "hub"];

/// A stage that is no node's.
#[derive(Clone, Copy)]
pub(crate) enum EngineStage {
    Edge = 1,
    Account = 2,
    Hub = 3,
}

/// The host's stopwatch of one shard, if it lent one.
#[derive(Resource, Default)]
pub struct StageTimes {
    pub(crate) watch: Option<Box<dyn Stopwatch>>,
    nodes: usize,
}

impl StageTimes {
    /// With a stopwatch for a scene of `nodes` nodes.
    pub(crate) fn lent(watch: Box<dyn Stopwatch>, nodes: usize) -> Self {
        Self { watch: Some(watch), nodes }
    }

    pub(crate) fn end_stage(&mut self, stage: EngineStage) {
        self.lap(self.nodes + stage as usize);
    }

    pub(crate) fn lap(&mut self, stage: usize) {
        if let Some(watch) = &mut self.watch {
            watch.lap(stage);
        }
    }

    pub(crate) fn start(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.start();
        }
    }
}
