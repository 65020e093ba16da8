//! One run of `simulate` in a process of its own, and whether its session count holds.

use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use serde::Serialize;
use serde_json::Value;

use mynah_files::failure::{Exit, Failure};
use mynah_host::clock::Epoch;
use mynah_sim::interrupt;

/// Time between two looks at a child, microseconds.
const LOOK_US: u64 = 50_000;

/// How the runs of a search are started.
#[derive(Clone, Debug)]
pub struct Runs {
    /// Scene, overrides and threads: what every run has.
    pub flags: Vec<String>,
    /// The only core to run on.
    pub core: Option<u32>,
}

impl Runs {
    fn command(&self) -> Result<Command, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::unable(format_args!("this program does not find itself: {error}")))?;
        Ok(match self.core {
            None => Command::new(program),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(core.to_string()).arg(program);
                command
            }
        })
    }

    /// Whether runs can be started at all.
    ///
    /// # Errors
    /// There is no `taskset`, or no such core.
    pub fn check(&self) -> Result<(), Failure> {
        let Some(core) = self.core else { return Ok(()) };
        let tried = self.command()?.arg("--version").stdin(Stdio::null()).output().map_err(|error| {
            Failure::unable(format_args!(
                "--core {core}: taskset: {error}; most Linux systems have it; install it, or leave --core out"
            ))
        })?;
        if tried.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&tried.stderr);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Err(Failure::unable(format_args!(
            "--core {core}: {}; expected one of the {cores} cores that may be used, counted from 0",
            said.trim()
        )))
    }

    /// The report of one run; `None`: it was interrupted. `progress` is told of the microseconds since it began.
    ///
    /// # Errors
    /// It could not run.
    pub fn report(&self, flags: &[String], progress: &mut dyn FnMut(u64)) -> Result<Option<Value>, Failure> {
        let mut command = self.command()?;
        command.arg("simulate").args(&self.flags).args(flags).arg("--json");
        let (status, out, err) = finished(&mut command, progress)
            .map_err(|error| Failure::unable(format_args!("a run could not be started: {error}")))?;
        if interrupt::is_asked() || status.code() == Some(Exit::Interrupted.code().into()) {
            return Ok(None);
        }
        // An invalid run ends with 2, and its report says why; without a report there was no run.
        serde_json::from_slice(&out).map(Some).map_err(|_| {
            let said = String::from_utf8_lossy(&err);
            Failure::unable(format_args!("a run came to nothing ({status}): {}", said.trim()))
        })
    }
}

/// Waits for a child and what it says, and tells `progress` of the time.
fn finished(
    command: &mut Command,
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let epoch = Epoch::start();
    thread::scope(|scope| {
        // Read as it comes: a pipe that is full would stop the run that is measured.
        let out = thread::Builder::new().spawn_scoped(scope, move || read(out));
        let err = thread::Builder::new().spawn_scoped(scope, move || read(err));
        let (Ok(out), Ok(err)) = (out, err) else {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(
                "no threads to read what it says; raise the limit of processes (`ulimit -u`)",
            ));
        };
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if interrupt::is_asked() {
                // It writes nothing but its report, which nobody wants any more.
                child.kill()?;
                break child.wait()?;
            }
            progress(epoch.now_us());
            epoch.sleep_until(epoch.now_us() + LOOK_US);
        };
        Ok((status, out.join().unwrap_or_default(), err.join().unwrap_or_default()))
    })
}

/// All that comes; what a broken pipe leaves is no report, and that is noticed.
fn read(from: Option<impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        drop(from.read_to_end(&mut bytes));
    }
    bytes
}

/// What a point is held against.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// Frame in to out at P99, milliseconds.
    FrameP99Ms(f64),
    /// The limits of the scene: what comes out are answers.
    Limits,
}

/// One run on the wall clock.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Sessions at once.
    pub sessions: u32,
    /// What was held against the bound, milliseconds: frame in to out, or speech end to response. Absent: nothing came out.
    pub p50_ms: Option<f64>,
    /// See `p50_ms`.
    pub p99_ms: Option<f64>,
    /// CPU time of the engine, as a share of one core.
    pub engine_cpu_ratio: f64,
    /// CPU time of the simulated callers, as a share of one core.
    pub generator_cpu_ratio: f64,
    /// How late the simulated callers were themselves.
    pub generator_late_p99_ms: f64,
    /// Frames dropped or refused.
    pub lost_frames: u64,
    /// Whether this many sessions hold.
    pub holds: bool,
    /// Why not; empty where it holds.
    pub why_not: String,
    /// Microseconds of CPU time of the engine for a second of a session.
    pub cpu_us_per_session_s: f64,
    /// Worker threads.
    pub threads: u64,
}

impl Point {
    /// From the report of a run.
    pub fn of(report: &Value, bound: Bound) -> Self {
        let number = |path: &str| path.split('.').fold(report, |at, key| &at[key]).as_f64();
        let name = match bound {
            Bound::FrameP99Ms(_) => "frame_in_to_out",
            Bound::Limits => "speech_end_to_response",
        };
        let latency = |quantile| number(&format!("latency_ms.{name}.{quantile}"));
        // An engine that cannot follow goes on when the callers have ended.
        let whole_s = number("wall_s").unwrap_or(0.0).max(number("duration_s").unwrap_or(0.0));
        let measured_s = whole_s - number("warm_up_s").unwrap_or(0.0);
        let share = |path| number(path).unwrap_or(0.0) / measured_s.max(1e-9);
        let dropped = report["frames"]["dropped"].as_object().into_iter().flat_map(|by| by.values());
        let lost_frames = dropped.filter_map(Value::as_u64).sum::<u64>()
            + report["frames"]["refused"].as_u64().unwrap_or(0);
        let sessions = report["sessions"].as_u64().unwrap_or(0) as u32;
        let mut point = Self {
            sessions,
            p50_ms: latency("p50"),
            p99_ms: latency("p99"),
            engine_cpu_ratio: share("cost.cpu_s"),
            generator_cpu_ratio: share("generator.cpu_s"),
            generator_late_p99_ms: number("generator.late_ms.p99").unwrap_or(0.0),
            lost_frames,
            holds: false,
            why_not: String::new(),
            cpu_us_per_session_s: share("cost.cpu_s") * 1e6 / f64::from(sessions.max(1)),
            threads: report["threads"].as_u64().unwrap_or(0),
        };
        point.why_not = point.failings(report, bound).join("; ");
        point.holds = point.why_not.is_empty();
        point
    }

    fn failings(&self, report: &Value, bound: Bound) -> Vec<String> {
        let mut failings = Vec::new();
        let late_ms = self.generator_late_p99_ms;
        match bound {
            Bound::FrameP99Ms(most_ms) => {
                if late_ms > most_ms / 2.0 {
                    failings.push(format!("the callers themselves were {late_ms:.1} ms late"));
                }
                match self.p99_ms {
                    None => failings.push("no frame came out".into()),
                    Some(p99_ms) if p99_ms > most_ms => failings.push(format!("P99 over {most_ms} ms")),
                    Some(_) => {}
                }
            }
            Bound::Limits => {
                let limits = || report["limits"].as_array().into_iter().flatten();
                let unmeasured = limits().any(|limit| limit["value"].is_null());
                if report["verdict"] == "invalid" && !unmeasured {
                    failings.push(format!("the callers themselves were {late_ms:.1} ms late"));
                }
                let missed = limits().filter(|limit| limit["ok"] == false);
                failings.extend(missed.filter_map(|limit| {
                    let what = if limit["value"].is_null() { "nothing to measure for" } else { "over" };
                    Some(format!("{what} {}", limit["name"].as_str()?))
                }));
            }
        }
        if self.lost_frames > 0 {
            failings.push(format!("{} frames dropped or refused", self.lost_frames));
        }
        if report["frames"]["balanced"] == false {
            failings.push("not every frame is accounted for".into());
        }
        failings
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        json!({
            "sessions": 10, "threads": 1, "duration_s": 10.0, "warm_up_s": 2.0, "verdict": "ok",
            "latency_ms": {"frame_in_to_out": {"p50": 1.0, "p99": 20.0}, "speech_end_to_response": {"p50": 200.0, "p99": 240.0}},
            "frames": {"dropped": {}, "refused": 0, "balanced": true},
            "limits": [{"name": "premature_ratio", "value": 0.1, "ok": true}],
            "cost": {"cpu_s": 4.0}, "generator": {"cpu_s": 0.8, "late_ms": {"p99": 0.5}},
        })
    }

    #[test]
    fn shares_are_of_what_was_measured() {
        let point = Point::of(&report(), Bound::FrameP99Ms(50.0));
        assert!(point.holds, "{point:?}");
        assert_eq!((point.engine_cpu_ratio, point.generator_cpu_ratio), (0.5, 0.1));
        assert_eq!(point.cpu_us_per_session_s, 50_000.0);
        assert_eq!(Point::of(&report(), Bound::Limits).p99_ms, Some(240.0));
    }

    #[test]
    fn every_way_not_to_hold_is_named() {
        let frames = Bound::FrameP99Ms(50.0);
        let cases = [
            ("/latency_ms/frame_in_to_out/p99", json!(50.1), frames, "P99 over 50 ms"),
            ("/latency_ms/frame_in_to_out", Value::Null, frames, "no frame came out"),
            ("/generator/late_ms/p99", json!(25.1), frames, "the callers themselves were 25.1 ms late"),
            ("/frames/dropped", json!({"full": 3}), frames, "3 frames dropped or refused"),
            ("/frames/refused", json!(2), Bound::Limits, "2 frames dropped or refused"),
            ("/frames/balanced", json!(false), frames, "not every frame is accounted for"),
            ("/verdict", json!("invalid"), Bound::Limits, "the callers themselves were 0.5 ms late"),
            ("/limits/0/ok", json!(false), Bound::Limits, "over premature_ratio"),
            (
                "/limits/0",
                json!({"name": "premature_ratio", "value": null, "ok": false}),
                Bound::Limits,
                "nothing to measure for premature_ratio",
            ),
        ];
        for (path, value, bound, want) in cases {
            let mut broken = report();
            *broken.pointer_mut(path).expect("the report has it") = value;
            let point = Point::of(&broken, bound);
            assert_eq!((point.holds, point.why_not.as_str()), (false, want), "{path}");
        }
    }
}
