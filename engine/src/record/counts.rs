//! Frame accounting per node: `in = consumed + gated + merged + cancelled + dropped + queued`, `created = sent on`.
//!
//! Marks are boundaries, not content: they are not counted.

use std::fmt;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::record::event::{DropReason, Event};
use crate::record::histogram::{Buckets, LATENCY_MAX_US};
use crate::record::node_histograms::NodeHistograms;

/// What became of the frames of one node, in plain sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Frames that came for it: in its queues, or outside a full one that blocks, on the sender's lane.
    pub arrived: u64,
    /// Frames that it took from its queues, whatever became of them afterwards.
    pub taken: u64,
    /// Frames it used up or moved on.
    pub consumed: u64,
    /// Frames it withheld because they are not speech.
    pub gated: u64,
    /// Frames that became one with the frame before them.
    pub merged: u64,
    /// Frames that a cancellation took out of its queues or its state.
    pub cancelled: u64,
    /// Frames lost, by [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Frames it sent, by output port.
    pub created: [u64; 4],
    /// Audio samples that arrived, over all channels.
    pub samples_in: u64,
    /// Audio samples that it sent, over all channels.
    pub samples_out: u64,
    /// Greatest queue depth seen.
    pub depth_max: u32,
    /// Waiting times beyond the range of the histograms.
    pub saturated: u64,
    /// Items that came out after their deadline, each once.
    pub deadlines_missed: u64,
    /// Items whose deadline came near before the node worked on them, each once.
    pub deadlines_near: u64,
    /// Segments it opened.
    pub segments_opened: u64,
    /// Segments it confirmed.
    pub segments_confirmed: u64,
    /// Segments it cancelled.
    pub segments_cancelled: u64,
    /// Endpoints it retracted.
    pub retractions: u64,
}

impl NodeCounts {
    /// Adds another shard's counts.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.taken += other.taken;
        self.consumed += other.consumed;
        self.gated += other.gated;
        self.merged += other.merged;
        self.cancelled += other.cancelled;
        for (sum, count) in self.dropped.iter_mut().zip(other.dropped) {
            *sum += count;
        }
        for (sum, count) in self.created.iter_mut().zip(other.created) {
            *sum += count;
        }
        self.samples_in += other.samples_in;
        self.samples_out += other.samples_out;
        self.depth_max = self.depth_max.max(other.depth_max);
        self.saturated += other.saturated;
        self.deadlines_missed += other.deadlines_missed;
        self.deadlines_near += other.deadlines_near;
        self.segments_opened += other.segments_opened;
        self.segments_confirmed += other.segments_confirmed;
        self.segments_cancelled += other.segments_cancelled;
        self.retractions += other.retractions;
    }

    /// Frames dropped for any reason.
    pub fn dropped_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Frames that left, over all ports.
    pub fn created_all(&self) -> u64 {
        self.created.iter().sum()
    }

    /// Frames whose fate is known: consumed, gated, merged, cancelled or dropped.
    pub fn ended(&self) -> u64 {
        self.balance(0).accounted()
    }

    /// Frames that have arrived and still wait: in the node's queues, or outside a full one.
    pub fn waiting(&self) -> u64 {
        self.arrived.saturating_sub(self.ended())
    }

    /// Sets what arrived against what became of it; `queued` is the number of frames found in the node's queues and
    /// outside full ones.
    pub fn balance(&self, queued: u64) -> Balance {
        Balance {
            arrived: self.arrived,
            consumed: self.consumed,
            gated: self.gated,
            merged: self.merged,
            cancelled: self.cancelled,
            dropped: self.dropped_all(),
            queued,
        }
    }

    /// Counts an event of the node about a segment.
    pub(crate) fn count(&mut self, event: &Event) {
        match event {
            Event::SegmentOpened { .. } => self.segments_opened += 1,
            Event::SegmentConfirmed { .. } => self.segments_confirmed += 1,
            Event::SegmentCancelled { .. } => self.segments_cancelled += 1,
            Event::EndpointRetracted { .. } => self.retractions += 1,
            _ => {}
        }
    }
}

/// Where the frames of one node are: `arrived = consumed + gated + merged + cancelled + dropped + queued`, unless
/// frames were lost silently or counted twice. The fields are those of [`NodeCounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `NodeCounts`, which says what they count")]
pub struct Balance {
    pub arrived: u64,
    pub consumed: u64,
    pub gated: u64,
    pub merged: u64,
    pub cancelled: u64,
    pub dropped: u64,
    /// Frames that were found waiting. They are counted in the queues and not derived from the other fields, so that
    /// the sum can fail.
    pub queued: u64,
}

impl Balance {
    /// Frames that have ended in some way, or wait.
    pub fn accounted(&self) -> u64 {
        self.consumed + self.gated + self.merged + self.cancelled + self.dropped + self.queued
    }

    /// Whether every frame that arrived has ended in exactly one way or waits.
    pub fn holds(&self) -> bool {
        self.arrived == self.accounted()
    }

    /// Frames lost silently; below 0: frames that nobody saw arrive.
    pub fn missing(&self) -> i64 {
        self.arrived.wrapping_sub(self.accounted()).cast_signed()
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arrived, consumed, gated, merged, cancelled, dropped, queued } = self;
        write!(
            f,
            "{arrived} frames in, {} accounted for ({consumed} consumed, {gated} gated, {merged} merged, {cancelled} \
             cancelled, {dropped} dropped, {queued} queued)",
            self.accounted()
        )
    }
}

/// What one shard counts and measures, by node; the last one is the session's output.
#[derive(Resource, Debug)]
pub struct Counts {
    nodes: Vec<NodeCounts>,
    histograms: Vec<NodeHistograms>,
    /// Time from the arrival of forwarded audio, or from the gate's decision, to its release.
    forwarded: Buckets,
}

impl Counts {
    pub(crate) fn new(nodes: usize) -> Self {
        let nodes = nodes + 1;
        Self {
            nodes: vec![NodeCounts::default(); nodes],
            histograms: vec![NodeHistograms::default(); nodes],
            forwarded: Buckets::latency(),
        }
    }

    /// The counts of one node.
    pub fn node(&mut self, node: NodeId) -> &mut NodeCounts {
        &mut self.nodes[node.index()]
    }

    /// The counts of all nodes.
    pub fn nodes(&self) -> &[NodeCounts] {
        &self.nodes
    }

    /// The distributions of times and depths of all nodes.
    pub fn histograms(&self) -> &[NodeHistograms] {
        &self.histograms
    }

    /// How long forwarded audio took from its arrival to its release.
    pub fn forwarded(&self) -> &Buckets {
        &self.forwarded
    }

    pub(crate) fn is_output(&self, node: NodeId) -> bool {
        node.index() + 1 == self.nodes.len()
    }

    /// A frame that came for a node stands outside of its queue.
    pub(crate) fn arrived(&mut self, node: NodeId, samples: usize) {
        let counts = self.node(node);
        counts.arrived += 1;
        counts.samples_in += samples as u64;
    }

    /// A frame that came for a node went into its queue, which is `depth` deep with it.
    #[inline]
    pub(crate) fn entered(&mut self, node: NodeId, samples: usize, depth: u32) {
        let counts = &mut self.nodes[node.index()];
        counts.arrived += 1;
        counts.samples_in += samples as u64;
        counts.depth_max = counts.depth_max.max(depth);
        self.histograms[node.index()].record_depth(depth);
    }

    /// Records the depth of the node's queue that a frame found, including that frame.
    pub(crate) fn record_depth(&mut self, node: NodeId, depth: u32) {
        let counts = self.node(node);
        counts.depth_max = counts.depth_max.max(depth);
        self.histograms[node.index()].record_depth(depth);
    }

    /// Records how long a frame waited in the node's queue.
    pub(crate) fn record_wait(&mut self, node: NodeId, us: u64) {
        if us > LATENCY_MAX_US {
            self.node(node).saturated += 1;
        }
        self.histograms[node.index()].record_wait(us);
    }

    /// Records the time from a frame's entry into the node's queue to the first part of its service's answer.
    pub(crate) fn record_latency(&mut self, node: NodeId, us: u64) {
        self.histograms[node.index()].record_latency(us);
    }

    pub(crate) fn forward(&mut self, us: u64) {
        self.forwarded.record(us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_has_every_end_of_a_frame_and_says_which_frames_are_missing() {
        let mut counts =
            NodeCounts { consumed: 1, gated: 2, merged: 4, cancelled: 8, ..NodeCounts::default() };
        counts.dropped[DropReason::Overflow as usize] = 16;
        counts.dropped[DropReason::TooLong as usize] = 32;
        assert_eq!(counts.ended(), 63);
        for (arrived, queued, missing) in [(63, 0, 0), (127, 64, 0), (66, 0, 3), (63, 2, -2)] {
            counts.arrived = arrived;
            let balance = counts.balance(queued);
            assert_eq!((balance.missing(), balance.holds()), (missing, missing == 0), "{balance}");
        }
        assert_eq!(
            counts.balance(2).to_string(),
            "63 frames in, 65 accounted for (1 consumed, 2 gated, 4 merged, 8 cancelled, 48 dropped, 2 queued)"
        );
        assert_eq!(counts.waiting(), 0);
        counts.arrived = 70;
        assert_eq!(counts.waiting(), 7);
    }

    #[test]
    fn a_shard_keeps_the_sums_beside_the_histograms_of_each_node() {
        let mut counts = Counts::new(1);
        for depth in [3, 5_000, 7] {
            counts.record_depth(NodeId(1), depth);
        }
        counts.record_wait(NodeId(0), LATENCY_MAX_US);
        counts.record_wait(NodeId(0), LATENCY_MAX_US + 1);
        counts.record_latency(NodeId(1), 5);
        let told = |at: usize| {
            let (sums, histograms) = (&counts.nodes()[at], &counts.histograms()[at]);
            (sums.depth_max, sums.saturated, histograms.wait.len(), histograms.latency.len())
        };
        assert_eq!([told(0), told(1)], [(0, 1, 2, 0), (5_000, 0, 0, 1)]);
        assert!(!counts.is_output(NodeId(0)) && counts.is_output(NodeId(1)));
    }
}
