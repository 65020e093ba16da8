//! What moves through a scene.

use std::sync::Arc;

use crate::block::Block;
use crate::ids::{SegmentKey, SessionId};

/// Content of a frame.
#[derive(Debug)]
pub enum Payload {
    /// Interleaved samples in the format of the lane it travels on, at most 20 ms.
    Audio(Block),
    /// A piece of text: a transcript, a sentence of a reply.
    Text(Arc<str>),
    /// A boundary in the stream, in order with what it bounds.
    Mark(Mark),
}

/// Boundaries that travel in order with the frames they bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The gate believes that the speaker has finished: work on (segment, revision) starts.
    Endpoint,
    /// The segment is over and its last revision holds.
    SegmentEnd,
    /// The segment was split because it grew too long; a continuation follows without a gap.
    Split,
    /// What answers (segment, revision) is complete.
    AnswerEnd,
    /// The session's input has ended; nothing follows.
    StreamEnd,
}

/// One unit of audio, text or boundary, with everything needed to take it back.
#[derive(Debug)]
pub struct Frame {
    /// The content; audio is owned and moves.
    pub payload: Payload,
    /// Media time of the first sample in microseconds since the session's start.
    pub pts_us: u64,
    /// Engine time at which it arrived, or at which the decision fell that let it through.
    pub arrived_us: u64,
    /// Engine time at which it entered the queue it stands in.
    pub queued_us: u64,
    /// Soft deadline in engine time; 0 = none.
    pub deadline_us: u64,
    /// Whose it is.
    pub session: SessionId,
    /// The segment it belongs to or answers.
    pub segment: SegmentKey,
    /// The endpoint revision it was derived from; 0 = from none (the caller's own audio).
    pub revision: u32,
    /// The turn it belongs to; 0 = none yet.
    pub turn: u32,
    /// Counts the frames of one producer within a session; wraps.
    pub seq: u32,
}

impl Frame {
    /// Samples over all channels; 0 for text and marks.
    pub fn samples(&self) -> usize {
        match &self.payload {
            Payload::Audio(block) => block.len(),
            Payload::Text(_) | Payload::Mark(_) => 0,
        }
    }

    /// A frame with the same identity and other content.
    pub fn with(&self, payload: Payload) -> Self {
        Self {
            payload,
            pts_us: self.pts_us,
            arrived_us: self.arrived_us,
            queued_us: self.queued_us,
            deadline_us: self.deadline_us,
            session: self.session,
            segment: self.segment,
            revision: self.revision,
            turn: self.turn,
            seq: self.seq,
        }
    }

    /// A second owner of the same content, for a fan-out.
    pub fn share(&self) -> Self {
        let payload = match &self.payload {
            Payload::Audio(block) => Payload::Audio(block.share()),
            Payload::Text(text) => Payload::Text(Arc::clone(text)),
            Payload::Mark(mark) => Payload::Mark(*mark),
        };
        self.with(payload)
    }
}

/// Duration of `frames` sample frames at `rate_hz`, in microseconds, rounded down.
pub fn frames_to_us(frames: u64, rate_hz: u32) -> u64 {
    frames * 1_000_000 / u64::from(rate_hz)
}

/// Sample frames in `us` microseconds at `rate_hz`, rounded down.
pub fn us_to_frames(us: u64, rate_hz: u32) -> u64 {
    us * u64::from(rate_hz) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_at_most_80_bytes_beside_its_block() {
        assert!(size_of::<Frame>() - size_of::<Block>() <= 80, "{}", size_of::<Frame>());
    }

    #[test]
    fn an_hour_of_samples_has_exact_times() {
        let hour = 3_600 * 44_100;
        assert_eq!(frames_to_us(hour, 44_100), 3_600_000_000);
        assert_eq!(us_to_frames(3_600_000_000, 44_100), hour);
    }
}
