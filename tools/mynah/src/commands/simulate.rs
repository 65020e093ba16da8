//! `simulate`: runs callers through a scene, and gives the verdict.

use std::sync::Arc;

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Override, Source};

#[cfg(feature = "grpc")]
use crate::across::Across;
use crate::args::{Clock, Simulate};
use crate::commands::{chaos, files};
use crate::metrics::{PageObserver, facts};
use crate::progress::Progress;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal;
use mynah_host::metrics::{Board, Server, address_of};
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
use mynah_sim::simulate::{Observer, Observers, Options, RunClock, Simulation, recorded};
use mynah_sim::transport::{GrpcScene, LinkedScene};

/// In virtual time more threads rarely pay: the callers are made on one.
const VIRTUAL_THREADS_MAX: usize = 2;

/// Runs the command.
///
/// # Errors
/// Scene, load or files that cannot be used.
pub fn run(args: &Simulate) -> Result<Exit, Failure> {
    interrupt::listen()?;
    if let Some(to) = &args.to {
        return afar(args, to);
    }
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
                Ok(files.insert(made).observers())
            })?;
            files.map_or(Ok(()), |files: Files| files.finish(&event_hash))?;
            Ok(interrupt::exit(exit))
        }
        (None, Some(seeds)) => chaos::run_all(args, seeds, |seed| run_seed(args, seed)),
    }
}

/// Callers of a server elsewhere.
#[cfg(feature = "serve")]
fn afar(args: &Simulate, to: &str) -> Result<Exit, Failure> {
    let script = Arc::new(CallerScript::default());
    let ((plan, warnings), _) = compile(args, &scenes::find(&args.scene)?, &script)?;
    scenes::warn(&warnings);
    let options = options(args, &plan)?;
    let report = crate::afar::run(args, to, plan, options)?;
    if args.json {
        let json = serde_json::to_string(&report).map_err(Failure::unable)?;
        terminal::print(&(json + "\n"))?;
    } else {
        args.table_to().show(|look| table::afar::draw(&report, look))?;
    }
    Ok(interrupt::exit(match report.verdict {
        "over" => Exit::Refused,
        "ok" => Exit::Done,
        _ => Exit::Unable,
    }))
}

/// Says how to get it.
#[cfg(not(feature = "serve"))]
fn afar(_: &Simulate, to: &str) -> Result<Exit, Failure> {
    Err(Failure::unable(format_args!(
        "--to {to}: this mynah was built without `serve`; build one with `cargo build --release --features serve`"
    )))
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
    let mut interruptible = chaos::Interruptible;
    let mut observers: Vec<&mut dyn Observer> = vec![&mut interruptible];
    observers.extend(invariants.as_mut().map(|invariants| invariants as &mut dyn Observer));
    let report = simulation.run(&mut Observers(observers));
    let mut violations = missed(&report);
    let violated = invariants.map_or_else(Vec::new, |invariants| {
        invariants.violations().iter().map(ToString::to_string).collect::<Vec<_>>()
    });
    let verdict = if violated.is_empty() { report.verdict } else { "over" };
    violations.extend(violated);
    let replay = again(args, seed);
    Ok(chaos::Seed { seed, verdict, event_hash: report.event_hash, violations, replay, run: None })
}

/// Judges whether this program can reach the server that the scene's output goes to, if it goes to one.
fn crosses(args: &Simulate, plan: &ScenePlan) -> Result<(), Failure> {
    let Some(GrpcScene { address, .. }) = GrpcScene::of(plan) else { return Ok(()) };
    let what = match args.clock {
        Clock::Virtual => "another process lives on the wall clock: add --clock wall",
        Clock::Wall if args.warm_up.is_some() => {
            "--warm-up: not for scenes whose other end counts for itself"
        }
        Clock::Wall if cfg!(not(feature = "grpc")) => {
            "this mynah was built without `grpc`; build one with `cargo build --release --features grpc`"
        }
        Clock::Wall => return Ok(()),
    };
    Err(Failure::unable(format_args!("{}: its output goes to {address}: {what}", args.scene)))
}

/// The limits a run missed, and what of its counts does not balance.
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

/// Observes nothing.
struct Nobody;

impl Observer for Nobody {}

fn run_one(args: &Simulate) -> Result<Exit, Failure> {
    let baseline = args.baseline.baseline.as_deref().map(baseline::read).transpose()?;
    let script = Arc::new(CallerScript::default());
    let source = scenes::find(&args.scene)?;
    let ((plan, warnings), sets) = compile(args, &source, &script)?;
    scenes::warn(&warnings);
    files::of_simulate(args, &plan)?;
    crosses(args, &plan)?;
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
    let mut observers = Observers(vec![&mut progress]);
    if let Some(page) = &mut page {
        observers.0.push(&mut page.witness);
    }
    let mut simulation =
        Simulation::new(Arc::clone(&plan), &script, options, &mut observers).map_err(Failure::unable)?;
    simulation.warm_up(args.warm_up.map_or(0, |time| time.us)).map_err(Failure::unable)?;
    if let Some(far) = simulation.far_plan() {
        invariants = invariants.map(|invariants| invariants.with_far(far));
        files.events = files.events.map(|events| events.with_far(far));
    }
    let mut interruptible = chaos::Interruptible;
    let mut observers = files.observers();
    observers.extend([&mut interruptible as &mut dyn Observer, &mut flight, &mut progress]);
    if let Some(metrics) = &mut metrics {
        simulation.keep_metrics();
        observers.push(&mut metrics.publisher);
    }
    if let Some(page) = &mut page {
        page.witness.prepare(&mut simulation);
        observers.push(&mut page.witness);
    }
    observers.extend(invariants.as_mut().map(|invariants| invariants as &mut dyn Observer));
    #[cfg(feature = "grpc")]
    let mut across = Across::of(&plan, &simulation, args.sessions)?;
    #[cfg(feature = "grpc")]
    observers.extend(across.as_mut().map(|across| across as &mut dyn Observer));
    interrupt::run_begins();
    #[cfg_attr(not(feature = "grpc"), expect(unused_mut, reason = "a server adds what came of it"))]
    let mut report = simulation.run(&mut Observers(observers));
    #[cfg(feature = "grpc")]
    across.into_iter().for_each(|across| across.conclude(&mut report));
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
    publisher: PageObserver,
    /// Serves until it is dropped.
    _server: Server,
}

impl Metrics {
    /// Where the flag says, or else the scene.
    fn serve(args: &Simulate, plan: &ScenePlan) -> Result<Option<Self>, Failure> {
        let address = match args.metrics {
            Some(address) => Some(address),
            None => address_of(plan).map_err(Failure::unable)?,
        };
        let Some(address) = address else { return Ok(None) };
        let board = Arc::new(Board::new(facts(plan)));
        let server = Server::start(address, Arc::clone(&board)).map_err(Failure::unable)?;
        terminal::notice(&format!("metrics at http://{}/metrics", server.address()));
        Ok(Some(Self { publisher: PageObserver::new(board), _server: server }))
    }
}

/// Writes the files that were asked for.
struct Files {
    events: Option<EventLog<'static>>,
    trace: Option<TraceWriter>,
}

impl Files {
    fn create(args: &Simulate, plan: &ScenePlan, header: Option<&Header>) -> Result<Self, Failure> {
        let names: Vec<String> = (0..args.sessions).map(session_name).collect();
        // Probabilities for the page alone are in no log: it is the same without it.
        let told = args.vad_trace.is_some() || lane::gates(plan).iter().any(|gate| gate.traces);
        let log = |(path, header)| {
            let log = EventLog::to_file(path, header, plan, names.clone());
            log.map(|log| if told { log } else { log.without_probabilities() })
        };
        let trace = args.vad_trace.as_deref().map(|path| TraceWriter::create(path, names.clone()));
        Ok(Self {
            events: args.events.as_deref().zip(header).map(log).transpose()?,
            trace: trace.transpose()?,
        })
    }

    fn observers(&mut self) -> Vec<&mut dyn Observer> {
        let events = self.events.as_mut().map(|events| events as &mut dyn Observer);
        events.into_iter().chain(self.trace.as_mut().map(|trace| trace as &mut dyn Observer)).collect()
    }

    fn finish(self, event_hash: &str) -> Result<(), Failure> {
        self.events.map_or(Ok(()), |events| events.finish(Some(event_hash)))?;
        self.trace.map_or(Ok(()), TraceWriter::finish)
    }
}
