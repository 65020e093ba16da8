//! Compares a sender's times with the samples that came, and tells lost audio from jitter and from a drifting clock.
//!
//! A block whose time is where the samples before it end is on time. A block that is further ahead than the tolerance
//! comes after lost audio, and the gap is filled at once. Within the tolerance a lost packet and a late stamp look
//! alike at first, but only the loss stays: the gap is filled when every block of more than the tolerance was ahead,
//! or 16 blocks where stamps have lately been off by much of a block. Until then media time is short by the tolerance
//! at most. A loss that jitter has blurred counts as the nearest number of whole packets.
//!
//! The remaining difference moves the origin, by 0.2 % of real time at most: the origin follows a drifting clock both
//! ways, and finds the middle of stamps that jump to and fro. This takes a few integer operations a block.

use crate::base::time::frames_to_us;

/// Longest gap that is filled with silence: one second.
const GAP_US_MAX: i64 = 1_000_000;
/// Blocks that must agree before a loss is told from strong jitter: where half of the blocks are on either side of
/// the origin, this many are ahead by chance once in 65,536 times.
const BLOCKS_AGREED: u16 = 16;
/// Blocks that must agree for a new sender, whose first time may have been off by the whole jitter.
const BLOCKS_AGREED_AT_FIRST: u16 = 48;
/// Blocks that must agree at the end of the input, where no more will come.
const BLOCKS_AT_END: u16 = 4;
/// Jitter that is expected of a sender before any has been seen, microseconds.
const JITTER_AT_FIRST_US: i64 = 10_000;
/// Blocks after which a sender is known.
const BLOCKS_KNOWN: u16 = 32;

/// How far a block's time is from the expected one, and what that means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Sample frames missing before the block.
    pub(crate) missing: u64,
    /// The sender's clock was set, or the gap is too long to fill: the origin was moved.
    pub(crate) stepped: bool,
}

/// A block of whole sample frames with its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamped {
    /// Media time of the first sample by the sender's count, microseconds; may begin anywhere and wrap.
    pub(crate) pts_us: u64,
    /// Sample frames before it, silence in place of lost audio included.
    pub(crate) before: u64,
    /// Sample frames in it.
    pub(crate) frames: u32,
}

/// Blocks in a row that were ahead within the tolerance.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    blocks: u16,
    /// Length of these blocks, microseconds.
    us: i64,
    /// Sum of the times by which they were ahead, microseconds.
    sum_us: i64,
    least_us: i64,
    most_us: i64,
    /// Sample frames of the last of them.
    frames: u32,
}

/// Compares a sender's timestamps with the samples that came: tells lost audio from jitter and drift.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderClock {
    rate_hz: u32,
    tolerance_us: i64,
    /// The sender's media time minus the engine's.
    origin_us: i64,
    /// How far stamps were off lately, microseconds: the greatest value, forgotten within some blocks.
    jitter_us: i64,
    /// How far the last block was behind, microseconds, if that was beyond the tolerance; else 0.
    behind_us: i64,
    run: Run,
    /// Blocks with a time so far, counted up to the point where more make no difference.
    seen: u16,
}

impl SenderClock {
    /// For a stream of `rate_hz` whose stamps may be off by `tolerance_us`.
    pub(crate) fn new(rate_hz: u32, tolerance_us: i64) -> Self {
        let (origin_us, behind_us, run) = (0, 0, Run::default());
        let jitter_us = JITTER_AT_FIRST_US.min(tolerance_us);
        Self { rate_hz, tolerance_us, origin_us, jitter_us, behind_us, run, seen: 0 }
    }

    /// Takes the time of a block and returns what is missing before it.
    pub(crate) fn takes(&mut self, block: Stamped) -> Found {
        let media_us = frames_to_us(block.before, self.rate_hz) as i64;
        if self.seen == 0 {
            self.seen = 1;
            self.origin_us = (block.pts_us as i64).wrapping_sub(media_us);
            return Found::default();
        }
        let ahead_us = (block.pts_us as i64).wrapping_sub(media_us.wrapping_add(self.origin_us));
        // A difference below this is rounding.
        let tolerance_us = self.tolerance_us.max(self.rounding_us());
        if ahead_us > GAP_US_MAX {
            self.step(ahead_us);
            return Found { missing: 0, stepped: true };
        }
        if ahead_us >= -tolerance_us {
            self.behind_us = 0;
            return Found { missing: self.judge(ahead_us, tolerance_us, block.frames), stepped: false };
        }
        let before_us = std::mem::replace(&mut self.behind_us, ahead_us);
        if before_us == 0 || ahead_us.abs_diff(before_us) > tolerance_us as u64 {
            // The block was overtaken by many others, or its stamp is wrong.
            self.run = Run::default();
            return Found::default();
        }
        self.step(before_us);
        let missing = self.judge(ahead_us.wrapping_sub(before_us), tolerance_us, block.frames);
        Found { missing, stepped: true }
    }

    /// Ends the input and returns the sample frames that are still missing.
    pub(crate) fn ends(&mut self) -> u64 {
        let run = std::mem::take(&mut self.run);
        if run.blocks == 0 {
            return 0;
        }
        let (lost_us, block_us) = (self.lost_us(&run), self.us(run.frames));
        let plain = self.is_calm(block_us) || lost_us > self.jitter_us + block_us / 4;
        if plain || run.blocks >= BLOCKS_AT_END { self.missing(lost_us, run.frames) } else { 0 }
    }

    /// Takes a block that is ahead by less than a gap, or behind within the tolerance.
    fn judge(&mut self, ahead_us: i64, tolerance_us: i64, frames: u32) -> u64 {
        if ahead_us > tolerance_us {
            self.run = Run::default();
            return self.missing(ahead_us, frames);
        }
        let block_us = self.us(frames);
        if ahead_us <= self.usual_us(block_us) {
            self.follow(ahead_us, block_us);
            return 0;
        }
        let run = &mut self.run;
        run.least_us = if run.blocks == 0 { ahead_us } else { run.least_us.min(ahead_us) };
        run.most_us = run.most_us.max(ahead_us);
        run.blocks = run.blocks.saturating_add(1);
        (run.us, run.sum_us, run.frames) = (run.us + block_us, run.sum_us + ahead_us, frames);
        let enough = match (self.is_calm(block_us), self.is_known()) {
            (true, _) => 1,
            (false, true) => BLOCKS_AGREED,
            (false, false) => BLOCKS_AGREED_AT_FIRST,
        };
        if self.run.blocks < enough || self.run.us <= tolerance_us {
            return 0;
        }
        let run = std::mem::take(&mut self.run);
        self.missing(self.lost_us(&run), frames)
    }

    /// Takes a block that seems to be on time: the origin follows it.
    fn follow(&mut self, ahead_us: i64, block_us: i64) {
        // A run that ends like this was jitter.
        let run = std::mem::take(&mut self.run);
        let most_us = run.most_us.max(ahead_us.abs());
        // Quick at first, to leave a first stamp that was off; later no quicker than clocks drift apart.
        let known = self.is_known();
        let pace_us = if known { block_us >> 9 } else { (block_us >> 3).max(ahead_us.abs() >> 3) } + 1;
        let jitter_us = i64::from(run.blocks) * pace_us;
        let by_us = ahead_us.clamp(-pace_us, pace_us) + jitter_us.min(run.most_us);
        self.origin_us = self.origin_us.wrapping_add(by_us);
        let forgotten_us = if known { self.jitter_us / 64 } else { self.jitter_us / 4 } + 1;
        self.jitter_us = most_us.min(self.tolerance_us).max(self.jitter_us - forgotten_us);
        self.seen += u16::from(!known);
    }

    fn is_known(&self) -> bool {
        self.seen >= BLOCKS_KNOWN
    }

    fn step(&mut self, by_us: i64) {
        self.origin_us = self.origin_us.wrapping_add(by_us);
        (self.behind_us, self.run) = (0, Run::default());
    }

    /// How far a block may be ahead without being a sign of loss: twice the jitter, but at most half a block; and at
    /// least half the jitter, for blocks that are shorter than the jitter.
    fn usual_us(&self, block_us: i64) -> i64 {
        self.blur_us(block_us).max(self.jitter_us / 2)
    }

    /// How far the measured length of a loss may be off.
    fn blur_us(&self, block_us: i64) -> i64 {
        (2 * self.jitter_us).min(block_us / 2).max(self.rounding_us())
    }

    /// Whether stamps are exact enough for one block to show what is missing.
    fn is_calm(&self, block_us: i64) -> bool {
        8 * self.jitter_us <= block_us
    }

    fn lost_us(&self, run: &Run) -> i64 {
        if self.is_calm(self.us(run.frames)) { run.least_us } else { run.sum_us / i64::from(run.blocks) }
    }

    /// Sample frames of a loss that was measured as `lost_us`, of packets of `frames`.
    fn missing(&self, lost_us: i64, frames: u32) -> u64 {
        let block_us = self.us(frames);
        let packets = (lost_us + (block_us - 1) / 2) / block_us;
        // By a drifting clock a loss measures a little more or less.
        let blur_us = self.blur_us(block_us) + (lost_us + block_us) / 256;
        if packets > 0 && (lost_us - packets * block_us).abs() <= blur_us {
            return packets as u64 * u64::from(frames);
        }
        (lost_us as u64 * u64::from(self.rate_hz) + 500_000) / 1_000_000
    }

    /// Sender and engine round to a microsecond each, and to a sample.
    fn rounding_us(&self) -> i64 {
        2 + 1_000_000 / i64::from(self.rate_hz)
    }

    fn us(&self, frames: u32) -> i64 {
        (frames_to_us(u64::from(frames), self.rate_hz) as i64).max(1)
    }
}
