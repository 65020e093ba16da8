//! Views of a session and of the segments of a shard between two ticks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::media::frame::Frame;
use crate::media::queue::{Lane, Queue};
use crate::session::components::{HostLink, Intake, Phase, Session, Wiring};
use crate::session::index::SessionIndex;
use crate::session::lines::Lines;
use crate::speech::history::History;
use crate::speech::playout::Playout;
use crate::speech::segment::{Segment, SegmentPool};

/// One session as it is after a tick.
#[derive(Clone, Copy)]
pub struct SessionView<'a> {
    world: &'a World,
    entity: Entity,
    session: &'a Session,
    wiring: &'a Wiring,
    intake: &'a Intake,
    link: &'a HostLink,
}

impl<'a> SessionView<'a> {
    fn of(world: &'a World, entity: Entity) -> Option<Self> {
        let (session, wiring) = (world.get(entity)?, world.get(entity)?);
        Some(Self { world, entity, session, wiring, intake: world.get(entity)?, link: world.get(entity)? })
    }

    fn get<C: Component>(&self) -> Option<&'a C> {
        self.world.get(self.entity)
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.session.id
    }

    /// Which session of that id, counted from 1.
    pub fn generation(&self) -> u32 {
        self.session.generation
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.session.name
    }

    /// How far its life has come.
    pub fn phase(&self) -> Phase {
        self.get::<Phase>().copied().unwrap_or(Phase::Gone)
    }

    /// Sample frames that have arrived, silence in place of lost audio included.
    pub fn frames_in(&self) -> u64 {
        self.intake.frames_in
    }

    /// Sample frames of silence among them that replace lost audio.
    pub fn concealed(&self) -> u64 {
        self.intake.concealed
    }

    /// Sample frames that its host may push at present.
    pub fn credit(&self) -> u32 {
        self.link.port.credits.load(Ordering::Acquire)
    }

    /// Arrivals that wait outside a full queue.
    pub fn backlog(&self) -> usize {
        self.intake.backlog.len()
    }

    /// Messages and events that its host has not been given yet.
    pub fn controls(&self) -> usize {
        self.link.unsaid.len()
    }

    /// Outputs that its host has not taken yet.
    pub fn unread(&self) -> usize {
        self.link.port.outputs.len()
    }

    /// Samples that an audio callback of its host has not read yet, over all channels.
    pub fn unread_samples(&self) -> u64 {
        self.link.output.as_ref().map_or(0, |ring| ring.unread())
    }

    /// Whether it was split: audio comes and goes through rings, and no block is released.
    pub fn is_split(&self) -> bool {
        self.intake.ring.is_some()
    }

    /// What was said and what was heard, as far as both are certain.
    pub fn history(&self) -> Arc<History> {
        self.link.port.history()
    }

    /// Lines of its host that wait to be spoken.
    pub fn lines(&self) -> usize {
        self.world.get_resource::<Lines>().map_or(0, |lines| lines.of(self.session.id))
    }

    /// Format of the audio that leaves; `None`: no audio.
    pub fn output(&self) -> Option<crate::scene::Format> {
        self.link.port.output
    }

    /// Format of the arriving audio.
    pub fn input(&self) -> crate::scene::Format {
        self.intake.format
    }

    /// What its listener hears of its answers.
    pub fn playout(&self) -> Playout {
        self.get::<Playout>().copied().unwrap_or_default()
    }

    /// Whether its input has ended and everything derived from it is finished; false for a session that hung up.
    pub fn has_ended(&self) -> bool {
        let output = self.wiring.lanes.last().and_then(|lane| self.world.get::<Lane>(*lane));
        output.is_some_and(|lane| lane.ends >= lane.sources)
    }

    /// The queue of `node` (the output comes after the last).
    pub fn queue(&self, node: NodeId) -> Option<&'a Queue> {
        self.world.get::<Queue>(*self.wiring.lanes.get(node.index())?)
    }

    /// The frames of `node` that are stalled outside full queues, with the node that each is for.
    pub fn stalled(&self, node: NodeId) -> impl Iterator<Item = (NodeId, &'a Frame)> + use<'a> {
        let lane = self.wiring.lanes.get(node.index()).and_then(|lane| self.world.get::<Lane>(*lane));
        lane.into_iter().flat_map(|lane| lane.stalled.iter().map(|(to, frame)| (to.node, frame)))
    }

    /// The state that `node` keeps for it.
    pub fn state<S: Component>(&self, node: NodeId) -> Option<&'a S> {
        self.world.get::<S>(*self.wiring.lanes.get(node.index())?)
    }
}

/// The sessions of one shard whose entities exist, in id order.
pub(crate) fn sessions(world: &World) -> impl Iterator<Item = SessionView<'_>> {
    let entities = world.resource::<SessionIndex>().entities();
    entities.filter_map(move |entity| SessionView::of(world, entity))
}

/// The segments of one shard that are in use.
pub(crate) fn segments(world: &World) -> impl Iterator<Item = &Segment> {
    let places = world.resource::<SegmentPool>().in_use();
    places.filter_map(move |entity| world.get::<Segment>(entity))
}
