//! The types of values on the command line.

use mynah_load::chunk::duration_us;
use mynah_sim::simulate::{DURATION_US, SESSIONS};

/// A stretch of time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    /// Microseconds.
    pub us: u64,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let us = duration_us(text)?;
    if DURATION_US.contains(&us) {
        return Ok(Duration { us });
    }
    Err("out of range: expected 100ms to 24h".into())
}

pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("no seed: expected a whole number from 0 to {}", u64::MAX))
}

/// Seeds from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedRange {
    /// The first.
    pub first: u64,
    /// The last, not below the first.
    pub last: u64,
}

impl SeedRange {
    /// How many there are.
    pub fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

/// Most seeds of one command.
const SEEDS_MAX: u64 = 1_000_000;

pub(super) fn seeds(text: &str) -> Result<SeedRange, String> {
    let wanted = "expected FIRST..LAST, both included, like 1..200";
    let Some((first, last)) = text.split_once("..") else { return Err(format!("no range: {wanted}")) };
    let (Ok(first), Ok(last)) = (first.parse(), last.parse()) else {
        return Err(format!("no whole numbers: {wanted}"));
    };
    if first > last {
        return Err(format!("the last is before the first: {wanted}"));
    }
    if last - first >= SEEDS_MAX {
        return Err(format!("too many: expected at most {SEEDS_MAX} seeds"));
    }
    Ok(SeedRange { first, last })
}

pub(super) fn sessions(text: &str) -> Result<u32, String> {
    within(text, *SESSIONS.start(), *SESSIONS.end(), "sessions")
}

pub(super) fn shards(text: &str) -> Result<u32, String> {
    within(text, 1, 1_024, "shards")
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    within(text, 1, 256, "threads").map(|threads| threads as usize)
}

pub(super) fn percent(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    percent.ok().filter(|percent| (0.0..=10_000.0).contains(percent)).ok_or_else(|| {
        "no percentage: expected 0 to 10000; with a file behind the flag, write --fail-on-regression=5".into()
    })
}

pub(super) fn core(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "no core: expected its number, counted from 0".into())
}

pub(super) fn seconds(text: &str) -> Result<u32, String> {
    within(text, 1, 3_600, "seconds")
}

pub(super) fn milliseconds(text: &str) -> Result<f64, String> {
    let ms = text.parse::<f64>().ok().filter(|ms| (0.01..=60_000.0).contains(ms));
    ms.ok_or_else(|| "expected 0.01 to 60000 milliseconds".into())
}

fn within(text: &str, least: u32, most: u32, what: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(count) if (least..=most).contains(&count) => Ok(count),
        Ok(_) => Err(format!("out of range: expected {least} to {most} {what}")),
        Err(_) => Err(format!("no whole number: expected {least} to {most} {what}")),
    }
}
