//! Where the sound of an answer was missing.

use mynah_engine::edge::Read;

/// Silence inside answers: their sound was not there when it was asked for. Silence before an answer that is withdrawn,
/// or at its end, is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holes {
    /// How often.
    pub count: u64,
    /// Sample frames in all.
    pub frames: u64,
}

/// Finds holes in what is read from a session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HoleFinder {
    found: Holes,
    /// An answer has begun, and has neither ended nor been cut.
    sounding: bool,
    /// Sample frames of silence since its last sound.
    silent: u64,
    /// That silence is meant.
    meant: bool,
}

impl HoleFinder {
    /// Takes a read of `length` sample frames. A silence is a hole once sound of the same answer follows.
    pub(crate) fn take(&mut self, read: Read, length: usize) {
        if read.cut {
            (self.sounding, self.silent) = (false, 0);
        }
        if read.frames > 0 {
            if self.silent > 0 && !read.began && !self.meant {
                self.found.count += 1;
                self.found.frames += self.silent;
            }
            (self.silent, self.meant) = (0, false);
        }
        // An end and a beginning at once: what sounded has ended, or else it is a short answer's own end.
        self.sounding = match (read.began, read.ended) {
            (true, true) => self.sounding,
            (began, ended) => (self.sounding || began) && !ended,
        };
        self.silent = if self.sounding { self.silent + (length - read.frames) as u64 } else { 0 };
    }

    /// The silence up to the next sound is no hole.
    pub(crate) fn expect_silence(&mut self) {
        self.meant = true;
    }

    pub(crate) fn found(&self) -> Holes {
        self.found
    }
}
