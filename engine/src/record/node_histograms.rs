//! How long frames wait at a node, how long the node takes, and how deep its queues are.

use hdrhistogram::Histogram;

use crate::record::histogram::{Buckets, latency_histogram};

/// Depths that are told apart: the longest queue, and what may wait behind it.
pub(crate) const DEPTHS_MAX: usize = 1_056;
/// Depths that have a place from the start; the table doubles when a queue gets deeper.
const DEPTHS_MIN: usize = 32;

/// Distributions of the times and depths of one node.
#[derive(Clone, Debug)]
pub struct NodeHistograms {
    /// Time from a frame's entry into the queue to its removal.
    pub wait: Histogram<u32>,
    /// Time from a frame's entry into the queue to the first part of the service's answer, for nodes that call one;
    /// other nodes pass frames on in the tick in which they take them, so their latency is their wait.
    pub latency: Histogram<u32>,
    /// The same waits, by the bounds of the metrics.
    pub wait_buckets: Buckets,
    /// The same latencies, by the bounds of the metrics.
    pub latency_buckets: Buckets,
    /// How many frames made the queue this deep when they entered, by depth, up to the deepest seen; at most 1,056
    /// places, of which the last counts everything deeper.
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
    /// Adds another shard's histograms.
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

    /// Removes all values and keeps the memory.
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

    /// Records the time from a frame's entry into the queue to the first part of a service's answer.
    pub fn record_latency(&mut self, us: u64) {
        self.latency.saturating_record(us);
        self.latency_buckets.record(us);
    }

    /// Records the depth of the queue that a frame found, including that frame.
    #[inline]
    pub fn record_depth(&mut self, depth: u32) {
        match self.depths.get_mut(depth as usize) {
            Some(count) => *count += 1,
            None => self.record_new_depth(depth),
        }
    }

    /// The table grows, up to the last place.
    #[cold]
    fn record_new_depth(&mut self, depth: u32) {
        let place = (depth as usize).min(DEPTHS_MAX - 1);
        if place >= self.depths.len() {
            self.depths.resize((place + 1).next_power_of_two().min(DEPTHS_MAX), 0);
        }
        self.depths[place] += 1;
    }

    /// The depth that `quantile` (0..1) of the frames found at most; 0 without frames.
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
