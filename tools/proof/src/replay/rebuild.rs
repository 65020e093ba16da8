//! Builds the run from the first line of its log; the lines of the run go to a comparison.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_engine::scene::{Format, Override, Rendering};
use mynah_engine::service::TimeMode;
use mynah_engine::{Engine, ScenePlan};

use super::comparison::Comparison;
use super::lines;
use super::means::Means;
use crate::faults::spec::FaultSpec;
use crate::faults::{Chaos, ChaosOptions};
use mynah_files::failure::{Exit, Failure};
use mynah_files::outputs::is_dash;
use mynah_load::chunk::ChunkSpec;
use mynah_load::wav;
use mynah_sim::answers;
use mynah_sim::events::header::{ContentOf, Header, Inputs, LoadInput, RunInputs, SimulateInputs};
use mynah_sim::events::log::{EventLog, LineSink};
use mynah_sim::run::drive::{Pace, drive};
use mynah_sim::run::sessions;
use mynah_sim::scenes;
use mynah_sim::simulate::callers::{CallerScript, session_name};
use mynah_sim::simulate::{DURATION_US, SESSIONS};
use mynah_sim::simulate::{Observer, Observers, RunClock, Simulation, recorded};

impl LineSink for &mut Comparison {
    fn take(&mut self, line: &str) -> Result<(), Failure> {
        (**self).take(line)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        (**self).finish()
    }

    fn wants_more(&self) -> bool {
        (**self).wants_more()
    }

    fn awaits_interruption(&mut self, now_us: u64) -> bool {
        (**self).awaits_interruption(now_us)
    }
}

/// Runs it again; ends early once it is known where log and replay part.
///
/// # Errors
/// It cannot be run again: exit code 2, with the remedy. The comparison's own.
pub(super) fn run(
    header: &Header,
    path: &Path,
    means: Means,
    comparison: &mut Comparison,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), Failure> {
    if header.clock == RunClock::Wall {
        return Err(Failure::unable(format_args!(
            "{}:1: recorded on the wall clock: when what arrived is no part of the log, so it cannot be replayed; \
             record it in virtual time, without --clock wall or --wall",
            path.display()
        )));
    }
    let sets: Result<Vec<_>, _> = header.set.iter().map(|set| Override::parse(set)).collect();
    let sets = sets.map_err(|error| unfit(path, &error))?;
    match &header.inputs {
        Inputs::Simulate(inputs) => simulate((header, inputs), path, (&sets, means), comparison, progress),
        Inputs::Run(inputs) => run_recordings((header, inputs), path, &sets, comparison),
    }
}

/// The first line says something that no mynah of this version would have written.
fn unfit(path: &Path, what: &dyn std::fmt::Display) -> Failure {
    Failure::unable(format_args!("{}:1: {what}; was the first line changed?", path.display()))
}

/// The log's scene, compiled. What is wrong with it is nothing that whoever replays it could mend there.
fn compile(
    header: &Header,
    path: &Path,
    sets: &[Override],
    input: Option<Format>,
    script: Option<Arc<CallerScript>>,
) -> Result<Arc<ScenePlan>, Failure> {
    let logged = lines::answers(path)?;
    let registry = scenes::registry_of_log(script.map(|script| script as _), &logged);
    let compiled = scenes::compile_source(&(&header.scene).into(), sets, input, &registry);
    let remembering = |(mut plan, _): scenes::Compiled| {
        let own = Arc::get_mut(&mut plan).expect("nobody else has it yet");
        answers::remember(own, &logged);
        plan
    };
    compiled.map(remembering).map_err(|failure| Failure {
        exit: Exit::Unable,
        message: format!(
            "{}\n{}",
            failure.message,
            unfit(path, &format_args!("the scene in the log does not compile with this mynah")).message
        ),
    })
}

fn simulate(
    (header, inputs): (&Header, &SimulateInputs),
    path: &Path,
    (sets, means): (&[Override], Means),
    comparison: &mut Comparison,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), Failure> {
    if !SESSIONS.contains(&inputs.sessions) || !DURATION_US.contains(&inputs.duration_us) {
        let what = format!("{} sessions of {} us cannot be simulated", inputs.sessions, inputs.duration_us);
        return Err(unfit(path, &what));
    }
    if let Some(faults) = &inputs.faults {
        return faulted((header, inputs, faults), path, (sets, means), comparison, progress);
    }
    let mut options = recorded::options(header, inputs, means.threads, means.shards);
    if let LoadInput::Recordings(content) = &inputs.load {
        options.recordings = Some(unchanged(content, path, ContentOf::labels)?);
    }
    let script = Arc::new(CallerScript::default());
    let plan = compile(header, path, sets, None, Some(Arc::clone(&script)))?;
    let names = (0..inputs.sessions).map(session_name).collect();
    let log = EventLog::new(Box::new(&mut *comparison), &header.line(), &plan, names)?;
    let mut told = Told(progress);
    let simulation = Simulation::new(plan, &script, options, &mut told).map_err(|what| unfit(path, &what))?;
    let mut log = match simulation.far_plan() {
        Some(far) => log.with_far(far),
        None => log,
    };
    let report = simulation.run(&mut Observers(vec![&mut log, &mut told]));
    log.finish(Some(&report.event_hash))
}

/// A run with faults.
fn faulted(
    (header, inputs, faults): (&Header, &SimulateInputs, &str),
    path: &Path,
    (sets, means): (&[Override], Means),
    comparison: &mut Comparison,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), Failure> {
    let spec = FaultSpec::from_text(faults).map_err(|found| {
        unfit(path, &format_args!("the faults in the log: {}", found.render(Rendering::Plain)))
    })?;
    let mut chaos = Chaos::new(ChaosOptions {
        scene: header.scene.name.clone(),
        texts: Some(((&header.scene).into(), header.linked.as_ref().map(Into::into))),
        sets: sets.to_vec(),
        sessions: inputs.sessions,
        duration_us: inputs.duration_us,
        threads: means.threads,
        shards: means.shards,
        spec,
    });
    let prepared = chaos.prepare(header.seed)?;
    let names = (0..inputs.sessions).map(session_name).collect();
    let log = EventLog::new(Box::new(&mut *comparison), &header.line(), prepared.plan(), names)?;
    let mut log = match prepared.far_plan() {
        Some(far) => log.with_far(far),
        None => log,
    };
    let report = prepared.run(&mut Observers(vec![&mut log, &mut Told(progress)]));
    log.finish(Some(&report.event_hash))
}

/// The file, where it was or beside the log, if it is what it was when the log was written.
fn unchanged(
    content: &ContentOf,
    log: &Path,
    hash: fn(&Path) -> std::io::Result<ContentOf>,
) -> Result<PathBuf, Failure> {
    if is_dash(&content.path) {
        return Err(Failure::unable(format_args!(
            "{}: made from standard input, which is gone; record it again with --input FILE",
            log.display()
        )));
    }
    let folder = log.parent().unwrap_or(Path::new(""));
    let beside = content.path.file_name().map_or_else(|| content.path.clone(), |name| folder.join(name));
    let places = [content.path.clone(), folder.join(&content.path), beside];
    let path = places.iter().find_map(|place| file_called(place)).unwrap_or_else(|| content.path.clone());
    let found = hash(&path).map_err(|error| {
        Failure::unable(format_args!(
            "{}: {error}; the log was made with it: put it there, or beside the log",
            path.display()
        ))
    })?;
    if found.xxh3 == content.xxh3 {
        return Ok(path);
    }
    Err(Failure::unable(format_args!(
        "{}: its content has the hash {}, and had {} when the log was written; put back what it was, or record the \
         log again",
        path.display(),
        found.xxh3,
        content.xxh3
    )))
}

/// The file at a path of a log, in which U+FFFD stands for what is no UTF-8.
fn file_called(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_path_buf());
    }
    let name = path.file_name()?.to_str().filter(|name| name.contains(char::REPLACEMENT_CHARACTER))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut entries = folder.read_dir().ok()?.flatten();
    entries.find(|entry| entry.file_name().to_string_lossy() == name).map(|entry| entry.path())
}

/// Tells how far a simulation is.
struct Told<'a>(&'a mut (dyn FnMut(u64, u64) + Send));

impl Observer for Told<'_> {
    fn progress(&mut self, what: &'static str, done: u64, total: u64) {
        if what == "simulated" {
            (self.0)(done, total);
        }
    }
}

fn run_recordings(
    (header, inputs): (&Header, &RunInputs),
    path: &Path,
    sets: &[Override],
    comparison: &mut Comparison,
) -> Result<(), Failure> {
    let chunk: ChunkSpec = inputs.chunk.parse().map_err(|what: String| unfit(path, &what))?;
    let names: Vec<String> = inputs.inputs.iter().map(|input| input.name.clone()).collect();
    let find =
        |input: &mynah_sim::events::header::RecordingInput| unchanged(&input.file, path, ContentOf::file);
    let paths = inputs.inputs.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let recordings =
        paths.iter().map(|path| wav::read(path).map_err(Failure::unable)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = recordings.first() else { return Err(unfit(path, &"there are no inputs")) };
    let plan = compile(header, path, sets, Some(sessions::format_of(first)), None)?;
    let config = sessions::config(names.len(), header.seed, TimeMode::Virtual);
    let mut engine = Engine::try_new(Arc::clone(&plan), config).map_err(Failure::unable)?;
    let mut feeds = sessions::open(&engine, (&names, &paths), recordings, (chunk, header.seed))?;
    let mut log = EventLog::new(Box::new(&mut *comparison), &header.line(), &plan, names)?;
    drive(&mut engine, &mut feeds, Pace::Virtual, &mut log)?;
    log.finish(None)
}
