//! The wall clock, for drivers that run in real time.
#![expect(clippy::disallowed_methods, reason = "this is the clock that the engine is not allowed to have")]

use std::time::{Duration, Instant};

use crossbeam::sync::Parker;
use mynah_engine::driver::Clock;
use mynah_engine::edge::Bell;
use mynah_engine::record::ENGINE_STAGES;

/// Microseconds since a start that generator and driver share.
#[derive(Clone, Copy, Debug)]
pub struct Epoch(Instant);

impl Epoch {
    /// Now is 0.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    /// Sleeps until `until_us` after the start.
    pub fn sleep_until(&self, until_us: u64) {
        let now_us = self.now_us();
        if until_us > now_us {
            std::thread::sleep(Duration::from_micros(until_us - now_us));
        }
    }
}

/// A clock whose waiting ends when an engine's bell rings.
#[derive(Debug)]
pub struct WallClock {
    epoch: Epoch,
    parker: Parker,
}

impl WallClock {
    /// A clock that `bell` wakes.
    pub fn new(epoch: Epoch, bell: &Bell) -> Self {
        let parker = Parker::new();
        bell.wakes(parker.unparker().clone());
        Self { epoch, parker }
    }
}

impl Clock for WallClock {
    fn now_us(&mut self) -> u64 {
        self.epoch.now_us()
    }

    fn sleep_until(&mut self, until_us: u64) {
        self.epoch.sleep_until(until_us);
    }

    fn wait_until(&mut self, until_us: u64) {
        let now_us = self.epoch.now_us();
        if until_us > now_us {
            self.parker.park_timeout(Duration::from_micros(until_us - now_us));
        }
    }
}

/// A stopwatch for one shard: time between systems, by node.
#[derive(Debug)]
pub struct NodeStopwatch {
    epoch: Epoch,
    last_ns: u64,
    totals_ns: Vec<u64>,
}

impl NodeStopwatch {
    /// For a scene of `nodes` nodes.
    pub fn new(epoch: Epoch, nodes: usize) -> Self {
        Self { epoch, last_ns: 0, totals_ns: vec![0; nodes + ENGINE_STAGES.len()] }
    }
}

impl mynah_engine::record::Stopwatch for NodeStopwatch {
    fn start(&mut self) {
        self.last_ns = self.epoch.now_ns();
    }

    fn lap(&mut self, stage: usize) {
        let now_ns = self.epoch.now_ns();
        if let Some(total) = self.totals_ns.get_mut(stage) {
            *total += now_ns - self.last_ns;
        }
        self.last_ns = now_ns;
    }

    fn totals_ns(&self) -> &[u64] {
        &self.totals_ns
    }
}
