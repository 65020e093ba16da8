//! `simulate`: callers at a scene, and the verdict.

use std::io::Write as _;
use std::sync::Arc;

use mynah_engine::scene::Override;
use mynah_engine::{Event, Record, ScenePlan};

use crate::args::{Clock, Simulate};
use crate::events::{EventWriter, TraceWriter};
use crate::failure::{Exit, Failure};
use crate::load::schedule::Phase;
use crate::picture::lane;
use crate::picture::page::Page;
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
    let mut page =
        args.html.as_deref().map(|path| Page::create(path, &plan, args.duration.us)).transpose()?;
    let mut watchers = Watchers(vec![&mut progress]);
    if let Some(page) = &mut page {
        watchers.0.push(&mut page.witness);
    }
    let mut simulation =
        Simulation::new(plan, &script, options(args), &mut watchers).map_err(Failure::unable)?;
    if let Some(far) = simulation.far_plan() {
        files.events = files.events.map(|events| events.with_far(far));
    }
    let mut watchers = Watchers(vec![&mut files, &mut progress]);
    if let Some(page) = &mut page {
        page.witness.prepare(&mut simulation);
        watchers.0.push(&mut page.witness);
    }
    let report = simulation.run(&mut watchers);
    progress.clear();
    files.finish()?;
    page.map_or(Ok(()), |page| page.write(&report))?;
    print(args, &report)?;
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

/// Writes the files that were asked for.
struct Files {
    events: Option<EventWriter>,
    trace: Option<TraceWriter>,
    /// Probabilities are in the log for the page alone: the log is the same without it.
    untold: bool,
    names: Vec<String>,
    failure: Option<Failure>,
}

impl Files {
    fn create(args: &Simulate, plan: &ScenePlan) -> Result<Self, Failure> {
        Ok(Self {
            events: args.events.as_deref().map(|path| EventWriter::create(path, plan)).transpose()?,
            trace: args.vad_trace.as_deref().map(TraceWriter::create).transpose()?,
            untold: args.vad_trace.is_none() && !lane::gates(plan).iter().any(|gate| gate.trace),
            names: (0..args.sessions).map(session_name).collect(),
            failure: None,
        })
    }

    fn write(&mut self, record: &Record) -> Result<(), Failure> {
        let Some(name) = self.names.get(record.session.0 as usize) else { return Ok(()) };
        let untold = self.untold && matches!(record.event, Event::Probability { .. });
        if let (Some(events), false) = (&mut self.events, untold) {
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
