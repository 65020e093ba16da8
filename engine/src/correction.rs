//! What was taken back in this tick.
//!
//! A correction is not a message handed from node to node: every node's system reads the list before it steps, so
//! that it reaches all queues and all state even when a node in between has failed.

use bevy_ecs::prelude::*;

use crate::frame::Frame;
use crate::ids::SessionId;

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

/// The corrections of this tick in one shard.
#[derive(Resource, Debug, Default)]
pub struct Corrections {
    pub(crate) list: Vec<Correction>,
}

impl Corrections {
    /// Makes room for `corrections` in one tick.
    pub(crate) fn reserve(&mut self, corrections: usize) {
        self.list.reserve(corrections.saturating_sub(self.list.len()));
    }

    /// Adds one; nodes of higher rank see it in this tick.
    pub fn push(&mut self, correction: Correction) {
        self.list.push(correction);
    }

    /// All of this tick.
    pub fn all(&self) -> &[Correction] {
        &self.list
    }
}
