//! Measures how finely the clock counts, and how late a sleeper wakes.

use hdrhistogram::Histogram;
use mynah_engine::record::latency_histogram;

use super::finding::Finding;
use mynah_host::clock::Epoch;

/// Readings of the clock.
const READINGS: u64 = 20_000;
/// Sleeps, and how long each is.
const SLEEPS: u64 = 250;
const SLEEP_US: u64 = 1_000;
/// A step longer than this shows in figures that are in microseconds.
const STEP_NS_MAX: u64 = 1_000;
/// A generator later than this makes a report noisy.
const LATE_US_MAX: u64 = 1_000;

pub(super) fn resolution() -> Finding {
    let epoch = Epoch::start();
    let (mut step_ns, mut before_ns) = (u64::MAX, epoch.now_ns());
    for _ in 0..READINGS {
        let now_ns = epoch.now_ns();
        if now_ns > before_ns {
            step_ns = step_ns.min(now_ns - before_ns);
        }
        before_ns = now_ns;
    }
    let reading_ns = epoch.now_ns() / READINGS;
    let value = format!("steps of {step_ns} ns, {reading_ns} ns a reading");
    if step_ns > STEP_NS_MAX || reading_ns > STEP_NS_MAX {
        let remedy =
            "times of nodes and ticks are coarse; look at the system's clock source (tsc is the fast one)";
        return Finding::warn("clock", value, remedy);
    }
    Finding::ok("clock", value)
}

pub(super) fn overshoot() -> Finding {
    let epoch = Epoch::start();
    let mut late: Histogram<u32> = latency_histogram();
    for _ in 0..SLEEPS {
        let until_us = epoch.now_us() + SLEEP_US;
        epoch.sleep_until(until_us);
        late.saturating_record(epoch.now_us().saturating_sub(until_us));
        // A machine on which each sleep takes a long time has shown enough.
        if epoch.now_us() > SLEEPS * SLEEP_US * 2 {
            break;
        }
    }
    let (p50, p99) = (late.value_at_quantile(0.5), late.value_at_quantile(0.99));
    let value = format!("P50 {p50} us, P99 {p99} us late ({} sleeps of {SLEEP_US} us)", late.len());
    if p99 > LATE_US_MAX {
        let remedy = "wall-clock reports will be noisy (generator late by more than 1 ms); stop other programs, or \
                      measure in virtual time";
        return Finding::warn("sleep overshoot", value, remedy);
    }
    Finding::ok("sleep overshoot", value)
}
