//! What may be looked at after every tick: sums that cost a few reads a shard and node, and no memory.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::record::counts::Counts;
use crate::record::stage_times::{ENGINE_STAGES, StageTimes};
use crate::service::hub::Hub;
use crate::session::index::SessionIndex;

/// An engine between two ticks. Storage is kept from one look to the next.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// Nanoseconds of work since the start, over all shards: by node, then by [`ENGINE_STAGES`]. All 0 without
    /// stopwatches.
    pub work_ns: Vec<u64>,
    /// The same by shard, over all stages.
    pub shards_ns: Vec<u64>,
    /// Frames that wait, by node (the last entry: the output): in its queues, and for its service behind the hub.
    pub waiting: Vec<u64>,
    /// Sessions open.
    pub sessions_open: u32,
}

impl Glance {
    /// Fills in sums over the worlds of all shards, what `serial` measured outside of them, and what waits in the hub.
    pub(crate) fn fill<'a>(
        &mut self,
        nodes: usize,
        worlds: impl Iterator<Item = &'a World>,
        serial: &StageTimes,
        hub: Hub<'_>,
    ) {
        self.work_ns.clear();
        self.work_ns.resize(nodes + ENGINE_STAGES.len(), 0);
        self.shards_ns.clear();
        self.waiting.clear();
        self.waiting.resize(nodes + 1, 0);
        self.sessions_open = 0;
        for world in worlds {
            let ns = add_stage_times(&mut self.work_ns, world.resource::<StageTimes>());
            self.shards_ns.push(ns);
            for (waiting, counts) in self.waiting.iter_mut().zip(world.resource::<Counts>().nodes()) {
                *waiting += counts.waiting();
            }
            self.sessions_open += world.resource::<SessionIndex>().open();
        }
        add_stage_times(&mut self.work_ns, serial);
        for (at, waiting) in self.waiting.iter_mut().enumerate() {
            *waiting += hub.waiting(NodeId(at as u8)) as u64;
        }
    }
}

/// Adds what a stopwatch has, by stage; returns the sum of it.
fn add_stage_times(work_ns: &mut [u64], stage_times: &StageTimes) -> u64 {
    let totals_ns = stage_times.watch.as_ref().map_or(&[][..], |watch| watch.totals_ns());
    work_ns.iter_mut().zip(totals_ns).for_each(|(sum, ns)| *sum += ns);
    totals_ns.iter().sum()
}
