//! Measures the cost of ticks, callers and memory.

use cpu_time::ProcessTime;
use hdrhistogram::Histogram;
use mynah_engine::record::latency_histogram;

/// What is measured around the ticks.
pub(super) struct Meter {
    pub(super) process: ProcessTime,
    pub(super) generator_ns: u64,
    pub(super) tick_work: Histogram<u32>,
    pub(super) tick_late: Histogram<u32>,
    pub(super) generator_late: Histogram<u32>,
    pub(super) ticks: u64,
    pub(super) warm_ticks: u64,
    pub(super) warm_allocations: u64,
    pub(super) live_bytes_before: i64,
    pub(super) live_bytes_start: i64,
    pub(super) live_bytes_end: i64,
    pub(super) cpu_s: f64,
    pub(super) wall_s: f64,
    /// On the wall clock, ticks that took longer than the scene's tick.
    pub(super) overruns: u64,
    /// How much of the beginning is not counted, microseconds, until it is over.
    pub(super) warm_up_us: u64,
}

impl Meter {
    /// Begins before the sessions exist.
    pub(super) fn new() -> Self {
        Self {
            process: ProcessTime::now(),
            generator_ns: 0,
            tick_work: latency_histogram(),
            tick_late: latency_histogram(),
            generator_late: latency_histogram(),
            ticks: 0,
            warm_ticks: 0,
            warm_allocations: 0,
            live_bytes_before: mynah_alloc::live_bytes(),
            live_bytes_start: 0,
            live_bytes_end: 0,
            cpu_s: 0.0,
            wall_s: 0.0,
            overruns: 0,
            warm_up_us: 0,
        }
    }

    /// A tick took so long.
    pub(super) fn took(&mut self, work_ns: u64) {
        self.tick_work.saturating_record(work_ns / 1_000);
        self.ticks += 1;
    }

    /// Notes how much memory lives; the first time it is the start's.
    pub(super) fn weigh(&mut self) {
        self.live_bytes_end = mynah_alloc::live_bytes();
        if self.live_bytes_start == 0 {
            self.live_bytes_start = self.live_bytes_end;
        }
    }

    /// What the callers' thread measured of itself: how late it was, and what it cost.
    pub(super) fn generated(&mut self, by: Option<(Histogram<u32>, u64)>) {
        if let Some((late, generator_ns)) = by {
            self.generator_late = late;
            self.generator_ns += generator_ns;
        }
    }

    /// Whether the warm-up ends with this tick, `so_far_us` after the start; whoever asks begins to count.
    pub(super) fn warms_up_until(&mut self, so_far_us: u64) -> bool {
        let over = self.warm_up_us > 0 && so_far_us >= self.warm_up_us;
        if over {
            self.warm_up_us = 0;
            self.generator_ns = 0;
            self.overruns = 0;
            self.tick_work.reset();
            self.tick_late.reset();
            self.process = ProcessTime::now();
        }
        over
    }
}
