//! A sender's times against the samples that came: what of the difference is lost audio, what jitter, what another clock.
//!
//! A block whose time is where the samples before it end is on time. One that is further ahead than the tolerance comes
//! after lost audio, and what is missing is filled at once. Within the tolerance a lost packet and a late stamp look
//! alike, but only the loss stays: what is missing is filled when every block of more than the tolerance was ahead, or of
//! 16 blocks where stamps have lately been off by much of a block. Until then media time is short by the tolerance at
//! most. Where jitter has blurred a loss, it counts as the whole number of packets next to it.
//!
//! What is left moves the origin, 0.2 % of real time at most: a drifting clock is followed both ways, and of stamps that
//! jump to and fro the origin finds the middle. All of it is a few integer operations a block.

use crate::base::time::frames_to_us;

/// Longest gap that is filled with silence: one second.
const GAP_US_MAX: i64 = 1_000_000;
/// Blocks that must agree before a loss is told from strong jitter: of blocks on either side of the origin, half of them
/// each, so many are ahead by chance once in 65,536 times.
const BLOCKS_AGREED: u16 = 16;
/// And so many of a sender who is not known yet, whose first time may have been off by all his jitter.
const BLOCKS_AGREED_AT_FIRST: u16 = 48;
/// At the end of the input, where no more will come, fewer must do.
const BLOCKS_AT_END: u16 = 4;
/// Jitter that is expected of a sender before any has been seen, microseconds.
const JITTER_AT_FIRST_US: i64 = 10_000;
/// Blocks after which a sender is known.
const BLOCKS_KNOWN: u16 = 32;

/// How far a block's time is from where it was expected, and what that means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Sample frames missing before the block.
    pub(crate) missing: u64,
    /// The sender's clock was set, or more is missing than is filled: the origin was moved.
    pub(crate) stepped: bool,
}

/// A block of whole sample frames as it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamped {
    /// Media time of its first sample as the sender counts, microseconds; may begin anywhere and go round.
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
    /// Their length, microseconds.
    us: i64,
    /// By how much they were ahead, microseconds.
    sum_us: i64,
    least_us: i64,
    most_us: i64,
    /// Sample frames of the last one.
    frames: u32,
}

/// Compares a sender's timestamps with the samples that came: tells lost audio from jitter and drift.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SenderClock {
    rate_hz: u32,
    tolerance_us: i64,
    /// The sender's media time minus the engine's.
    origin_us: i64,
    /// By how much stamps were off lately, microseconds: the greatest, forgotten within some blocks.
    jitter_us: i64,
    /// By how much the last block was behind, where that was beyond the tolerance; else 0.
    behind_us: i64,
    run: Run,
    /// Blocks with a time, as far as it matters.
    seen: u16,
}

impl SenderClock {
    /// For a stream of `rate_hz` whose stamps may be off by `tolerance_us`.
    pub(crate) fn new(rate_hz: u32, tolerance_us: i64) -> Self {
        let (origin_us, behind_us, run) = (0, 0, Run::default());
        let jitter_us = JITTER_AT_FIRST_US.min(tolerance_us);
        Self { rate_hz, tolerance_us, origin_us, jitter_us, behind_us, run, seen: 0 }
    }

    /// Takes the time of a block; what is missing before it.
    pub(crate) fn takes(&mut self, block: Stamped) -> Found {
        let media_us = frames_to_us(block.before, self.rate_hz) as i64;
        if self.seen == 0 {
            self.seen = 1;
            self.origin_us = (block.pts_us as i64).wrapping_sub(media_us);
            return Found::default();
        }
        let ahead_us = (block.pts_us as i64).wrapping_sub(media_us.wrapping_add(self.origin_us));
        // Nothing within this is more than rounding.
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
            // One that was overtaken by many, or whose stamp is wrong.
            self.run = Run::default();
            return Found::default();
        }
        self.step(before_us);
        let missing = self.judge(ahead_us.wrapping_sub(before_us), tolerance_us, block.frames);
        Found { missing, stepped: true }
    }

    /// The input is over: what is still missing.
    pub(crate) fn ends(&mut self) -> u64 {
        let run = std::mem::take(&mut self.run);
        if run.blocks == 0 {
            return 0;
        }
        let (lost_us, block_us) = (self.lost_us(&run), self.us(run.frames));
        let plain = self.is_calm(block_us) || lost_us > self.jitter_us + block_us / 4;
        if plain || run.blocks >= BLOCKS_AT_END { self.missing(lost_us, run.frames) } else { 0 }
    }

    /// Takes a block that is ahead by less than what is no gap, or behind within the tolerance.
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

    /// A block on time, as far as can be told: the origin follows it.
    fn follow(&mut self, ahead_us: i64, block_us: i64) {
        // A run that ends like this was jitter.
        let run = std::mem::take(&mut self.run);
        let most_us = run.most_us.max(ahead_us.abs());
        // Quick at first, to get away from a first stamp that was off; then no quicker than clocks drift apart.
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

    /// What blocks may be ahead without being a sign of loss: twice the jitter, or half a block where that is less; and
    /// half the jitter at least, for blocks that are shorter than it.
    fn usual_us(&self, block_us: i64) -> i64 {
        self.blur_us(block_us).max(self.jitter_us / 2)
    }

    /// By how much the measure of a loss may be off.
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
        // Another clock counts what is lost as a little more or less.
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
