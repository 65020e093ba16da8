//! The success criteria that virtual time can show, one test a criterion, through the command line. Where each figure
//! comes from and where we deviate: docs/success-criteria.md.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::process::Command;

use mynah_systems::dsp::resampler::{Kernel, Mode, Quality, ResampleSpec, build};
use serde_json::Value;
use support::given;
use support::program::{number, simulate};

fn node<'a>(report: &'a Value, id: &str) -> &'a Value {
    let nodes = report["nodes"].as_array().expect("a report has nodes");
    nodes.iter().find(|node| node["id"] == id).unwrap_or_else(|| panic!("no node {id}"))
}

const BRIEF: [&str; 4] = ["--sessions", "100", "--duration", "20s"];

#[test]
fn sc_001_the_response_starts_within_250_ms_with_100_sessions() {
    let report = simulate(&["voice_assistant", "--sessions", "100", "--duration", "30s"]);
    let p99 = number(&report, "latency_ms.speech_end_to_response.p99");
    let premature = number(&report, "turns.premature_ratio");
    let count = number(&report, "latency_ms.speech_end_to_response.count");
    println!("P99 {p99} ms over {count} answers, {premature} premature");
    assert!(count > 100.0 && p99 < 250.0, "P99 {p99} ms over {count} answers");
    assert!(premature < 0.4, "bought by answering in mid-sentence: {premature}");
    assert_eq!(report["verdict"], "ok");
}

#[test]
fn sc_002_speculation_takes_50_ms_off_the_response() {
    let sets = [BRIEF.as_slice(), &["--set", "gate.speculate=false"]].concat();
    let (with, without) = (
        simulate(&[["voice_assistant"].as_slice(), &BRIEF].concat()),
        simulate(&[&["voice_assistant"], &*sets].concat()),
    );
    for name in ["speech_end_to_response", "speech_start_to_forward"] {
        let gain = |q| {
            number(&without, &format!("latency_ms.{name}.{q}"))
                - number(&with, &format!("latency_ms.{name}.{q}"))
        };
        println!("{name}: {:.0} ms at P50, {:.0} ms at P95", gain("p50"), gain("p95"));
        assert!(gain("p50") >= 50.0 && gain("p95") >= 50.0, "{name}: {} and {}", gain("p50"), gain("p95"));
    }
}

#[test]
fn sc_003_batches_carry_a_third_more_at_more_than_50_requests_a_second() {
    let run = |sets: &[&str]| simulate(&[&["batched_tts"], &BRIEF[..], sets].concat());
    let (batched, alone) = (run(&[]), run(&["--set", "tts.buffering.max_batch_size=1"]));
    let figure = |report: &Value, name: &str| number(node(report, "tts"), name);
    let gain = figure(&batched, "batch.items_per_s") / figure(&alone, "batch.items_per_s");
    let (offered, p95) = (figure(&batched, "batch.offered_per_s"), figure(&batched, "latency_ms.p95"));
    println!("{offered:.1} requests a second, x{gain:.2}, P95 {p95} ms");
    assert!(offered > 50.0 && gain >= 1.3 && p95 < 300.0, "{offered} a second, x{gain}, P95 {p95} ms");
}

/// From a decision to the tick in which the last consumer acted on it, over a link with this delay, jitter and share of
/// losses: P95 and P99 in milliseconds. Ticks come every 5 ms, and what is lost is sent again after 50 ms.
fn control_ms(delay_ms: u32, jitter_ms: u32, loss: f64) -> (f64, f64) {
    let link = [
        ("delay_ms", f64::from(delay_ms)),
        ("jitter_ms", f64::from(jitter_ms)),
        ("loss", loss),
        ("reorder", 0.0),
    ];
    let sets = link.map(|(name, value)| format!("transports.0.{name}={value}"));
    let mut arguments = vec!["remote_consumer", "--sessions", "20", "--duration", "20s"];
    sets.iter().for_each(|set| arguments.extend(["--set", set]));
    let report = simulate(&arguments);
    let figure = |name: &str| number(&report, &format!("latency_ms.control_to_last_consumer.{name}"));
    let (p95, p99, count) = (figure("p95"), figure("p99"), figure("count"));
    let retried = number(&report, "remote.messages.retried");
    println!("{link:?}: P95 {p95} ms, P99 {p99} ms over {count} messages, {retried} sent again");
    assert!(count > 1_000.0, "{count} messages");
    assert_eq!(retried > 0.0, loss > 0.0, "{retried} messages sent again");
    (p95, p99)
}

#[test]
fn sc_004_a_control_message_reaches_the_last_consumer_within_10_ms() {
    // Nothing lies between: in the tick of the decision. One tick later would be 5 ms.
    let (p95, p99) = control_ms(0, 0, 0.0);
    assert!(p95 < 1.0 && p99 < 1.0, "P95 {p95} ms, P99 {p99} ms in process");
    // 2 to 5 ms away: with the next tick. One in 33 is lost, less than what P95 leaves out and more than what P99 does.
    let (p95, p99) = control_ms(2, 3, 0.03);
    assert!(p95 < 10.0, "P95 {p95} ms over a link of 2 to 5 ms");
    assert!((50.0..70.0).contains(&p99), "P99 {p99} ms: lost once, sent again after 50 ms");
    // A link that takes a tick more does not meet it, nor one that loses more than one in twenty.
    for (delay_ms, loss) in [(6, 0.03), (2, 0.1)] {
        let (p95, _) = control_ms(delay_ms, 3, loss);
        assert!(p95 >= 10.0, "P95 {p95} ms over a link that is too slow: the criterion cannot fail");
    }
}

#[test]
fn sc_005_the_streaming_resampler_is_15_ms_ahead_of_fixed_chunks() {
    let p95_ms = |mode| {
        let (from_hz, to_hz) = (48_000, 16_000);
        let spec = ResampleSpec {
            from_hz,
            to_hz,
            channels: 1,
            quality: Quality::Standard,
            mode,
            kernel: Kernel::Auto,
        };
        let mut resampler = build(spec).expect("both rates are within range");
        let (mut output, silence) = (Vec::new(), [0.0; 2048]);
        let mut ages: Vec<f64> = (0..1_000_usize)
            .map(|push| {
                output.clear();
                // 64 to 2048 frames, all sizes about equally often.
                resampler.push(&silence[..64 + push * 1_103 % 1_985], &mut output);
                let frames = resampler.frames();
                1e3 * (frames.consumed as f64 / f64::from(from_hz) - frames.emitted as f64 / f64::from(to_hz))
            })
            .collect();
        ages.sort_by(f64::total_cmp);
        ages[950]
    };
    let (streaming, fixed) = (p95_ms(Mode::Streaming), p95_ms(Mode::FixedChunk { frames: 1024 }));
    println!("streaming {streaming:.1} ms, chunks of 1024 {fixed:.1} ms");
    assert!(fixed - streaming >= 15.0, "streaming {streaming} ms, fixed {fixed} ms");
}

#[test]
fn sc_006_fewer_than_5_percent_of_the_segments_are_taken_back() {
    for scene in ["voice_assistant", "speculative_vad"] {
        let report = simulate(&[&[scene], &BRIEF[..]].concat());
        let opened = number(&report, "segments.opened");
        let reasons = report["segments"]["cancelled"].as_object().expect("reasons");
        let cancelled: f64 = reasons.values().filter_map(Value::as_f64).sum();
        let accepted = number(&report, "segments.acceptance_ratio");
        println!("{scene}: {cancelled} of {opened} taken back, {accepted} accepted");
        assert!(
            opened > 50.0 && cancelled / opened < 0.05 && accepted > 0.95,
            "{scene}: {cancelled} of {opened}"
        );
    }
}

#[test]
fn sc_007_a_long_run_is_as_good_at_its_end_as_at_its_beginning() {
    let report = simulate(&["voice_assistant", "--sessions", "4", "--duration", "20m"]);
    let steady = &report["steadiness"];
    println!("{steady}");
    let figure = |name: &str| number(steady, name);
    assert!(figure("looks") >= 12.0, "{steady}");
    assert_eq!(figure("entities_first"), figure("entities_last"), "{steady}");
    // What is still growing after five minutes are pools and queues that see a new worst case: 0.02 % a minute at most,
    // 13 KB. Some fifteen turns a minute are answered: a kilobyte that each left behind would show.
    let growth = figure("live_bytes_per_min") / figure("live_bytes_first");
    assert!(growth < 2e-4, "{steady}");
    let drift = figure("response_p99_drift_ratio").abs();
    // A stretch of 200 s with four callers has some 100 answers: its P99 is one of them.
    assert!(drift < 0.2, "{steady}");
}

#[test]
fn sc_009_three_changes_of_the_scene_lead_from_a_bad_profile_to_the_target() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/three-iterations.sh");
    let Some(bash) = given::program(&["bash"]) else { return };
    let out = Command::new(bash).args([script, env!("CARGO_BIN_EXE_mynah")]).output().expect("bash starts");
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}");
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(said.matches("verdict:").count(), 4, "{said}");
}
