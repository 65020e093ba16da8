//! Ctrl-C at any moment: the verdict and the files so far, marked; a kill at any moment: the old files.
//!
//! A moment is a size that the event log has grown to under its temporary name, so that no clock decides where in the
//! run it falls.
#![allow(clippy::disallowed_methods, reason = "waits for another process")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::place::{Folder, none, said};

/// Bytes of the event log at which a signal is sent: as soon as it is opened, with its first block, and later.
const MOMENTS: [u64; 10] = [0, 1, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000];
/// Milliseconds that a file has for it: minutes, so that only a program that writes elsewhere takes so long.
const PATIENCE: u32 = 400_000;
const OLD: &[u8] = b"yesterday's report\n";
const RUN: &str =
    "simulate gate_only --sessions 4 --duration 24h --set limits=() --threads 1 --events log --html page";

fn signal(child: &Child, name: &str) {
    let line = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &line]).status().expect("there is a shell").success(), "{line}");
}

fn start(folder: &Folder, line: &str) -> Child {
    folder.mynah(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program was built")
}

/// Waits until the first file that a process writes has grown to a size; false: the process has ended before.
fn grown(folder: &Folder, child: &mut Child, bytes: u64) -> bool {
    let draft = folder.at(format!(".mynah-{}-0.part", child.id()));
    for _ in 0..PATIENCE {
        if fs::metadata(&draft).is_ok_and(|found| found.len() >= bytes) {
            return true;
        }
        if child.try_wait().expect("it is my child").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it is my child");
    false
}

/// The last line of a log.
fn end(folder: &Folder, name: &str) -> Value {
    let text = folder.text(name);
    assert!(text.ends_with('\n'), "{name} is cut off");
    serde_json::from_str(text.lines().last().unwrap_or_default()).expect("a line is JSON")
}

/// What is wrong with the files after an interruption.
fn incomplete(folder: &Folder) -> Option<String> {
    let (end, page) = (end(folder, "log"), folder.text("page"));
    let lines = folder.text("log").lines().count();
    let fine = end["event"] == "end" && end["lines"] == lines && end["interrupted"] == true;
    if fine && page.trim_end().ends_with("</html>") && page.contains("interrupted after ") {
        return None;
    }
    Some(format!("{lines} lines, last {end}; page of {} bytes", page.len()))
}

#[test]
fn an_interruption_replaces_the_files_with_what_there_is_so_far() {
    let folder = Folder::new("int");
    let mut failed = Vec::new();
    for bytes in MOMENTS {
        folder.put("log", OLD);
        folder.put("page", OLD);
        let mut child = start(&folder, RUN);
        let grew = grown(&folder, &mut child, bytes);
        signal(&child, "INT");
        let (code, out, err) = said(child.wait_with_output().expect("it ends"));
        // Before the run has begun there is nothing that could replace anything.
        let untouched = bytes == 0 && folder.get("log") == OLD && folder.get("page") == OLD && out.is_empty();
        let wrong = if untouched { None } else { incomplete(&folder) };
        let told = untouched || (out.contains("interrupted after ") && out.contains("verdict: "));
        if !grew || code != Some(130) || wrong.is_some() || !told || !folder.drafts().is_empty() {
            failed.push(format!(
                "INT at {bytes} bytes: {code:?} {wrong:?} {:?} {err}\n{out:.200}",
                folder.drafts()
            ));
        }
    }
    none(failed);
    let out = folder.done("replay log");
    assert!(out.starts_with("identical"), "{out}");
}

#[test]
fn a_kill_leaves_the_old_files() {
    let folder = Folder::new("kill");
    folder.put("log", OLD);
    folder.put("page", OLD);
    let mut failed = Vec::new();
    for bytes in MOMENTS {
        let mut child = start(&folder, RUN);
        let grew = grown(&folder, &mut child, bytes);
        signal(&child, "KILL");
        let (code, out, _) = said(child.wait_with_output().expect("it ends"));
        if !grew || code.is_some() || folder.get("log") != OLD || folder.get("page") != OLD || !out.is_empty()
        {
            failed.push(format!("KILL at {bytes} bytes: {code:?} {out}"));
        }
    }
    none(failed);
    // What the killed have left behind is in nobody's way.
    assert!(!folder.drafts().is_empty());
    folder.done("simulate gate_only --sessions 2 --duration 2s --set limits=() --events log");
    assert_eq!(end(&folder, "log")["interrupted"], Value::Null);
}

#[test]
fn a_politer_kill_is_an_interruption() {
    let folder = Folder::new("term");
    let mut child = start(&folder, RUN);
    assert!(grown(&folder, &mut child, 10_000));
    signal(&child, "TERM");
    let (code, _, err) = said(child.wait_with_output().expect("it ends"));
    assert_eq!((code, incomplete(&folder)), (Some(130), None), "{err}");
}

/// Whether every thread of a process sleeps, and went on sleeping for a while.
#[cfg(target_os = "linux")]
fn asleep(child: &Child) -> bool {
    let states = || -> Vec<char> {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).expect("it runs");
        let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        stats.filter_map(|stat| stat.rsplit(") ").next()?.chars().next()).collect()
    };
    (0..40).all(|_| {
        std::thread::sleep(Duration::from_millis(10));
        states().iter().all(|state| *state == 'S')
    })
}

/// The log goes into a pipe that nobody reads, so the first interruption never comes to its end.
#[test]
#[cfg(target_os = "linux")]
fn the_second_interruption_ends_the_program_and_leaves_nothing_behind() {
    let folder = Folder::new("twice");
    folder.put("page", OLD);
    let line = RUN.replace("--events log", "--events /dev/stdout");
    let child = start(&folder, &line);
    while folder.drafts().is_empty() || !asleep(&child) {}
    signal(&child, "INT");
    while !asleep(&child) {}
    assert!(!folder.drafts().is_empty(), "the page is not written yet");
    signal(&child, "INT");
    let (code, _, err) = said(child.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("once more"), "{err}");
    assert!(folder.get("page") == OLD && folder.drafts().is_empty(), "{:?}", folder.drafts());
}

#[test]
fn on_the_wall_clock_it_is_the_same() {
    let folder = Folder::new("wall");
    let mut long = Vec::new();
    (0..30).for_each(|_| {
        long.extend(mynah_load::wav::read(&folder.at("said.wav")).expect("it is there").samples)
    });
    mynah_load::wav::write(&folder.at("long.wav"), 16_000, 1, &long).expect("the folder can be written");
    let files = "--vad-trace trace --events log --html page --json";
    let recorded = "run voice_assistant --wall --input long.wav long.wav long.wav long.wav --output .";
    for line in [
        format!("{recorded} {files}")
            .replace("--vad-trace trace --events log", "--events log --vad-trace trace"),
        format!("simulate gate_only --clock wall --sessions 8 --duration 1h --set limits=() {files}"),
        format!("simulate remote_consumer --clock wall --sessions 8 --duration 1h --set limits=() {files}"),
    ] {
        ["log", "page", "trace", "long.out.wav"].iter().for_each(|name| folder.put(name, OLD));
        let child = start(&folder, &line);
        // A block of the log or the trace means that the run has begun.
        let begun = || {
            let drafts = folder.drafts();
            drafts.iter().any(|name| fs::metadata(folder.at(name)).is_ok_and(|found| found.len() > 0))
        };
        while !begun() {
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(&child, "INT");
        let (code, out, err) = said(child.wait_with_output().expect("it ends"));
        assert_eq!((code, incomplete(&folder)), (Some(130), None), "{line}: {err}");
        assert!(folder.drafts().is_empty() && folder.text("trace").ends_with("}\n"), "{line}");
        let report: Value = serde_json::from_str(&out).expect("one JSON object");
        let after_s = report["interrupted"]["after_s"].as_f64().unwrap_or_else(|| panic!("{line}: {out}"));
        assert!(after_s > 0.0 && report["interrupted"]["of_s"].as_f64() > Some(after_s), "{line}: {out}");
        if line.starts_with("run") {
            let heard_s = report["sessions"][0]["seconds"].as_f64().expect("a number");
            assert!((heard_s - after_s).abs() < 2.0, "{out}");
            assert!(folder.get("long.out.wav").starts_with(b"RIFF"));
        } else {
            assert_eq!(report["frames"]["balanced"], true, "{line}: {out}");
            assert_eq!(report["segments"]["open_at_end"], 0, "{line}: {out}");
        }
    }
}

#[test]
fn a_faulted_run_is_cut_where_it_is_and_replays() {
    let folder = Folder::new("faulted");
    let line = "simulate voice_assistant --faults chaos --sessions 3 --duration 1h --events log --json";
    let mut child = start(&folder, line);
    assert!(grown(&folder, &mut child, 200_000));
    signal(&child, "INT");
    let (code, out, err) = said(child.wait_with_output().expect("it ends"));
    let report: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((code, &report["verdict"]), (Some(130), &"ok".into()), "{err} {out}");
    assert!(report["interrupted"]["after_s"].as_f64() < Some(3_600.0), "{out}");
    assert_eq!(end(&folder, "log")["interrupted"], true);
    let out = folder.done("replay log");
    assert!(out.starts_with("identical"), "{out}");
}

#[test]
fn seeds_and_capacity_say_what_they_know_so_far() {
    let folder = Folder::new("so_far");
    for line in [
        "simulate passthrough --sessions 1 --duration 1s --seeds 1..1000000 --json",
        "simulate passthrough --sessions 1 --duration 1s --seeds 1..1000000 --faults network --json",
        "bench capacity passthrough --max 2 --seconds 60 --json",
    ] {
        let child = start(&folder, line);
        std::thread::sleep(Duration::from_secs(3));
        signal(&child, "INT");
        let (code, out, err) = said(child.wait_with_output().expect("it ends"));
        // Nothing was known yet: on a machine that has other things to do.
        if out.is_empty() && code.is_none_or(|code| code == 130) {
            continue;
        }
        let report: Value = serde_json::from_str(&out).expect("one JSON object");
        assert_eq!((code, &report["interrupted"]), (Some(130), &true.into()), "{line}: {err} {out}");
        assert!(report["runs"].as_array().is_none_or(|runs| runs.len() < 1_000_000));
    }
}

#[test]
fn an_interrupted_run_is_no_baseline() {
    let folder = Folder::new("baseline");
    folder.put("kept", OLD);
    let mut child = start(&folder, &format!("{RUN} --save-baseline kept"));
    assert!(grown(&folder, &mut child, 10_000));
    signal(&child, "INT");
    let (code, _, err) = said(child.wait_with_output().expect("it ends"));
    assert!(code == Some(130) && err.contains("not kept as a baseline"), "{code:?} {err}");
    assert_eq!(folder.get("kept"), OLD);
}
