//! Samples and the times at which they play.

/// Media time of a sample, microseconds, rounded down.
pub(super) fn us_of(samples: u64, rate_hz: u32) -> u64 {
    samples * 1_000_000 / u64::from(rate_hz)
}

/// The sample that plays at a media time, rounded down.
pub(super) fn sample_at(us: u64, rate_hz: u32) -> u64 {
    us * u64::from(rate_hz) / 1_000_000
}
