//! What is heard is what was meant: answers are their replies spoken, the gate changes no sample, what was taken back
//! does not sound, and one session's rubbish is nobody else's.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use mynah_engine::{Event, NodeId};
use mynah_load::chunk::ChunkSpec;
use mynah_systems::dsp::resampler::{self, Kernel, Mode, Quality, ResampleSpec};
use mynah_systems::service::FliteVoice;
use support::callers::Callers;
use support::program::{number, simulate};
use support::stage::{Outcome, Part, compile, run};

const SCENE: &str = "voice_assistant";
const SESSIONS: u64 = 5;
const SECONDS: u64 = 18;
/// (segment, revision)
type Origin = (u32, u32);

/// Several callers; the last one hangs up while an answer to it sounds.
fn conversation(sets: &[&str]) -> Vec<Outcome> {
    let callers = Callers::new(5, 16, 48_000, SECONDS);
    let mut parts = callers.parts(SESSIONS, SECONDS);
    let script = || Some(callers.script(SESSIONS));
    let last = parts.pop().expect("there are sessions");
    let alone = run(SCENE, sets, std::slice::from_ref(&last), script()).outcomes;
    let begun = alone[0].audio.iter().find(|b| b.revision > 0).expect("the last caller is answered");
    parts.push(last.hanging_up_at(begun.released_us + 300_000));
    run(SCENE, sets, &parts, script()).outcomes
}

/// Position of a node in the scene.
fn node(id: &str) -> u8 {
    let plan = compile(SCENE, &[], mynah_engine::scene::Format { rate_hz: 48_000, channels: 1 }, None);
    plan.nodes.iter().position(|node| node.id == id).expect("the scene has this node") as u8
}

/// The texts that a node put out for each (segment, revision).
fn texts(outcome: &Outcome, id: &str) -> BTreeMap<Origin, Vec<String>> {
    let at = node(id);
    let mut said: BTreeMap<Origin, Vec<String>> = BTreeMap::new();
    for (_, event) in outcome.events() {
        if let Event::Text { node: NodeId(node), segment, revision, text } = event
            && *node == at
        {
            said.entry((*segment, *revision)).or_default().push(text.to_string());
        }
    }
    said
}

/// What the reply node said to each (segment, revision).
fn replies(outcome: &Outcome) -> BTreeMap<Origin, String> {
    let whole = |(origin, pieces): (Origin, Vec<String>)| (origin, pieces.concat());
    texts(outcome, "reply").into_iter().map(whole).collect()
}

/// What the voice may have been asked to say, call by call: texts that became one before they were submitted are one
/// call. Of the last call it is not known how many it took in; all ways are returned, the longest first.
fn calls(outcome: &Outcome, origin: Origin, texts: &[String]) -> Vec<Vec<String>> {
    let at = node("tts");
    let submitted: BTreeSet<usize> = outcome
        .events()
        .filter_map(|(_, event)| match event {
            Event::ServiceSubmitted { node: NodeId(node), segment, revision, part }
                if *node == at && (*segment, *revision) == origin =>
            {
                Some(*part as usize)
            }
            _ => None,
        })
        .collect();
    let starts: Vec<usize> = submitted.into_iter().collect();
    let ends = |last: usize| starts.iter().skip(1).copied().chain([last]);
    let ways = (starts.last().map_or(0, |last| last + 1)..=texts.len()).rev();
    ways.map(|last| starts.iter().zip(ends(last)).map(|(&from, to)| texts[from..to].join(" ")).collect())
        .collect()
}

/// The reply spoken and brought to 48 kHz without any engine.
fn offline(calls: &[String]) -> Vec<f32> {
    let speech: Vec<f32> = calls.iter().flat_map(|text| FliteVoice::default().speech(text)).collect();
    let spec = ResampleSpec {
        from_hz: 16_000,
        to_hz: 48_000,
        channels: 1,
        quality: Quality::Standard,
        mode: Mode::Streaming,
        kernel: Kernel::Auto,
    };
    let mut converter = resampler::build(spec).expect("16 to 48 kHz is supported");
    let mut samples = Vec::new();
    converter.push(&speech, &mut samples);
    converter.flush(&mut samples);
    samples
}

fn origins(outcome: &Outcome) -> BTreeSet<Origin> {
    outcome.audio.iter().filter(|b| b.revision > 0).map(|b| (b.segment, b.revision)).collect()
}

fn held(outcome: &Outcome) -> BTreeSet<Origin> {
    let ended = outcome.events().filter_map(|(_, event)| match event {
        Event::SegmentEnded { segment, revision, .. } => Some((*segment, *revision)),
        _ => None,
    });
    ended.collect()
}

/// Differences between the answers and what they should be, in words; how many were compared whole and in part.
fn compare(name: &str, outcome: &Outcome, whole: &mut u32, part: &mut u32) -> Vec<String> {
    let texts = texts(outcome, "text_collector");
    let finished: BTreeSet<Origin> = outcome
        .events()
        .filter_map(|(_, event)| match event {
            Event::OutputEnded { segment, revision, .. } => Some((*segment, *revision)),
            _ => None,
        })
        .collect();
    let mut wrong = Vec::new();
    for origin in origins(outcome) {
        let Some(text) = texts.get(&origin) else {
            wrong.push(format!("{name} {origin:?}: sound without a reply"));
            continue;
        };
        let got = outcome.released(origin.0, origin.1);
        let complete = finished.contains(&origin);
        *(if complete { &mut *whole } else { &mut *part }) += 1;
        let ways = calls(outcome, origin, text);
        let differences: Vec<Option<String>> =
            ways.iter().map(|calls| difference(&got, &offline(calls), complete)).collect();
        if differences.iter().all(Option::is_some) {
            wrong.push(format!("{name} {origin:?} {text:?}: {differences:?}"));
        }
    }
    wrong
}

/// What is wrong with an answer, if anything is.
fn difference(got: &[f32], due: &[f32], complete: bool) -> Option<String> {
    if got.len() > due.len() || (complete && got.len() != due.len()) {
        return Some(format!("{} samples, {} due", got.len(), due.len()));
    }
    let worst = got.iter().zip(due).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    (worst > 1e-4).then(|| format!("differs by {worst}"))
}

#[test]
fn every_answer_is_its_reply_spoken_and_resampled() {
    let outcomes = conversation(&[]);
    let (mut whole, mut part, mut wrong) = (0, 0, Vec::new());
    for (at, outcome) in outcomes.iter().enumerate() {
        wrong.extend(compare(&format!("caller-{at}"), outcome, &mut whole, &mut part));
        // What was taken back never sounded, and what held did.
        let (held, heard) = (held(outcome), origins(outcome));
        let premature: Vec<&Origin> = heard.difference(&held).collect();
        if !premature.is_empty() {
            wrong.push(format!("caller-{at}: answers to {premature:?} sounded and did not hold"));
        }
        let retracted =
            outcome.events().filter(|(_, e)| matches!(e, Event::EndpointRetracted { .. })).count();
        println!("caller-{at}: {} answers, {retracted} endpoints taken back", heard.len());
    }
    println!("{whole} answers compared whole, {part} in part");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole >= 4 && part >= 1, "{whole} whole, {part} in part: too little happened");
}

#[test]
fn released_at_once_a_retracted_answer_stops_in_that_tick_and_is_reported_late() {
    // Services that answer at once, so that answers begin before the end holds.
    let sets = [
        "output.release=Immediately",
        "gate.min_silence_ms=512",
        "services.asr.timing.latency=Fixed(ms: 5)",
        "services.reply.timing.latency=Fixed(ms: 5)",
        "services.tts.timing.latency=Fixed(ms: 5)",
    ];
    let sets = sets.map(|set| set.replace("output.release", "session.output.release"));
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let outcomes = conversation(&sets);
    let (mut whole, mut part, mut wrong, mut late) = (0, 0, Vec::new(), 0);
    for (at, outcome) in outcomes.iter().enumerate() {
        wrong.extend(compare(&format!("caller-{at}"), outcome, &mut whole, &mut part));
        for (t_us, event) in outcome.events() {
            let Event::EndpointRetracted { segment, revision, .. } = *event else { continue };
            let of = |b: &&support::stage::Released| (b.segment, b.revision) == (segment, revision);
            let sounded = outcome.audio.iter().filter(of).any(|b| b.released_us < t_us);
            let after = outcome.audio.iter().filter(of).filter(|b| b.released_us >= t_us).count();
            let reported = outcome
                .events()
                .filter(|(t, e)| *t == t_us && **e == Event::LateCancelled { segment, revision })
                .count();
            late += reported;
            if after > 0 || reported != usize::from(sounded) {
                let place = format!("caller-{at} segment {segment} revision {revision} at {t_us} us");
                wrong.push(format!("{place}: sounded {sounded}, reported {reported}, {after} blocks after"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(late > 0, "no answer was retracted while it sounded: nothing was shown");
}

#[test]
fn what_the_gate_lets_through_is_what_came_bit_for_bit() {
    let callers = Callers::new(2, 12, 16_000, 12);
    let chunks = [
        ChunkSpec::Frames(37),
        ChunkSpec::Frames(333),
        ChunkSpec::Frames(1_009),
        ChunkSpec::Random(1, 2_048),
        ChunkSpec::Time(20_000),
    ];
    let parts: Vec<Part> =
        callers.parts(5, 12).into_iter().zip(chunks).map(|(part, chunk)| part.in_chunks(chunk)).collect();
    let outcomes = run("gate_only", &[], &parts, None).outcomes;
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (part, outcome) in parts.iter().zip(&outcomes) {
        for block in &outcome.audio {
            let from = (block.pts_us * 16_000).div_ceil(1_000_000) as usize;
            let came = &part.audio.samples[from..from + block.samples.len()];
            compared += block.samples.len();
            if came.iter().zip(&block.samples).any(|(a, b)| a.to_bits() != b.to_bits()) {
                wrong.push(format!("{} {}: block at {} us differs", part.name, part.chunks, block.pts_us));
            }
        }
        for (_, event) in outcome.events() {
            let Event::SegmentEnded { segment, from_us, to_us, .. } = *event else { continue };
            let due = (to_us * 16_000).div_ceil(1_000_000) - (from_us * 16_000).div_ceil(1_000_000);
            let got = outcome.released(segment, 0).len() as u64;
            if due != got {
                wrong.push(format!("{} segment {segment}: {got} samples, {due} in its range", part.name));
            }
        }
    }
    assert!(compared > 100_000, "only {compared} samples were let through");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reply_depends_on_what_was_recognised() {
    let callers = Callers::new(5, 16, 48_000, 10);
    let parts = callers.parts(1, 10);
    let told = run(SCENE, &[], &parts, Some(callers.script(1))).outcomes;
    let untold = run(SCENE, &[], &parts, None).outcomes;
    let (told, untold) = (replies(&told[0]), replies(&untold[0]));
    assert!(!told.is_empty());
    assert_eq!(told.keys().collect::<Vec<_>>(), untold.keys().collect::<Vec<_>>());
    assert!(untold.values().all(|text| text.contains("speech of")), "{untold:?}");
    assert!(told.iter().all(|(origin, text)| untold[origin] != *text), "{told:?}");
}

#[test]
fn samples_that_are_no_numbers_reach_no_other_session() {
    let callers = Callers::new(5, 16, 48_000, 10);
    let clean = callers.parts(3, 10);
    let mut broken = clean.clone();
    let mut audio = (*broken[1].audio).clone();
    audio.samples.iter_mut().skip(1_000).step_by(7).for_each(|s| *s = f32::NAN);
    audio.samples[0] = f32::INFINITY;
    broken[1].audio = audio.into();
    let before = run(SCENE, &[], &clean, Some(callers.script(3))).outcomes;
    let after = run(SCENE, &[], &broken, Some(callers.script(3))).outcomes;
    for session in [0, 2] {
        assert!(!before[session].audio.is_empty(), "session {session} says nothing");
        assert_eq!(before[session].audio_hash(), after[session].audio_hash(), "session {session}");
    }
    let seen = after[1].events().any(|(_, event)| matches!(event, Event::NonFinite { .. }));
    assert!(seen, "the broken samples were not reported");
    assert!(after[1].audio.iter().flat_map(|b| &b.samples).all(|s| s.is_finite()));
}

#[test]
fn speculation_pays_50_ms_at_both_ends_of_an_utterance() {
    let load = [SCENE, "--sessions", "16", "--duration", "30s"];
    let plain: Vec<&str> = load.iter().chain(&["--set", "gate.speculate=false"]).copied().collect();
    let (with, without) = (simulate(&load), simulate(&plain));
    let mut wrong = Vec::new();
    for latency in ["speech_start_to_forward", "speech_end_to_response"] {
        for quantile in ["p50", "p95"] {
            let path = format!("latency_ms.{latency}.{quantile}");
            let (with, without) = (number(&with, &path), number(&without, &path));
            println!("{path}: {with} ms with speculation, {without} ms without");
            if with + 50.0 > without {
                wrong.push(format!("{path}: {with} ms with speculation, {without} ms without"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
