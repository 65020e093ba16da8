//! The options of a simulation.

use std::path::PathBuf;

use mynah_engine::scene::Source;
use serde::{Deserialize, Serialize};

use mynah_load::load::schedule::Phase;

/// Fewest and most sessions of a simulation.
pub const SESSIONS: std::ops::RangeInclusive<u32> = 1..=20_000;

/// Shortest and longest simulation.
pub const DURATION_US: std::ops::RangeInclusive<u64> = 100_000..=24 * 3_600_000_000;

/// Whose clock a simulation runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunClock {
    /// As fast as it goes; services take their modelled time.
    Virtual,
    /// In real time.
    Wall,
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of callers.
    pub sessions: u32,
    /// Media time each of them sends, microseconds.
    pub duration_us: u64,
    /// Seed of callers and services.
    pub seed: u64,
    /// The clock of the run.
    pub clock: RunClock,
    /// Worker threads for the shards.
    pub threads: usize,
    /// Shards; `None`: from the number of sessions.
    pub shards: Option<u32>,
    /// Recordings with labels instead of synthesized callers.
    pub recordings: Option<PathBuf>,
    /// When sessions' chunks arrive and first utterances begin.
    pub phase: Phase,
    /// The overrides, for the report.
    pub set: Vec<String>,
    /// The scene behind the link that the scene names; `None`: it is looked up by its name.
    pub linked: Option<Source>,
}

impl Options {
    /// Synthesized callers in virtual time on one thread, staggered.
    pub fn in_virtual_time(sessions: u32, duration_us: u64, seed: u64) -> Self {
        Self {
            sessions,
            duration_us,
            seed,
            clock: RunClock::Virtual,
            threads: 1,
            shards: None,
            recordings: None,
            phase: Phase::Staggered,
            set: Vec::new(),
            linked: None,
        }
    }
}
