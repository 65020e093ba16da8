//! A machine that has no thread left: whatever needs one says so, and nothing panics.
//!
//! No thread starts in a process whose `RUST_MIN_STACK` fits into no memory; so this program runs itself, and `mynah`, with
//! that. It has no harness, which would want threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mynah_engine::{Engine, EngineConfig};
use mynah_load::load::bank::{Bank, BankConfig};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Options, RunClock, Simulation};

/// 128 TiB a thread: more than a process can address.
const STACK: (&str, &str) = ("RUST_MIN_STACK", "140737488355328");

/// Lines of mynah that need threads.
const LINES: &[&str] = &[
    "simulate gate_only --sessions 2 --duration 1s",
    "simulate gate_only --sessions 2 --duration 1s --clock wall",
    "simulate remote_consumer --sessions 2 --duration 1s --clock wall",
    "simulate gate_only --sessions 2 --duration 1s --load labels.jsonl --threads 2",
    "simulate gate_only --sessions 2 --duration 1s --faults chaos",
    "simulate gate_only --sessions 2 --duration 1s --metrics 127.0.0.1:0",
    "run gate_only --input said.wav",
    "bench capacity gate_only --duration 1s",
];

const LABELS: &str =
    r#"{"file": "said.wav", "segments": [{"start_ms": 0, "end_ms": 500, "kind": "utterance"}]}"#;

struct Nobody;

impl Observer for Nobody {}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_threads")
}

fn main() {
    if std::env::var(STACK.0).as_deref() == Ok(STACK.1) {
        return inside();
    }
    fs::create_dir_all(folder()).expect("the target folder can be written");
    fs::write(folder().join("labels.jsonl"), LABELS).expect("the folder can be written");
    mynah_load::wav::write(&folder().join("said.wav"), 16_000, 1, &[0.1; 16_000])
        .expect("the folder can be written");
    let me = std::env::current_exe().expect("it runs");
    let inside = Command::new(me).env(STACK.0, STACK.1).status().expect("it starts");
    assert!(inside.success(), "inside: {inside}");
    lines();
}

/// What the library says. A clear word is one that names the remedy.
fn inside() {
    assert!(std::thread::Builder::new().spawn(|| {}).is_err(), "no thread can be had here");
    let (plan, _) = scenes::compile("gate_only", &[], None, None).expect("it is sound");
    let engine =
        |threads| Engine::try_new(Arc::clone(&plan), EngineConfig { threads, ..EngineConfig::simulated() });
    let mut alone = engine(1).expect("the caller's thread is there");
    alone.tick(5_000);
    assert_eq!(alone.now_us(), 5_000);
    for threads in [2, 64] {
        let refused = engine(threads).err().expect("there are no threads");
        let said = refused.to_string();
        assert!(refused.wanted == threads && said.contains("ulimit -u"), "{threads}: {said}");
    }
    for _ in 0..2 {
        let refused = Bank::build(BankConfig { clips: 1, ..BankConfig::default() }, &|_, _| {});
        let said = refused.expect_err("there are no threads").to_string();
        assert!(said.contains("no threads") && said.contains("ulimit -u"), "{said}");
    }
    for (clock, threads) in [(RunClock::Wall, 1), (RunClock::Virtual, 2)] {
        let recordings = Some(folder().join("labels.jsonl"));
        let plain = Options::in_virtual_time(2, 1_000_000, 1);
        let options = Options { clock, threads, recordings, ..plain };
        let script = Arc::new(CallerScript::default());
        let refused = Simulation::new(Arc::clone(&plan), &script, options, &mut Nobody);
        let said = refused.err().expect("there are no threads");
        assert!(said.contains("ulimit -u"), "{clock:?}, {threads} threads: {said}");
    }
}

/// What the program says.
fn lines() {
    let mut failed = Vec::new();
    for line in LINES {
        let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
        let mynah = mynah.args(line.split(' ')).current_dir(folder());
        let out = mynah.env(STACK.0, STACK.1).output().expect("it starts");
        let said = String::from_utf8_lossy(&out.stderr);
        let is_clear = said.starts_with("error: ") && !said.contains("panicked");
        if out.status.code() != Some(2) || !is_clear || !out.stdout.is_empty() {
            failed.push(format!("{line}: {:?} {said}", out.status.code()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
