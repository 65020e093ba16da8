//! One scene that runs: its engine on a thread of its own, its figures, its sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use mynah_engine::edge::OpenError;
use mynah_engine::scene::Override;
use mynah_engine::service::TimeMode;
use mynah_engine::{EngineConfig, ScenePlan, SessionHandle, SessionSpec, Workers};
use mynah_host::metrics::{Board, Facts};
use mynah_host::{Runner, RunnerOptions};
use mynah_sim::scenes;

use super::script::{self, CallersWords};
use crate::config::Config;
use crate::refused::Refused;
use crate::told::{Listeners, Witness, listen};

/// Most events of a scene that wait for their reader.
const RECORDS_MAX: usize = 16_384;

/// A scene that runs.
pub struct RunningScene {
    /// As the configuration names it: a path, or the name of a shipped scene.
    asked_as: String,
    plan: Arc<ScenePlan>,
    runner: Option<Runner>,
    board: Arc<Board>,
    listeners: Arc<Listeners>,
    reader: Option<JoinHandle<()>>,
    sessions: Arc<AtomicU32>,
}

/// What goes with an open session of a scene: counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Occupied {
    sessions: Arc<AtomicU32>,
    /// The engine goes on as long as its sessions do.
    _scene: Arc<RunningScene>,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for RunningScene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningScene").field("asked_as", &self.asked_as).finish_non_exhaustive()
    }
}

impl RunningScene {
    /// Compiles and starts a scene, unless one of `before` is the same.
    ///
    /// # Errors
    /// What is wrong with the scene, drawn for a terminal, or why it cannot run.
    pub(super) fn start(
        asked_as: &str,
        config: &Config,
        workers: &Workers,
        before: &[Arc<Self>],
    ) -> Result<Arc<Self>, String> {
        let sets = config.sets.iter().map(|set| Override::parse(set).map_err(|error| error.to_string()));
        let sets = sets.collect::<Result<Vec<_>, _>>()?;
        let compiled = scenes::compile(asked_as, &sets, None, Some(Arc::new(CallersWords)));
        let (plan, warnings) = compiled.map_err(|failure| failure.message)?;
        let same = before.iter().find(|old| old.asked_as == asked_as && old.plan.hash == plan.hash);
        if let Some(same) = same {
            return Ok(Arc::clone(same));
        }
        scenes::warn(&warnings);
        let board = Arc::new(Board::new(Facts::of(&plan)));
        let engine = EngineConfig {
            sessions_max: config.max_sessions,
            threads: config.threads,
            time: TimeMode::Wall,
            ..EngineConfig::real_time()
        };
        let options = RunnerOptions {
            workers: Some(workers.clone()),
            records: Some(RECORDS_MAX),
            board: Some(Arc::clone(&board)),
            ..RunnerOptions::default()
        };
        let mut runner =
            Runner::spawn(Arc::clone(&plan), engine, options).map_err(|error| error.to_string())?;
        let listeners = Arc::new(Listeners::default());
        let records = runner.take_records().expect("they were asked for, and nobody has them");
        let reader = listen(&plan, records, Arc::clone(&listeners))
            .map_err(|error| format!("the thread that reads records cannot be started: {error}"))?;
        Ok(Arc::new(Self {
            asked_as: asked_as.into(),
            plan,
            runner: Some(runner),
            board,
            listeners,
            reader: Some(reader),
            sessions: Arc::default(),
        }))
    }

    /// The scene's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.scene.name
    }

    pub(super) fn asked_as(&self) -> &str {
        &self.asked_as
    }

    /// What runs.
    #[must_use]
    pub fn plan(&self) -> &ScenePlan {
        &self.plan
    }

    /// The figures of the engine, a second old at most.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        self.sessions.load(Ordering::Acquire)
    }

    /// Whether the engine ticks; false once a tick has panicked.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.runner.as_ref().is_some_and(Runner::is_running)
    }

    /// Engine time on the clock, microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.runner.as_ref().map_or(0, Runner::now_us)
    }

    /// The nodes of the scene that only simulate, by what they stand for; empty: all is real.
    #[must_use]
    pub fn simulated(&self) -> Vec<String> {
        let services = self.plan.services.iter().filter(|service| service.output.modelled());
        services.map(|service| service.name.clone()).collect()
    }

    /// Services in other processes or on other machines: what leaves the program.
    #[must_use]
    pub fn leaves(&self) -> Vec<String> {
        let services = self.plan.services.iter().filter(|service| service.output.is_outside());
        services.map(|service| format!("{} ({})", service.name, service.output_name)).collect()
    }

    /// Opens a session with so many witnesses.
    pub(crate) fn open(
        self: &Arc<Self>,
        spec: SessionSpec,
        witnesses: usize,
    ) -> Result<(SessionHandle, Vec<Witness>, Occupied), Refused> {
        let runner = self.runner.as_ref().ok_or_else(|| gone(self.name()))?;
        script::check(&spec.params).map_err(|what| Refused::new(400, "bad_request", what))?;
        let wakers = vec![spec.waker.clone(); witnesses];
        let opened = self.listeners.open(wakers, SessionHandle::id, || runner.handle().open(spec));
        let (session, told) = opened.map_err(|error| refused(self.name(), &error))?;
        self.sessions.fetch_add(1, Ordering::AcqRel);
        let occupied = Occupied { sessions: Arc::clone(&self.sessions), _scene: Arc::clone(self) };
        Ok((session, told, occupied))
    }
}

impl Drop for RunningScene {
    fn drop(&mut self) {
        // The records end with the runner, and their reader with them. One that panicked has said so.
        drop(self.runner.take());
        drop(self.reader.take().map(JoinHandle::join));
    }
}

fn gone(scene: &str) -> Refused {
    Refused::new(503, "capacity", format!("scene `{scene}` does not run any more: try another server"))
        .again_after(5)
}

fn refused(scene: &str, error: &OpenError) -> Refused {
    match error {
        OpenError::EngineFull { .. } => Refused::new(503, "capacity", error.to_string()).again_after(1),
        OpenError::EngineGone => gone(scene),
        OpenError::NameInUse(_) => Refused::new(409, "name_in_use", error.to_string()),
        _ => Refused::new(400, "bad_request", error.to_string()),
    }
}
