//! `bench`: what it says, in which form, with which exit code. What it measures is the machine's, and no test's.

#![allow(clippy::print_stdout, reason = "what the tests share prints")]

mod support;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use clap::Parser as _;
use mynah::args::Cli;
use serde_json::Value;
use support::program::{number, simulate};

fn mynah(line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line.split(' '))
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (status.code(), text(stdout), text(stderr))
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_claim_has_its_figure_its_baseline_and_a_command_that_can_be_typed() {
    let (code, out, err) = mynah("bench --quick --json");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let told = object(&out);
    assert_eq!((&told["schema"], &told["quick"]), (&1.into(), &true.into()));
    assert!(number(&told, "machine.cores") >= 1.0 && told["machine"]["cpu_features"].is_array(), "{told}");
    let claims = told["claims"].as_array().expect("there are claims");
    let names: BTreeSet<&str> = claims.iter().filter_map(|claim| claim["name"].as_str()).collect();
    assert_eq!(names.len(), claims.len(), "names are not unique");
    for name in
        ["vad_batch_1", "vad_batch_32", "passthrough_500", "gate_10_ms", "metrics", "resampling_delay"]
    {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    for claim in claims {
        let (ours, baseline) = (number(claim, "ours"), claim["baseline"].as_f64());
        assert!(ours > 0.0, "{claim}");
        let want = baseline
            .map(|baseline| if claim["better"] == "lower" { baseline / ours } else { ours / baseline });
        assert_eq!(claim["ratio"].as_f64().is_some(), want.is_some(), "{claim}");
        if let (Some(ratio), Some(want)) = (claim["ratio"].as_f64(), want) {
            assert!((ratio / want - 1.0).abs() < 1e-9, "{claim}");
        }
        let against = claim["against"].as_str().expect("it says against what");
        assert_eq!(against.contains("baseline not installed"), baseline.is_none(), "{claim}");
        let command = claim["command"].as_str().expect("it says how to show it");
        let typed = command.starts_with("mynah ").then(|| Cli::try_parse_from(command.split(' ')));
        assert!(
            typed.map_or(command.starts_with("cargo bench --bench "), |parsed| parsed.is_ok()),
            "{command}"
        );
    }
    // The resampler's delay is counted in samples: exact on every machine.
    let delay = claims.iter().find(|claim| claim["name"] == "resampling_delay").expect("it was listed");
    assert!(number(delay, "ours") < 5.0 && number(delay, "baseline") > 15.0, "{delay}");
}

#[test]
fn the_claims_for_people_name_the_machine_and_every_command() {
    let (code, out, _) = mynah("bench --quick");
    assert_eq!(code, Some(0), "{out}");
    for part in ["load average before", "baseline not installed", "shown by: cargo bench --bench vad_batch"] {
        assert!(out.contains(part), "{part:?} is not in\n{out}");
    }
}

#[test]
fn a_scene_that_holds_ends_at_the_most_that_may_be_tried() {
    let (code, out, err) = mynah("bench capacity passthrough --max 2 --seconds 1 --p99-ms 60000 --json");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let told = object(&out);
    assert_eq!((&told["schema"], &told["sessions"]), (&1.into(), &2.into()), "{told}");
    assert_eq!(told["fails_at"], Value::Null, "{told}");
    assert_eq!((number(&told, "seconds"), number(&told, "warm_up_s")), (1.0, 0.25));
    let points = told["points"].as_array().expect("there are points");
    let last = points.last().expect("one was measured");
    assert_eq!(
        (&last["sessions"], &last["holds"], &last["lost_frames"]),
        (&2.into(), &true.into(), &0.into())
    );
    for figure in ["p50_ms", "p99_ms", "engine_cpu_ratio", "generator_cpu_ratio", "generator_late_p99_ms"] {
        assert!(number(last, figure) >= 0.0, "{figure}: {last}");
    }
    for figure in ["cpu_us_per_session_s", "session_s_per_cpu_s", "bytes_per_session", "threads"] {
        assert!(number(&told, figure) > 0.0, "{figure}: {told}");
    }
}

#[test]
fn a_point_that_fails_is_tried_once_more_and_none_that_holds_ends_with_one() {
    // Nobody wakes up within 10 us at P99.
    let line = "bench capacity passthrough --max 1 --seconds 1 --p99-ms 0.01";
    let (code, out, _) = mynah(&format!("{line} --json"));
    let told = object(&out);
    assert_eq!((code, &told["sessions"], &told["fails_at"]), (Some(1), &0.into(), &1.into()), "{told}");
    let points = told["points"].as_array().expect("there are points");
    assert_eq!(points.len(), 2, "{told}");
    let why = points[0]["why_not"].as_str().expect("it says why");
    assert!(why.contains("P99 over 0.01 ms"), "{why}");
    let (code, out, _) = mynah(line);
    assert!(code == Some(1) && out.contains("not even one session holds"), "{out}");
}

#[test]
fn where_answers_come_out_the_limits_decide() {
    let (code, out, _) = mynah("bench capacity voice_assistant --max 1 --seconds 1 --json");
    let told = object(&out);
    assert_eq!((&told["decided_by"], number(&told, "warm_up_s")), (&"limits".into(), 7.0), "{told}");
    // Whether one caller was answered in time is the machine's.
    let held = told["sessions"] == 1;
    assert_eq!(code, Some(i32::from(!held)), "{told}");
}

#[test]
fn what_cannot_be_measured_ends_with_its_reason() {
    let cases = [
        ("bench capacity nobody", 2, "no such scene"),
        ("bench capacity gate_only --set gate.threshold=7", 1, "gate.threshold"),
        ("bench capacity passthrough --p99-ms 0", 2, "expected 0.01 to 60000 milliseconds"),
        ("bench capacity passthrough --seconds 0", 2, "expected 1 to 3600 seconds"),
        ("bench capacity passthrough --max 20001", 2, "expected 1 to 20000 sessions"),
        ("bench capacity passthrough --core last", 2, "counted from 0"),
        // There is no such core, or no taskset.
        ("bench capacity passthrough --core 99999", 2, "--core 99999: "),
        ("bench capacity remote_consumer", 2, "expected a scene without a link"),
        ("bench --quick capacity passthrough", 2, "--quick"),
        ("simulate passthrough --duration 2s --warm-up 2s", 2, "expected less than --duration"),
        ("simulate remote_consumer --sessions 1 --duration 2s --warm-up 1s", 2, "not for scenes with a link"),
        ("simulate passthrough --warm-up 1s --faults chaos", 2, "--warm-up"),
    ];
    let mut wrong = Vec::new();
    for (line, want, part) in cases {
        let (code, out, err) = mynah(line);
        if code != Some(want) || !err.contains(part) || !out.is_empty() {
            wrong.push(format!("mynah {line}: {code:?}\n{out}{err}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_warm_up_leaves_latencies_out_and_nothing_else() {
    let line = ["voice_assistant", "--sessions", "12", "--duration", "40s"];
    let (whole, warm) = (simulate(&line), simulate(&[&line[..], &["--warm-up", "20s"]].concat()));
    for same in ["event_hash", "frames", "segments", "turns"] {
        assert_eq!(whole[same], warm[same], "{same}");
    }
    assert_eq!((number(&whole, "warm_up_s"), number(&warm, "warm_up_s")), (0.0, 20.0));
    for latency in
        ["speech_end_to_response", "speech_start_to_forward", "silence_to_processing", "speech_to_silence"]
    {
        let count = |report| number(report, &format!("latency_ms.{latency}.count"));
        let (all, counted) = (count(&whole), count(&warm));
        assert!(counted > 0.2 * all && counted < 0.8 * all, "{latency}: {counted} of {all}");
    }
    let ticks = |report| number(report, "tick_stats.work_us.count");
    assert!(ticks(&warm) < ticks(&whole) - 1_000.0, "{} of {}", ticks(&warm), ticks(&whole));
}
