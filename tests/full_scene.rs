//! The scene `full` shows what it says: everything that a scene can say is in it, and in a run all of it acts.

#![allow(
    clippy::print_stdout,
    reason = "what the shared parts skip is printed for whoever runs this with --nocapture"
)]

mod support;

use std::process::Command;

use mynah_sim::scenes::SHIPPED;
use serde_json::Value;
use support::program::{number, simulate};

/// What a scene can say.
const SAID: [&str; 26] = [
    "Pass(",
    "Resample(",
    "VadGate(",
    "task: Transcribe",
    "task: Reply",
    "task: Synthesize",
    "TextCollector(",
    "Throttle(",
    "SimulatedTranscript",
    "ScriptedReply(",
    "FliteVoice(",
    "DropOldest",
    "DropNewest",
    "Block",
    "MergeOnOverflow",
    "ConcatenateText(",
    "ConcatenateAudio(",
    "batch_window_ms:",
    "piece_ms:",
    "runway_ms:",
    "interrupt_min_ms:",
    "policy: Warn",
    "policy: GrowBatch(",
    "policy: LowerQuality",
    "policy: SkipOptional",
    "metrics: (enabled: true",
];

fn text() -> &'static str {
    SHIPPED.iter().find(|(name, _)| *name == "full").expect("it is shipped").1
}

fn node<'a>(report: &'a Value, id: &str) -> &'a Value {
    let nodes = report["nodes"].as_array().expect("a report has nodes");
    nodes.iter().find(|node| node["id"] == id).unwrap_or_else(|| panic!("no node {id}"))
}

#[test]
fn everything_that_a_scene_can_say_is_in_it() {
    // Comments do not count.
    let lines = text().lines().filter(|line| !line.trim_start().starts_with("//"));
    let scene: String = lines.collect::<Vec<_>>().join("\n");
    let missing: Vec<&str> = SAID.into_iter().filter(|said| !scene.contains(said)).collect();
    assert!(missing.is_empty(), "scenes/full.ron does not say {missing:?}");
    let head = text().lines().take(3).collect::<Vec<_>>().join(" ");
    assert!(head.contains("simulated"), "the first lines do not say what is simulated: {head}");
}

#[test]
fn all_of_it_acts_and_its_limits_hold() {
    let report = simulate(&["full", "--sessions", "100", "--duration", "20s"]);
    let mut wrong = Vec::new();
    let mut wants = |what: &str, is: bool| {
        if !is {
            wrong.push(what.to_owned());
        }
    };
    wants("all limits hold", report["verdict"] == "ok");
    for (id, merge) in [("asr", "audio"), ("tts", "text")] {
        let batch = &node(&report, id)["batch"];
        wants(&format!("{merge} of one session became one at {id}"), batch["merged"].as_u64() > Some(0));
        wants(&format!("{id} had batches"), number(batch, "size_mean") > 1.0);
        let balance = number(batch, "offered_per_s") * 20.0;
        let settled = number(batch, "size_mean") * number(batch, "count") + number(batch, "merged");
        // What waits at the end, and what was taken back before it went.
        wants(&format!("{id}: {balance} items asked for, {settled} went or became one"), settled <= balance);
    }
    wants("a deadline came near", node(&report, "asr")["deadlines_near"].as_u64() > Some(0));
    wants("answers were interrupted", number(&report, "turns.interrupted") > 0.0);
    wants("captions left", node(&report, "captions")["out"].as_u64() > Some(0));
    for (id, policy) in [
        ("level", "DropOldest"),
        ("captions", "DropNewest"),
        ("text_collector", "Block"),
        ("asr", "MergeOnOverflow"),
        ("tts", "MergeOnOverflow"),
    ] {
        let is = &node(&report, id)["queue"]["overflow"];
        wants(&format!("{id}: {policy}, not {is}"), is == policy);
    }
    assert!(wrong.is_empty(), "mynah simulate full --sessions 100 --duration 20s\n{}", wrong.join("\n"));
}

#[test]
fn its_metrics_are_served_and_all_invariants_hold() {
    let flags = ["simulate", "full", "--sessions", "6", "--duration", "12s", "--check"];
    let done = Command::new(env!("CARGO_BIN_EXE_mynah")).args(flags).output().expect("the program starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("metrics at http://127.0.0.1:"), "{said}");
    assert!(said.contains("all hold"), "{said}");
}

/// What it merges is what it says: without the merge there are as many items as were asked for.
#[test]
fn without_the_merge_nothing_becomes_one() {
    let sets = ["--set", "asr.buffering.merge=KeepSeparate", "--set", "tts.buffering.merge=KeepSeparate"];
    let report = simulate(&[&["full", "--sessions", "40", "--duration", "12s"][..], &sets].concat());
    for id in ["asr", "tts"] {
        assert_eq!(node(&report, id)["batch"]["merged"], 0, "{id}");
    }
}
