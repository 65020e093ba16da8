//! What an audio callback calls makes no system call: ten thousand pushes and reads under strace, between two lines.

#![cfg(target_os = "linux")]

#[path = "support/given.rs"]
mod given;

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/audio_calls.rs"]
mod audio_calls;

use std::fs;
use std::path::Path;
use std::process::Command;

use audio_calls::{BEGIN, END};
use given::{Skip, program};

/// What the test below starts under strace.
#[test]
fn the_calls() {
    audio_calls::play(false);
    audio_calls::play(true);
}

/// The calls of the thread that wrote `from`, up to its `to`; each line begins with the thread.
fn between<'a>(log: &'a str, from: &str, to: &str) -> Vec<Vec<&'a str>> {
    let (mut found, mut thread) = (Vec::new(), None);
    for line in log.lines() {
        let of = line.split_whitespace().next();
        let is = |mark: &str| line.contains("write(1") && line.contains(mark);
        if thread.is_none() && is(from) {
            thread = of;
            found.push(Vec::new());
        } else if thread == of && is(to) {
            thread = None;
        } else if let (true, Some(calls)) = (thread == of, found.last_mut()) {
            calls.push(line);
        }
    }
    assert!(thread.is_none(), "{to:?} was never written:\n{log}");
    found
}

#[test]
fn pushes_and_reads_make_no_system_call() {
    let Some(strace) = program(&["strace"]) else { return };
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audio_ends_calls.strace");
    let own = std::env::current_exe().expect("a test is a program");
    let done = Command::new(strace)
        .args(["-f", "-o"])
        .arg(&log)
        .arg(own)
        .args(["--exact", "the_calls", "--nocapture"])
        .output()
        .expect("strace starts");
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() && said.contains("ptrace") {
        return Skip::Unusable("strace", format!("it may not trace here: {said}")).say();
    }
    assert!(done.status.success(), "{said}");
    let log = fs::read_to_string(log).expect("strace wrote it");
    let found = between(&log, BEGIN, END);
    assert_eq!(found.len(), 2, "f32 and i16 were called:\n{log}");
    let calls: Vec<&str> = found.into_iter().flatten().collect();
    assert!(calls.is_empty(), "{} system calls:\n{}", calls.len(), calls.join("\n"));
}
