//! One session, and the segments of a shard, as they are between two ticks.

use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::media::frame::Frame;
use crate::media::queue::{Lane, Queue};
use crate::session::table::{Phase, SessionRow, SessionTable};
use crate::speech::playout::{Playout, Playouts};
use crate::speech::segment::{Segment, SegmentPool};

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
