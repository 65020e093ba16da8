//! Frame accounting per node: `in = consumed + gated + cancelled + dropped + queued`, `created = sent on`.
//!
//! Marks are boundaries, not goods: they are not counted.

use bevy_ecs::prelude::*;
use hdrhistogram::Histogram;

use crate::event::DropReason;
use crate::frame::{Frame, Payload};
use crate::ids::NodeId;

/// Longest latency a histogram tells apart, 10 minutes in microseconds; longer ones saturate and are counted.
pub const LATENCY_MAX_US: u64 = 600_000_000;

/// A latency histogram: microseconds up to 10 minutes, 2 significant digits.
pub fn latency_histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("1 us to 10 min at 2 digits is a valid range")
}

/// What became of the frames of one node.
#[derive(Clone, Debug)]
pub struct NodeLedger {
    /// Frames that were put into its queues.
    pub arrived: u64,
    /// Frames it used up or moved on.
    pub consumed: u64,
    /// Frames it withheld because they are not speech.
    pub gated: u64,
    /// Frames that a correction took out of its queues or its state.
    pub cancelled: u64,
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
    /// From entering its queue to leaving the node.
    pub latency: Histogram<u32>,
    /// Latencies beyond the histogram's range.
    pub saturated: u64,
}

impl Default for NodeLedger {
    fn default() -> Self {
        Self {
            arrived: 0,
            consumed: 0,
            gated: 0,
            cancelled: 0,
            dropped: [0; DropReason::ALL.len()],
            created: [0; 4],
            samples_in: 0,
            samples_out: 0,
            depth_max: 0,
            latency: latency_histogram(),
            saturated: 0,
        }
    }
}

impl NodeLedger {
    /// Adds another shard's figures.
    pub fn merge(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.consumed += other.consumed;
        self.gated += other.gated;
        self.cancelled += other.cancelled;
        for (a, b) in self.dropped.iter_mut().zip(other.dropped) {
            *a += b;
        }
        for (a, b) in self.created.iter_mut().zip(other.created) {
            *a += b;
        }
        self.samples_in += other.samples_in;
        self.samples_out += other.samples_out;
        self.depth_max = self.depth_max.max(other.depth_max);
        self.latency.add(&other.latency).expect("all histograms have one range");
        self.saturated += other.saturated;
    }

    /// Frames lost for any reason.
    pub fn dropped_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Frames that left, over all ports.
    pub fn created_all(&self) -> u64 {
        self.created.iter().sum()
    }

    /// Records one latency.
    pub fn record_latency(&mut self, us: u64) {
        if us > LATENCY_MAX_US {
            self.saturated += 1;
        }
        self.latency.saturating_record(us);
    }
}

/// The ledgers of one shard, by node; the last one is the session's output.
#[derive(Resource, Debug)]
pub struct Ledger {
    nodes: Vec<NodeLedger>,
}

impl Ledger {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { nodes: (0..=nodes).map(|_| NodeLedger::default()).collect() }
    }

    /// The ledger of one node.
    pub fn node(&mut self, node: NodeId) -> &mut NodeLedger {
        &mut self.nodes[node.index()]
    }

    /// All ledgers, by node.
    pub fn nodes(&self) -> &[NodeLedger] {
        &self.nodes
    }

    pub(crate) fn is_output(&self, node: NodeId) -> bool {
        node.index() + 1 == self.nodes.len()
    }

    pub(crate) fn arrived(&mut self, node: NodeId, samples: usize) {
        let ledger = self.node(node);
        ledger.arrived += 1;
        ledger.samples_in += samples as u64;
    }

    /// Whether this frame is counted at all.
    pub fn counts(frame: &Frame) -> bool {
        !matches!(frame.payload, Payload::Mark(_))
    }
}
