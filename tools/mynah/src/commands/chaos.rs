//! `simulate --faults` and `simulate --seeds`: one run or many, and their results.

use std::io::Write as _;

use mynah_engine::ScenePlan;
use serde::Serialize;

use crate::args::{SeedRange, Simulate};
use crate::progress::Progress;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal;
use mynah_proof::faults::report::{ChaosReport, draw};
use mynah_proof::faults::spec::FaultSpec;
use mynah_proof::faults::{Chaos, ChaosOptions};
use mynah_sim::interrupt;
use mynah_sim::simulate::{Observer, Observers};

/// Violations of a failing seed that stand in the list of seeds.
const SHOWN: usize = 3;

/// Runs one seed with faults; gives the run's hash, too. `files` makes those who write down what happens, for the scene
/// and the one behind its link.
///
/// # Errors
/// A scene, faults or files that cannot be used.
pub fn run_one<'a>(
    args: &Simulate,
    faults: &str,
    files: impl FnOnce(&ScenePlan, Option<&ScenePlan>) -> Result<Vec<&'a mut dyn Observer>, Failure>,
) -> Result<(Exit, String), Failure> {
    let mut chaos = Chaos::new(options(args, faults)?);
    let mut progress = Progress::new();
    let prepared = chaos.prepare(args.seed)?;
    let mut files = Observers(files(prepared.plan(), prepared.far_plan().map(|far| &**far))?);
    interrupt::run_begins();
    let report = prepared.run(&mut Observers(vec![&mut files, &mut progress, &mut Interruptible]));
    progress.clear();
    if args.json {
        terminal::print(&(serde_json::to_string(&report).map_err(Failure::unable)? + "\n"))?;
    } else {
        args.table_to().show(|look| draw(&report, look))?;
    }
    Ok((exit(report.verdict == "ok"), report.event_hash))
}

/// Runs every seed with faults.
///
/// # Errors
/// A scene or faults that cannot be used.
pub fn run_many(args: &Simulate, faults: &str, seeds: SeedRange) -> Result<Exit, Failure> {
    let mut chaos = Chaos::new(options(args, faults)?);
    run_all(args, seeds, |seed| {
        let report = chaos.prepare(seed)?.run(&mut Interruptible);
        Ok(Seed {
            seed,
            verdict: report.verdict,
            event_hash: report.event_hash.clone(),
            violations: report.violations.clone(),
            replay: report.replay.clone(),
            run: Some(report),
        })
    })
}

/// One seed of many.
#[derive(Debug, Serialize)]
pub struct Seed {
    /// The seed of the run.
    pub seed: u64,
    /// `ok`, `over` or `invalid`.
    pub verdict: &'static str,
    /// Hash of its events and sounds.
    pub event_hash: String,
    /// What does not hold.
    pub violations: Vec<String>,
    /// The line that runs it again.
    pub replay: String,
    /// Of a faulted run: all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<ChaosReport>,
}

/// The report of many seeds.
#[derive(Debug, Serialize)]
struct SeedsReport {
    schema: u32,
    first: u64,
    last: u64,
    verdict: &'static str,
    /// Not every seed has run, and the one under way does not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    interrupted: bool,
    failed: Vec<u64>,
    cpu_s: f64,
    runs: Vec<Seed>,
}

/// Runs every seed of a range, stops at nothing, and names those that failed.
///
/// # Errors
/// What keeps every seed from running.
pub fn run_all(
    args: &Simulate,
    seeds: SeedRange,
    mut one: impl FnMut(u64) -> Result<Seed, Failure>,
) -> Result<Exit, Failure> {
    let began = cpu_time::ProcessTime::now();
    interrupt::run_begins();
    let mut progress = Progress::new();
    let mut runs = Vec::new();
    for seed in seeds.first..=seeds.last {
        progress.at("seeds", seed - seeds.first, seeds.count());
        let run = one(seed)?;
        if interrupt::is_asked() {
            break;
        }
        runs.push(run);
    }
    progress.clear();
    let failed: Vec<u64> = runs.iter().filter(|run| run.verdict != "ok").map(|run| run.seed).collect();
    let cpu_s = began.elapsed().as_secs_f64();
    // A seed that misses a limit outweighs one that shows nothing about it.
    let (verdict, code) = match runs.iter().find(|run| run.verdict == "over") {
        Some(_) => ("over", Exit::Refused),
        None if failed.is_empty() => ("ok", Exit::Done),
        None => ("invalid", Exit::Unable),
    };
    let (first, last, interrupted) = (seeds.first, seeds.last, interrupt::is_asked());
    let report = SeedsReport { schema: 1, first, last, verdict, interrupted, failed, cpu_s, runs };
    let mut out = terminal::Stdout::lock();
    if args.json {
        out.line(&serde_json::to_string(&report).map_err(Failure::unable)?)?;
    } else {
        out.write_all(table(&report, args, seeds).as_bytes())?;
    }
    out.flush()?;
    Ok(interrupt::exit(code))
}

fn table(report: &SeedsReport, args: &Simulate, seeds: SeedRange) -> String {
    let mut text = String::new();
    for run in report.runs.iter().filter(|run| run.verdict != "ok") {
        text += &format!("seed {}: {}\n", run.seed, run.verdict);
        for wrong in run.violations.iter().take(SHOWN) {
            text += &format!("    {wrong}\n");
        }
        if run.violations.len() > SHOWN {
            text += &format!("    and {} more\n", run.violations.len() - SHOWN);
        }
        text += &format!("    again: {}\n", run.replay);
    }
    if report.interrupted {
        text += &format!("interrupted: {} of {} seeds have run\n", report.runs.len(), seeds.count());
    }
    let count = report.runs.len();
    let ok = report.failed.is_empty();
    text += &format!(
        "{}: seeds {}..{}, {} of {count} ok, {:.1} CPU s\n  verdict: {}\n",
        args.scene,
        report.first,
        report.last,
        count - report.failed.len(),
        report.cpu_s,
        mynah_pages::table::paint(report.verdict, ok, terminal::stdout_look())
    );
    text
}

fn exit(ok: bool) -> Exit {
    if ok { Exit::Done } else { Exit::Refused }
}

fn options(args: &Simulate, faults: &str) -> Result<ChaosOptions, Failure> {
    Ok(ChaosOptions {
        scene: args.scene.clone(),
        texts: None,
        sets: args.sets.sets.clone(),
        sessions: args.sessions,
        duration_us: args.duration.us,
        threads: args.threads.unwrap_or(1),
        shards: args.shards,
        spec: FaultSpec::find(faults)?,
    })
}

/// Looks for Ctrl-C alone.
pub struct Interruptible;

impl Observer for Interruptible {
    fn interrupts(&mut self) -> bool {
        interrupt::is_asked()
    }
}
