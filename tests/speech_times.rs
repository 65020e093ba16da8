//! Where speech is, as it is told: the same time for an end that is believed and for one that holds, and in the events
//! of a segment the speech itself, without the pre-roll before it and the silence behind it.

#![allow(
    clippy::print_stdout,
    reason = "says which recordings are missing, for whoever runs it with --nocapture"
)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use mynah_engine::{Control, Engine, EngineConfig, Event, Out, SessionSpec};
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};
use support::callers::Callers;
use support::stage::{Outcome, compile, run};

const SECONDS: u64 = 20;

/// Scene, overrides, and by how much of the pre-roll and of the silence what is forwarded exceeds the speech, at least.
/// Microseconds.
const CASES: &[(&str, &[&str], u64, u64)] = &[
    ("gate_only", &[], 100_000, 200_000),
    ("gate_only", &["gate.min_silence_ms=600"], 100_000, 500_000),
    ("gate_only", &["gate.pad_ms=0"], 0, 200_000),
    ("gate_only", &["gate.speculate=false"], 100_000, 200_000),
    ("gate_only", &["gate.forward=Always"], 0, 200_000),
    ("gate_only", &["gate.vad=Energy"], 100_000, 200_000),
    ("gate_only", &["gate.max_segment_ms=1000"], 100_000, 200_000),
    ("speculative_vad", &[], 100_000, 200_000),
    ("voice_assistant", &[], 100_000, 90_000),
];

#[test]
fn the_events_of_a_segment_say_where_speech_is() {
    let callers = Callers::new(3, 16, 16_000, SECONDS);
    let parts = callers.parts(3, SECONDS);
    let mut wrong = Vec::new();
    for (scene, sets, before_us, behind_us) in CASES {
        let played = run(scene, sets, &parts, None);
        let (mut segments, mut splits) = (0, 0);
        for (part, outcome) in parts.iter().zip(&played.outcomes) {
            let found = faults(outcome, *before_us, *behind_us, &mut splits);
            segments += found.0;
            wrong.extend(found.1.into_iter().map(|what| format!("{scene} {sets:?} {}: {what}", part.name)));
        }
        let enough = segments >= 6 && (splits > 0) == sets.contains(&"gate.max_segment_ms=1000");
        if !enough {
            wrong.push(format!("{scene} {sets:?}: {segments} segments, {splits} splits show too little"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How many segments ended, and what is wrong with their times.
fn faults(outcome: &Outcome, before_us: u64, behind_us: u64, splits: &mut u32) -> (u32, Vec<String>) {
    let (mut segments, mut wrong, mut ends) = (0, Vec::new(), BTreeMap::new());
    let (mut continues, mut before_to_us) = (false, 0);
    for (_, event) in outcome.events() {
        match *event {
            Event::Endpoint { segment, revision, at_us, .. } => drop(ends.insert((segment, revision), at_us)),
            Event::SegmentEnded {
                segment,
                revision,
                from_us,
                to_us,
                speech_from_us,
                speech_to_us,
                split,
            } => {
                segments += 1;
                *splits += u32::from(split);
                let ordered =
                    from_us <= speech_from_us && speech_from_us < speech_to_us && speech_to_us <= to_us;
                let begins = if continues {
                    speech_from_us == from_us
                } else {
                    // What the segment before it has is no pre-roll, nor is what came before the stream.
                    from_us < before_to_us + 50_000 || speech_from_us >= from_us + before_us
                };
                let ends_right = match split {
                    true => speech_to_us == to_us,
                    false => {
                        ends.get(&(segment, revision)) == Some(&speech_to_us)
                            && to_us >= speech_to_us + behind_us
                    }
                };
                if !(ordered && begins && ends_right) {
                    wrong.push(format!("{event:?}, ends believed: {ends:?}"));
                }
                (continues, before_to_us) = (split, to_us);
            }
            _ => {}
        }
    }
    (segments, wrong)
}

/// What a host is told of a session that hears `samples`, and the events of the engine.
fn told(scene: &str, sets: &[&str], samples: &[f32]) -> (Vec<Control>, Vec<Event>) {
    let format = mynah_engine::scene::Format { rate_hz: 16_000, channels: 1 };
    let mut engine = Engine::new(compile(scene, sets, format, None), EngineConfig::simulated());
    let spec = SessionSpec { controls: true, ..SessionSpec::named("host") };
    let session = engine.handle().open(spec).expect("there is room");
    let (mut controls, mut events) = (Vec::new(), Vec::new());
    let mut chunks = samples.chunks(80);
    for now_us in (0..).step_by(5_000) {
        match chunks.next() {
            Some(chunk) => session.try_push(chunk).expect("5 ms in each tick of 5 ms"),
            None => session.finish(),
        }
        engine.tick(now_us);
        events.extend(engine.records().iter().map(|record| record.event.clone()));
        while let Some(out) = session.poll() {
            match out {
                Out::Audio(audio) => session.give_back(audio.block),
                Out::Control(control) => controls.push(control),
                Out::Text { .. } | Out::Event(_) => {}
            }
        }
        if session.is_closed() {
            return (controls, events);
        }
    }
    unreachable!("the session closes")
}

#[test]
fn an_end_that_holds_has_the_time_at_which_it_was_believed() {
    assert_eq!(RATE_HZ, 16_000, "what the scenes take");
    let voice = Flite::new().expect("the voice is part of the program");
    let mut samples = Vec::new();
    for text in ["please open the door", "no", "and now turn on the radio in the kitchen"] {
        samples.extend(voice.speak(text, VoiceStyle::default()).expect("these are words"));
        samples.extend(vec![0.0; 12_800]);
    }
    let rows: &[&[&str]] =
        &[&[], &["gate.speculate=false"], &["gate.min_silence_ms=96"], &["gate.max_segment_ms=700"]];
    let mut wrong = Vec::new();
    for sets in rows {
        let (controls, events) = told("gate_only", sets, &samples);
        let (mut believed, mut held) = (BTreeMap::new(), Vec::new());
        for control in controls {
            match control {
                Control::EndOfSpeech { segment, revision, at_us, last: false } => {
                    believed.insert((segment, revision), at_us);
                }
                Control::EndOfSpeech { segment, revision, at_us, last: true } => {
                    held.push((segment, revision, at_us));
                }
                _ => {}
            }
        }
        for (segment, revision, at_us) in &held {
            let before = believed.get(&(*segment, *revision));
            let split = events.iter().any(|event| {
                matches!(event, Event::SegmentEnded { segment: s, to_us, split: true, .. }
                    if s == segment && to_us == at_us)
            });
            if before != Some(at_us) && !(*revision == 0 && split) {
                wrong.push(format!("{sets:?}: segment {segment}/{revision}: {before:?}, then {at_us}"));
            }
        }
        if held.len() < 3 {
            wrong.push(format!("{sets:?}: only {} ends", held.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn speech_is_where_the_caller_spoke() {
    let callers = Callers::new(3, 16, 16_000, SECONDS);
    let parts = callers.parts(3, SECONDS);
    let played = run("gate_only", &[], &parts, None);
    let (mut starts_us, mut ends_us, mut forwarded_us) = (Vec::new(), Vec::new(), Vec::new());
    for (session, outcome) in (0..).zip(&played.outcomes) {
        let truth = callers.labelled(session, SECONDS).speech;
        let nearest = |us: u64, of: &dyn Fn(&support::labels::Span) -> u64| {
            truth.iter().map(|span| us as i64 - of(span) as i64).min_by_key(|us| us.abs()).unwrap_or(i64::MAX)
        };
        for (_, event) in outcome.events() {
            let Event::SegmentEnded { to_us, speech_from_us, speech_to_us, .. } = *event else { continue };
            starts_us.push(nearest(speech_from_us, &|span| span.from_us));
            ends_us.push(nearest(speech_to_us, &|span| span.to_us));
            forwarded_us.push(nearest(to_us, &|span| span.to_us));
        }
    }
    let middle = |all: &mut Vec<i64>| {
        all.sort_unstable();
        all[all.len() / 2]
    };
    let (start_us, end_us) = (middle(&mut starts_us), middle(&mut ends_us));
    assert!((-60_000..120_000).contains(&start_us), "speech begins {start_us} us off: {starts_us:?}");
    assert!((-60_000..120_000).contains(&end_us), "speech ends {end_us} us off: {ends_us:?}");
    let forwarded_us = middle(&mut forwarded_us);
    assert!(forwarded_us > 200_000, "what is forwarded ends {forwarded_us} us behind the speech");
}
