//! What the output of a session keeps, and what audio and text touch on their way out.

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;
use bevy_platform::cell::SyncCell;

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::media::block::BlockPool;
use crate::media::queue::{Lane, Queue};
use crate::node::context::NodeContext;
use crate::record::counts::Counts;
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::session::components::HostLink;
use crate::speech::playout::Playout;
use crate::tick::egress::captions::Captions;
use crate::tick::egress::convert::Conversion;

/// How many started outputs are remembered, to tell whether a cancellation came late.
pub(super) const STARTED_MAX: usize = 8;

/// State of one session's output; the session's `Playout` holds what sounds.
#[derive(Component, Default)]
pub(crate) struct Egress {
    pub(super) started: [(u32, u32); STARTED_MAX],
    pub(super) next: usize,
    /// Answers that are over on some branches but not on all.
    pub(super) ends: Vec<((u32, u32), u32)>,
    /// Answers of several voices that another answer has cut into, until they go on or are over.
    pub(super) aside: Vec<Playout>,
    /// `None`: the session hears in the scene's format.
    pub(super) conversion: Option<Box<SyncCell<Conversion>>>,
    /// Present once an answer came with captions.
    pub(super) captions: Option<Box<Captions>>,
}

impl Egress {
    /// The output of a session that hears what `conversion` makes.
    pub(crate) fn new(conversion: Option<Conversion>) -> Self {
        Self {
            conversion: conversion.map(|conversion| Box::new(SyncCell::new(conversion))),
            ..Self::default()
        }
    }

    pub(super) fn conversion(&mut self) -> Option<&mut Conversion> {
        self.conversion.as_mut().map(|cell| cell.get())
    }

    /// What sounds breaks off: nothing of it is left here.
    pub(super) fn breaks_off(&mut self) {
        if let Some(conversion) = self.conversion() {
            conversion.reset();
        }
        if let Some(captions) = &mut self.captions {
            captions.clear();
        }
    }

    /// Remembers how much of an answer was released while another one sounds.
    pub(super) fn set_aside(&mut self, playout: &Playout) {
        if playout.sounds() {
            self.aside.push(*playout);
        }
    }

    /// Returns what was released of an answer before another one cut into it.
    pub(super) fn take_up(&mut self, origin: (u32, u32)) -> Option<Playout> {
        let at = self.aside.iter().position(|other| (other.segment, other.revision) == origin)?;
        Some(self.aside.swap_remove(at))
    }
}

/// What audio and text touch on their way out.
#[derive(SystemParam)]
pub(crate) struct OutputParams<'w, 's> {
    now: Res<'w, Now>,
    pool: ResMut<'w, BlockPool>,
    log: ResMut<'w, EventLog>,
    counts: ResMut<'w, Counts>,
    pub(super) stage_times: ResMut<'w, StageTimes>,
    sessions: Query<'w, 's, (&'static mut HostLink, &'static mut Playout)>,
}

/// What one lane's release touches: the context of a node, and the session's end.
pub(super) struct Output<'a> {
    pub(super) cx: NodeContext<'a>,
    pub(super) playout: &'a mut Playout,
    pub(super) link: &'a mut HostLink,
}

impl Output<'_> {
    /// Whether there is no room for `samples` at the host.
    pub(super) fn is_full(&self, samples: usize) -> bool {
        match &self.link.output {
            Some(ring) => !ring.has_room(samples),
            None => self.link.port.outputs.is_full(),
        }
    }
}

impl<'w, 's> OutputParams<'w, 's> {
    /// The output of `lane`, if its session exists.
    pub(super) fn of<'a>(
        &'a mut self,
        node: NodeId,
        lane: &'a mut Lane,
        outs: &'a mut Query<'_, '_, &'static mut Queue>,
    ) -> Option<Output<'a>> {
        let (link, playout) = self.sessions.get_mut(lane.owner).ok()?;
        let cx = NodeContext {
            now: *self.now,
            node,
            lane,
            pool: &mut self.pool,
            log: &mut self.log,
            counts: &mut self.counts,
            queues: outs,
            sessions: None,
            outbox: None,
        };
        let (link, playout) = (link.into_inner(), playout.into_inner());
        if let Some(ring) = &link.output {
            // What the callback has not read yet is what is ahead of the ear.
            playout.heard_until_us = cx.now.us + ring.unread_us();
        }
        Some(Output { cx, playout, link })
    }
}
