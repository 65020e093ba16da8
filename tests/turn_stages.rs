//! The stages of an answered turn add up to what was heard, and each ends with an event of that turn.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::scene::Override;
use mynah_engine::{Event, Record};
use mynah_sim::report::Report;
use mynah_sim::report::{AnsweredTurn, Stage};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Options, Simulation};

/// A tick of the shipped scenes.
const TICK_US: u64 = 5_000;

#[derive(Default)]
struct Witness(Vec<Record>);

impl Observer for Witness {
    fn records(&mut self, records: &[Record]) {
        self.0.extend_from_slice(records);
    }
}

/// A short simulation with everything that happened in it.
fn simulate(scene: &str, sets: &[&str]) -> (Report, Vec<Record>) {
    let script = Arc::new(CallerScript::default());
    let overrides: Vec<Override> =
        sets.iter().map(|set| Override::parse(set).expect("it is a setting")).collect();
    let compiled = scenes::compile(scene, &overrides, None, Some(script.clone()));
    let (plan, _) = compiled.unwrap_or_else(|failure| panic!("{scene} {sets:?}: {failure}"));
    let options = Options::in_virtual_time(8, 24_000_000, 3);
    let mut witness = Witness::default();
    let simulation = Simulation::new(plan, &script, options, &mut witness).expect("the load is built in");
    (simulation.run(&mut witness), witness.0)
}

/// Whether `event` is what ends `stage` of the turn's answer.
fn ends(stage: Stage, turn: &AnsweredTurn, event: &Event) -> bool {
    let answer = (turn.segment, turn.revision);
    match *event {
        Event::Endpoint { segment, revision, .. } => {
            stage == Stage::Endpoint && (segment, revision) == answer
        }
        Event::ServiceSubmitted { node, segment, revision, .. } => {
            stage == Stage::Wait(node.0) && (segment, revision) == answer
        }
        Event::FirstOut { node, segment, revision } => {
            stage == Stage::Node(node.0) && (segment, revision) == answer
        }
        Event::SegmentEnded { segment, revision, .. } => {
            stage == Stage::Confirm && (segment, revision) == answer
        }
        Event::OutputStarted { segment, revision } => stage == Stage::Output && (segment, revision) == answer,
        _ => false,
    }
}

/// What is wrong with the stages of one turn.
fn faults(turn: &AnsweredTurn, records: &[Record]) -> Vec<String> {
    let mine = || records.iter().filter(|record| record.session.0 == turn.session);
    let mut faults = Vec::new();
    let heard = mine().find(|record| ends(Stage::Output, turn, &record.event));
    if heard.is_none_or(|record| record.t_us != turn.answered_us) {
        faults.push(format!("the answer began at {heard:?}"));
    }
    let sum_us: u64 = turn.stages.iter().map(|(_, us)| us).sum();
    if sum_us != turn.answered_us - turn.ended_us {
        faults.push(format!("the stages are {sum_us} us, the latency {}", turn.answered_us - turn.ended_us));
    }
    let mut end_us = turn.ended_us;
    for (stage, took_us) in &turn.stages {
        end_us += took_us;
        let first = mine().find(|record| ends(*stage, turn, &record.event)).map(|record| record.t_us);
        let over_before = *took_us == 0 && first.is_some_and(|us| us <= end_us);
        if first != Some(end_us) && !over_before {
            faults.push(format!("{stage:?} ends at {end_us}, its event is at {first:?}"));
        }
    }
    faults
}

/// From the gate to the output, as `voice_assistant` and its like have it.
const WAY: &[&str] = &[
    "gate",
    "asr.wait",
    "asr",
    "reply.wait",
    "reply",
    "text_collector",
    "tts.wait",
    "tts",
    "resample_out",
    "output.confirm",
    "output",
];

#[test]
fn stages_add_up_to_the_latency_and_end_with_events_of_the_turn() {
    let without = |left_out: &[&str]| -> Vec<&str> {
        WAY.iter().filter(|stage| !left_out.contains(stage)).copied().collect()
    };
    let cases: [(&str, &[&str], Vec<&str>); 7] = [
        ("voice_assistant", &[], WAY.to_vec()),
        ("voice_assistant", &["session.output.release=Immediately"], without(&["output.confirm"])),
        ("voice_assistant", &["gate.speculate=false"], WAY.to_vec()),
        ("voice_assistant", &["session.output.pace=Burst"], WAY.to_vec()),
        ("voice_assistant_cloud", &[], WAY.to_vec()),
        ("batched_tts", &[], without(&["resample_out"])),
        ("barge_in", &[], without(&["resample_out"])),
    ];
    let mut wrong = Vec::new();
    for (scene, sets, way) in cases {
        let (report, records) = simulate(scene, sets);
        let place = format!("{scene} {sets:?}");
        println!("{place}: {} turns", report.answered.len());
        let stages: Vec<&str> =
            report.latency_ms.breakdown.iter().map(|figures| figures.stage.as_str()).collect();
        if stages != way {
            wrong.push(format!("{place}: the stages are {stages:?}"));
        }
        for turn in &report.answered {
            let found = faults(turn, &records);
            wrong.extend(found.iter().map(|fault| format!("{place}: {turn:?}: {fault}")));
        }
        let response = report.latency_ms.speech_end_to_response.as_ref().expect("somebody was answered");
        if report.answered.len() < 8 || response.quantiles.count != report.answered.len() as u64 {
            wrong.push(format!("{place}: {} of {} turns", report.answered.len(), response.quantiles.count));
        }
        let mean: f64 = report.latency_ms.breakdown.iter().map(|figures| figures.mean).sum();
        let latencies = report.answered.iter().map(|turn| (turn.answered_us - turn.ended_us) as f64 / 1e3);
        let heard = latencies.sum::<f64>() / report.answered.len() as f64;
        if (mean - heard).abs() > 1e-6 {
            wrong.push(format!("{place}: the means add up to {mean} ms of {heard} ms"));
        }
        for (name, part) in [
            ("share", report.latency_ms.breakdown.iter().map(|f| f.share).sum::<f64>()),
            ("share_slow", report.latency_ms.breakdown.iter().map(|f| f.share_slow).sum::<f64>()),
        ] {
            if (part - 1.0).abs() > 1e-9 {
                wrong.push(format!("{place}: {name} adds up to {part}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The stages of each turn, by session and segment.
fn by_turn(report: &Report) -> BTreeMap<(u32, u32), Vec<(Stage, u64)>> {
    report.answered.iter().map(|turn| ((turn.session, turn.segment), turn.stages.to_vec())).collect()
}

#[test]
fn what_a_service_takes_longer_shows_in_its_own_stage() {
    const MORE_US: u64 = 40_000;
    // Without speculation nothing of it is hidden behind the silence, and no answer sounds too early to count.
    let scene = |slow: &str| {
        let latency = |service: &str| {
            let ms = if service == slow { 60 } else { 20 };
            format!("services.{service}.timing.latency=Fixed(ms: {ms})")
        };
        let mut sets = vec!["gate.speculate=false".to_string(), "gate.min_silence_ms=512".to_string()];
        sets.extend(["asr", "reply", "tts"].map(latency));
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        simulate("voice_assistant", &sets).0
    };
    let usual = scene("");
    let before = by_turn(&usual);
    let mut wrong = Vec::new();
    for slow in ["asr", "reply", "tts"] {
        let after = by_turn(&scene(slow));
        let mut compared = 0;
        for (turn, stages) in &after {
            let Some(before) = before.get(turn) else { continue };
            compared += 1;
            for ((stage, us), figures) in stages.iter().zip(&usual.latency_ms.breakdown) {
                let was_us = before.iter().find(|(other, _)| other == stage).map_or(0, |(_, us)| *us);
                let due_us = if figures.stage == slow { was_us + MORE_US } else { was_us };
                if us.abs_diff(due_us) > TICK_US {
                    wrong.push(format!("{slow}: {} of {turn:?} took {us}, not {due_us}", figures.stage));
                }
            }
        }
        println!("{slow}: {compared} turns compared");
        if compared < 5 {
            wrong.push(format!("{slow}: only {compared} turns compared"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
