//! The origin of a text.

use mynah_engine::base::SegmentKey;
use mynah_engine::media::Payload;
use mynah_engine::speech::Cancellation;
use mynah_engine::{Frame, SessionId};

/// The origin of a text: what its frames have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    session: SessionId,
    segment: SegmentKey,
    revision: u32,
    turn: u32,
    pts_us: u64,
    deadline_us: u64,
}

impl Origin {
    /// The origin of `frame`.
    pub(super) fn of(frame: &Frame) -> Self {
        let &Frame { session, segment, revision, turn, pts_us, deadline_us, .. } = frame;
        Self { session, segment, revision, turn, pts_us, deadline_us }
    }

    /// The origin of no reply.
    pub(super) fn none(session: SessionId) -> Self {
        Self { session, segment: SegmentKey::NONE, revision: 0, turn: 0, pts_us: 0, deadline_us: 0 }
    }

    /// Its turn.
    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    /// True if both belong to one reply.
    pub(super) fn is_with(&self, other: &Self) -> bool {
        (self.segment.serial, self.revision) == (other.segment.serial, other.revision)
    }

    /// True if `cancellation` covers it.
    pub(super) fn is_cancelled(&self, cancellation: &Cancellation) -> bool {
        cancellation.covers(self.session, self.segment.serial, self.revision)
    }

    pub(super) fn frame(&self, payload: Payload, now_us: u64, seq: u32) -> Frame {
        let Self { session, segment, revision, turn, pts_us, deadline_us } = *self;
        Frame {
            payload,
            pts_us,
            arrived_us: now_us,
            queued_us: now_us,
            deadline_us,
            session,
            segment,
            revision,
            turn,
            seq,
        }
    }
}
