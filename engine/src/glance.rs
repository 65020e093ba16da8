//! What may be looked at after every tick: sums that cost a few reads a shard and node, and no memory.

use crate::desk::{Laps, STAGES_BESIDE};
use crate::engine::Engine;
use crate::ids::NodeId;
use crate::ledger::Ledger;
use crate::session::SessionTable;

/// An engine between two ticks. Storage is kept from one look to the next.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// Nanoseconds of work since the start, over all shards: by node, then by [`STAGES_BESIDE`]. All 0 without
    /// stopwatches.
    pub work_ns: Vec<u64>,
    /// The same by shard, over all stages.
    pub shards_ns: Vec<u64>,
    /// Frames that wait, by node (the last entry: the output): in its queues, and for its service behind the hub.
    pub waiting: Vec<u64>,
    /// Sessions open.
    pub sessions_open: u32,
}

impl Engine {
    /// Takes a look.
    pub fn glance(&self, glance: &mut Glance) {
        let nodes = self.plan().nodes.len();
        glance.work_ns.clear();
        glance.work_ns.resize(nodes + STAGES_BESIDE.len(), 0);
        glance.shards_ns.clear();
        glance.waiting.clear();
        glance.waiting.resize(nodes + 1, 0);
        glance.sessions_open = 0;
        for shard in &self.shards {
            let ns = add_laps(&mut glance.work_ns, shard.world.resource::<Laps>());
            glance.shards_ns.push(ns);
            for (waiting, ledger) in glance.waiting.iter_mut().zip(shard.world.resource::<Ledger>().nodes()) {
                *waiting += ledger.waiting();
            }
            glance.sessions_open += shard.world.resource::<SessionTable>().open();
        }
        add_laps(&mut glance.work_ns, &self.serial);
        for (at, waiting) in glance.waiting.iter_mut().enumerate() {
            *waiting += self.hub().waiting(NodeId(at as u8)) as u64;
        }
    }
}

/// Adds what a stopwatch has, by stage; returns the sum of it.
fn add_laps(work_ns: &mut [u64], laps: &Laps) -> u64 {
    let totals_ns = laps.watch.as_ref().map_or(&[][..], |watch| watch.totals_ns());
    work_ns.iter_mut().zip(totals_ns).for_each(|(sum, ns)| *sum += ns);
    totals_ns.iter().sum()
}
