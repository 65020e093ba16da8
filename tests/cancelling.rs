//! What is taken back is gone in that tick, everywhere, once: shown on whole scenes, with nodes that fail, services
//! that never answer, and cancels that race an output.

#![allow(clippy::print_stdout, reason = "what the labelled speech lacks is said to whoever runs this")]

#[path = "support/cued.rs"]
mod cued;
#[path = "support/kinds/failing.rs"]
mod failing;
#[path = "support/host.rs"]
mod host;
mod support;

use std::collections::BTreeMap;

use cued::{Cue, cued};
use failing::{Speeches, notes, registry};
use host::{Host, TICK_US, findings};
use mynah_engine::speech::{CancelScope, Cancellation};
use mynah_engine::{Control, Event, NodeId, SessionHandle};
use mynah_systems::service::FliteVoice;
use support::callers::Callers;
use support::stage::{Outcome, Released, run};
use support::taken_back::{after_the_fact, scope_of};

const SECONDS: u64 = 20;
const LONG: &str = "services.reply.output=ScriptedReply(template: \"You said {text}. Let me tell you more about \
                    that. There are several ways to look at it. Which one do you have in mind?\")";

struct Scenery {
    name: &'static str,
    sets: Vec<&'static str>,
    rate_hz: u32,
    /// The caller's own audio is what leaves.
    forwards: bool,
    /// What must have happened for the run to show anything.
    shows: fn(&Event) -> bool,
}

fn sceneries() -> Vec<Scenery> {
    let cancels: fn(&Event) -> bool = |e| matches!(e, Event::SegmentCancelled { .. });
    let retracts: fn(&Event) -> bool = |e| matches!(e, Event::EndpointRetracted { .. });
    let withdraws: fn(&Event) -> bool = |e| matches!(e, Event::AnswerWithdrawn { .. });
    let loose = vec!["gate.threshold=0.4", "gate.release_threshold=0.4", "gate.forward=Always"];
    let at_once = vec![
        "session.output.release=Immediately",
        "gate.min_silence_ms=512",
        "services.tts.timing.scale=0.2",
    ];
    let interrupted = vec!["session.output.interrupt_min_ms=300", LONG];
    [
        ("voice_assistant", vec![], 48_000, false, retracts),
        ("voice_assistant", at_once, 48_000, false, retracts),
        ("speculative_vad", loose, 16_000, true, cancels),
        ("voice_assistant", interrupted, 48_000, false, withdraws),
    ]
    .map(|(name, sets, rate_hz, forwards, shows)| Scenery { name, sets, rate_hz, forwards, shows })
    .into()
}

#[test]
fn nothing_of_what_was_taken_back_leaves_from_that_tick_on() {
    let (mut wrong, mut seen) = (Vec::new(), Vec::new());
    for Scenery { name, sets, rate_hz, forwards, shows } in sceneries() {
        let callers = Callers::new(5, 16, rate_hz, SECONDS);
        let parts = callers.parts(6, SECONDS);
        let played = run(name, &sets, &parts, Some(callers.script(6)));
        for (part, outcome) in parts.iter().zip(&played.outcomes) {
            let found = after_the_fact(outcome, forwards.then_some(part));
            wrong.extend(found.into_iter().map(|what| format!("{name} {sets:?} {}: {what}", part.name)));
        }
        let shown = played.outcomes.iter().flat_map(|o| o.events()).filter(|(_, e)| shows(e)).count();
        seen.push(shown);
        wrong.extend(played.imbalances().map(|what| format!("{name} {sets:?}: {what}")));
    }
    assert!(seen.iter().all(|shown| *shown > 0), "nothing was taken back in some scene: {seen:?}");
    findings(&wrong);
}

#[test]
fn the_checker_catches_doctored_logs() {
    let callers = Callers::new(5, 16, 16_000, SECONDS);
    let parts = callers.parts(1, SECONDS);
    let sets = ["gate.threshold=0.4", "gate.release_threshold=0.4", "gate.forward=Always"];
    let honest = run("speculative_vad", &sets, &parts, None).outcomes.remove(0);
    assert_eq!(after_the_fact(&honest, Some(&parts[0])), [""; 0]);
    let (t_us, segment) = honest
        .events()
        .find_map(|(t_us, event)| match event {
            Event::SegmentCancelled { segment, .. } if !honest.released(*segment, 0).is_empty() => {
                Some((t_us, *segment))
            }
            _ => None,
        })
        .expect("something that had left was cancelled");
    let block = |outcome: &Outcome| -> Released {
        outcome.audio.iter().find(|b| b.segment == segment).expect("some of it left").clone()
    };
    let doctored = |change: &dyn Fn(&mut Outcome)| {
        let mut log = honest.clone();
        change(&mut log);
        after_the_fact(&log, Some(&parts[0]))
    };
    let other = honest.audio.iter().map(|b| b.segment).find(|s| *s != segment).expect("there are several");
    let cheats: [(&str, Vec<String>); 5] = [
        (
            "a block leaves in the tick of the cancel",
            doctored(&|log| {
                log.audio.push(Released { released_us: t_us, ..block(log) });
            }),
        ),
        (
            "a block leaves later",
            doctored(&|log| {
                log.audio.push(Released { released_us: t_us + 900_000, ..block(log) });
            }),
        ),
        (
            "it leaves as another segment",
            doctored(&|log| {
                log.audio.push(Released { released_us: t_us + 5_000, segment: other, ..block(log) });
            }),
        ),
        (
            "it leaves as another segment at another time",
            doctored(&|log| {
                let like = log.audio.iter().find(|b| b.segment == other).expect("known").clone();
                log.audio.push(Released { samples: block(log).samples, ..like });
            }),
        ),
        (
            "cancelled twice",
            doctored(&|log| {
                let at = log.records.iter().position(|r| scope_of(&r.event).is_some()).expect("known");
                log.records.push(log.records[at].clone());
            }),
        ),
    ];
    let missed: Vec<&str> =
        cheats.iter().filter(|(_, found)| found.is_empty()).map(|(what, _)| *what).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// Session 0's run as the checker wants it.
fn outcome(rig: &Host) -> Outcome {
    let audio = rig.sounds.iter().map(|heard| Released {
        segment: heard.segment,
        revision: heard.revision,
        pts_us: 0,
        released_us: heard.t_us,
        samples: heard.samples.clone(),
    });
    Outcome { records: rig.records.clone(), audio: audio.collect(), samples_pushed: 0 }
}

/// Three nodes of which the middle one is given, and the last one notes what it is told.
fn chain(middle: &str) -> String {
    format!(
        r#"(
    name: "chain",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter(texts: ["Never heard."])),
        (id: "middle", kind: {middle}),
        (id: "after", kind: Noter()),
        (id: "last", kind: Noter()),
    ],
    edges: [("input", "prompter"), ("prompter.audio", "middle"), ("middle", "after"), ("after", "last"), ("last", "output")],
)"#
    )
}

#[test]
fn the_checker_catches_a_node_that_replays_what_was_taken_back() {
    // A node that keeps a copy and sends it under the next segment: each sample says whose it is.
    for (middle, caught) in [("Pass()", false), ("Replayer()", true)] {
        let mut rig = cued(&chain(middle), &[], &registry(&Speeches::default()), 1);
        rig.cue(0, &[Cue::Open, Cue::Sound(160)]);
        rig.tick();
        rig.cue(0, &[Cue::Cancel]);
        rig.tick();
        rig.cue(0, &[Cue::Open, Cue::Sound(160), Cue::Confirm, Cue::End]);
        rig.finish();
        assert_eq!(after_the_fact(&outcome(&rig), None), [""; 0], "{middle}: by its name it is honest");
        let foreign = rig.sounds.iter().filter(|h| h.samples.iter().any(|s| *s != h.segment as f32)).count();
        assert_eq!(foreign > 0, caught, "{middle}");
    }
}

#[test]
fn a_node_that_fails_keeps_no_cancel_from_those_behind_it() {
    for middle in ["Pass()", "Swallower(frames: 0)", "Swallower(frames: 2)"] {
        let mut rig = cued(&chain(middle), &[], &registry(&Speeches::default()), 2);
        for session in 0..2 {
            rig.cue(session, &[Cue::Open, Cue::Sound(160), Cue::Sound(160), Cue::Sound(160)]);
        }
        rig.ticks(2);
        rig.cue(1, &[Cue::Cancel]);
        rig.tick();
        let now_us = rig.now_us();
        let session = rig.sessions[1].id();
        let cancellation = Cancellation { session, scope: CancelScope::Segment { segment: 1 } };
        let want = [(now_us, NodeId(2), cancellation), (now_us, NodeId(3), cancellation)];
        assert_eq!(notes(), want, "{middle}: both consumers, in that tick, once");
        let told: Vec<_> = rig
            .controls
            .iter()
            .filter(|(.., control)| matches!(control, Control::CancelSpeculation { segment: 1, .. }))
            .map(|(session, t_us, _)| (*session, *t_us))
            .collect();
        assert_eq!(told, [(1, now_us)], "{middle}: the host, too");
        // What was swallowed was an end, too: nobody but the host can end this session.
        rig.sessions.iter().for_each(SessionHandle::close);
        rig.ticks(2);
        assert!(rig.sessions.iter().all(SessionHandle::is_closed), "{middle}");
        findings(&rig.imbalances());
    }
}

#[test]
fn however_many_cancel_in_one_tick_each_is_told_its_own_in_order_and_nobody_elses() {
    const SESSIONS: usize = 40;
    for cancelling in [1, 3, 20, SESSIONS] {
        let mut rig = cued(&chain("Pass()"), &[], &registry(&Speeches::default()), SESSIONS as u32);
        for session in 0..SESSIONS {
            rig.cue(session, &[Cue::Open, Cue::Sound(160), Cue::Confirm, Cue::End, Cue::Open]);
        }
        rig.ticks(2);
        // Scattered over the shards; two beliefs taken back in one tick, and then a whole segment.
        let chosen: Vec<usize> = (0..cancelling).map(|n| n * 17 % SESSIONS).collect();
        for session in 0..SESSIONS {
            let cues: &[Cue] = if chosen.contains(&session) {
                &[Cue::Sound(160), Cue::Endpoint, Cue::Retract, Cue::Endpoint, Cue::Retract, Cue::Cancel]
            } else {
                &[Cue::Sound(160)]
            };
            rig.cue(session, cues);
        }
        rig.tick();
        let mut got: BTreeMap<(u32, NodeId), Vec<CancelScope>> = BTreeMap::new();
        for (t_us, node, Cancellation { session, scope }) in notes() {
            assert_eq!(t_us, rig.now_us());
            got.entry((session.0, node)).or_default().push(scope);
        }
        let revision = |revision| CancelScope::Revision { segment: 2, revision };
        let covers = vec![revision(1), revision(2), CancelScope::Segment { segment: 2 }];
        let nodes = |session: &usize| [2, 3].map(|node| ((*session as u32, NodeId(node)), covers.clone()));
        let want: BTreeMap<_, _> = chosen.iter().flat_map(nodes).collect();
        assert_eq!(got, want, "{cancelling} of {SESSIONS}");
        for session in 0..SESSIONS as u32 {
            let heard = rig.samples(session, (2, 0)).len();
            let cancelled = chosen.contains(&(session as usize));
            assert_eq!(heard, if cancelled { 0 } else { 160 }, "{cancelling}: session {session}");
        }
        for session in (0..SESSIONS).filter(|session| !chosen.contains(session)) {
            rig.cue(session, &[Cue::Confirm, Cue::End]);
        }
        rig.finish();
        findings(&rig.imbalances());
    }
}

/// A service before two consumers.
const ANSWERING: &str = r#"(
    name: "answering",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter(texts: ["It is a long answer, and it will be taken back before it ends."])),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
        (id: "after", kind: Noter()),
        (id: "last", kind: Noter()),
    ],
    edges: [("input", "prompter"), ("prompter.text", "tts"), ("tts", "after"), ("after", "last"), ("last", "output")],
    services: {"tts": (output: FliteVoice, timing: (latency: Fixed(ms: 20), speed: 4))},
)"#;

#[test]
fn a_service_that_fails_or_never_answers_keeps_no_retraction_from_those_behind_it() {
    for (service, fails) in [("FliteVoice", false), ("Failing", true), ("Silent", false)] {
        let set = format!("services.tts.output={service}");
        let mut rig = cued(ANSWERING, &[&set], &registry(&Speeches::default()), 1);
        rig.cue(0, &[Cue::Open, Cue::Confirm, Cue::Endpoint, Cue::Text(0), Cue::AnswerEnd]);
        rig.ticks(20);
        let failed = rig.events(|e| matches!(e, Event::ServiceFailed { .. }).then_some(()));
        assert_eq!(failed.len(), usize::from(fails), "{service}");
        rig.cue(0, &[Cue::Retract]);
        rig.tick();
        let now_us = rig.now_us();
        let session = rig.sessions[0].id();
        let cancellation = Cancellation { session, scope: CancelScope::Revision { segment: 1, revision: 1 } };
        let want = [(now_us, NodeId(2), cancellation), (now_us, NodeId(3), cancellation)];
        assert_eq!(notes(), want, "{service}");
        let told = rig.controls.iter().filter(|(_, t_us, control)| {
            *t_us == now_us && matches!(control, Control::RetractEndOfSpeech { segment: 1, revision: 1, .. })
        });
        assert_eq!(told.count(), 1, "{service}");
        // The next revision is answered by whoever can, and the session ends whatever the service does.
        rig.cue(0, &[Cue::Endpoint, Cue::AnswerEnd, Cue::End]);
        rig.finish();
        findings(&rig.imbalances());
        assert_eq!(after_the_fact(&outcome(&rig), None), [""; 0], "{service}");
    }
}

#[test]
fn a_cancel_and_the_last_of_an_output_in_one_tick_have_one_outcome() {
    // How many ticks before the cancel the segment's only block arrives; what must be seen of it.
    let mut outcomes = Vec::new();
    for (frames_before, same_tick) in [(0, true), (1, false), (2, false)] {
        let mut rig = cued(&chain("Pass()"), &[], &registry(&Speeches::default()), 1);
        rig.cue(0, &[Cue::Open]);
        rig.tick();
        if same_tick {
            rig.cue(0, &[Cue::Sound(160), Cue::Cancel]);
            rig.tick();
        } else {
            rig.cue(0, &[Cue::Sound(160)]);
            rig.ticks(frames_before);
            rig.cue(0, &[Cue::Cancel]);
            rig.tick();
        }
        let left: usize = rig.sounds.iter().map(|heard| heard.samples.len()).sum();
        let late = rig.count(|e| matches!(e, Event::LateCancelled { segment: 1, .. }));
        let dropped = rig.count(|e| matches!(e, Event::OutputDropped { .. } | Event::FrameDropped { .. }));
        let said = rig.controls.iter().filter_map(|(.., control)| match control {
            Control::CancelSpeculation { late, .. } => Some(*late),
            _ => None,
        });
        let said: Vec<bool> = said.collect();
        assert_eq!(said, [late == 1], "the host is told whether it is late");
        outcomes.push((left, late, dropped));
        rig.finish();
        findings(&rig.imbalances());
        assert_eq!(after_the_fact(&outcome(&rig), None), [""; 0]);
    }
    // Either it is withheld, or it had left and the cancel says so.
    assert_eq!(outcomes, [(0, 0, 1), (160, 1, 0), (160, 1, 0)]);
}

#[test]
fn a_retraction_in_the_tick_of_the_last_block_of_an_answer_has_one_outcome() {
    // The answer sounds for some ticks; the retraction comes in each of them, up to after its end.
    let length = FliteVoice::default().speech("Hi.").len();
    let (mut whole, mut part) = (0, 0);
    for after in 1..60 {
        let scene =
            ANSWERING.replace("It is a long answer, and it will be taken back before it ends.", "Hi.");
        let mut rig = cued(&scene, &[], &registry(&Speeches::default()), 1);
        rig.cue(0, &[Cue::Open, Cue::Confirm, Cue::Endpoint, Cue::Text(0), Cue::AnswerEnd]);
        rig.ticks(after);
        rig.cue(0, &[Cue::Retract]);
        rig.tick();
        let t_us = rig.now_us();
        let left = rig.samples(0, (1, 1)).len();
        rig.ticks(40);
        assert_eq!(rig.samples(0, (1, 1)).len(), left, "after {after} ticks: more after the retraction");
        let late =
            rig.events(|e| matches!(e, Event::LateCancelled { segment: 1, revision: 1 }).then_some(()));
        let late_us: Vec<u64> = late.iter().map(|(_, t_us, ())| *t_us).collect();
        let want = if left > 0 { vec![t_us] } else { Vec::new() };
        assert_eq!(late_us, want, "after {after} ticks: {left} samples had left");
        let ended = rig.count(|e| matches!(e, Event::OutputEnded { .. }));
        assert_eq!(ended, 0, "after {after} ticks: {left} of {length} samples of an answer that never held");
        if left == length {
            whole += 1
        } else {
            part += 1
        }
        rig.cue(0, &[Cue::Endpoint, Cue::AnswerEnd, Cue::End]);
        rig.finish();
        findings(&rig.imbalances());
    }
    assert!(whole > 3 && part > 3, "{whole} whole, {part} in part");
}

#[test]
fn a_synthesis_that_is_taken_back_stops() {
    let text = "It is a long answer, and it will be taken back before it ends. ".repeat(30);
    let scene = ANSWERING.replace("It is a long answer, and it will be taken back before it ends.", &text);
    let speeches = Speeches::default();
    let mut rig = cued(&scene, &["services.tts.output=Watched"], &registry(&speeches), 1);
    rig.cue(0, &[Cue::Open, Cue::Confirm, Cue::Endpoint, Cue::Text(0), Cue::AnswerEnd]);
    rig.ticks(8);
    assert!(!rig.sounds.is_empty(), "it sounds");
    rig.cue(0, &[Cue::Retract]);
    rig.tick();
    let made: Vec<usize> = speeches.lock().expect("nobody panics").iter().map(|made| made()).collect();
    let whole = FliteVoice::default().speech(&text).len();
    assert!(made.len() == 1 && made[0] < whole / 2, "{made:?} of {whole} samples were made");
    rig.ticks(100);
    let cancelled = rig.events(|e| match e {
        Event::ServiceCancelled { segment: 1, revision: 1, wasted_us, .. } => Some(*wasted_us),
        _ => None,
    });
    assert_eq!(cancelled.len(), 1);
    assert!(cancelled[0].2 <= 9 * TICK_US, "{} us of modelled work wasted", cancelled[0].2);
    rig.cue(0, &[Cue::Endpoint, Cue::AnswerEnd, Cue::End]);
    rig.finish();
}

#[test]
fn long_utterances_lose_nothing_and_stay_one_turn() {
    let (mut wrong, mut splits, mut long) = (Vec::new(), 0, 0);
    let rows: [&[&str]; 3] = [
        &["gate.min_speech_ms=2000", "gate.threshold=0.3", "gate.release_threshold=0.3"],
        &["gate.max_segment_ms=1000"],
        &["gate.max_segment_ms=600", "gate.forward=Always"],
    ];
    for sets in rows {
        let callers = Callers::new(5, 16, 16_000, SECONDS);
        let parts = callers.parts(4, SECONDS);
        let played = run("speculative_vad", sets, &parts, None);
        for (part, outcome) in parts.iter().zip(&played.outcomes) {
            wrong.extend(
                after_the_fact(outcome, Some(part)).into_iter().map(|what| format!("{sets:?}: {what}")),
            );
            let mut before: Option<(u64, u32)> = None;
            for record in &outcome.records {
                let Event::SegmentEnded { segment, from_us, to_us, split, .. } = record.event else {
                    continue;
                };
                let samples = |us: u64| (us * 16_000).div_ceil(1_000_000);
                let (due, got) =
                    (samples(to_us) - samples(from_us), outcome.released(segment, 0).len() as u64);
                if due != got {
                    wrong.push(format!("{sets:?} {} segment {segment}: {got} of {due} samples", part.name));
                }
                if let Some((end_us, turn)) = before
                    && (end_us, turn) != (from_us, record.turn)
                {
                    let here = (from_us, record.turn);
                    wrong.push(format!(
                        "{sets:?} {}: split at {end_us} in turn {turn}, goes on at {here:?}",
                        part.name
                    ));
                }
                before = split.then_some((to_us, record.turn));
                splits += usize::from(split);
                long += usize::from(to_us - from_us > 2_000_000);
            }
        }
        wrong.extend(played.imbalances());
    }
    findings(&wrong);
    assert!(splits > 10 && long > 0, "{splits} splits, {long} longer than two seconds");
}
