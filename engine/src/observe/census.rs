//! The census: the engine between two ticks, in sums over all shards, cheap enough for every tick. Functions that
//! look at every queue are separate, so that one can be checked against the other.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::media::block::BlockPool;
use crate::observe::session_view::sessions;
use crate::record::counts::{Balance, Counts, NodeCounts};
use crate::record::edge_figures::{ControlFigures, EdgeFigures};
use crate::record::node_histograms::NodeHistograms;
use crate::record::stage_times::{ENGINE_STAGES, StageTimes};
use crate::service::hub::Hub;
use crate::session::index::SessionIndex;
use crate::speech::segment::SegmentPool;

/// The counts of an engine: a few reads for each shard and node. A census can be filled again without allocating.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Counts of every node; the last one is the output.
    pub nodes: Vec<NodeCounts>,
    /// Frames that wait by the counts, for each node: in its queues, outside full ones, and for its service behind
    /// the hub.
    pub waiting: Vec<u64>,
    /// Values in each node's histogram of waiting times.
    pub waits: Vec<u64>,
    /// Values in each node's histogram of latencies.
    pub latencies: Vec<u64>,
    /// Counts of arrivals at the edge.
    pub edge: EdgeFigures,
    /// Counts of control messages from hosts.
    pub controls: ControlFigures,
    /// Sessions whose entities exist.
    pub sessions_open: u32,
    /// Segments in use.
    pub segments_active: usize,
    /// Places for segments; each is an entity.
    pub segment_places: usize,
    /// Entities of all worlds: constant once warm, whatever sessions come and go.
    pub entities: u64,
    /// Blocks under way inside the engine, see [`BlockPool::out`].
    pub blocks_out: i64,
    /// Blocks ever made by the pools: constant once warm.
    pub blocks_created: u64,
    /// Nanoseconds of work since the start, over all shards: by node, then by [`ENGINE_STAGES`]. All 0 without
    /// stopwatches.
    pub work_ns: Vec<u64>,
    /// Nanoseconds of work by shard, over all stages.
    pub shards_ns: Vec<u64>,
}

impl Census {
    /// Fills in the sums over the worlds of all shards of a scene of `nodes` nodes, the times that `serial` measured
    /// outside them, and what waits in the hub.
    pub(crate) fn fill<'a>(
        &mut self,
        nodes: usize,
        worlds: impl Iterator<Item = &'a World>,
        serial: &StageTimes,
        hub: &Hub<'_>,
    ) {
        self.clear(nodes);
        worlds.for_each(|world| self.add(world));
        add_stage_times(&mut self.work_ns, serial);
        for (at, (waiting, counts)) in self.waiting.iter_mut().zip(&self.nodes).enumerate() {
            *waiting = counts.waiting() + hub.waiting(NodeId(at as u8)) as u64;
        }
    }

    /// The balance of each node, of what arrived against what became of it; `queued` is what was found waiting there.
    ///
    /// # Panics
    /// If `queued` has not one entry for each node.
    pub fn balances<'a>(&'a self, queued: &'a [u64]) -> impl Iterator<Item = Balance> + 'a {
        assert_eq!(self.nodes.len(), queued.len(), "each node has its queues");
        self.nodes.iter().zip(queued).map(|(counts, queued)| counts.balance(*queued))
    }

    fn clear(&mut self, nodes: usize) {
        let places = nodes + 1;
        let of = |mut sums: Vec<u64>, places: usize| {
            sums.clear();
            sums.resize(places, 0);
            sums
        };
        let mut counts = std::mem::take(&mut self.nodes);
        counts.clear();
        counts.resize(places, NodeCounts::default());
        *self = Self {
            nodes: counts,
            waiting: of(std::mem::take(&mut self.waiting), places),
            waits: of(std::mem::take(&mut self.waits), places),
            latencies: of(std::mem::take(&mut self.latencies), places),
            work_ns: of(std::mem::take(&mut self.work_ns), nodes + ENGINE_STAGES.len()),
            shards_ns: of(std::mem::take(&mut self.shards_ns), 0),
            ..Self::default()
        };
    }

    fn add(&mut self, world: &World) {
        let counts = world.resource::<Counts>();
        for (sum, counts) in self.nodes.iter_mut().zip(counts.nodes()) {
            sum.add(counts);
        }
        let sums = self.waits.iter_mut().zip(&mut self.latencies);
        for ((waits, latencies), histograms) in sums.zip(counts.histograms()) {
            *waits += histograms.wait.len();
            *latencies += histograms.latency.len();
        }
        self.edge.add(world.resource::<EdgeFigures>());
        self.controls.add(world.resource::<ControlFigures>());
        self.sessions_open += world.resource::<SessionIndex>().open();
        self.segments_active += world.resource::<SegmentPool>().active();
        self.segment_places += world.resource::<SegmentPool>().places();
        self.entities += u64::from(world.entities().count_spawned());
        self.blocks_out += world.resource::<BlockPool>().out();
        self.blocks_created += world.resource::<BlockPool>().created();
        let ns = add_stage_times(&mut self.work_ns, world.resource::<StageTimes>());
        self.shards_ns.push(ns);
    }
}

/// Adds the times of a stopwatch by stage; returns their sum.
fn add_stage_times(work_ns: &mut [u64], stage_times: &StageTimes) -> u64 {
    let totals_ns = stage_times.watch.as_ref().map_or(&[][..], |watch| watch.totals_ns());
    work_ns.iter_mut().zip(totals_ns).for_each(|(sum, ns)| *sum += ns);
    totals_ns.iter().sum()
}

/// Fills in the frames found in the queues of each of `nodes` nodes and of the output, and those outside full ones,
/// which have arrived, too.
pub(crate) fn fill_queued<'a>(nodes: usize, worlds: impl Iterator<Item = &'a World>, queued: &mut Vec<u64>) {
    queued.clear();
    queued.resize(nodes + 1, 0);
    for session in worlds.flat_map(sessions) {
        for at in 0..=nodes {
            let node = NodeId(at as u8);
            if let Some(queue) = session.queue(node).filter(|queue| !queue.is_empty()) {
                queued[at] += queue.iter().filter(|frame| frame.is_content()).count() as u64;
            }
            for (to, frame) in session.stalled(node) {
                queued[to.index()] += u64::from(frame.is_content());
            }
        }
    }
}

/// Fills in the histograms of `node` over all shards.
pub(crate) fn fill_histograms<'a>(
    node: NodeId,
    worlds: impl Iterator<Item = &'a World>,
    histograms: &mut NodeHistograms,
) {
    histograms.clear();
    let all = worlds.filter_map(|world| world.resource::<Counts>().histograms().get(node.index()));
    all.for_each(|more| histograms.add(more));
}
