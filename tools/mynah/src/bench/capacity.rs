//! `bench capacity`: finds how many sessions hold in real time.

use std::fmt::Write as _;

use mynah_engine::scene::Rendering;
use serde::Serialize;
use serde_json::Value;

use super::machine::Machine;
use super::point::{Bound, Point, Runs};
use super::search;
use crate::args::Capacity;
use crate::progress::Progress;
use mynah_files::failure::Failure;
use mynah_pages::table::paint;
use mynah_sim::interrupt;

/// Counts that are tried at most.
const POINTS_MAX: u32 = 12;
/// Sessions and seconds of the run that the first guess is made from.
const GUESS: (u32, u32) = (64, 8);
/// After this all simulated callers have begun to talk, milliseconds; and this is how long they are silent at the end.
const TALKING_MS: u32 = 7_000;
const SILENT_MS: u32 = 4_500;
/// The first point's share of what runs flat out: below it most scenes hold.
const GUESS_RATIO: f64 = 0.6;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Knee {
    schema: u32,
    version: &'static str,
    scene: String,
    set: Vec<String>,
    /// What decides: `frame_in_to_out`, or `limits` of the scene.
    decided_by: &'static str,
    p99_ms: f64,
    seconds: u32,
    warm_up_s: f64,
    core: Option<u32>,
    threads: u64,
    machine: Machine,
    /// The search was interrupted: what it found so far.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Every run in real time, in order.
    points: Vec<Point>,
    /// The largest count that holds; 0: none.
    pub sessions: u32,
    /// The smallest that does not; absent: the most that may be tried holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    fails_at: Option<u32>,
    /// Of the run at the largest count.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_us_per_session_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generator_late_p99_ms: Option<f64>,
    /// Of a run of as many sessions in virtual time.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_s_per_cpu_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_session: Option<f64>,
}

/// What about a scene decides how its points are measured.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// What comes out are answers: the scene's limits decide.
    pub answers: bool,
    /// Only speech comes out: callers must have begun to talk, and talk while it is measured.
    pub gated: bool,
}

impl Nature {
    /// Length of a run in virtual time, seconds: callers who are answered say little in a few.
    fn flat_out_s(self, seconds: u32) -> u32 {
        if self.answers { self.times_ms(seconds).1 / 1_000 } else { seconds }
    }

    /// What is not counted at the beginning of a point, and all of it, milliseconds.
    fn times_ms(self, seconds: u32) -> (u32, u32) {
        if self.gated || self.answers {
            // Simulated callers begin to talk over 6.5 s, and are silent for the last 4.5 s.
            (TALKING_MS, TALKING_MS + seconds * 1_000 + SILENT_MS)
        } else {
            (seconds * 250, seconds * 1_250)
        }
    }
}

/// Finds the largest number of sessions that holds.
///
/// # Errors
/// A run that came to nothing.
pub fn find(args: &Capacity, nature: Nature) -> Result<Knee, Failure> {
    let machine = Machine::look();
    let set: Vec<String> = args.sets.sets.iter().map(ToString::to_string).collect();
    let runs = Runs { flags: flags(args, &set), core: args.core };
    runs.check()?;
    let mut progress = Progress::new();
    let bound = if nature.answers { Bound::Limits } else { Bound::FrameP99Ms(args.p99_ms) };
    progress.at("guessing", 0, 1);
    let guess_s = nature.flat_out_s(GUESS.1.min(args.seconds));
    let flat_out = virtual_run(&runs, GUESS.0.min(args.max), guess_s)?;
    let guess = flat_out.as_ref().and_then(|report| report["cost"]["session_s_per_cpu_s"].as_f64());
    let guess = GUESS_RATIO * guess.unwrap_or(0.0);
    let (warm_up_ms, whole_ms) = nature.times_ms(args.seconds);
    let mut points: Vec<Point> = Vec::new();
    let mut tried = 0;
    let found = search::largest(guess as u32, args.max, POINTS_MAX, |sessions| {
        if flat_out.is_none() {
            return Err(Stop::Interrupted);
        }
        for _ in 0..2 {
            let report = runs.report(&wall_flags(sessions, (warm_up_ms, whole_ms)), &mut |us| {
                let of_point = (us / 1_000).min(u64::from(whole_ms));
                let done = tried * u64::from(whole_ms) + of_point;
                progress.at("points", done, u64::from(POINTS_MAX * whole_ms));
            });
            let report = report.map_err(Stop::Failed)?.ok_or(Stop::Interrupted)?;
            points.push(Point::of(&report, bound));
            if points.last().is_some_and(|point| point.holds) {
                break;
            }
        }
        tried += 1;
        Ok(points.last().is_some_and(|point| point.holds))
    });
    let (found, stopped) = match found {
        Ok(found) => (found, false),
        Err(Stop::Interrupted) => (so_far(&points), true),
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    progress.at("flat out", 0, 1);
    let knee = points.iter().rev().find(|point| point.holds && point.sessions == found.held);
    let known = knee.filter(|_| !stopped);
    let flat_out_s = nature.flat_out_s(args.seconds);
    let flat_out = known.map(|point| virtual_run(&runs, point.sessions, flat_out_s)).transpose()?.flatten();
    let interrupted = stopped || interrupt::is_asked();
    progress.clear();
    let cost = |name: &str| flat_out.as_ref().and_then(|report| report["cost"][name].as_f64());
    Ok(Knee {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        scene: args.scene.clone(),
        set,
        decided_by: if nature.answers { "limits" } else { "frame_in_to_out" },
        p99_ms: args.p99_ms,
        seconds: args.seconds,
        warm_up_s: f64::from(warm_up_ms) / 1e3,
        core: args.core,
        threads: points.last().map_or(0, |point| point.threads),
        machine,
        interrupted,
        sessions: found.held,
        fails_at: found.failed,
        cpu_us_per_session_s: knee.map(|point| point.cpu_us_per_session_s),
        generator_late_p99_ms: knee.map(|point| point.generator_late_p99_ms),
        session_s_per_cpu_s: cost("session_s_per_cpu_s"),
        bytes_per_session: cost("bytes_per_session"),
        points,
    })
}

/// What a run in real time is asked for: its warm-up and its whole length in milliseconds.
fn wall_flags(sessions: u32, (warm_up_ms, whole_ms): (u32, u32)) -> Vec<String> {
    let flags = ["--clock", "wall", "--sessions", &sessions.to_string()].map(String::from);
    let times = [format!("--duration={whole_ms}ms"), format!("--warm-up={warm_up_ms}ms")];
    [&flags[..], &times].concat()
}

/// What every run of the search is asked for.
fn flags(args: &Capacity, set: &[String]) -> Vec<String> {
    let mut flags = vec![args.scene.clone()];
    flags.extend(set.iter().flat_map(|set| ["--set".to_string(), set.clone()]));
    flags.extend(args.threads.iter().flat_map(|count| ["--threads".to_string(), count.to_string()]));
    flags
}

/// Why a search ends before it has found anything.
enum Stop {
    Interrupted,
    Failed(Failure),
}

/// What an interrupted search knows: the last word on the last count may be missing.
fn so_far(points: &[Point]) -> search::Found {
    let held = points.iter().filter(|point| point.holds).map(|point| point.sessions).max().unwrap_or(0);
    let above = points.iter().filter(|point| !point.holds && point.sessions > held);
    search::Found { held, failed: above.map(|point| point.sessions).min() }
}

fn virtual_run(runs: &Runs, sessions: u32, seconds: u32) -> Result<Option<Value>, Failure> {
    let flags = [format!("--sessions={sessions}"), format!("--duration={seconds}s")];
    runs.report(&flags, &mut |_| {})
}

/// One JSON object.
pub fn json(result: &Knee) -> String {
    serde_json::to_string(result).expect("text and numbers are always JSON")
}

/// A table of the points, and what they come to.
pub fn text(result: &Knee, look: Rendering) -> String {
    let mut text = String::new();
    head(&mut text, result)
        .and_then(|()| table(&mut text, result, look))
        .and_then(|()| foot(&mut text, result))
        .expect("a string takes everything");
    text
}

fn head(t: &mut String, r: &Knee) -> std::fmt::Result {
    let wanted = match r.decided_by {
        "limits" => "the scene's limits".to_string(),
        _ => format!("frame in to out P99 <= {} ms", r.p99_ms),
    };
    let place = r.core.map_or(String::new(), |core| format!(" on core {core}"));
    let plural = if r.threads == 1 { "" } else { "s" };
    writeln!(t, "{}: sessions in real time{place}, {} thread{plural}, {wanted}", r.scene, r.threads)?;
    if !r.set.is_empty() {
        writeln!(t, "with {}", r.set.join(", "))?;
    }
    writeln!(t, "{}\n", r.machine.line())
}

fn table(t: &mut String, r: &Knee, look: Rendering) -> std::fmt::Result {
    let latency = if r.decided_by == "limits" { "response" } else { "in to out" };
    writeln!(
        t,
        "  {:>8} {:>14} {:>8} {:>9} {:>9} {:>13}",
        "sessions",
        format!("{latency} P50"),
        "P99 ms",
        "engine",
        "callers",
        "late P99 ms"
    )?;
    for point in &r.points {
        let ms = |value: Option<f64>| value.map_or("-".to_string(), |ms| format!("{ms:.1}"));
        let share = |ratio: f64| format!("{:.0} %", 100.0 * ratio);
        let word = if point.holds { "holds" } else { &point.why_not };
        writeln!(
            t,
            "  {:>8} {:>14} {:>8} {:>9} {:>9} {:>13.1}  {}",
            point.sessions,
            ms(point.p50_ms),
            ms(point.p99_ms),
            share(point.engine_cpu_ratio),
            share(point.generator_cpu_ratio),
            point.generator_late_p99_ms,
            paint(word, point.holds, look)
        )?;
    }
    writeln!(t, "  engine and callers: CPU time as a share of one core; late: the callers themselves\n")
}

fn foot(t: &mut String, r: &Knee) -> std::fmt::Result {
    let plural = |count| if count == 1 { "" } else { "s" };
    if r.interrupted {
        writeln!(t, "  interrupted: more may hold than is known so far")?;
    }
    match (r.sessions, r.fails_at) {
        (0, None) if r.interrupted => return Ok(()),
        (held, None) if r.interrupted => writeln!(t, "  {held} session{} hold", plural(held))?,
        (0, _) => return writeln!(t, "  not even one session holds"),
        (held, None) => writeln!(t, "  {held} session{} hold, and more were not to be tried", plural(held))?,
        (held, Some(failed)) => writeln!(t, "  {held} session{} hold, {failed} do not", plural(held))?,
    }
    if let Some(us) = r.cpu_us_per_session_s {
        writeln!(t, "  {us:.0} us of CPU time for a second of a session, in real time")?;
    }
    if let (Some(flat_out), Some(bytes)) = (r.session_s_per_cpu_s, r.bytes_per_session) {
        writeln!(t, "  {flat_out:.0} session-seconds per CPU-second flat out, in virtual time")?;
        writeln!(t, "  {:.1} KB a session, its simulated caller included", bytes / 1e3)?;
    }
    Ok(())
}
