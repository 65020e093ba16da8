//! Limits of rates and channels for reading and writing.

use std::ops::RangeInclusive;

/// Sample rates that are read, Hz: telephone to studio.
pub(super) const RATE_HZ: RangeInclusive<u32> = 8_000..=192_000;
/// Channels that are read: one microphone to 7.1.
pub(super) const CHANNELS: RangeInclusive<u16> = 1..=8;
