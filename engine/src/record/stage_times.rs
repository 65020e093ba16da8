//! Where the time of a tick goes: laps between systems, measured by a stopwatch of the host.

use bevy_ecs::prelude::*;

/// Receives the time between two systems. Lent by the host, write-only: no decision ever reads it.
pub trait Stopwatch: Send + Sync {
    /// Counts the time since the last call for `stage`: a node's index, or, after the last node's, the index in
    /// [`ENGINE_STAGES`].
    fn lap(&mut self, stage: usize);
    /// Starts a lap: no time before this call counts. Half a tick of a shard begins, or a step outside the shards.
    fn start(&mut self);
    /// Nanoseconds so far, by stage.
    fn totals_ns(&self) -> &[u64];
}

/// The stages that a stopwatch tells apart beside the nodes, in this order: the session's output; what comes before
/// the first node (sessions, control messages, arrivals, turn taking); what closes the tick (hosts, segments, event
/// log); the hub and the way to and from it.
pub const ENGINE_STAGES: [&str; 4] = ["output", "edge", "account", "hub"];

/// A stage that belongs to no node.
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
    /// The times of a scene of `nodes` nodes, measured by `watch`.
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
