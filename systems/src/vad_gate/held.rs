//! A frame that a gate keeps, and how small ones become one, bit for bit.
//!
//! A host may push blocks of one sample. What a gate keeps is bounded in media time, what it sends at once in frames.

use mynah_engine::scene::Format;
use mynah_engine::{BLOCK_MS_MAX, Cx, Frame, Joint, STAGING_US};

use crate::vad_gate::lookback::Stretch;

/// A frame in the lookback ring.
pub(super) struct Held {
    pub(super) frame: Frame,
    pub(super) end_us: u64,
    /// It was forwarded with a segment that is still undecided; kept in case the next onset needs it too.
    pub(super) forwarded: bool,
}

impl Stretch for Held {
    fn end_us(&self) -> u64 {
        self.end_us
    }
}

impl Held {
    /// Whether it is smaller than what the edge makes of tiny pieces: 2.5 ms. Only then is it joined while it is kept, as
    /// a segment begins where a frame does.
    pub(super) fn is_crumb(&self, format: Format) -> bool {
        let least = u64::from(format.rate_hz) * u64::from(STAGING_US) / 1_000_000;
        (self.frame.samples() as u64) < least * u64::from(format.channels)
    }

    /// Puts `next` behind it if it goes on there and both have 20 ms at most; gives it back otherwise.
    pub(super) fn join(&mut self, next: Self, format: Format, cx: &mut Cx<'_>) -> Option<Self> {
        let samples_max = (format.rate_hz * BLOCK_MS_MAX / 1_000) as usize * usize::from(format.channels);
        let joint = Joint { format: Some(format), samples_max, ..Joint::default() };
        if !joint.fits(&self.frame, &next.frame) {
            return Some(next);
        }
        joint.join(&mut self.frame, next.frame, cx.pool);
        self.end_us = next.end_us;
        if !next.forwarded {
            // The copy of one that has left is in no books.
            cx.merged(1);
        }
        None
    }
}
