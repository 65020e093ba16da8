//! `simulate`: callers at a scene, and the verdict.

use std::io::Write as _;
use std::sync::Arc;

use mynah_engine::scene::Override;
use mynah_engine::{Record, ScenePlan};

use crate::args::{Clock, Simulate};
use crate::clock::Epoch;
use crate::events::{EventWriter, TraceWriter};
use crate::failure::{Exit, Failure};
use crate::load::schedule::Phase;
use crate::metrics::{Board, Facts, Publisher, Server, address};
use crate::progress::Progress;
use crate::report::Report;
use crate::simulate::callers::{CallerScript, session_name};
use crate::simulate::{Options, RunClock, Simulation, Watcher, Watchers};
use crate::{scenes, table, terminal};

/// In virtual time more threads rarely pay: the callers are made on one.
const VIRTUAL_THREADS_MAX: usize = 2;

/// Runs the command.
///
/// # Errors
/// Scene, load or files that cannot be used.
pub fn run(args: &Simulate) -> Result<Exit, Failure> {
    let script = Arc::new(CallerScript::default());
    let (plan, warnings) = compile(args, &script)?;
    scenes::warn(&warnings);
    let mut progress = Progress::new();
    let mut files = Files::create(args, &plan)?;
    let mut metrics = Metrics::serve(args, &plan)?;
    let mut simulation =
        Simulation::new(plan, &script, options(args), &mut progress).map_err(Failure::unable)?;
    if let Some(far) = simulation.far_plan() {
        files.events = files.events.map(|events| events.with_far(far));
    }
    let mut watchers = Watchers(vec![&mut files, &mut progress]);
    if let Some(metrics) = &mut metrics {
        simulation.keep_metrics();
        watchers.0.push(&mut metrics.publisher);
    }
    let report = simulation.run(&mut watchers);
    progress.clear();
    files.finish()?;
    print(args, &report)?;
    if let Some(hold) = args.metrics_hold.filter(|_| metrics.is_some()) {
        Epoch::start().sleep_until(hold.us);
    }
    Ok(match report.verdict {
        "ok" => Exit::Done,
        "over" => Exit::Refused,
        _ => Exit::Unable,
    })
}

fn print(args: &Simulate, report: &Report) -> Result<(), Failure> {
    let mut out = terminal::Stdout::lock();
    if args.json {
        let json = serde_json::to_string(report).map_err(Failure::unable)?;
        out.line(&json)?;
    } else {
        out.write_all(table::draw(report, terminal::stdout_look()).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

/// The scene; `--vad-trace` makes its gates trace.
fn compile(args: &Simulate, script: &Arc<CallerScript>) -> Result<scenes::Compiled, Failure> {
    let mut sets = args.sets.sets.clone();
    let compiled = scenes::compile(&args.scene, &sets, None, Some(script.clone()))?;
    if args.vad_trace.is_none() {
        return Ok(compiled);
    }
    for node in compiled.0.nodes.iter().filter(|node| node.spec.kind() == "VadGate") {
        sets.push(Override::parse(&format!("{}.trace=true", node.id)).map_err(Failure::unable)?);
    }
    scenes::compile(&args.scene, &sets, None, Some(script.clone()))
}

fn options(args: &Simulate) -> Options {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (clock, threads) = match args.clock {
        Clock::Virtual => (RunClock::Virtual, cores.min(VIRTUAL_THREADS_MAX)),
        Clock::Wall => (RunClock::Wall, cores),
    };
    Options {
        sessions: args.sessions,
        duration_us: args.duration.us,
        seed: args.seed,
        clock,
        threads: args.threads.unwrap_or(threads),
        shards: args.shards,
        recordings: args.load.clone(),
        phase: if args.aligned { Phase::Aligned } else { Phase::Staggered },
        set: args.sets.sets.iter().map(ToString::to_string).collect(),
    }
}

/// The metrics page of the run.
struct Metrics {
    publisher: Publisher,
    /// Serves until it is dropped.
    _server: Server,
}

impl Metrics {
    /// Where the flag says, or else the scene.
    fn serve(args: &Simulate, plan: &ScenePlan) -> Result<Option<Self>, Failure> {
        let named = || {
            let metrics = &plan.scene.metrics;
            metrics
                .enabled
                .then(|| address(&metrics.address).map_err(|what| format!("metrics.address: {what}")))
        };
        let Some(address) = args.metrics.map(Ok).or_else(named) else { return Ok(None) };
        let board = Arc::new(Board::new(Facts::of(plan)));
        let server =
            Server::start(address.map_err(Failure::unable)?, Arc::clone(&board)).map_err(Failure::unable)?;
        terminal::notice(&format!("metrics at http://{}/metrics", server.address()));
        Ok(Some(Self { publisher: Publisher::new(board), _server: server }))
    }
}

/// Writes the files that were asked for.
struct Files {
    events: Option<EventWriter>,
    trace: Option<TraceWriter>,
    names: Vec<String>,
    failure: Option<Failure>,
}

impl Files {
    fn create(args: &Simulate, plan: &ScenePlan) -> Result<Self, Failure> {
        Ok(Self {
            events: args.events.as_deref().map(|path| EventWriter::create(path, plan)).transpose()?,
            trace: args.vad_trace.as_deref().map(TraceWriter::create).transpose()?,
            names: (0..args.sessions).map(session_name).collect(),
            failure: None,
        })
    }

    fn write(&mut self, record: &Record) -> Result<(), Failure> {
        let Some(name) = self.names.get(record.session.0 as usize) else { return Ok(()) };
        if let Some(events) = &mut self.events {
            events.write(record, name)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.write(record, name)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.events.map_or(Ok(()), EventWriter::finish)?;
        self.trace.map_or(Ok(()), TraceWriter::finish)
    }
}

impl Watcher for Files {
    fn records(&mut self, records: &[Record]) {
        if self.failure.is_none() {
            self.failure = records.iter().try_for_each(|record| self.write(record)).err();
        }
    }

    fn far_records(&mut self, records: &[Record]) {
        let Some(events) = self.events.as_mut().filter(|_| self.failure.is_none()) else { return };
        let names = &self.names;
        let write = |record: &Record| match names.get(record.session.0 as usize) {
            Some(name) => events.write_far(record, name),
            None => Ok(()),
        };
        self.failure = records.iter().try_for_each(write).err();
    }
}

impl Watcher for Progress {
    fn progress(&mut self, what: &'static str, done: u64, total: u64) {
        self.at(what, done, total);
    }
}
