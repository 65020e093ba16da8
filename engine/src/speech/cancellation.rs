//! What was taken back in this tick.
//!
//! A correction is not a message handed from node to node: every node's system reads the list before it steps, so
//! that it reaches all queues and all state even when a node in between has failed.

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::base::placement::Placement;
use crate::media::frame::Frame;

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// What is void from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// A whole segment: its audio and everything derived from it.
    Segment { segment: u32 },
    /// What was derived from one endpoint revision; the audio stays.
    Revision { segment: u32, revision: u32 },
    /// The user interrupted the answer to a segment: what was derived from it, whatever the revision; the audio stays.
    Answer { segment: u32 },
    /// The session hangs up: everything.
    Session,
}

/// One correction and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The session it concerns.
    pub session: SessionId,
    /// What it voids.
    pub void: Void,
}

impl Correction {
    /// Whether it voids a frame with this origin.
    pub fn voids(&self, session: SessionId, segment: u32, revision: u32) -> bool {
        self.session == session
            && match self.void {
                Void::Segment { segment: s } => segment == s,
                Void::Revision { segment: s, revision: r } => segment == s && revision == r,
                Void::Answer { segment: s } => segment == s && revision > 0,
                Void::Session => true,
            }
    }

    /// Whether it voids `frame`.
    pub fn voids_frame(&self, frame: &Frame) -> bool {
        // Serials of another engine mean nothing here.
        if frame.segment.is_elsewhere() {
            return self.session == frame.session && self.void == Void::Session;
        }
        self.voids(frame.session, frame.segment.serial, frame.revision)
    }
}

/// The corrections of this tick in one shard, in the order in which they were pushed and by session.
#[derive(Resource, Debug)]
pub struct Corrections {
    list: Vec<Correction>,
    /// By the sessions' slots: where the first and the last of its corrections stand in `list`, counted from 1; 0 = it
    /// has none.
    ends: Vec<(u32, u32)>,
    /// By place in `list`: where the next one of that session stands, counted from 1.
    next: Vec<u32>,
    placement: Placement,
}

impl Corrections {
    pub(crate) fn new(placement: Placement) -> Self {
        Self { list: Vec::new(), ends: Vec::new(), next: Vec::new(), placement }
    }

    fn slot(&self, session: SessionId) -> usize {
        self.placement.slot(session)
    }

    /// Makes room for `corrections` in one tick, and for the sessions of `slots` slots.
    pub(crate) fn reserve(&mut self, corrections: usize, slots: usize) {
        self.list.reserve(corrections.saturating_sub(self.list.len()));
        self.next.reserve(corrections.saturating_sub(self.next.len()));
        if self.ends.len() < slots {
            self.ends.resize(slots, (0, 0));
        }
    }

    /// Adds one; nodes of higher rank see it in this tick.
    pub fn push(&mut self, correction: Correction) {
        let slot = self.slot(correction.session);
        if self.ends.len() <= slot {
            self.ends.resize(slot + 1, (0, 0));
        }
        self.list.push(correction);
        self.next.push(0);
        let place = self.list.len() as u32;
        match &mut self.ends[slot] {
            (0, _) => self.ends[slot] = (place, place),
            (_, last) => {
                self.next[*last as usize - 1] = place;
                *last = place;
            }
        }
    }

    /// All of this tick.
    pub fn all(&self) -> &[Correction] {
        &self.list
    }

    /// Where the first one of a session stands.
    pub(crate) fn first(&self, session: SessionId) -> Option<usize> {
        let (first, _) = *self.ends.get(self.slot(session))?;
        (first as usize).checked_sub(1)
    }

    /// Where the next one of the same session stands.
    pub(crate) fn after(&self, at: usize) -> Option<usize> {
        (self.next[at] as usize).checked_sub(1)
    }

    pub(crate) fn clear(&mut self) {
        for correction in &self.list {
            self.ends[self.placement.slot(correction.session)] = (0, 0);
        }
        self.list.clear();
        self.next.clear();
    }
}
