//! Whether a long run is as good at its end as at its beginning: memory, entities, blocks, latency.

use hdrhistogram::Histogram;
use mynah_engine::Engine;

use super::Options;
use super::turns::Stretches;
use crate::report::{Quantiles, Steadiness};

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
}

impl Steady {
    /// For a run with these options that begins at `started_us` of engine time. Memory for all looks is there from
    /// the beginning: looking must not be what grows.
    pub fn new(options: &Options, started_us: u64) -> Self {
        let looks = Vec::with_capacity((options.duration_us / EVERY_US + 2) as usize);
        Self { looks, duration_us: options.duration_us, next_us: started_us + EVERY_US }
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
        let census = engine.census();
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
        Some(Steadiness {
            looks: warm.len() as u64,
            live_bytes_per_min: slope(&warm),
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

/// The median of the slopes between all pairs, bytes a minute (Theil 1950, Sen 1968): a few jumps do not move it.
fn slope(looks: &[Look]) -> f64 {
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
        return 0.0;
    }
    let middle = slopes.len() / 2;
    *slopes.select_nth_unstable_by(middle, f64::total_cmp).1
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
            assert!((slope(&looks(bytes)) - want).abs() < 1e-9, "{bytes:?}: {}", slope(&looks(bytes)));
        }
    }
}
