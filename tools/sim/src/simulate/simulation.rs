//! A simulation before its run: callers, the engine they talk to, and the engine behind its link.

use std::sync::Arc;

use mynah_engine::ScenePlan;

use super::callers::{CallerScript, Line, LineStyle, Load, open_lines};
use super::measure::SessionMeasurement;
use super::meter::Meter;
use super::options::{Options, RunClock};
use super::remote::Remote;
use super::replies::Replies;
use super::side::Side;
use super::steady::Steady;
use super::turns::Stretches;
use crate::observer::Observer;
use crate::recognition;
use crate::transport::{GrpcScene, LinkedScene};
use mynah_load::load::Stream;

/// Whether what the scene puts out goes to another engine, which has to be told what the gate decides.
fn links(plan: &ScenePlan) -> bool {
    LinkedScene::of(plan).is_some() || GrpcScene::of(plan).is_some()
}

/// A simulation under way.
pub struct Simulation {
    /// The engine that the callers talk to.
    pub(super) near: Side,
    pub(super) lines: Vec<Line>,
    pub(super) cost: Meter,
    /// On the wall clock: the threads of whoever acts beside the engine, callers and the other end of a link.
    pub(super) beside: Option<rayon::ThreadPool>,
    /// The engine behind the link that the scene names.
    pub(super) remote: Option<Box<Remote>>,
    /// What a long run looked like, minute by minute.
    pub(super) steady: Steady,
    pub(super) stretches: Stretches,
    pub(super) load_name: String,
    pub(super) warm_up_us: u64,
    /// What was asked for, microseconds, where the run was interrupted before.
    pub(super) asked_us: Option<u64>,
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
        observer: &mut dyn Observer,
    ) -> Result<Self, String> {
        if let Some(GrpcScene { address, .. }) = GrpcScene::of(&plan)
            && options.clock == RunClock::Virtual
        {
            return Err(format!(
                "transports: Grpc leads to another process ({address}), which lives on the wall clock: add --clock wall"
            ));
        }
        observer.progress("callers", 0, 1);
        let load =
            Load::prepare(options.recordings.as_deref(), options.seed, plan.input.rate_hz, &|_, _| {})?;
        observer.progress("callers", 1, 1);
        let streams = load.streams(options.sessions, options.seed, options.duration_us, options.phase);
        script.fill(streams.clone());
        let mut near = Side::new(plan, options).map_err(|refused| refused.to_string())?;
        let cost = Meter::new();
        let (plan, options) = (&near.plan, &near.options);
        let chunk_us = u64::from(plan.scene.session.input.chunk_ms) * 1_000;
        let waits = plan.input_targets.iter().any(|target| {
            plan.nodes.get(plan.position(target.node).index()).is_some_and(|node| node.blocks())
        });
        let style =
            LineStyle { format: plan.input, chunk_us, phase: options.phase, waits, told: links(plan) };
        let traced = |session| observer.traces(session);
        let lines = open_lines(&near.engine.handle(), streams, style, &traced)?;
        let finds_words = recognition::is_real(plan);
        let heard = |line: &Line| {
            let mut session = SessionMeasurement::new(line.offset_us);
            session.hears(line.stream.clone());
            if finds_words {
                session.keep_words(Arc::clone(plan), line.stream.clone());
            }
            session
        };
        near.run.sessions = lines.iter().map(heard).collect();
        let remote = Remote::new(plan, script, options, &lines)?.map(Box::new);
        // Callers; behind a link the other engine and the network, too. Each has its thread until the run ends.
        let threads = if remote.is_some() { 3 } else { 1 };
        let beside = (options.clock == RunClock::Wall).then(|| beside(threads)).transpose()?;
        let load_name = load_name(options);
        let (steady, stretches) = (Steady::new(options, 0), Steady::stretches(options, 0));
        let (warm_up_us, asked_us) = (0, None);
        Ok(Self { near, lines, cost, beside, remote, steady, stretches, load_name, warm_up_us, asked_us })
    }

    /// The scene behind the link that this one names.
    pub fn far_plan(&self) -> Option<&ScenePlan> {
        self.remote.as_ref().map(|remote| &*remote.far.plan)
    }

    /// Breaks the engine, and the one behind a link, to see who notices.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: mynah_engine::base::Mutation) {
        self.near.engine.mutate(mutation);
        if let Some(remote) = &mut self.remote {
            remote.far.engine.mutate(mutation);
        }
    }

    /// Keeps the answers' latencies over the run; takes the memory for it now.
    pub fn keep_replies(&mut self, replies: Replies) {
        self.near.run.latencies.replies = Some(Box::new(replies));
    }

    /// Leaves so much of the beginning, microseconds, out of latencies, lateness and CPU time; what is counted (frames,
    /// segments, turns, drops) is counted from the start. Not for scenes with a link.
    ///
    /// # Errors
    /// Nothing would be left, or the scene has a link.
    pub fn warm_up(&mut self, warm_up_us: u64) -> Result<(), String> {
        if warm_up_us >= self.near.options.duration_us {
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
        self.near.engine.keep_metrics();
    }

    /// The input has ended at `heard_us` of media time, before its end.
    pub(super) fn cut(&mut self, heard_us: u64) {
        self.asked_us = Some(self.near.options.duration_us);
        // Whole milliseconds: nobody hears the rest.
        self.near.options.duration_us = heard_us / 1_000 * 1_000;
        self.near.run.is_cut = true;
    }
}

/// What is said, for the report.
pub(super) fn load_name(options: &Options) -> String {
    options.recordings.as_ref().map_or_else(
        || "synthesized callers (flite), noise and bait mixed in".to_string(),
        |path| format!("recordings {}", path.display()),
    )
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
