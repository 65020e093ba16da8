//! What moves through a scene.

use std::sync::Arc;

use crate::base::ids::{SegmentKey, SessionId};
use crate::media::block::{Block, BlockPool};
use crate::media::clip::Clip;
use crate::media::spoken::SpokenTime;

/// Content of a frame.
#[derive(Debug)]
pub enum Payload {
    /// Interleaved samples in the format of the lane it travels on, at most 20 ms.
    Audio(Block),
    /// A piece of text: a transcript, a sentence of a reply.
    Text(Arc<str>),
    /// A recording to play in place of text, for nodes that [take clips](crate::node::NodeKind::takes_clips).
    Clip(Arc<Clip>),
    /// The words of the audio that follows, told to the host as the audio leaves. Not counted; passes nodes that
    /// handle one frame at a time without their seeing it.
    Caption(Arc<Caption>),
    /// A boundary in the stream, in order with what it bounds.
    Mark(Mark),
}

/// What a stretch of an answer's audio says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// The words. Empty: this is no caption but more `times` of the one before, ahead of the audio that they are of.
    pub text: Arc<str>,
    /// Length of the audio, microseconds, where it is known before the audio is made.
    pub us: Option<u64>,
    /// When its words and phones sound, from the first sample of the stretch, as far as that is known.
    pub times: Arc<[SpokenTime]>,
}

/// Boundaries that travel in order with the frames they bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The gate believes that the speaker has finished: work on (segment, revision) starts.
    Endpoint,
    /// The segment is over, and its last revision is final.
    SegmentEnd,
    /// The segment was split because it grew too long; a continuation follows without a gap.
    Split,
    /// The answer to (segment, revision) is complete.
    AnswerEnd,
    /// The session's input has ended; nothing follows.
    StreamEnd,
}

/// One unit of audio, text or boundary, with everything needed to cancel it.
#[derive(Debug)]
pub struct Frame {
    /// The content; audio is owned and moves.
    pub payload: Payload,
    /// Media time of the first sample in microseconds since the session's start.
    pub pts_us: u64,
    /// Engine time at which the frame arrived, or at which a gate decided to forward it.
    pub arrived_us: u64,
    /// Engine time at which the frame entered its current queue.
    pub queued_us: u64,
    /// Soft deadline in engine time; 0 = none.
    pub deadline_us: u64,
    /// The session it belongs to.
    pub session: SessionId,
    /// The segment it belongs to or answers.
    pub segment: SegmentKey,
    /// The endpoint revision it was derived from; 0 = none (the caller's own audio).
    pub revision: u32,
    /// The turn it belongs to; 0 = none yet.
    pub turn: u32,
    /// Counts the frames of one producer within a session; wraps.
    pub seq: u32,
}

impl Frame {
    /// Whether the frame is counted: audio, text and clips are, marks and captions are not.
    pub fn is_content(&self) -> bool {
        !matches!(self.payload, Payload::Mark(_) | Payload::Caption(_))
    }

    /// Samples over all channels; 0 for text and marks.
    pub fn samples(&self) -> usize {
        match &self.payload {
            Payload::Audio(block) => block.len(),
            Payload::Text(_) | Payload::Clip(_) | Payload::Caption(_) | Payload::Mark(_) => 0,
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

    /// A second owner of the same content.
    pub fn share(&self) -> Self {
        let payload = match &self.payload {
            Payload::Audio(block) => Payload::Audio(block.share()),
            Payload::Text(text) => Payload::Text(Arc::clone(text)),
            Payload::Clip(clip) => Payload::Clip(Arc::clone(clip)),
            Payload::Caption(caption) => Payload::Caption(Arc::clone(caption)),
            Payload::Mark(mark) => Payload::Mark(*mark),
        };
        self.with(payload)
    }

    /// [`share`](Self::share) for another branch of the scene: `pool` counts the block once more.
    pub fn fork(&self, pool: &mut BlockPool) -> Self {
        if matches!(self.payload, Payload::Audio(_)) {
            pool.adopt();
        }
        self.share()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_at_most_80_bytes_beside_its_block() {
        assert!(size_of::<Frame>() - size_of::<Block>() <= 80, "{}", size_of::<Frame>());
    }
}
