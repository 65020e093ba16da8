//! A frame that a gate keeps, and how small frames are joined, bit for bit.
//!
//! A host may push blocks of one sample. A gate bounds what it keeps in media time, and what it sends at once in
//! frames.

use mynah_engine::Frame;
use mynah_engine::edge::{BLOCK_MS_MAX, STAGING_US};
use mynah_engine::media::MergeRule;
use mynah_engine::node::NodeContext;
use mynah_engine::scene::Format;

use crate::vad_gate::lookback::Stretch;

/// A frame in the lookback ring.
pub(super) struct Held {
    pub(super) frame: Frame,
    pub(super) end_us: u64,
    /// Whether it was forwarded with a segment that is still undecided; kept in case the next onset needs it, too.
    pub(super) forwarded: bool,
}

impl Stretch for Held {
    fn end_us(&self) -> u64 {
        self.end_us
    }
}

impl Held {
    /// True if the frame is shorter than 2.5 ms, the least that `try_push` sends. Longer frames stay apart while they
    /// are kept, because a segment begins at the start of a frame.
    pub(super) fn is_crumb(&self, format: Format) -> bool {
        let least = u64::from(format.rate_hz) * u64::from(STAGING_US) / 1_000_000;
        (self.frame.samples() as u64) < least * u64::from(format.channels)
    }

    /// Appends `next` if it follows without a gap and both have at most 20 ms together; otherwise returns `next`.
    pub(super) fn join(&mut self, next: Self, format: Format, cx: &mut NodeContext<'_>) -> Option<Self> {
        let samples_max = (format.rate_hz * BLOCK_MS_MAX / 1_000) as usize * usize::from(format.channels);
        let joint = MergeRule { format: Some(format), samples_max, ..MergeRule::default() };
        if !joint.fits(&self.frame, &next.frame) {
            return Some(next);
        }
        joint.join(&mut self.frame, next.frame, cx.pool);
        self.end_us = next.end_us;
        if !next.forwarded {
            // The copy of a frame that has left is in no count.
            cx.merged(1);
        }
        None
    }
}
