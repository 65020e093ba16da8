//! The load simulator: many callers, one scene, a report.
//!
//! Open loop: audio arrives by schedule whether or not the engine keeps up, and latency counts from the intended
//! arrival. In virtual time the run is a function of (scene, overrides, load, seed).

pub mod balance;
pub mod callers;
pub mod clockwork;
pub mod conclude;
pub mod measure;
mod nodes;

use std::path::PathBuf;
use std::sync::Arc;

use mynah_engine::{Engine, EngineConfig, ScenePlan, TimeMode};

use crate::clock::{Epoch, NodeStopwatch};
use crate::load::schedule::Phase;
use crate::report::Report;
use callers::{CallerScript, Line, Load, open_lines};
use measure::{Measurement, Observer};

/// Whose clock a simulation runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunClock {
    /// As fast as it goes; services take their modelled time.
    Virtual,
    /// In real time.
    Wall,
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Callers.
    pub sessions: u32,
    /// Media time each of them sends, microseconds.
    pub duration_us: u64,
    /// Seed of callers and services.
    pub seed: u64,
    /// Whose clock.
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
}

/// Watches a run: events as they happen, and how far it is.
pub trait Watcher: Send {
    /// Takes the events of one tick.
    fn records(&mut self, records: &[mynah_engine::Record]);
    /// Something of `total` is done.
    fn progress(&mut self, what: &'static str, done: u64, total: u64);
}

/// A simulation under way.
pub struct Simulation {
    pub(crate) engine: Engine,
    pub(crate) lines: Vec<Line>,
    pub(crate) run: Measurement,
    pub(crate) options: Options,
    pub(crate) plan: Arc<ScenePlan>,
    pub(crate) epoch: Epoch,
    pub(crate) cost: clockwork::Meter,
    load_name: String,
}

impl Simulation {
    /// Prepares callers and engine. `script` must be the one the plan was compiled with.
    ///
    /// # Errors
    /// What is wrong with the load.
    pub fn new(
        plan: Arc<ScenePlan>,
        script: &CallerScript,
        options: Options,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, String> {
        watcher.progress("callers", 0, 1);
        let load =
            Load::prepare(options.recordings.as_deref(), options.seed, plan.input.rate_hz, &|_, _| {})?;
        watcher.progress("callers", 1, 1);
        let streams = load.streams(options.sessions, options.seed, options.duration_us, options.phase);
        script.fill(streams.clone());
        let config = EngineConfig {
            threads: options.threads,
            shards: options.shards.or(plan.scene.tick.shards),
            sessions_max: options.sessions,
            seed: options.seed,
            time: match options.clock {
                RunClock::Virtual => TimeMode::Virtual,
                RunClock::Wall => TimeMode::Wall,
            },
        };
        let epoch = Epoch::start();
        let mut engine = Engine::new(Arc::clone(&plan), config);
        let nodes = plan.nodes.len();
        engine.lend_stopwatches(|| Box::new(NodeStopwatch::new(epoch, nodes)));
        let chunk_us = u64::from(plan.scene.session.input.chunk_ms) * 1_000;
        let waits = plan.input_targets.iter().any(|target| {
            plan.nodes.get(plan.position(target.node).index()).is_some_and(|node| node.blocks())
        });
        let lines = open_lines(&engine.handle(), streams, plan.input, chunk_us, options.phase, waits)?;
        let run = Measurement {
            observers: lines.iter().map(|l| Observer::new(l.offset_us)).collect(),
            first_service: plan
                .nodes
                .iter()
                .position(|n| n.service.is_some())
                .map(|at| mynah_engine::NodeId(at as u8)),
            output_rate_hz: plan.output.audio.map_or(0, |f| f.rate_hz),
            output_channels: plan.output.audio.map_or(1, |f| f.channels),
            chunk_us,
            until_us: options.duration_us,
            ..Measurement::default()
        };
        let load_name = options.recordings.as_ref().map_or_else(
            || "synthesized callers (flite), noise and bait mixed in".to_string(),
            |path| format!("recordings {}", path.display()),
        );
        let cost = clockwork::Meter::new();
        Ok(Self { engine, lines, run, options, plan, epoch, cost, load_name })
    }

    /// Runs to the end and reports.
    pub fn run(mut self, watcher: &mut dyn Watcher) -> Report {
        match self.options.clock {
            RunClock::Virtual => self.run_virtual(watcher),
            RunClock::Wall => self.run_wall(watcher),
        }
        self.conclude()
    }
}
