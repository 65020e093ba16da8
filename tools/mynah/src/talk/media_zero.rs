//! When a session's media time began, on the clock of the process.

/// Time after which what was seen is forgotten, microseconds: the clocks of device and machine drift.
const WINDOW_US: u64 = 2_000_000;

/// Follows the clock of a microphone: audio arrives late, never early, so the earliest time seen of late is the best.
#[derive(Clone, Copy, Debug)]
pub(super) struct MediaZero {
    rate_hz: u64,
    /// The earliest of this window and of the one before.
    seen: [Option<u64>; 2],
    window_ends_us: u64,
}

impl MediaZero {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self { rate_hz: u64::from(rate_hz.max(1)), seen: [None; 2], window_ends_us: WINDOW_US }
    }

    /// `frames` are in the session at `now_us`.
    pub(super) fn take(&mut self, now_us: u64, frames: u64) {
        if frames == 0 {
            return;
        }
        if now_us >= self.window_ends_us {
            self.seen = [None, self.seen[0]];
            self.window_ends_us = now_us + WINDOW_US;
        }
        let zero_us = now_us.saturating_sub(frames * 1_000_000 / self.rate_hz);
        self.seen[0] = Some(self.seen[0].map_or(zero_us, |seen_us| seen_us.min(zero_us)));
    }

    /// Nothing that was seen holds: the device was gone.
    pub(super) fn forget(&mut self) {
        self.seen = [None; 2];
    }

    /// The time; 0 before the first audio.
    pub(super) fn us(&self) -> u64 {
        self.seen.into_iter().flatten().min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_late_counts_and_drift_is_followed() {
        let mut zero = MediaZero::new(48_000);
        zero.take(90_000, 0);
        assert_eq!(zero.us(), 0);
        for (now_us, frames) in [(110_000, 480), (119_000, 480), (120_000, 960), (149_000, 2_400)] {
            zero.take(now_us, frames);
        }
        assert_eq!(zero.us(), 99_000, "of the piece that came soonest");
        // A device that is 500 ppm slow: a second later for each 2,000 s.
        for s in 1..40 {
            zero.take(100_000 + s * 1_000_500, s * 48_000);
        }
        assert!((117_000..=119_500).contains(&zero.us()), "{}", zero.us());
        zero.forget();
        assert_eq!(zero.us(), 0);
    }
}
