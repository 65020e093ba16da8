//! A thread that ticks an engine on the wall clock, by the driver of its scene.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mynah_engine::driver::{Driver, Pacer};
use mynah_engine::workers::NoThreads;
use mynah_engine::{Engine, EngineConfig, EngineHandle, Pacing, ScenePlan, Workers};

use crate::clock::{Epoch, WallClock};
use crate::metrics::{Board, Facts, Publisher, Server, address_of};
use crate::records::{RecordSink, Records, records};

/// How a [`Runner`] runs.
#[derive(Clone, Debug, Default)]
pub struct RunnerOptions {
    /// Threads to share with other engines; `None`: as many of its own as the configuration says.
    pub workers: Option<Workers>,
    /// Most events that wait for their reader, see [`Runner::take_records`]; `None`: no events are kept. A session in
    /// a conversation has some ten a second.
    pub records: Option<usize>,
    /// What to do after each tick; `None`: nothing.
    pub after_tick: Option<AfterTick>,
    /// Where pictures of the metrics hang, for hosts with a page of their own; `None`: on the page that the scene asks
    /// for, if it does.
    pub board: Option<Arc<Board>>,
}

/// Called on the thread that ticks, after each tick, with its engine time in microseconds. The next tick waits for it.
#[derive(Clone)]
pub struct AfterTick(Arc<dyn Fn(u64) + Send + Sync>);

impl AfterTick {
    /// Calls `work`, which should be quick and must not wait.
    pub fn new(work: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(work))
    }
}

impl fmt::Debug for AfterTick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AfterTick")
    }
}

/// Why a runner does not start.
#[derive(Debug)]
pub enum RunnerError {
    /// The operating system refuses the threads that share the work.
    Workers(NoThreads),
    /// The operating system refuses the thread that ticks.
    Thread(io::Error),
    /// The metrics page that the scene asks for cannot be served; what helps.
    Metrics(String),
}

impl fmt::Display for RunnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workers(refused) => refused.fmt(f),
            Self::Thread(cause) => {
                write!(
                    f,
                    "the thread that ticks cannot be started: {cause}; raise the limit of processes (`ulimit -u`)"
                )
            }
            Self::Metrics(what) => f.write_str(what),
        }
    }
}

impl Error for RunnerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Workers(refused) => Some(refused),
            Self::Thread(cause) => Some(cause),
            Self::Metrics(_) => None,
        }
    }
}

/// A tick has panicked; every session ended with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a tick panicked, and all sessions ended: {}", self.message)
    }
}

impl Error for Panicked {}

/// What the thread and its runner tell each other.
#[derive(Debug, Default)]
struct Shared {
    stops: AtomicBool,
    ticks: AtomicU64,
    skipped: AtomicU64,
    late_max_us: AtomicU64,
}

impl Shared {
    fn note(&self, Pacing { ticks, skipped, late_max_us }: Pacing) {
        self.ticks.store(ticks, Ordering::Relaxed);
        self.skipped.store(skipped, Ordering::Relaxed);
        self.late_max_us.store(late_max_us, Ordering::Relaxed);
    }
}

/// An engine that ticks on a thread of its own until this is stopped or dropped; then its sessions end where they
/// stand. So they do when a tick panics: [`stop`](Self::stop) says so.
pub struct Runner {
    handle: EngineHandle,
    epoch: Epoch,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// In a mutex only so that a runner can be shared: its reader may be used by one thread at a time.
    records: Mutex<Option<Records>>,
    server: Option<Server>,
}

impl Runner {
    /// Builds the engine, serves the metrics page if the scene asks for it, and starts to tick by the scene's driver.
    ///
    /// # Errors
    /// [`RunnerError`]: there are no threads, or the page cannot be served; then nothing runs.
    pub fn spawn(
        plan: Arc<ScenePlan>,
        config: EngineConfig,
        options: RunnerOptions,
    ) -> Result<Self, RunnerError> {
        let page = match options.board {
            Some(_) => None,
            None => address_of(&plan).map_err(RunnerError::Metrics)?,
        };
        let mut engine = match &options.workers {
            Some(workers) => Engine::on_workers(Arc::clone(&plan), config, workers),
            None => Engine::try_new(Arc::clone(&plan), config).map_err(RunnerError::Workers)?,
        };
        let (mut server, mut board) = (None, options.board);
        if let Some(address) = page {
            let board = board.insert(Arc::new(Board::new(Facts::of(&plan))));
            let refused = |what: String| RunnerError::Metrics(format!("metrics.address: {what}"));
            server = Some(Server::start(address, Arc::clone(board)).map_err(refused)?);
        }
        let publisher = board.map(Publisher::new);
        if publisher.is_some() {
            engine.keep_metrics();
        }
        let (sink, records) = options.records.map(records).unzip();
        let (handle, epoch, shared) = (engine.handle(), Epoch::start(), Arc::default());
        let after_tick = options.after_tick;
        let ticking = Ticking { engine, epoch, shared: Arc::clone(&shared), sink, publisher, after_tick };
        let thread = thread::Builder::new().name("mynah tick".into()).spawn(move || ticking.run());
        let thread = Some(thread.map_err(RunnerError::Thread)?);
        let records = Mutex::new(records);
        Ok(Self { handle, epoch, shared, thread, records, server })
    }

    /// Opens sessions; may be cloned and sent to any thread.
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// Engine time on the clock: microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.epoch.now_us()
    }

    /// How the thread has kept its time so far.
    pub fn pacing(&self) -> Pacing {
        let Shared { ticks, skipped, late_max_us, .. } = &*self.shared;
        Pacing {
            ticks: ticks.load(Ordering::Relaxed),
            skipped: skipped.load(Ordering::Relaxed),
            late_max_us: late_max_us.load(Ordering::Relaxed),
        }
    }

    /// Whether the thread ticks; false once a tick has panicked.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Where the metrics page is served, if the scene asks for it: `/metrics` and `/healthz`.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    /// The events of the ticks, for one reader: the first call has them, if the [options](RunnerOptions::records) ask
    /// for them. The reader outlives the runner, and finds there what was left.
    pub fn take_records(&mut self) -> Option<Records> {
        self.records.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the sessions and the thread, after the tick under way, and says how time was kept.
    ///
    /// # Errors
    /// [`Panicked`]: a tick has panicked, now or long ago.
    pub fn stop(mut self) -> Result<Pacing, Panicked> {
        self.join()?;
        Ok(self.pacing())
    }

    fn join(&mut self) -> Result<(), Panicked> {
        self.shared.stops.store(true, Ordering::Release);
        self.handle.bell().ring();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|cause| Panicked { message: message(&*cause) })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Who wants to know calls `stop`.
        drop(self.join());
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Runner");
        shown.field("now_us", &self.now_us()).field("pacing", &self.pacing());
        shown.field("metrics_address", &self.metrics_address()).finish_non_exhaustive()
    }
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// What the thread has.
struct Ticking {
    engine: Engine,
    epoch: Epoch,
    shared: Arc<Shared>,
    sink: Option<RecordSink>,
    publisher: Option<Publisher>,
    after_tick: Option<AfterTick>,
}

impl Ticking {
    fn run(self) {
        let Self { mut engine, epoch, shared, sink, mut publisher, after_tick } = self;
        engine.within(|engine| {
            let driver = Driver::of(&engine.plan().scene.tick);
            let mut clock = WallClock::new(epoch, engine.handle().bell());
            let mut pacer = Pacer::new(driver, &mut clock);
            while !shared.stops.load(Ordering::Acquire) {
                let late_us = pacer.tick(engine, &mut clock);
                shared.note(pacer.pacing());
                if let Some(sink) = &sink {
                    sink.take(engine.records());
                }
                if let Some(AfterTick(work)) = &after_tick {
                    work(engine.now_us());
                }
                if let Some(publisher) = &mut publisher {
                    let work_us = epoch.now_us().saturating_sub(engine.now_us());
                    publisher.tick(engine, work_us * 1_000, late_us);
                }
            }
            if let Some(publisher) = &mut publisher {
                publisher.publish(engine);
            }
        });
    }
}
