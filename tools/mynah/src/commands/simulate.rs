//! `simulate`: callers at a scene, and the verdict.

use std::io::Write as _;
use std::sync::Arc;

use mynah_engine::scene::Override;
use mynah_engine::{Record, ScenePlan};

use crate::args::{Clock, Simulate};
use crate::commands::chaos;
use crate::events::{EventWriter, TraceWriter};
use crate::failure::{Exit, Failure};
use crate::load::schedule::Phase;
use crate::progress::Progress;
use crate::report::Report;
use crate::simulate::callers::{CallerScript, session_name};
use crate::simulate::invariants::Invariants;
use crate::simulate::{Options, RunClock, Simulation, Watcher, Watchers};
use crate::{scenes, table, terminal};

/// In virtual time more threads rarely pay: the callers are made on one.
const VIRTUAL_THREADS_MAX: usize = 2;

/// Runs the command.
///
/// # Errors
/// Scene, load or files that cannot be used.
pub fn run(args: &Simulate) -> Result<Exit, Failure> {
    match (&args.faults, args.seeds) {
        (None, None) => run_one(args),
        (Some(faults), Some(seeds)) => chaos::run_many(args, faults, seeds),
        (Some(faults), None) => {
            let mut files = None;
            let exit = chaos::run_one(args, faults, |plan, far| {
                let mut made = Files::create(args, plan)?;
                if let Some(far) = far {
                    made.events = made.events.map(|events| events.with_far(far));
                }
                Ok(files.insert(made))
            })?;
            files.map_or(Ok(()), Files::finish)?;
            Ok(exit)
        }
        (None, Some(seeds)) => chaos::run_all(args, seeds, |seed| run_seed(args, seed)),
    }
}

/// One of many seeds: its verdict, and the limits it missed.
fn run_seed(args: &Simulate, seed: u64) -> Result<chaos::Seed, Failure> {
    let script = Arc::new(CallerScript::default());
    let (plan, _) = compile(args, &script)?;
    let options = Options { seed, ..options(args) };
    let simulation = Simulation::new(plan, &script, options, &mut Nobody).map_err(Failure::unable)?;
    let report = simulation.run(&mut Nobody);
    let missed = report.limits.iter().filter(|limit| !limit.ok);
    let mut violations: Vec<String> = missed
        .map(|limit| {
            let value = limit.value.map_or("nothing".to_string(), |value| value.to_string());
            format!("{}: {value}, limit {}", limit.name, limit.limit)
        })
        .collect();
    violations.extend(report.frames.imbalances.iter().cloned());
    let sets: String = args.sets.sets.iter().map(|set| format!(" --set '{set}'")).collect();
    let (scene, sessions, duration_ms) = (&args.scene, args.sessions, args.duration.us / 1_000);
    let replay = format!(
        "mynah simulate {scene} --seed {seed} --sessions {sessions} --duration {duration_ms}ms{sets}"
    );
    let (verdict, event_hash) = (report.verdict, report.event_hash);
    Ok(chaos::Seed { seed, verdict, event_hash, violations, replay, run: None })
}

/// Looks away.
struct Nobody;

impl Watcher for Nobody {}

fn run_one(args: &Simulate) -> Result<Exit, Failure> {
    let script = Arc::new(CallerScript::default());
    let (plan, warnings) = compile(args, &script)?;
    scenes::warn(&warnings);
    let mut progress = Progress::new();
    let mut files = Files::create(args, &plan)?;
    let mut invariants = args.check.then(|| Invariants::new(&plan));
    let simulation = Simulation::new(plan, &script, options(args), &mut progress).map_err(Failure::unable)?;
    if let Some(far) = simulation.far_plan() {
        invariants = invariants.map(|invariants| invariants.with_far(far));
    }
    if let Some(far) = simulation.far_plan() {
        files.events = files.events.map(|events| events.with_far(far));
    }
    let mut watchers: Vec<&mut dyn Watcher> = vec![&mut files, &mut progress];
    watchers.extend(invariants.as_mut().map(|invariants| invariants as &mut dyn Watcher));
    let report = simulation.run(&mut Watchers(watchers));
    progress.clear();
    files.finish()?;
    print(args, &report)?;
    let holds = invariants.is_none_or(|invariants| invariants.tell());
    Ok(match report.verdict {
        "ok" if !holds => Exit::Refused,
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
