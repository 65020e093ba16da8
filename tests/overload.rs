//! What holds when more comes than can be taken: batches carry more, every overflow policy does what its name says,
//! and what gives way at a deadline gives way in the stated direction. All in virtual time, through the command line.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use serde_json::Value;
use support::program::{number, simulate};

/// The report's entry of one node.
fn node<'a>(report: &'a Value, id: &str) -> &'a Value {
    let nodes = report["nodes"].as_array().expect("a report has nodes");
    nodes.iter().find(|node| node["id"] == id).unwrap_or_else(|| panic!("no node {id}"))
}

fn run(scene: &str, sessions: &str, duration: &str, sets: &[&str]) -> Value {
    let mut all = vec![scene, "--sessions", sessions, "--duration", duration];
    for set in sets {
        all.extend(["--set", set]);
    }
    simulate(&all)
}

#[test]
fn batches_carry_at_least_a_third_more_within_bounded_latency() {
    let batched = run("batched_tts", "100", "20s", &[]);
    let alone = run("batched_tts", "100", "20s", &["tts.buffering.max_batch_size=1"]);
    let (with, without) = (node(&batched, "tts"), node(&alone, "tts"));
    let figure = |node: &Value, name: &str| number(&node["batch"], name);
    let offered = figure(with, "offered_per_s");
    let one_by_one = figure(without, "capacity_per_s.one_by_one");
    let gain = figure(with, "items_per_s") / figure(without, "items_per_s");
    println!("{offered:.1} a second offered, {one_by_one:.1} carried one by one; batches give x{gain:.2}");
    assert!(offered > 50.0 && offered >= 1.5 * one_by_one, "{offered} offered, {one_by_one} carried");
    assert!(gain >= 1.3, "throughput x{gain}");
    let (p95, depth) = (number(with, "latency_ms.p95"), number(with, "queue.depth_p99"));
    assert!(p95 < 300.0 && depth < 20.0, "P95 {p95} ms, depth {depth}");
    let size = figure(with, "size_mean");
    assert!((2.0..=5.0).contains(&size), "batches of {size}");
    assert_eq!(with["batch"]["capacity_per_s"]["curve"], "modelled curve");
    for report in [&batched, &alone] {
        assert_eq!(report["frames"]["balanced"], true, "{}", report["frames"]);
    }
}

/// Blocks of 20 ms, a queue of 8, one tick.
const AGE_MS_MAX: f64 = 8.0 * 20.0 + 5.0;

#[test]
fn each_overflow_policy_does_what_its_name_says_at_three_times_the_load() {
    let policy = |name: &str| {
        let set = format!("slow_audio.capabilities.overflow_policy={name}");
        let report = run("overflow", "6", "60s", &[&set]);
        assert_eq!(report["frames"]["balanced"], true, "{name}: {}", report["frames"]);
        let (audio, text) = (node(&report, "slow_audio"), node(&report, "slow_text"));
        // The text beside it: three times too many words, merged, and none lost.
        assert_eq!(text["queue"]["dropped"], 0, "{name}: {text}");
        assert!(number(text, "queue.merged") > 0.0, "{name}: {text}");
        assert!(number(audio, "queue.depth_max") <= number(audio, "queue.bound"), "{name}: {audio}");
        (number(audio, "queue.dropped"), number(audio, "queue.wait_ms.p99"), report)
    };
    let (dropped, age_ms, _) = policy("DropOldest");
    println!("DropOldest: {dropped} dropped, age at most {age_ms} ms (P99)");
    assert!(dropped > 0.0 && age_ms < AGE_MS_MAX, "DropOldest: {dropped} dropped, age {age_ms} ms");
    let (dropped, age_ms, _) = policy("DropNewest");
    println!("DropNewest: {dropped} dropped, age {age_ms} ms (P99)");
    assert!(dropped > 0.0 && age_ms > AGE_MS_MAX, "DropNewest: {dropped} dropped, age {age_ms} ms");
    let (dropped, _, report) = policy("Block");
    let waited = number(&report, "frames.waited");
    println!("Block: {dropped} dropped, the sources waited {waited} times");
    let lost = report["frames"]["dropped"].as_object().map_or(0, serde_json::Map::len);
    assert!(dropped == 0.0 && lost == 0 && waited > 0.0, "Block: {}", report["frames"]);
    assert_eq!(report["frames"]["refused"], 0, "Block: {}", report["frames"]);
}

#[test]
fn what_gives_way_at_a_deadline_moves_misses_in_the_stated_direction() {
    let missed = |id: &str, sessions: &str, sets: &[&str]| {
        let report = run("deadlines", sessions, "20s", sets);
        let node = node(&report, id);
        println!("{id} {sets:?}: {} near, {} missed", node["deadlines_near"], node["deadlines_missed"]);
        (number(node, "deadlines_missed"), number(node, "latency_ms.p95"), number(node, "deadlines_near"))
    };
    // Company that is worth waiting for, and is not when time runs out.
    let (base, ..) = missed("tts", "60", &["tts.deadline.policy=Warn"]);
    let (early, ..) = missed("tts", "60", &["tts.deadline.policy=FlushEarly"]);
    assert!(early * 2.0 < base, "FlushEarly: {early} missed, {base} without");
    // More than batches of four can carry.
    let busy = ["tts.buffering.min_batch_size=1", "tts.deadline.policy=Warn"];
    let (base, base_ms, _) = missed("tts", "170", &busy);
    for policy in ["GrowBatch(max: 10)", "LowerQuality"] {
        let set = format!("tts.deadline.policy={policy}");
        let (with, ms, _) = missed("tts", "170", &[busy[0], &set]);
        assert!(with * 2.0 < base && ms < base_ms, "{policy}: {with} missed, {base} without");
    }
    // An optional node that is too slow.
    let (base, _, near) = missed("polish", "60", &["polish.deadline.policy=Warn"]);
    let (with, ..) = missed("polish", "60", &[]);
    assert!(base > 0.0 && near >= base && with == 0.0, "SkipOptional: {with} missed, {base} without");
}
