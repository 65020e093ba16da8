//! How busy the server is, as one number that a proxy or an autoscaler can act on.

use std::collections::VecDeque;

use mynah_engine::observe::metrics::Buckets;

/// Seconds that the number is about; a sample a second.
const WINDOW: usize = 10;

/// A tick, microseconds: a tick that begins less late than that has lost none, and whoever shares the machine's cores makes
/// it so late now and then, whatever is served.
const PERIOD_US: f64 = 5_000.0;

/// `mynah_load_ratio`: the greatest of the share of places taken, the share of the time that ticks work, and, in periods of
/// 5 ms, what of the lateness of ticks at P99 is beyond one period; over the last 10 s. 1 is full; lateness may lead
/// beyond.
#[derive(Debug, Default)]
pub struct Load {
    samples: VecDeque<Sample>,
}

/// Sums so far, of one scene or over all.
#[derive(Clone, Debug, Default)]
struct Sample {
    at_us: u64,
    /// By scene.
    work_us: Vec<u64>,
    /// Ticks at or below each bound of lateness, over all scenes; the last: all.
    late: Vec<(u64, u64)>,
}

impl Load {
    /// Takes what the scenes' ticks took and how late they began so far; each row is one scene.
    pub fn sample(&mut self, now_us: u64, scenes: &[(&Buckets, &Buckets)]) {
        let mut sample = Sample { at_us: now_us, ..Sample::default() };
        for (work, late) in scenes {
            sample.work_us.push(work.sum());
            for (at, (bound, below)) in late.cumulative().enumerate() {
                match sample.late.get_mut(at) {
                    Some(one) => one.1 += below,
                    None => sample.late.push((bound.unwrap_or(u64::MAX), below)),
                }
            }
        }
        self.samples.push_back(sample);
        while self.samples.len() > WINDOW + 1 {
            self.samples.pop_front();
        }
    }

    /// The ratio, with this share of places taken.
    #[must_use]
    pub fn ratio(&self, share: f64) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return share };
        let passed_us = last.at_us.saturating_sub(first.at_us);
        // Scenes that came or went meanwhile have no difference: the next window has.
        if passed_us == 0 || first.work_us.len() != last.work_us.len() {
            return share;
        }
        let busy = first.work_us.iter().zip(&last.work_us).map(|(a, b)| b.saturating_sub(*a));
        let busy = busy.max().unwrap_or(0) as f64 / passed_us as f64;
        let late = late_us_p99(&first.late, &last.late);
        share.max(busy).max((late - PERIOD_US) / PERIOD_US)
    }
}

/// How late 99 of 100 ticks began at most between two samples, as if those between two bounds lay evenly; beyond the last
/// bound: twice that.
fn late_us_p99(first: &[(u64, u64)], last: &[(u64, u64)]) -> f64 {
    let ticks = |at: usize| last[at].1.saturating_sub(first[at].1);
    let Some(all) = last.len().checked_sub(1).map(ticks).filter(|all| *all > 0) else { return 0.0 };
    let rank = (all * 99).div_ceil(100);
    let at = (0..last.len()).find(|at| ticks(*at) >= rank).unwrap_or(last.len() - 1);
    let (from, below) = at.checked_sub(1).map_or((0, 0), |before| (last[before].0, ticks(before)));
    match last[at].0 {
        u64::MAX => 2.0 * from as f64,
        until => {
            let part = (rank - below) as f64 / (ticks(at) - below).max(1) as f64;
            from as f64 + part * (until - from) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::observe::metrics::TICK_BOUNDS_US;

    use super::*;

    #[test]
    fn the_greatest_of_places_work_and_lateness_counts() {
        let (mut work, mut late) = (Buckets::new(&TICK_BOUNDS_US), Buckets::new(&TICK_BOUNDS_US));
        let mut load = Load::default();
        load.sample(0, &[(&work, &late)]);
        for _ in 0..200 {
            work.record(3_000);
            late.record(10);
        }
        load.sample(1_000_000, &[(&work, &late)]);
        assert!((load.ratio(0.25) - 0.6).abs() < 1e-9, "200 ticks of 3 ms in a second: {}", load.ratio(0.25));
        assert_eq!(load.ratio(0.75), 0.75);
        for _ in 0..200 {
            late.record(20_000);
        }
        load.sample(2_000_000, &[(&work, &late)]);
        assert!(
            (2.5..=4.0).contains(&load.ratio(0.0)),
            "20 ms late are three periods beyond one: {}",
            load.ratio(0.0)
        );
    }

    #[test]
    fn an_idle_server_on_a_busy_machine_is_not_full() {
        let (work, mut late) = (Buckets::new(&TICK_BOUNDS_US), Buckets::new(&TICK_BOUNDS_US));
        let mut load = Load::default();
        load.sample(0, &[(&work, &late)]);
        for tick in 0..2_000 {
            late.record(if tick % 20 == 0 { 4_900 } else { 80 });
        }
        load.sample(10_000_000, &[(&work, &late)]);
        assert_eq!(load.ratio(0.01), 0.01, "what is less late than a period is no load");
    }

    #[test]
    fn lateness_between_two_bounds_counts_by_its_place_there() {
        // 20 of 1000 lie between 5 and 10 ms: P99 is in their middle.
        let late = |ticks: u64| {
            let mut late = Buckets::new(&TICK_BOUNDS_US);
            (0..1_000).for_each(|tick| late.record(if tick < ticks { 7_000 } else { 100 }));
            late
        };
        let work = Buckets::new(&TICK_BOUNDS_US);
        let ratio = |ticks| {
            let mut load = Load::default();
            load.sample(0, &[(&work, &Buckets::new(&TICK_BOUNDS_US))]);
            load.sample(1_000_000, &[(&work, &late(ticks))]);
            load.ratio(0.0)
        };
        assert!((ratio(20) - 0.5).abs() < 1e-9, "{}", ratio(20));
        assert_eq!(ratio(10), 0.0, "1 of 100 is not in P99");
        assert!((0.95..=1.0).contains(&ratio(1_000)), "all: {}", ratio(1_000));
    }
}
