//! The cancellations of a tick.
//!
//! A cancellation is not a message handed from node to node: before each node a system reads the list, so that a
//! cancellation reaches all queues and all state even when a node in between has failed.

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::base::placement::Placement;
use crate::media::frame::Frame;

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// What a cancellation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelScope {
    /// A whole segment: its audio and everything derived from it.
    Segment { segment: u32 },
    /// Everything derived from one endpoint revision; the audio stays.
    Revision { segment: u32, revision: u32 },
    /// Everything derived from a segment, whatever the revision, as the user interrupted the answer; the audio stays.
    Answer { segment: u32 },
    /// Everything of the session, which hangs up.
    Session,
}

/// One cancellation of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The session it concerns.
    pub session: SessionId,
    /// What it covers.
    pub scope: CancelScope,
}

impl Cancellation {
    /// Whether it covers a frame with this origin.
    pub fn covers(&self, session: SessionId, segment: u32, revision: u32) -> bool {
        self.session == session
            && match self.scope {
                CancelScope::Segment { segment: s } => segment == s,
                CancelScope::Revision { segment: s, revision: r } => segment == s && revision == r,
                CancelScope::Answer { segment: s } => segment == s && revision > 0,
                CancelScope::Session => true,
            }
    }

    /// Whether it covers `frame`.
    pub fn covers_frame(&self, frame: &Frame) -> bool {
        // Serials of another engine mean nothing here.
        if frame.segment.is_elsewhere() {
            return self.session == frame.session && self.scope == CancelScope::Session;
        }
        self.covers(frame.session, frame.segment.serial, frame.revision)
    }
}

/// The cancellations of this tick in one shard, in the order of their pushes, and linked by session.
#[derive(Resource, Debug)]
pub struct Cancellations {
    list: Vec<Cancellation>,
    /// By the sessions' slots: the places in `list` of the first and the last cancellation of the session, counted
    /// from 1; 0 = none.
    ends: Vec<(u32, u32)>,
    /// By place in `list`: the place of the session's next cancellation, counted from 1.
    next: Vec<u32>,
    placement: Placement,
    /// Sessions were admitted in this tick.
    has_grown: bool,
}

impl Cancellations {
    pub(crate) fn new(placement: Placement) -> Self {
        Self { list: Vec::new(), ends: Vec::new(), next: Vec::new(), placement, has_grown: false }
    }

    fn slot(&self, session: SessionId) -> usize {
        self.placement.slot(session)
    }

    /// Makes room for `cancellations` in one tick, and for the sessions of `slots` slots, when sessions are admitted.
    pub(crate) fn reserve(&mut self, cancellations: usize, slots: usize) {
        self.has_grown = true;
        self.list.reserve(cancellations.saturating_sub(self.list.len()));
        self.next.reserve(cancellations.saturating_sub(self.next.len()));
        if self.ends.len() < slots {
            self.ends.resize(slots, (0, 0));
        }
    }

    /// Adds a cancellation; nodes of higher rank see it in this tick.
    pub fn push(&mut self, cancellation: Cancellation) {
        let slot = self.slot(cancellation.session);
        if self.ends.len() <= slot {
            self.ends.resize(slot + 1, (0, 0));
        }
        self.list.push(cancellation);
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

    /// All cancellations of this tick.
    pub fn all(&self) -> &[Cancellation] {
        &self.list
    }

    /// True if the systems that cancel run in this tick: when anything is cancelled, and when sessions are admitted. On
    /// admission the systems set up their access to the new entities, so that no later tick allocates for that.
    pub(crate) fn concern_this_tick(&self) -> bool {
        self.has_grown || !self.list.is_empty()
    }

    /// The place of a session's first cancellation.
    pub(crate) fn first(&self, session: SessionId) -> Option<usize> {
        let (first, _) = *self.ends.get(self.slot(session))?;
        (first as usize).checked_sub(1)
    }

    /// The place of the next cancellation of the same session.
    pub(crate) fn after(&self, at: usize) -> Option<usize> {
        (self.next[at] as usize).checked_sub(1)
    }

    pub(crate) fn clear(&mut self) {
        self.has_grown = false;
        for cancellation in &self.list {
            self.ends[self.placement.slot(cancellation.session)] = (0, 0);
        }
        self.list.clear();
        self.next.clear();
    }
}
