//! What the engine counts, and what stands in its queues, for whoever checks it after every tick: sums and references,
//! no histogram is merged and nothing is copied.

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::media::block::BlockPool;
use crate::media::frame::Payload;
use crate::media::queue::Queue;
use crate::observe::session_view::{SessionView, sessions};
use crate::record::counts::{Counts, NodeCounts};
use crate::record::edge_figures::EdgeFigures;
use crate::record::event::DropReason;
use crate::session::components::Phase;
use crate::session::index::SessionIndex;
use crate::speech::segment::SegmentPool;

/// The counts of one node over all shards; see [`NodeCounts`] for their meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeBook {
    /// Frames that were put into its queues.
    pub arrived: u64,
    /// Frames that it took from them.
    pub taken: u64,
    /// Frames it used up or moved on.
    pub consumed: u64,
    /// Frames it withheld.
    pub gated: u64,
    /// Frames a cancellation took back.
    pub cancelled: u64,
    /// Frames that became one with another.
    pub merged: u64,
    /// Frames lost, by [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Frames it sent, by output port.
    pub created: [u64; 4],
    /// Samples it sent.
    pub samples_out: u64,
    /// Values in its histogram of waiting times.
    pub waits: u64,
    /// Values in its histogram of latencies.
    pub latencies: u64,
    /// Frames in its queues, and those that stand outside full ones.
    pub queued: u64,
}

impl NodeBook {
    fn add(&mut self, counts: &NodeCounts) {
        self.arrived += counts.arrived;
        self.taken += counts.taken;
        self.consumed += counts.consumed;
        self.gated += counts.gated;
        self.cancelled += counts.cancelled;
        self.merged += counts.merged;
        for (sum, count) in self.dropped.iter_mut().zip(counts.dropped) {
            *sum += count;
        }
        for (sum, count) in self.created.iter_mut().zip(counts.created) {
            *sum += count;
        }
        self.samples_out += counts.samples_out;
        self.waits += counts.wait.len();
        self.latencies += counts.latency.len();
    }

    /// Frames that have ended at this node, in whichever way, or wait there.
    pub fn accounted(&self) -> u64 {
        let dropped: u64 = self.dropped.iter().sum();
        self.consumed + self.gated + self.merged + self.cancelled + dropped + self.queued
    }
}

/// The counts of an engine after a tick.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By node; the last one is the output.
    pub nodes: Vec<NodeBook>,
    /// What happened at the edge.
    pub edge: EdgeFigures,
    /// Sessions whose entities exist.
    pub sessions: u32,
    /// Of these, the ones that are not over.
    pub sessions_live: u32,
    /// Segments that exist.
    pub segments_active: usize,
    /// Places for segments; each is an entity.
    pub segment_places: usize,
    /// Entities of all shards.
    pub entities: u64,
    /// Blocks under way inside the engine, see [`BlockPool::out`].
    pub blocks_out: i64,
    /// Blocks that the pools ever made.
    pub blocks_created: u64,
}

impl Books {
    /// Fills in the sums over the worlds of all shards, for a scene of `nodes` nodes.
    pub(crate) fn fill<'a>(&mut self, nodes: usize, worlds: impl Iterator<Item = &'a World>) {
        let mut kept = std::mem::take(&mut self.nodes);
        kept.clear();
        kept.resize(nodes + 1, NodeBook::default());
        *self = Self { nodes: kept, ..Self::default() };
        for world in worlds {
            for (sum, counts) in self.nodes.iter_mut().zip(world.resource::<Counts>().nodes()) {
                sum.add(counts);
            }
            self.edge.add(world.resource::<EdgeFigures>());
            self.sessions += world.resource::<SessionIndex>().open();
            self.segments_active += world.resource::<SegmentPool>().active();
            self.segment_places += world.resource::<SegmentPool>().places();
            self.entities += u64::from(world.entities().count_spawned());
            self.blocks_out += world.resource::<BlockPool>().out();
            self.blocks_created += world.resource::<BlockPool>().created();
            sessions(world).for_each(|session| self.session(&session));
        }
    }

    /// Adds what waits in the queues of one session and outside of them.
    fn session(&mut self, session: &SessionView<'_>) {
        self.sessions_live += u32::from(session.phase() != Phase::Gone);
        for at in 0..self.nodes.len() {
            let node = NodeId(at as u8);
            let queue = session.queue(node).filter(|queue| !queue.is_empty());
            self.nodes[at].queued += queue.map_or(0, content);
            for (to, frame) in session.stalled(node) {
                self.nodes[to.index()].queued += u64::from(frame.is_content());
            }
        }
    }
}

/// Frames of content in a queue.
fn content(queue: &Queue) -> u64 {
    queue.iter().filter(|frame| !matches!(frame.payload, Payload::Mark(_))).count() as u64
}
