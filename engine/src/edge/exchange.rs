//! What hosts and the engine hand each other: audio with its stamp on the way in, audio, text and control messages on the
//! way out, and the limits of both.

use std::sync::Arc;

use crate::edge::control::Control;
use crate::media::block::Block;
use crate::scene::Format;

/// Longest block that may arrive or travel: 20 ms.
pub const BLOCK_MS_MAX: u32 = 20;

/// Audio that a session may have waiting at the edge: one second.
pub const CREDIT_MS: u32 = 1_000;

/// What an arrival costs at least, so that a flood of tiny blocks is bounded: 10 ms.
pub const ARRIVAL_COST_MS_MIN: u32 = 10;

/// Latest media time that a host can give, microseconds: 142 years. A later one counts as this.
pub const MEDIA_US_MAX: u64 = 1 << 52;

/// Smaller pieces than this are put together first: 2.5 ms. Only blocks that a host makes itself can be smaller.
pub const STAGING_US: u32 = 2_500;

/// What a host knows about a block beside its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Engine time at which it arrived; `None`, and later than the tick that takes it, counts as that tick.
    pub arrived_us: Option<u64>,
    /// Media time of its first sample as the sender counts, microseconds, from any origin; the first one given is it. A
    /// gap to the block before, up to one second, is filled with silence of exactly that length and counted; a longer
    /// one, or two blocks in a row that step back, only move the origin. What is off by less than the scene's
    /// `session.input.pts_tolerance_ms` may be jitter, coarse clocks and packets that were overtaken: within it only a
    /// gap that stays is filled, once it has lasted so long. `None`: it follows without a gap.
    pub pts_us: Option<u64>,
    /// Where another engine says it comes from; nothing by default.
    pub tag: Tag,
}

/// What audio that another engine has gated belongs to there. A block with a tag keeps its `pts_us` as media time, up to
/// [`MEDIA_US_MAX`], and no gap before it is filled: between two segments there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// The segment's serial there; 0 = the audio has no tag.
    pub segment: u32,
    /// The revision it was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn there; 0 = none yet.
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
}

/// A released block of audio and where it comes from.
#[derive(Debug)]
pub struct OutAudio {
    /// The samples; give the block back with [`SessionHandle::give_back`](crate::SessionHandle::give_back).
    pub block: Block,
    /// Media time of the first sample.
    pub pts_us: u64,
    /// Engine time of the release.
    pub released_us: u64,
    /// Engine time at which it had arrived, or at which the decision fell that let it through.
    pub arrived_us: u64,
    /// The segment it belongs to or answers; 0 = none.
    pub segment: u32,
    /// The revision it was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn; 0 = none.
    pub turn: u32,
}

/// The edge is full: the session has a second of audio waiting already. The block comes back.
#[derive(Debug)]
pub struct Full(pub Block);

/// Why audio was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// A second of audio waits already; try again after the next tick.
    Full,
    /// The session has ended.
    Ended,
    /// More than one second at once, or not a whole number of sample frames.
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
