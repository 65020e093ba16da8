//! Frame accounting per node: `in = consumed + gated + merged + cancelled + dropped + queued`, `created = sent on`.
//!
//! Marks are boundaries, not goods: they are not counted.

use bevy_ecs::prelude::*;
use hdrhistogram::Histogram;

use crate::base::ids::NodeId;
use crate::record::event::{DropReason, Event};
use crate::record::histogram::{Buckets, LATENCY_MAX_US, latency_histogram};

/// Depths that are told apart: the greatest queue, and what may wait behind it.
pub(crate) const DEPTHS_MAX: usize = 1_056;
/// Depths that there are places for from the start; queues that were ever deeper have twice as many, and so on.
const DEPTHS_MIN: usize = 32;

/// What became of the frames of one node.
#[derive(Clone, Debug)]
pub struct NodeCounts {
    /// Frames that were put into its queues.
    pub arrived: u64,
    /// Frames that it took from its queues, whatever became of them.
    pub taken: u64,
    /// Frames it used up or moved on.
    pub consumed: u64,
    /// Frames it withheld because they are not speech.
    pub gated: u64,
    /// Frames that a cancellation took out of its queues or its state.
    pub cancelled: u64,
    /// Frames that became one with the frame before them.
    pub merged: u64,
    /// Frames lost, by [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Frames it sent, by output port.
    pub created: [u64; 4],
    /// Audio samples (all channels) that arrived, and that it sent.
    pub samples_in: u64,
    /// See `samples_in`.
    pub samples_out: u64,
    /// Greatest queue depth seen.
    pub depth_max: u32,
    /// From entering its queue to being taken from it.
    pub wait: Histogram<u32>,
    /// From entering its queue to the first of the service's answer, for nodes that call one; others pass on in the
    /// tick in which they take, so that their latency is their wait.
    pub latency: Histogram<u32>,
    /// The same waits, by the bounds of the metrics.
    pub wait_buckets: Buckets,
    /// The same latencies, by the bounds of the metrics.
    pub latency_buckets: Buckets,
    /// Latencies beyond the histogram's range.
    pub saturated: u64,
    /// How often a frame that entered made the queue this deep, by depth, as far as any was; at most 1,056 places, the last
    /// of which means: and deeper.
    pub depths: Vec<u64>,
    /// Items that came out after their deadline, each once.
    pub deadlines_missed: u64,
    /// Items whose deadline came near before they were worked on, each once.
    pub deadlines_near: u64,
    /// Segments it opened.
    pub segments_opened: u64,
    /// Segments it confirmed.
    pub segments_confirmed: u64,
    /// Segments it cancelled.
    pub segments_cancelled: u64,
    /// Endpoints it took back.
    pub retractions: u64,
}

impl Default for NodeCounts {
    fn default() -> Self {
        Self {
            arrived: 0,
            taken: 0,
            consumed: 0,
            gated: 0,
            cancelled: 0,
            dropped: [0; DropReason::ALL.len()],
            created: [0; 4],
            samples_in: 0,
            samples_out: 0,
            depth_max: 0,
            merged: 0,
            wait: latency_histogram(),
            latency: latency_histogram(),
            wait_buckets: Buckets::latency(),
            latency_buckets: Buckets::latency(),
            saturated: 0,
            depths: vec![0; DEPTHS_MIN],
            deadlines_missed: 0,
            deadlines_near: 0,
            segments_opened: 0,
            segments_confirmed: 0,
            segments_cancelled: 0,
            retractions: 0,
        }
    }
}

impl NodeCounts {
    /// Adds another shard's figures.
    pub fn merge(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.taken += other.taken;
        self.consumed += other.consumed;
        self.gated += other.gated;
        self.cancelled += other.cancelled;
        self.merged += other.merged;
        if self.depths.len() < other.depths.len() {
            self.depths.resize(other.depths.len(), 0);
        }
        for (a, b) in self.depths.iter_mut().zip(&other.depths) {
            *a += b;
        }
        for (a, b) in self.dropped.iter_mut().zip(other.dropped) {
            *a += b;
        }
        for (a, b) in self.created.iter_mut().zip(other.created) {
            *a += b;
        }
        self.samples_in += other.samples_in;
        self.samples_out += other.samples_out;
        self.depth_max = self.depth_max.max(other.depth_max);
        self.wait.add(&other.wait).expect("all histograms have one range");
        self.latency.add(&other.latency).expect("all histograms have one range");
        self.wait_buckets.merge(&other.wait_buckets);
        self.latency_buckets.merge(&other.latency_buckets);
        self.saturated += other.saturated;
        self.deadlines_missed += other.deadlines_missed;
        self.deadlines_near += other.deadlines_near;
        self.segments_opened += other.segments_opened;
        self.segments_confirmed += other.segments_confirmed;
        self.segments_cancelled += other.segments_cancelled;
        self.retractions += other.retractions;
    }

    /// Frames lost for any reason.
    pub fn dropped_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Frames still at the node: in its queues, or stalled before a full queue.
    pub fn waiting(&self) -> u64 {
        let over = self.consumed + self.gated + self.merged + self.cancelled + self.dropped_all();
        self.arrived.saturating_sub(over)
    }

    /// Frames that left, over all ports.
    pub fn created_all(&self) -> u64 {
        self.created.iter().sum()
    }

    /// Records how long a frame waited in the queue.
    pub fn record_wait(&mut self, us: u64) {
        if us > LATENCY_MAX_US {
            self.saturated += 1;
        }
        self.wait.saturating_record(us);
        self.wait_buckets.record(us);
    }

    /// Records how long it took from entering the queue to the first of a service's answer.
    pub fn record_latency(&mut self, us: u64) {
        self.latency.saturating_record(us);
        self.latency_buckets.record(us);
    }

    /// Counts what the node says of segments.
    pub(crate) fn count(&mut self, event: &Event) {
        match event {
            Event::SegmentOpened { .. } => self.segments_opened += 1,
            Event::SegmentConfirmed { .. } => self.segments_confirmed += 1,
            Event::SegmentCancelled { .. } => self.segments_cancelled += 1,
            Event::EndpointRetracted { .. } => self.retractions += 1,
            _ => {}
        }
    }

    /// Records the depth that a frame found itself at, itself included.
    pub fn record_depth(&mut self, depth: u32) {
        self.depth_max = self.depth_max.max(depth);
        let place = (depth as usize).min(DEPTHS_MAX - 1);
        if place >= self.depths.len() {
            self.depths.resize((place + 1).next_power_of_two().min(DEPTHS_MAX), 0);
        }
        self.depths[place] += 1;
    }

    /// The depth that `quantile` (0..1) of the frames found at most; 0 when none came.
    pub fn depth_at(&self, quantile: f64) -> u32 {
        let wanted = (self.depths.iter().sum::<u64>() as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        self.depths.iter().position(reaches).unwrap_or(0) as u32
    }
}

/// The counts of one shard, by node; the last one is the session's output.
#[derive(Resource, Debug)]
pub struct Counts {
    nodes: Vec<NodeCounts>,
    /// From arrival, or the decision that let it through, to release, of audio that is forwarded.
    forwarded: Buckets,
}

impl Counts {
    pub(crate) fn new(nodes: usize) -> Self {
        let nodes = (0..=nodes).map(|_| NodeCounts::default()).collect();
        Self { nodes, forwarded: Buckets::latency() }
    }

    /// Those of one node.
    pub fn node(&mut self, node: NodeId) -> &mut NodeCounts {
        &mut self.nodes[node.index()]
    }

    /// All node_counts, by node.
    pub fn nodes(&self) -> &[NodeCounts] {
        &self.nodes
    }

    /// How long forwarded audio took from its arrival to its release.
    pub fn forwarded(&self) -> &Buckets {
        &self.forwarded
    }

    pub(crate) fn is_output(&self, node: NodeId) -> bool {
        node.index() + 1 == self.nodes.len()
    }

    pub(crate) fn arrived(&mut self, node: NodeId, samples: usize) {
        let counts = self.node(node);
        counts.arrived += 1;
        counts.samples_in += samples as u64;
    }

    pub(crate) fn forward(&mut self, us: u64) {
        self.forwarded.record(us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_of_all_shards_are_kept_however_deep_and_those_beyond_the_last_place_stand_there() {
        let counts = |depths: &[u32]| {
            let mut counts = NodeCounts::default();
            depths.iter().for_each(|depth| counts.record_depth(*depth));
            counts
        };
        let deep = counts(&[1, 31, 32, 700, 5_000]);
        let (mut all, mut last) = (counts(&[2]), deep.clone());
        all.merge(&deep);
        last.merge(&counts(&[2]));
        for merged in [all, last] {
            let at = [0.0, 0.2, 0.4, 0.5, 0.7, 0.8, 1.0].map(|quantile| merged.depth_at(quantile));
            assert_eq!((at, merged.depth_max), ([0, 2, 31, 31, 700, 700, DEPTHS_MAX as u32 - 1], 5_000));
        }
    }
}
