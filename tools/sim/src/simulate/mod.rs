//! The load simulator: many callers, one scene, a report.
//!
//! Open loop: audio arrives by schedule whether or not the engine keeps up, and latency counts from the intended
//! arrival. In virtual time the run is a function of (scene, overrides, load, seed).

pub mod balance;
pub mod breakdown;
pub mod callers;
pub mod clockwork;
pub mod conclude;
pub mod measure;
mod nodes;
pub mod recorded;
pub mod remote;
pub mod replies;
pub mod steady;
pub mod turns;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use mynah_engine::scene::Source;
use mynah_engine::service::TimeMode;
use mynah_engine::workers::NoThreads;
use mynah_engine::{Engine, EngineConfig, ScenePlan};
use serde::{Deserialize, Serialize};

use crate::clock::{Epoch, NodeStopwatch};
use crate::report::Report;
use crate::transport::LinkedScene;
use callers::{CallerScript, Line, LineStyle, Load, open_lines};
use measure::{Measurement, Observer};
use mynah_load::load::Stream;
use mynah_load::load::schedule::Phase;
use remote::Remote;
use replies::Replies;
use steady::Steady;
use turns::Stretches;
pub use watch::{Ending, TickView, Watcher, Watchers};

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

/// Whether what the scene puts out goes to another engine, which has to be told what the gate decides.
fn links(plan: &ScenePlan) -> bool {
    LinkedScene::of(plan).is_some()
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
    /// On the wall clock: the threads of whoever acts beside the engine, callers and the other end of a link.
    pub(crate) beside: Option<rayon::ThreadPool>,
    /// The engine behind the link that the scene names.
    pub(crate) remote: Option<Box<Remote>>,
    /// What a long run looked like, minute by minute.
    pub(crate) steady: Steady,
    pub(crate) stretches: Stretches,
    load_name: String,
    warm_up_us: u64,
    /// What was asked for, microseconds, where the run was interrupted before.
    asked_us: Option<u64>,
}

impl Simulation {
    /// Prepares callers and engine. `script` must be the one the plan was compiled with.
    ///
    /// # Errors
    /// What is wrong with the load, or with the scene behind a link; or there are no threads to be had.
    pub fn new(
        plan: Arc<ScenePlan>,
        script: &Arc<CallerScript>,
        options: Options,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, String> {
        watcher.progress("callers", 0, 1);
        let load =
            Load::prepare(options.recordings.as_deref(), options.seed, plan.input.rate_hz, &|_, _| {})?;
        watcher.progress("callers", 1, 1);
        let streams = load.streams(options.sessions, options.seed, options.duration_us, options.phase);
        script.fill(streams.clone());
        let mut simulation = Self::empty(plan, options).map_err(|refused| refused.to_string())?;
        let (plan, options) = (&simulation.plan, &simulation.options);
        let chunk_us = u64::from(plan.scene.session.input.chunk_ms) * 1_000;
        let waits = plan.input_targets.iter().any(|target| {
            plan.nodes.get(plan.position(target.node).index()).is_some_and(|node| node.blocks())
        });
        let style =
            LineStyle { format: plan.input, chunk_us, phase: options.phase, waits, told: links(plan) };
        let traced = |session| watcher.traces(session);
        simulation.lines = open_lines(&simulation.engine.handle(), streams, style, &traced)?;
        let observer = |line: &Line| {
            let mut observer = Observer::new(line.offset_us);
            observer.hears(line.stream.clone());
            observer
        };
        simulation.run.observers = simulation.lines.iter().map(observer).collect();
        let Self { plan, options, lines, .. } = &simulation;
        simulation.remote = Remote::new(plan, script, options, lines)?.map(Box::new);
        if simulation.options.clock == RunClock::Wall {
            // Callers; behind a link the other engine and the network, too. Each has its thread until the run ends.
            let threads = if simulation.remote.is_some() { 3 } else { 1 };
            simulation.beside = Some(beside(threads)?);
        }
        simulation.load_name = simulation.options.recordings.as_ref().map_or_else(
            || "synthesized callers (flite), noise and bait mixed in".to_string(),
            |path| format!("recordings {}", path.display()),
        );
        Ok(simulation)
    }

    /// An engine with nobody in it.
    fn empty(plan: Arc<ScenePlan>, options: Options) -> Result<Self, NoThreads> {
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
        let mut engine = Engine::try_new(Arc::clone(&plan), config)?;
        let nodes = plan.nodes.len();
        engine.lend_stopwatches(|| Box::new(NodeStopwatch::new(epoch, nodes)));
        let run = Measurement {
            first_service: plan
                .nodes
                .iter()
                .position(|n| n.service.is_some())
                .map(|at| mynah_engine::NodeId(at as u8)),
            output_rate_hz: plan.output.audio.map_or(0, |f| f.rate_hz),
            output_channels: plan.output.audio.map_or(1, |f| f.channels),
            chunk_us: u64::from(plan.scene.session.input.chunk_ms) * 1_000,
            until_us: options.duration_us,
            ways: breakdown::Ways::of(&plan),
            ..Measurement::default()
        };
        let cost = clockwork::Meter::new();
        let (steady, stretches) = (Steady::new(&options, 0), Steady::stretches(&options, 0));
        let (lines, load_name) = (Vec::new(), String::new());
        let (remote, warm_up_us, asked_us) = (None, 0, None);
        Ok(Self {
            engine,
            lines,
            run,
            options,
            plan,
            epoch,
            cost,
            beside: None,
            remote,
            steady,
            stretches,
            load_name,
            warm_up_us,
            asked_us,
        })
    }

    /// The scene behind the link that this one names.
    pub fn far_plan(&self) -> Option<&ScenePlan> {
        self.remote.as_ref().map(|remote| &*remote.far.plan)
    }

    /// Breaks the engine, and the one behind a link, to see who notices.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: mynah_engine::base::Mutation) {
        self.engine.mutate(mutation);
        if let Some(remote) = &mut self.remote {
            remote.far.engine.mutate(mutation);
        }
    }

    /// Keeps the answers' latencies over the run; takes the memory for it now.
    pub fn keep_replies(&mut self, replies: Replies) {
        self.run.latencies.replies = Some(Box::new(replies));
    }

    /// Leaves so much of the beginning, microseconds, out of latencies, lateness and CPU time; what is counted (frames,
    /// segments, turns, drops) is counted from the start. Not for scenes with a link.
    ///
    /// # Errors
    /// Nothing would be left, or the scene has a link.
    pub fn warm_up(&mut self, warm_up_us: u64) -> Result<(), String> {
        if warm_up_us >= self.options.duration_us {
            return Err("--warm-up: nothing is left to measure; expected less than --duration".into());
        }
        if self.remote.is_some() && warm_up_us > 0 {
            return Err("--warm-up: not for scenes with a link, whose two ends count for themselves".into());
        }
        self.cost.warm_up_us = warm_up_us;
        self.warm_up_us = warm_up_us;
        Ok(())
    }

    /// What session number `session` will hear, from where it stands.
    pub fn stream(&self, session: usize) -> Option<&Stream> {
        self.lines.get(session).map(|line| &line.stream)
    }

    /// Lets the engine keep metrics; of two engines the first one.
    pub fn keep_metrics(&mut self) {
        self.engine.keep_metrics();
    }

    /// The input has ended at `heard_us` of media time, before its end.
    fn cut(&mut self, heard_us: u64) {
        self.asked_us = Some(self.options.duration_us);
        // Whole milliseconds: nobody hears the rest.
        self.options.duration_us = heard_us / 1_000 * 1_000;
        self.run.is_cut = true;
    }

    /// Runs to the end and reports.
    pub fn run(mut self, watcher: &mut dyn Watcher) -> Report {
        match self.options.clock {
            RunClock::Virtual => self.run_virtual(watcher),
            RunClock::Wall => self.run_wall(watcher),
        }
        if let Some(remote) = &self.remote {
            watcher.link(u64::MAX, &|| remote.control_figures());
        }
        watcher.over(&self.engine);
        let report = self.conclude();
        watcher.reported(Ending { report: &report, measured: &self.run });
        report
    }
}

fn beside(threads: usize) -> Result<rayon::ThreadPool, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| {
        format!(
            "no threads for the callers on the wall clock: {error}; raise the limit of processes (`ulimit -u`) or of \
             memory"
        )
    })
}
