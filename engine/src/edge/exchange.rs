//! What hosts and the engine hand each other: audio with its stamp on the way in, audio, text and control messages on the
//! way out, and the limits of both.

use std::sync::Arc;

use crate::edge::control::Control;
use crate::edge::session_event::SessionEvent;
use crate::media::block::Block;
use crate::scene::Format;

/// Longest block that may arrive or travel: 20 ms.
pub const BLOCK_MS_MAX: u32 = 20;

/// Audio that a session may have waiting at the edge: one second.
pub const CREDIT_MS: u32 = 1_000;

/// Least cost of an arrival, so that a flood of tiny blocks is bounded: 10 ms.
pub const ARRIVAL_COST_MS_MIN: u32 = 10;

/// Latest media time that a host can give, microseconds: 142 years. Later ones count as this one.
pub const MEDIA_US_MAX: u64 = 1 << 52;

/// Pieces smaller than this are put together first: 2.5 ms. Only blocks that a host makes itself can be smaller.
pub const STAGING_US: u32 = 2_500;

/// What a host knows about a block beside its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Engine time of the arrival; `None`, or a time later than the tick that takes the block, counts as that tick.
    pub arrived_us: Option<u64>,
    /// Media time of the first sample by the sender's count, microseconds, from any origin: the first time given. A
    /// gap to the block before, up to one second, is filled with silence of exactly that length and counted; a longer
    /// one, or two blocks in a row that step back, only move the origin. A difference below the scene's
    /// `session.input.pts_tolerance_ms` may come from jitter, coarse clocks or overtaken packets: within it a gap is
    /// filled only once it has lasted that long. `None`: the block follows without a gap.
    pub pts_us: Option<u64>,
    /// The origin that another engine gives; empty by default.
    pub tag: Tag,
}

/// The segment, revision and turn of audio that another engine has gated. A block with a tag keeps its `pts_us` as
/// media time, up to [`MEDIA_US_MAX`], and no gap before it is filled, as there is one between any two segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// The segment's serial in that engine; 0 = the audio has no tag.
    pub segment: u32,
    /// The revision the audio was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn in that engine; 0 = none yet.
    pub turn: u32,
}

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// What leaves the engine for one session's host.
#[derive(Debug)]
pub enum Out {
    /// Released audio, interleaved, in the session's output format.
    Audio(OutAudio),
    /// Released text.
    Text { text: Arc<str>, segment: u32, revision: u32, turn: u32 },
    /// A cancellation or confirmation.
    Control(Control),
    /// Anything that happens, for sessions whose [`SessionSpec::events`](crate::SessionSpec::events) ask for that.
    Event(SessionEvent),
}

/// A released block of audio and its origin.
#[derive(Debug)]
pub struct OutAudio {
    /// The samples; give the block back with [`SessionHandle::give_back`](crate::SessionHandle::give_back).
    pub block: Block,
    /// Media time of the first sample.
    pub pts_us: u64,
    /// Engine time of the release.
    pub released_us: u64,
    /// Engine time at which the audio arrived, or at which a gate decided to forward it.
    pub arrived_us: u64,
    /// The segment the audio belongs to or answers; 0 = none.
    pub segment: u32,
    /// The revision the audio was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn; 0 = none.
    pub turn: u32,
}

/// The edge is full: a second of the session's audio waits already. The block comes back.
#[derive(Debug)]
pub struct Full(pub Block);

/// Why audio was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// A second of audio waits already; try again after the next tick.
    Full,
    /// The session has ended.
    Ended,
    /// The audio is longer than one second, or not a whole number of sample frames.
    BadLength {
        /// Samples given.
        samples: usize,
    },
}

impl std::fmt::Display for PushError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full => write!(f, "one second of audio waits already: push again after the next tick"),
            Self::Ended => write!(f, "the session has ended: open a new one"),
            Self::BadLength { samples } => {
                write!(f, "{samples} samples: expected whole sample frames, at most one second")
            }
        }
    }
}

impl std::error::Error for PushError {}

/// Samples of the longest block in this format.
pub(crate) fn block_samples(format: Format) -> usize {
    (format.rate_hz * BLOCK_MS_MAX / 1_000) as usize * usize::from(format.channels)
}
