//! Latencies over the run, in bounded memory: quantiles by stretch, and single answers while they are few.

use hdrhistogram::Histogram;
use mynah_engine::record::latency_histogram;

/// Most answers that are kept one by one.
pub const SINGLES_MAX: usize = 3_000;

/// Latencies by stretch of a run.
#[derive(Clone, Debug)]
pub struct Spells {
    width_us: u64,
    all: Vec<Histogram<u32>>,
}

impl Spells {
    /// For a run of `duration_us` in stretches of `width_us`. All memory is taken now.
    pub fn new(duration_us: u64, width_us: u64) -> Self {
        let width_us = width_us.max(1);
        let count = (duration_us / width_us + 1) as usize;
        Self { width_us, all: (0..count).map(|_| latency_histogram()).collect() }
    }

    /// Records a latency, microseconds, at `us` after the start.
    pub fn record(&mut self, us: u64, latency_us: u64) {
        let last = self.all.len() - 1;
        self.all[((us / self.width_us) as usize).min(last)].saturating_record(latency_us);
    }

    /// The stretches: (from, to) in seconds, and the latencies, which may be none.
    pub fn all(&self) -> impl Iterator<Item = ((f64, f64), &Histogram<u32>)> {
        let width_s = self.width_us as f64 / 1e6;
        let windows = self.all.iter().enumerate();
        windows.map(move |(at, all)| ((at as f64 * width_s, (at + 1) as f64 * width_s), all))
    }
}

/// The answers' latencies over a run.
#[derive(Debug)]
pub struct Replies {
    spells: Spells,
    singles: Vec<(u64, u64)>,
    count: usize,
}

impl Replies {
    /// For a run of `duration_us` in stretches of `width_us`. All memory is taken now.
    pub fn new(duration_us: u64, width_us: u64) -> Self {
        let singles = Vec::with_capacity(SINGLES_MAX);
        Self { spells: Spells::new(duration_us, width_us), singles, count: 0 }
    }

    /// An utterance that ended at `end_us` of media time was answered `latency_us` later.
    pub fn record(&mut self, end_us: u64, latency_us: u64) {
        self.spells.record(end_us, latency_us);
        self.count += 1;
        if self.singles.len() < SINGLES_MAX {
            self.singles.push((end_us, latency_us));
        }
    }

    /// The latencies by stretch.
    pub fn spells(&self) -> &Spells {
        &self.spells
    }

    /// One by one: end of the utterance and latency, microseconds. None when there are too many.
    pub fn singles(&self) -> &[(u64, u64)] {
        if self.count > SINGLES_MAX { &[] } else { &self.singles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_answers_are_kept_one_by_one_and_many_are_not() {
        let mut replies = Replies::new(60_000_000, 5_000_000);
        replies.record(12_000_000, 200_000);
        replies.record(70_000_000, 300_000);
        assert_eq!(replies.singles(), [(12_000_000, 200_000), (70_000_000, 300_000)]);
        let counts: Vec<u64> = replies.spells().all().map(|(_, all)| all.len()).collect();
        assert_eq!(counts, [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        (0..SINGLES_MAX).for_each(|_| replies.record(0, 1));
        assert_eq!(replies.singles(), []);
    }
}
