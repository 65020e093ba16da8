//! What the engine counts, and what stands in its queues, for whoever checks it after every tick: sums and references,
//! no histogram is merged and nothing is copied.

use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::media::block::BlockPool;
use crate::media::frame::{Frame, Payload};
use crate::media::queue::{Lane, Queue};
use crate::record::counts::{Ledger, NodeLedger};
use crate::record::edge_figures::EdgeFigures;
use crate::record::event::DropReason;
use crate::session::table::{Phase, SessionRow, SessionTable};
use crate::speech::playout::{Playout, Playouts};
use crate::speech::segment::{Segment, SegmentPool};

/// The counts of one node over all shards; see [`NodeLedger`] for their meaning.
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
    /// Frames a correction took back.
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
    fn add(&mut self, ledger: &NodeLedger) {
        self.arrived += ledger.arrived;
        self.taken += ledger.taken;
        self.consumed += ledger.consumed;
        self.gated += ledger.gated;
        self.cancelled += ledger.cancelled;
        self.merged += ledger.merged;
        for (sum, count) in self.dropped.iter_mut().zip(ledger.dropped) {
            *sum += count;
        }
        for (sum, count) in self.created.iter_mut().zip(ledger.created) {
            *sum += count;
        }
        self.samples_out += ledger.samples_out;
        self.waits += ledger.wait.len();
        self.latencies += ledger.latency.len();
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

/// One session as the engine has it after a tick.
#[derive(Clone, Copy)]
pub struct SessionView<'a> {
    world: &'a World,
    row: &'a SessionRow,
}

impl<'a> SessionView<'a> {
    /// Its id.
    pub fn id(&self) -> SessionId {
        self.row.id
    }

    /// Which opening of that id.
    pub fn generation(&self) -> u32 {
        self.row.generation
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.row.name
    }

    /// How far its life has come.
    pub fn phase(&self) -> Phase {
        self.row.phase
    }

    /// Sample frames that have arrived, silence in place of lost audio included.
    pub fn frames_in(&self) -> u64 {
        self.row.frames_in
    }

    /// Those of them that are silence in place of lost audio.
    pub fn concealed(&self) -> u64 {
        self.row.concealed
    }

    /// What its host may push at present, sample frames.
    pub fn credit(&self) -> u32 {
        self.row.port.credits.load(Ordering::Acquire)
    }

    /// Arrivals that wait outside a full queue.
    pub fn backlog(&self) -> usize {
        self.row.backlog.len()
    }

    /// Control messages that its host has not been given yet.
    pub fn controls(&self) -> usize {
        self.row.controls.len()
    }

    /// Outputs that its host has not taken yet.
    pub fn unread(&self) -> usize {
        self.row.port.outputs.len()
    }

    /// Format of the arriving audio.
    pub fn input(&self) -> crate::scene::Format {
        self.row.input
    }

    /// What is heard of its answers.
    pub fn playout(&self) -> Playout {
        self.world.resource::<Playouts>().get(self.row.id)
    }

    /// Its input came to its end, and so did everything that came of it; false of a session that hung up.
    pub fn has_ended(&self) -> bool {
        let output = self.row.lanes.last().and_then(|lane| self.world.get::<Lane>(*lane));
        output.is_some_and(|lane| lane.ends >= lane.sources)
    }

    /// The queue of `node` (the output comes after the last).
    pub fn queue(&self, node: NodeId) -> Option<&'a Queue> {
        self.world.get::<Queue>(*self.row.lanes.get(node.index())?)
    }

    /// What `node` has sent and stands outside full queues, with the node it is for.
    pub fn stalled(&self, node: NodeId) -> impl Iterator<Item = (NodeId, &'a Frame)> + use<'a> {
        let lane = self.row.lanes.get(node.index()).and_then(|lane| self.world.get::<Lane>(*lane));
        lane.into_iter().flat_map(|lane| lane.stalled.iter().map(|(to, frame)| (to.node, frame)))
    }

    /// The state that `node` keeps for it.
    pub fn state<S: Component>(&self, node: NodeId) -> Option<&'a S> {
        self.world.get::<S>(*self.row.lanes.get(node.index())?)
    }
}

/// The sessions of one shard whose entities exist, in id order.
pub(crate) fn sessions(world: &World) -> impl Iterator<Item = SessionView<'_>> {
    let rows = world.resource::<SessionTable>().rows.iter().flatten();
    rows.map(move |row| SessionView { world, row })
}

/// The segments of one shard that are not forgotten.
pub(crate) fn segments(world: &World) -> impl Iterator<Item = &Segment> {
    let places = world.resource::<SegmentPool>().in_use();
    places.filter_map(move |entity| world.get::<Segment>(entity))
}

impl Books {
    /// Fills in the sums over the worlds of all shards, for a scene of `nodes` nodes.
    pub(crate) fn fill<'a>(&mut self, nodes: usize, worlds: impl Iterator<Item = &'a World>) {
        let mut kept = std::mem::take(&mut self.nodes);
        kept.clear();
        kept.resize(nodes + 1, NodeBook::default());
        *self = Self { nodes: kept, ..Self::default() };
        for world in worlds {
            for (sum, ledger) in self.nodes.iter_mut().zip(world.resource::<Ledger>().nodes()) {
                sum.add(ledger);
            }
            self.edge.add(world.resource::<EdgeFigures>());
            self.sessions += world.resource::<SessionTable>().open();
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
                self.nodes[to.index()].queued += u64::from(Ledger::counts(frame));
            }
        }
    }
}

/// Frames of content in a queue.
fn content(queue: &Queue) -> u64 {
    queue.iter().filter(|frame| !matches!(frame.payload, Payload::Mark(_))).count() as u64
}
