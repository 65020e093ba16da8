//! How long frames wait at a node, how long it takes, how deep its queues are.

use hdrhistogram::Histogram;

use crate::record::histogram::{Buckets, latency_histogram};

/// Depths that are told apart: the greatest queue, and what may wait behind it.
pub(crate) const DEPTHS_MAX: usize = 1_056;
/// Depths that there are places for from the start; queues that were ever deeper have twice as many, and so on.
const DEPTHS_MIN: usize = 32;

/// How the times and the depths of one node are distributed.
#[derive(Clone, Debug)]
pub struct NodeHistograms {
    /// From entering its queue to being taken from it.
    pub wait: Histogram<u32>,
    /// From entering its queue to the first of the service's answer, for nodes that call one; others pass on in the
    /// tick in which they take, so that their latency is their wait.
    pub latency: Histogram<u32>,
    /// The same waits, by the bounds of the metrics.
    pub wait_buckets: Buckets,
    /// The same latencies, by the bounds of the metrics.
    pub latency_buckets: Buckets,
    /// How often a frame that entered made the queue this deep, by depth, as far as any was; at most 1,056 places, the last
    /// of which means: and deeper.
    pub depths: Vec<u64>,
}

impl Default for NodeHistograms {
    fn default() -> Self {
        Self {
            wait: latency_histogram(),
            latency: latency_histogram(),
            wait_buckets: Buckets::latency(),
            latency_buckets: Buckets::latency(),
            depths: vec![0; DEPTHS_MIN],
        }
    }
}

impl NodeHistograms {
    /// Adds another shard's.
    pub fn add(&mut self, other: &Self) {
        self.wait.add(&other.wait).expect("all histograms have one range");
        self.latency.add(&other.latency).expect("all histograms have one range");
        self.wait_buckets.merge(&other.wait_buckets);
        self.latency_buckets.merge(&other.latency_buckets);
        if self.depths.len() < other.depths.len() {
            self.depths.resize(other.depths.len(), 0);
        }
        for (sum, count) in self.depths.iter_mut().zip(&other.depths) {
            *sum += count;
        }
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.wait.reset();
        self.latency.reset();
        self.wait_buckets.clear();
        self.latency_buckets.clear();
        self.depths.fill(0);
    }

    /// Records how long a frame waited in the queue.
    pub fn record_wait(&mut self, us: u64) {
        self.wait.saturating_record(us);
        self.wait_buckets.record(us);
    }

    /// Records how long it took from entering the queue to the first of a service's answer.
    pub fn record_latency(&mut self, us: u64) {
        self.latency.saturating_record(us);
        self.latency_buckets.record(us);
    }

    /// Records the depth that a frame found itself at, itself included.
    pub fn record_depth(&mut self, depth: u32) {
        let place = (depth as usize).min(DEPTHS_MAX - 1);
        if place >= self.depths.len() {
            self.depths.resize((place + 1).next_power_of_two().min(DEPTHS_MAX), 0);
        }
        self.depths[place] += 1;
    }

    /// The depth that `quantile` (0..1) of the frames found at most; 0 when none came.
    pub fn depth_at(&self, quantile: f64) -> u32 {
        let wanted = (self.depths.iter().sum::<u64>() as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        self.depths.iter().position(reaches).unwrap_or(0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_of_all_shards_are_kept_however_deep_and_those_beyond_the_last_place_stand_there() {
        let histograms = |depths: &[u32]| {
            let mut histograms = NodeHistograms::default();
            depths.iter().for_each(|depth| histograms.record_depth(*depth));
            histograms
        };
        let deep = histograms(&[1, 31, 32, 700, 5_000]);
        let (mut first, mut last) = (histograms(&[2]), deep.clone());
        first.add(&deep);
        last.add(&histograms(&[2]));
        for mut all in [first, last] {
            let at = [0.0, 0.2, 0.4, 0.5, 0.7, 0.8, 1.0].map(|quantile| all.depth_at(quantile));
            assert_eq!(at, [0, 2, 31, 31, 700, 700, DEPTHS_MAX as u32 - 1]);
            all.clear();
            assert_eq!((all.depth_at(1.0), all.depths.iter().sum::<u64>()), (0, 0));
        }
    }
}
