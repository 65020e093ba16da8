//! Loops that tick an engine: at a fixed period, when something arrives, or in virtual time.
//!
//! The host owns the clock. The pacing itself reads none: the caller gives the time, and the pacing says when the
//! next tick is due.

use std::ops::ControlFlow;

use crate::engine::Engine;
use crate::scene::{Tick, TickDriver};

/// The host's clock.
pub trait Clock {
    /// Microseconds since the host's start; never goes back.
    fn now_us(&mut self) -> u64;
    /// Returns at `until_us`, or not much later.
    fn sleep_until(&mut self, until_us: u64);
    /// Returns at `until_us` or as soon as the engine's bell rings.
    fn wait_until(&mut self, until_us: u64);
}

/// When ticks happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Every `period_us`, by absolute deadlines. After an overrun at most `catch_up_max` ticks follow at once; the
    /// rest is skipped and counted.
    Fixed {
        /// Time between two ticks.
        period_us: u64,
        /// Most ticks run without a pause to catch up.
        catch_up_max: u32,
    },
    /// Ticks as soon as something arrives, and at least every `heartbeat_us`. The next tick starts no sooner than 16 times
    /// the duration of this one, at most 5 ms, after this one started: a light load is answered within microseconds, and a
    /// heavy one spends at most a sixteenth of its time in ticks that find little to do.
    WakeOnIngress {
        /// Longest time between two ticks.
        heartbeat_us: u64,
        /// Shortest time between two ticks.
        min_gap_us: u64,
    },
}

impl Driver {
    /// The driver that a scene asks for.
    pub fn of(tick: &Tick) -> Self {
        let period_us = u64::from(tick.period_ms) * 1_000;
        match tick.driver {
            TickDriver::Fixed => Self::Fixed { period_us, catch_up_max: tick.catch_up_max },
            TickDriver::WakeOnIngress => {
                Self::WakeOnIngress { heartbeat_us: period_us, min_gap_us: u64::from(tick.min_gap_us) }
            }
        }
    }
}

/// See [`Driver::WakeOnIngress`].
const GATHER_TIMES: u64 = 16;
/// See [`Driver::WakeOnIngress`].
const GATHER_MAX_US: u64 = 5_000;

/// How a loop kept its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pacing {
    /// Ticks run.
    pub ticks: u64,
    /// Periods that passed without a tick because the loop was too far behind.
    pub skipped: u64,
    /// Greatest lateness of a tick against its deadline, in microseconds. For [`Driver::WakeOnIngress`] the deadline
    /// is the heartbeat or the time at which a service is due; replies that were ready before then, and the gap that
    /// ticks keep, do not count as lateness.
    pub late_max_us: u64,
}

/// Absolute deadlines of a fixed period: lateness never adds up.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    next_us: u64,
    period_us: u64,
    catch_up_max: u32,
}

impl Deadlines {
    /// The first deadline is one period after `start_us`.
    pub fn new(start_us: u64, period_us: u64, catch_up_max: u32) -> Self {
        let period_us = period_us.max(1);
        Self { next_us: start_us + period_us, period_us, catch_up_max }
    }

    /// When the next tick is due.
    pub fn next_us(&self) -> u64 {
        self.next_us
    }

    /// Notes that a tick begins at `now_us`: sets the next deadline and returns how many periods are skipped.
    pub fn ticked(&mut self, now_us: u64) -> u64 {
        self.next_us += self.period_us;
        let behind = now_us.saturating_sub(self.next_us) / self.period_us;
        let skipped = behind.saturating_sub(u64::from(self.catch_up_max));
        self.next_us += skipped * self.period_us;
        skipped
    }
}

/// Paces the ticks of one engine, one by one: for hosts that look after each of them. [`run`] is the loop.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    driver: Driver,
    deadlines: Deadlines,
    started_us: u64,
    pacing: Pacing,
}

impl Pacer {
    /// The first tick is due one period, or one heartbeat, after now.
    pub fn new(driver: Driver, clock: &mut dyn Clock) -> Self {
        let started_us = clock.now_us();
        let deadlines = match driver {
            Driver::Fixed { period_us, catch_up_max } => Deadlines::new(started_us, period_us, catch_up_max),
            Driver::WakeOnIngress { heartbeat_us, .. } => Deadlines::new(started_us, heartbeat_us, 0),
        };
        Self { driver, deadlines, started_us, pacing: Pacing::default() }
    }

    /// Waits for the next tick, and runs it. Returns its lateness in microseconds (0 when woken by an arrival, or for a
    /// reply that was ready at the tick before).
    pub fn tick(&mut self, engine: &mut Engine, clock: &mut dyn Clock) -> u64 {
        let late_us = match self.driver {
            Driver::Fixed { .. } => {
                clock.sleep_until(self.deadlines.next_us());
                let now_us = clock.now_us();
                let late_us = now_us.saturating_sub(self.deadlines.next_us());
                self.pacing.skipped += self.deadlines.ticked(now_us);
                late_us
            }
            Driver::WakeOnIngress { heartbeat_us, min_gap_us } => {
                // The start counts as the tick before the first.
                let last_us = engine.now_us().max(self.started_us);
                wait_for_arrival(engine, clock, last_us, (heartbeat_us, min_gap_us))
            }
        };
        engine.tick(clock.now_us());
        self.pacing.ticks += 1;
        self.pacing.late_max_us = self.pacing.late_max_us.max(late_us);
        late_us
    }

    /// How time was kept so far.
    pub fn pacing(&self) -> Pacing {
        self.pacing
    }
}

/// Ticks `engine` until `after_tick` breaks. The loop calls `after_tick` after every tick with that tick's lateness
/// in microseconds (0 when woken by an arrival, or for a reply that was ready at the tick before).
pub fn run(
    engine: &mut Engine,
    driver: Driver,
    clock: &mut dyn Clock,
    after_tick: &mut dyn FnMut(&mut Engine, u64) -> ControlFlow<()>,
) -> Pacing {
    let mut pacer = Pacer::new(driver, clock);
    loop {
        let late_us = pacer.tick(engine, clock);
        if after_tick(engine, late_us).is_break() {
            return pacer.pacing();
        }
    }
}

/// Waits until the bell rings, a service is due or the heartbeat comes, then until the gap after the tick at
/// `last_us` is over. Returns by how much that was too long.
fn wait_for_arrival(
    engine: &Engine,
    clock: &mut dyn Clock,
    last_us: u64,
    (heartbeat_us, min_gap_us): (u64, u64),
) -> u64 {
    let handle = engine.handle();
    let asked_us = clock.now_us();
    let took_us = asked_us.saturating_sub(last_us);
    let gap_us = min_gap_us.max(took_us.saturating_mul(GATHER_TIMES).min(GATHER_MAX_US).min(heartbeat_us));
    let heartbeat = last_us + heartbeat_us;
    // A time at or before the last tick came up during that tick: it is due from here on.
    let from_here = |due_us: u64| if due_us <= last_us { asked_us } else { due_us };
    let until = engine.hub().next_due_us().map_or(heartbeat, |due_us| from_here(due_us).min(heartbeat));
    if !handle.bell().answer() {
        clock.wait_until(until);
    }
    let earliest = last_us + gap_us;
    if gap_us > 0 && clock.now_us() < earliest {
        clock.sleep_until(earliest);
    }
    let late_us = clock.now_us().saturating_sub(until.max(earliest));
    // A ring from here on is for the next tick, or its arrival is already in this one: both are right.
    handle.bell().answer();
    late_us
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_do_not_drift() {
        let mut deadlines = Deadlines::new(0, 10_000, 2);
        for tick in 1..=1_000u64 {
            assert_eq!(deadlines.next_us(), tick * 10_000);
            // Every tick begins a little late; the next deadline does not move.
            assert_eq!(deadlines.ticked(tick * 10_000 + 3_000), 0);
        }
    }

    #[test]
    fn catching_up_is_bounded_and_the_rest_is_counted() {
        let mut deadlines = Deadlines::new(0, 10_000, 2);
        // 100 ms late: of the ten periods missed, two may be caught up.
        assert_eq!(deadlines.ticked(110_000), 7);
        assert_eq!(deadlines.next_us(), 90_000);
    }
}
