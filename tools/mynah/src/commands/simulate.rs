//! `simulate`: callers at a scene, and the verdict.

use std::sync::Arc;

use mynah_engine::scene::{Override, Source};
use mynah_engine::{Event, OutAudio, Record, ScenePlan};

use crate::args::{Clock, Simulate};
use crate::commands::{chaos, files};
use crate::metrics::{Board, Facts, Publisher, Server, address};
use crate::progress::Progress;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal;
use mynah_load::load::schedule::Phase;
use mynah_pages::picture::lane;
use mynah_pages::picture::page::Page;
use mynah_pages::table;
use mynah_proof::compare::{self, Side, baseline};
use mynah_proof::faults::spec::FaultSpec;
use mynah_proof::invariants::Invariants;
use mynah_sim::events::TraceWriter;
use mynah_sim::events::header::{Header, Inputs};
use mynah_sim::events::log::EventLog;
use mynah_sim::flight::Flight;
use mynah_sim::interrupt;
use mynah_sim::report::Report;
use mynah_sim::scenes;
use mynah_sim::simulate::callers::{CallerScript, session_name};
use mynah_sim::simulate::{Options, RunClock, Simulation, TickView, Watcher, Watchers, recorded};
use mynah_sim::transport::LinkedScene;

/// In virtual time more threads rarely pay: the callers are made on one.
const VIRTUAL_THREADS_MAX: usize = 2;

/// Runs the command.
///
/// # Errors
/// Scene, load or files that cannot be used.
pub fn run(args: &Simulate) -> Result<Exit, Failure> {
    interrupt::listen()?;
    match (&args.faults, args.seeds) {
        (None, None) => run_one(args),
        (Some(faults), Some(seeds)) => chaos::run_many(args, faults, seeds),
        (Some(faults), None) => {
            let source = scenes::find(&args.scene)?;
            let ((plan, warnings), sets) = compile(args, &source, &Arc::default())?;
            scenes::warn(&warnings);
            files::of_simulate(args, &plan)?;
            let mut header = recorded::header(&source, &sets, &options(args, &plan)?)?;
            if let Inputs::Simulate(inputs) = &mut header.inputs {
                FaultSpec::find(faults)?;
                inputs.faults = Some(FaultSpec::text(faults)?);
            }
            let mut files = None;
            let (exit, event_hash) = chaos::run_one(args, faults, |plan, far| {
                let mut made = Files::create(args, plan, Some(&header))?;
                if let Some(far) = far {
                    made.events = made.events.map(|events| events.with_far(far));
                }
                Ok(files.insert(made))
            })?;
            files.map_or(Ok(()), |files: Files| files.finish(&event_hash))?;
            Ok(interrupt::exit(exit))
        }
        (None, Some(seeds)) => chaos::run_all(args, seeds, |seed| run_seed(args, seed)),
    }
}

/// One of many seeds: its verdict, the limits it missed and, with `--check`, what must hold and does not.
fn run_seed(args: &Simulate, seed: u64) -> Result<chaos::Seed, Failure> {
    let script = Arc::new(CallerScript::default());
    let ((plan, _), _) = compile(args, &scenes::find(&args.scene)?, &script)?;
    let options = Options { seed, ..options(args, &plan)? };
    let mut invariants = args.check.then(|| Invariants::new(&plan));
    let simulation = Simulation::new(plan, &script, options, &mut Nobody).map_err(Failure::unable)?;
    if let Some(far) = simulation.far_plan() {
        invariants = invariants.map(|invariants| invariants.with_far(far));
    }
    let mut listener = chaos::Interruptible;
    let mut watchers: Vec<&mut dyn Watcher> = vec![&mut listener];
    watchers.extend(invariants.as_mut().map(|invariants| invariants as &mut dyn Watcher));
    let report = simulation.run(&mut Watchers(watchers));
    let mut violations = missed(&report);
    let violated = invariants.map_or_else(Vec::new, |invariants| {
        invariants.violations().iter().map(ToString::to_string).collect::<Vec<_>>()
    });
    let verdict = if violated.is_empty() { report.verdict } else { "over" };
    violations.extend(violated);
    let replay = again(args, seed);
    Ok(chaos::Seed { seed, verdict, event_hash: report.event_hash, violations, replay, run: None })
}

/// The limits a run missed, and what of its books does not balance.
fn missed(report: &Report) -> Vec<String> {
    let limits = report.limits.iter().filter(|limit| !limit.ok).map(|limit| {
        let value = limit.value.map_or("nothing to measure".to_string(), |value| value.to_string());
        format!("{}: {value}, limit {}", limit.name, limit.limit)
    });
    limits.chain(report.frames.imbalances.iter().cloned()).collect()
}

/// The line that runs one seed of many again.
fn again(args: &Simulate, seed: u64) -> String {
    let (scene, sessions, duration_ms) = (&args.scene, args.sessions, args.duration.us / 1_000);
    let mut line =
        format!("mynah simulate {scene} --seed {seed} --sessions {sessions} --duration {duration_ms}ms");
    if args.clock == Clock::Wall {
        line += " --clock wall";
    }
    if let Some(load) = &args.load {
        line += &format!(" --load '{}'", load.display());
    }
    line += if args.aligned { " --aligned" } else { "" };
    line += if args.check { " --check" } else { "" };
    line + &args.sets.sets.iter().map(|set| format!(" --set '{set}'")).collect::<String>()
}

/// Looks away.
struct Nobody;

impl Watcher for Nobody {}

fn run_one(args: &Simulate) -> Result<Exit, Failure> {
    let baseline = args.baseline.baseline.as_deref().map(baseline::read).transpose()?;
    let script = Arc::new(CallerScript::default());
    let source = scenes::find(&args.scene)?;
    let ((plan, warnings), sets) = compile(args, &source, &script)?;
    scenes::warn(&warnings);
    files::of_simulate(args, &plan)?;
    let options = options(args, &plan)?;
    let header = args.events.is_some().then(|| recorded::header(&source, &sets, &options)).transpose()?;
    let mut progress = Progress::new();
    let mut files = Files::create(args, &plan, header.as_ref())?;
    let mut invariants = args.check.then(|| Invariants::new(&plan));
    let budget_us = (args.clock == Clock::Wall).then(|| u64::from(plan.scene.tick.period_ms) * 1_000);
    let mut flight = Flight::new(&plan, args.trace.as_deref(), budget_us)?;
    let mut metrics = Metrics::serve(args, &plan)?;
    let mut page =
        args.html.as_deref().map(|path| Page::create(path, &plan, args.duration.us)).transpose()?;
    let mut watchers = Watchers(vec![&mut progress]);
    if let Some(page) = &mut page {
        watchers.0.push(&mut page.witness);
    }
    let mut simulation = Simulation::new(plan, &script, options, &mut watchers).map_err(Failure::unable)?;
    simulation.warm_up(args.warm_up.map_or(0, |time| time.us)).map_err(Failure::unable)?;
    if let Some(far) = simulation.far_plan() {
        invariants = invariants.map(|invariants| invariants.with_far(far));
        files.events = files.events.map(|events| events.with_far(far));
    }
    let mut watchers: Vec<&mut dyn Watcher> = vec![&mut files, &mut flight, &mut progress];
    if let Some(metrics) = &mut metrics {
        simulation.keep_metrics();
        watchers.push(&mut metrics.publisher);
    }
    if let Some(page) = &mut page {
        page.witness.prepare(&mut simulation);
        watchers.push(&mut page.witness);
    }
    watchers.extend(invariants.as_mut().map(|invariants| invariants as &mut dyn Watcher));
    interrupt::run_begins();
    let report = simulation.run(&mut Watchers(watchers));
    progress.clear();
    files.finish(&report.event_hash)?;
    flight.finish()?;
    page.map_or(Ok(()), |page| page.write(&report))?;
    print(args, &report)?;
    if let Some(hold) = args.metrics_hold.filter(|_| metrics.is_some()) {
        interrupt::wait(hold.us);
    }
    let holds = invariants.is_none_or(|invariants| invariants.tell());
    let regressed = against(args, baseline.as_ref(), &report)?;
    Ok(interrupt::exit(match report.verdict {
        "over" => Exit::Refused,
        // A late generator says nothing of a regression, either.
        _ if !holds || regressed && !report.is_late() => Exit::Refused,
        "ok" => Exit::Done,
        _ => Exit::Unable,
    }))
}

/// Compares with the baseline, then keeps the run; true: it is worse than it may be. Under `--json` stdout is the
/// report's, and the comparison goes to stderr.
fn against(args: &Simulate, kept: Option<&Side>, report: &Report) -> Result<bool, Failure> {
    let flags = &args.baseline;
    let run = baseline::side(&[report]);
    let mut regressed = false;
    if report.interrupted.is_some() {
        if kept.is_some() || flags.save_baseline.is_some() {
            let what = "warning: the run was interrupted, so it is not compared and not kept as a baseline";
            terminal::notice(what);
        }
        return Ok(false);
    }
    if let Some(kept) = kept {
        let percent = flags.fail_on_regression.unwrap_or(compare::PERCENT_DEFAULT);
        let comparison = baseline::check(kept, &run, percent)?;
        regressed = flags.fail_on_regression.is_some() && comparison.regressions().next().is_some();
        if args.json {
            terminal::notice(&compare::text(kept, &run, &comparison, terminal::stderr_look()));
        } else {
            args.table_to().show(|look| format!("\n{}", compare::text(kept, &run, &comparison, look)))?;
        }
    }
    match &flags.save_baseline {
        Some(_) if report.is_late() => {
            terminal::notice(
                "warning: the load generator was late itself, so the run is not kept as a baseline",
            );
        }
        Some(path) => baseline::save(path, &run)?,
        None => {}
    }
    Ok(regressed)
}

fn print(args: &Simulate, report: &Report) -> Result<(), Failure> {
    if args.json {
        let json = serde_json::to_string(report).map_err(Failure::unable)?;
        terminal::print(&(json + "\n"))?;
    } else {
        args.table_to().show(|look| table::draw(report, look))?;
    }
    Ok(())
}

/// The scene; `--vad-trace` makes its gates trace.
fn compile(
    args: &Simulate,
    source: &Source,
    script: &Arc<CallerScript>,
) -> Result<(scenes::Compiled, Vec<Override>), Failure> {
    let mut sets = args.sets.sets.clone();
    let registry = scenes::registry(Some(script.clone()));
    let compiled = scenes::compile_source(source, &sets, None, &registry)?;
    if args.vad_trace.is_none() {
        return Ok((compiled, sets));
    }
    sets.extend(lane::traces(&compiled.0)?);
    Ok((scenes::compile_source(source, &sets, None, &registry)?, sets))
}

fn options(args: &Simulate, plan: &ScenePlan) -> Result<Options, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (clock, threads) = match args.clock {
        Clock::Virtual => (RunClock::Virtual, cores.min(VIRTUAL_THREADS_MAX)),
        Clock::Wall => (RunClock::Wall, cores),
    };
    let linked = LinkedScene::of(plan).map(|link| scenes::find(&link.scene)).transpose()?;
    Ok(Options {
        sessions: args.sessions,
        duration_us: args.duration.us,
        seed: args.seed,
        clock,
        threads: args.threads.unwrap_or(threads),
        shards: args.shards,
        recordings: args.load.clone(),
        phase: if args.aligned { Phase::Aligned } else { Phase::Staggered },
        set: args.sets.sets.iter().map(ToString::to_string).collect(),
        linked,
    })
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
    events: Option<EventLog<'static>>,
    trace: Option<TraceWriter>,
    /// Probabilities are in the log for the page alone: the log is the same without it.
    untold: bool,
    names: Vec<String>,
    failure: Option<Failure>,
}

impl Files {
    fn create(args: &Simulate, plan: &ScenePlan, header: Option<&Header>) -> Result<Self, Failure> {
        let names: Vec<String> = (0..args.sessions).map(session_name).collect();
        let events = args.events.as_deref().zip(header);
        let events = events.map(|(path, header)| EventLog::to_file(path, header, plan, names.clone()));
        Ok(Self {
            events: events.transpose()?,
            trace: args.vad_trace.as_deref().map(TraceWriter::create).transpose()?,
            untold: args.vad_trace.is_none() && !lane::gates(plan).iter().any(|gate| gate.traces),
            names,
            failure: None,
        })
    }

    /// Does something with the event log, unless something went wrong before.
    fn log(&mut self, act: impl FnOnce(&mut EventLog<'static>) -> Result<(), Failure>) {
        if let (Some(events), None) = (&mut self.events, &self.failure) {
            self.failure = act(events).err();
        }
    }

    fn write(&mut self, record: &Record) -> Result<(), Failure> {
        let Some(name) = self.names.get(record.session.0 as usize) else { return Ok(()) };
        let untold = self.untold && matches!(record.event, Event::Probability { .. });
        if let (Some(events), false) = (&mut self.events, untold) {
            events.record(record)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.write(record, name)?;
        }
        Ok(())
    }

    fn finish(self, event_hash: &str) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.events.map_or(Ok(()), |events| events.finish(Some(event_hash)))?;
        self.trace.map_or(Ok(()), TraceWriter::finish)
    }
}

impl Watcher for Files {
    fn records(&mut self, records: &[Record]) {
        if self.failure.is_none() {
            self.failure = records.iter().try_for_each(|record| self.write(record)).err();
        }
    }

    fn audio(&mut self, session: usize, audio: &OutAudio) {
        self.log(|events| {
            events.audio(session, audio);
            Ok(())
        });
    }

    fn far_records(&mut self, records: &[Record]) {
        self.log(|events| records.iter().try_for_each(|record| events.far_record(record)));
    }

    fn far_audio(&mut self, session: usize, audio: &OutAudio) {
        self.log(|events| {
            events.far_audio(session, audio);
            Ok(())
        });
    }

    fn tick(&mut self, view: TickView<'_>) {
        self.log(|events| events.tick(view.engine.now_us()));
    }

    fn interrupts(&mut self) -> bool {
        interrupt::is_asked()
    }

    fn interrupted(&mut self, now_us: u64) {
        self.log(|events| events.interrupted(now_us));
    }
}
