//! Judges whether a long run is as good at its end as at its beginning: memory, entities, blocks, latency.

use hdrhistogram::Histogram;
use mynah_engine::Engine;
use mynah_engine::observe::Census;

use super::options::Options;
use super::turns::Stretches;
use crate::report::Steadiness;
use crate::report::quantiles::Quantiles;

/// One look a minute of engine time.
const EVERY_US: u64 = 60_000_000;
/// What happened this long ago is settled and forgotten.
const SETTLED_US: u64 = 120_000_000;
/// Pools, queues and the memory of what is not settled have grown to about their size by then, or after a quarter of
/// the run: how many answers sound at once has rare new maxima.
const WARM_US: u64 = 300_000_000;
/// Shorter runs show nothing about steadiness.
const RUN_MIN_US: u64 = 900_000_000;
/// Longest first and last stretch.
const STRETCH_MAX_US: u64 = 600_000_000;

/// One look at a running engine.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    t_us: u64,
    live_bytes: i64,
    entities: u64,
    blocks: u64,
}

/// What was seen, a look a minute.
#[derive(Clone, Debug, Default)]
pub struct Steady {
    looks: Vec<Look>,
    duration_us: u64,
    next_us: u64,
    census: Census,
}

impl Steady {
    /// For a run with these options that begins at `started_us` of engine time. Memory for all looks is there from
    /// the beginning: looking must not be what grows.
    pub fn new(options: &Options, started_us: u64) -> Self {
        let looks = Vec::with_capacity((options.duration_us / EVERY_US + 2) as usize);
        let (duration_us, next_us) = (options.duration_us, started_us + EVERY_US);
        Self { looks, duration_us, next_us, census: Census::default() }
    }

    /// The first and the last stretch.
    pub fn stretches(options: &Options, started_us: u64) -> Stretches {
        let stretch_us = (options.duration_us / 6).min(STRETCH_MAX_US);
        Stretches {
            early_until_us: started_us + stretch_us,
            late_from_us: started_us + options.duration_us - stretch_us,
        }
    }

    /// After a tick: the engine time before which all is to be settled now, once a minute.
    pub fn due(&mut self, now_us: u64) -> Option<u64> {
        if now_us < self.next_us {
            return None;
        }
        self.next_us += EVERY_US;
        Some(now_us.saturating_sub(SETTLED_US))
    }

    /// Looks, after that.
    pub fn look(&mut self, engine: &Engine) {
        if self.looks.len() == self.looks.capacity() {
            return;
        }
        let census = engine.census(&mut self.census);
        self.looks.push(Look {
            t_us: engine.now_us(),
            live_bytes: mynah_alloc::live_bytes(),
            entities: census.entities,
            blocks: census.blocks_created,
        });
    }

    /// The report's part; `None` for runs that are too short for it.
    pub fn conclude(&self, early_late: &[Histogram<u32>; 2]) -> Option<Steadiness> {
        if self.duration_us < RUN_MIN_US {
            return None;
        }
        // The last looks fall into the time when everybody hangs up.
        let begin_us = self.looks.first()?.t_us;
        let within = WARM_US.max(self.duration_us / 4)..self.duration_us.saturating_sub(EVERY_US);
        let warm: Vec<Look> =
            self.looks.iter().filter(|look| within.contains(&(look.t_us - begin_us))).copied().collect();
        let (first, last) = (warm.first()?, warm.last()?);
        let [early, late] = early_late.each_ref().map(Quantiles::of);
        let drift = early.zip(late).map(|(early, late)| late.p99 / early.p99 - 1.0);
        let Slope { median, interval } = slope(&warm);
        Some(Steadiness {
            looks: warm.len() as u64,
            live_bytes_per_min: median,
            live_bytes_per_min_95: interval,
            live_bytes_first: first.live_bytes,
            live_bytes_last: last.live_bytes,
            entities_first: first.entities,
            entities_last: last.entities,
            blocks_first: first.blocks,
            blocks_last: last.blocks,
            response_p99_first_ms: early.map(|q| q.p99),
            response_p99_last_ms: late.map(|q| q.p99),
            response_p99_drift_ratio: drift,
        })
    }
}

/// How live bytes grow, bytes a minute.
#[derive(Debug, Default, PartialEq)]
struct Slope {
    median: f64,
    /// In which the true one lies, at 95 %.
    interval: [f64; 2],
}

/// The median of the slopes between all pairs (Theil 1950): a few jumps do not move it. The interval is Sen's (1968), from
/// the variance of Kendall's S without ties.
fn slope(looks: &[Look]) -> Slope {
    let mut slopes: Vec<f64> = looks
        .iter()
        .enumerate()
        .flat_map(|(at, one)| {
            looks[at + 1..].iter().map(|other| {
                let minutes = (other.t_us - one.t_us) as f64 / EVERY_US as f64;
                (other.live_bytes - one.live_bytes) as f64 / minutes
            })
        })
        .collect();
    if slopes.is_empty() {
        return Slope::default();
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let (pairs, n) = (slopes.len() as f64, looks.len() as f64);
    let reach = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
    let interval = [at(((pairs - reach) / 2.0).floor()), at(((pairs + reach) / 2.0).ceil())];
    Slope { median: slopes[slopes.len() / 2], interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(bytes: &[i64]) -> Vec<Look> {
        let look = |(at, live_bytes): (usize, &i64)| Look {
            t_us: at as u64 * EVERY_US,
            live_bytes: *live_bytes,
            ..Look::default()
        };
        bytes.iter().enumerate().map(look).collect()
    }

    #[test]
    fn a_leak_has_a_slope_and_a_step_has_none() {
        let cases: [(&[i64], f64); 5] = [
            (&[5, 5, 5, 5, 5], 0.0),
            (&[0, 10, 20, 30, 40], 10.0),
            (&[0, 10, 20, 900, 40], 10.0),
            (&[7, 7, 7, 7, 7, 7, 7, 7, 7, 99], 0.0),
            (&[7], 0.0),
        ];
        for (bytes, want) in cases {
            let slope = slope(&looks(bytes));
            assert!((slope.median - want).abs() < 1e-9, "{bytes:?}: {slope:?}");
            let [low, high] = slope.interval;
            assert!(low <= slope.median && slope.median <= high, "{bytes:?}: {slope:?}");
        }
    }

    #[test]
    fn only_a_leak_has_no_0_in_its_interval() {
        let noise = |at: i64| at * 7_919 % 1_000;
        for (leak, leaks) in [(0, false), (1, false), (100, true), (-100, true)] {
            let bytes: Vec<i64> = (0..44).map(|at| noise(at) + leak * at).collect();
            let Slope { interval: [low, high], .. } = slope(&looks(&bytes));
            assert_eq!(low > 0.0 || high < 0.0, leaks, "{leak} bytes a minute: {low} to {high}");
        }
    }
}
