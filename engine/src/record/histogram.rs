//! Cumulative histograms with fixed bounds, as Prometheus wants them: exact counts and an exact sum, ready without
//! merging when somebody asks.

use hdrhistogram::Histogram;

/// Longest latency that a histogram resolves, 10 minutes in microseconds; longer ones saturate and are counted.
pub const LATENCY_MAX_US: u64 = 600_000_000;

/// A latency histogram: microseconds up to 10 minutes, 2 significant digits.
pub fn latency_histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("1 us to 10 min at 2 digits is a valid range")
}

/// Bounds of latencies in microseconds: 0.5 ms to 2.5 s, including every promised limit (5, 10, 250 and 300 ms).
pub const LATENCY_BOUNDS_US: [u64; 17] = [
    500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 50_000, 75_000, 100_000, 150_000, 200_000, 250_000,
    300_000, 500_000, 1_000_000, 2_500_000,
];

/// Bounds of a tick's work and lateness in microseconds: 10 us to 100 ms.
pub const TICK_BOUNDS_US: [u64; 13] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000];

/// Bounds of batch sizes in items.
pub const BATCH_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000];

/// Size of the table: the most bounds there are, and one place for what lies beyond the last.
const PLACES: usize = LATENCY_BOUNDS_US.len() + 1;

/// How many values lay at or below each bound, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    bounds: &'static [u64],
    counts: [u64; PLACES],
    sum: u64,
}

impl Buckets {
    /// An empty histogram with these bounds: ascending, at most 17; a value equal to a bound counts as below it.
    pub const fn new(bounds: &'static [u64]) -> Self {
        assert!(bounds.len() < PLACES, "there are places for 17 bounds");
        Self { bounds, counts: [0; PLACES], sum: 0 }
    }

    /// An empty histogram for latencies in microseconds.
    pub const fn latency() -> Self {
        Self::new(&LATENCY_BOUNDS_US)
    }

    /// Adds one value.
    pub fn record(&mut self, value: u64) {
        let at = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.counts[at] += 1;
        self.sum += value;
    }

    /// Adds the values of another histogram with the same bounds.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.bounds, other.bounds, "only equal bounds can be added");
        for (a, b) in self.counts.iter_mut().zip(other.counts) {
            *a += b;
        }
        self.sum += other.sum;
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        self.counts = [0; PLACES];
        self.sum = 0;
    }

    /// Each bound with the number of values at or below it; the last pair has no bound and all values.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let bounds = self.bounds.iter().map(|bound| Some(*bound)).chain([None]);
        bounds.zip(self.counts).scan(0, |below, (bound, count)| {
            *below += count;
            Some((bound, *below))
        })
    }

    /// Values recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of the values, in their unit.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_those_of_a_sorted_list(
            values in prop::collection::vec(prop_oneof![0u64..3_000_000, prop::sample::select(&LATENCY_BOUNDS_US[..])], 0..200),
            cut in 0usize..200,
        ) {
            let (first, second) = values.split_at(cut.min(values.len()));
            let mut parts = [Buckets::latency(), Buckets::latency()];
            first.iter().for_each(|v| parts[0].record(*v));
            second.iter().for_each(|v| parts[1].record(*v));
            let [mut all, other] = parts;
            all.merge(&other);
            prop_assert_eq!(all.count(), values.len() as u64);
            prop_assert_eq!(all.sum(), values.iter().sum::<u64>());
            for (bound, below) in all.cumulative() {
                let wanted = values.iter().filter(|v| bound.is_none_or(|bound| **v <= bound)).count();
                prop_assert_eq!(below, wanted as u64, "{:?}", bound);
            }
        }
    }
}
