//! Nothing is lost silently and nothing stays open, however a session ends. Frames are counted twice: by the engine,
//! and by `support/accounts.rs` from events and samples alone.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::collections::BTreeMap;

use mynah_engine::speech::CancelReason;
use mynah_engine::{DropReason, Event};
use support::accounts::{Flow, unsettled};
use support::callers::Callers;
use support::program::{replay, simulate};
use support::stage::{Outcome, Part, Run, run};

const SECONDS: u64 = 12;
/// Scene, rate of the caller, what becomes of the samples.
const SCENES: [(&str, u32, Flow); 11] = [
    ("passthrough", 16_000, Flow::Plain { rate_hz: 16_000 }),
    ("streaming_resample", 48_000, Flow::Plain { rate_hz: 16_000 }),
    ("gate_only", 16_000, Flow::Gated { rate_hz: 16_000 }),
    ("speculative_vad", 48_000, Flow::Gated { rate_hz: 16_000 }),
    ("voice_assistant", 48_000, Flow::Answered { made_hz: 16_000, released_hz: 48_000 }),
    ("voice_assistant_cloud", 48_000, Flow::Answered { made_hz: 16_000, released_hz: 48_000 }),
    ("assistant", 48_000, Flow::Answered { made_hz: 16_000, released_hz: 48_000 }),
    ("batched_tts", 16_000, Flow::Answered { made_hz: 16_000, released_hz: 16_000 }),
    ("barge_in", 16_000, Flow::Answered { made_hz: 16_000, released_hz: 16_000 }),
    ("deadlines", 16_000, Flow::Answered { made_hz: 16_000, released_hz: 16_000 }),
    ("full", 48_000, Flow::Answered { made_hz: 16_000, released_hz: 48_000 }),
];

/// What the two accounts say against each other and against themselves.
fn wrong(scene: &str, parts: &[Part], played: &Run, flow: Flow) -> Vec<String> {
    let mut wrong = Vec::new();
    for (part, outcome) in parts.iter().zip(&played.outcomes) {
        let place = format!("{scene} {} hang up at {:?}", part.name, part.hang_up_us);
        wrong.extend(unsettled(part, outcome, flow).into_iter().map(|what| format!("{place}: {what}")));
    }
    let census = &played.census;
    for (at, balance) in census.balances(&played.queued).enumerate() {
        if !balance.holds() || balance.queued > 0 {
            wrong.push(format!("{scene} node {at}: {balance}"));
        }
    }
    if (census.segments_active, census.sessions_open) != (0, 0) {
        let (segments, sessions) = (census.segments_active, census.sessions_open);
        wrong.push(format!("{scene}: {segments} segments and {sessions} sessions are left"));
    }
    let pushed: u64 = played.outcomes.iter().map(|o| o.samples_pushed).sum();
    if census.edge.frames > pushed {
        wrong.push(format!("{scene}: {pushed} sample frames pushed, {} taken", census.edge.frames));
    }
    wrong
}

#[test]
fn every_scene_ends_balanced_by_both_accounts() {
    let mut failed = Vec::new();
    for (scene, rate_hz, flow) in SCENES {
        let callers = Callers::new(4, 12, rate_hz, SECONDS);
        let parts = callers.parts(4, SECONDS);
        let played = run(scene, &[], &parts, Some(callers.script(4)));
        failed.extend(wrong(scene, &parts, &played, flow));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_report_of_every_scene_says_balanced_and_nothing_open() {
    let mut failed = Vec::new();
    for (scene, ..) in SCENES {
        let flags = [scene, "--sessions", "6", "--duration", "10s"];
        let report = simulate(&flags);
        let open = report["segments"]["open_at_end"].as_u64();
        if report["frames"]["balanced"] != true || open != Some(0) {
            let (frames, segments) = (&report["frames"], &report["segments"]);
            failed.push(format!("{}: {frames} {segments}", replay(&[&["simulate"][..], &flags].concat())));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Engine times just at, before and after everything that happened in a run without hang-ups.
fn moments(outcome: &Outcome) -> Vec<(u64, &'static str)> {
    let mut moments: Vec<(u64, &'static str)> = Vec::new();
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    for (t_us, event) in outcome.events() {
        let what = match event {
            Event::SegmentOpened { .. } => "opened",
            Event::SegmentConfirmed { .. } => "confirmed",
            Event::SegmentCancelled { .. } => "cancelled",
            Event::Endpoint { .. } => "endpoint",
            Event::EndpointRetracted { .. } => "retracted",
            Event::SegmentEnded { .. } => "ended",
            Event::ServiceSubmitted { .. } => "submitted",
            Event::ServiceDone { .. } => "done",
            Event::OutputStarted { .. } => "sounding",
            Event::OutputEnded { .. } => "sounded",
            _ => continue,
        };
        let times = seen.entry(what).or_default();
        *times += 1;
        if *times <= 3 {
            moments
                .extend([t_us.saturating_sub(5_000), t_us, t_us + 5_000, t_us + 35_000].map(|us| (us, what)));
        }
    }
    moments
}

#[test]
fn sessions_closed_at_any_moment_leave_nothing_open() {
    let (mut failed, mut cut, mut caught) = (Vec::new(), 0, 0);
    for (scene, rate_hz, flow) in SCENES {
        let callers = Callers::new(4, 12, rate_hz, SECONDS);
        let caller = callers.parts(1, SECONDS).remove(0);
        let whole = run(scene, &[], std::slice::from_ref(&caller), Some(callers.script(1)));
        let mut moments = moments(&whole.outcomes[0]);
        moments.extend([0, 5_000, 20_000, 1_000_000, 3_000_000].map(|us| (us, "whenever")));
        // One session a moment, all in one run; they all say what the first caller says.
        let hang_up = |(at, (us, what)): (usize, &(u64, &'static str))| Part {
            name: format!("{what}-{at}"),
            ..caller.clone().hanging_up_at(*us)
        };
        let parts: Vec<Part> = moments.iter().enumerate().map(hang_up).collect();
        cut += parts.len();
        let played = run(scene, &[], &parts, None);
        failed.extend(wrong(scene, &parts, &played, flow));
        caught += played.outcomes.iter().filter(|outcome| caught_something(outcome)).count();
    }
    println!("{cut} sessions were closed, {caught} of them with something under way");
    assert!(cut > 150 && caught > 50, "{cut} sessions closed, {caught} with something under way");
    assert!(failed.is_empty(), "{} wrong:\n{}", failed.len(), failed.join("\n"));
}

/// Whether the hang-up took something back.
fn caught_something(outcome: &Outcome) -> bool {
    outcome.events().any(|(_, event)| {
        matches!(
            event,
            Event::SegmentCancelled { reason: CancelReason::Closed, .. }
                | Event::FrameDropped { reason: DropReason::Closed, .. }
                | Event::OutputDropped { reason: DropReason::Closed, .. }
        )
    })
}

/// One caller's speech, its silences cut out, again and again.
fn speech_without_a_pause(seconds: usize) -> Vec<f32> {
    let caller = Callers::new(6, 24, 16_000, 60).labelled(0, 60);
    let at = |us: u64| (us * 16 / 1_000) as usize;
    let edge_us = 60_000;
    let spoken: Vec<f32> = caller
        .speech
        .iter()
        .filter(|s| s.to_us - s.from_us > 600_000)
        .flat_map(|s| caller.samples[at(s.from_us + edge_us)..at(s.to_us - edge_us)].iter().copied())
        .collect();
    spoken.iter().cycle().take(seconds * 16_000).copied().collect()
}

#[test]
fn five_minutes_without_a_pause_lose_no_sample_and_hold_bounded_memory() {
    const SECONDS: usize = 300;
    let samples = speech_without_a_pause(SECONDS);
    let part = Part::new("endless", 16_000, samples);
    // Generous about the breaks between the pieces: it is one utterance.
    let sets = ["gate.min_silence_ms=1500", "gate.max_segment_ms=30000", "gate.release_threshold=0.2"];
    let parts = [part];
    let played = run("gate_only", &sets, &parts, None);
    let outcome = &played.outcomes[0];
    let failed = wrong("gate_only", &parts, &played, Flow::Gated { rate_hz: 16_000 });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let ends: Vec<(u64, u64, bool)> = outcome
        .events()
        .filter_map(|(_, event)| match *event {
            Event::SegmentEnded { from_us, to_us, split, .. } => Some((from_us, to_us, split)),
            _ => None,
        })
        .collect();
    let splits = ends.iter().filter(|(.., split)| *split).count();
    assert!(splits >= 9, "{splits} splits in {SECONDS} s: {ends:?}");
    for pair in ends.windows(2) {
        assert!(!pair[0].2 || pair[0].1 == pair[1].0, "a gap at a split: {pair:?}");
    }
    // Every sample from the first forwarded one on, in order, bit for bit.
    let first = (outcome.audio[0].pts_us * 16_000).div_ceil(1_000_000) as usize;
    let heard: Vec<f32> = outcome.audio.iter().flat_map(|block| block.samples.iter().copied()).collect();
    let lost = parts[0].audio.samples.len() - first - heard.len();
    assert!(first <= 8_000 && lost == 0, "{first} samples before the onset, {lost} lost");
    assert!(heard == parts[0].audio.samples[first..], "samples differ");
    let (halfway, end) = played.blocks_created;
    assert_eq!(halfway, end, "the pools grew in the second half");
    let depth = played.census.nodes.iter().map(|node| node.depth_max).max();
    assert!(depth.is_some_and(|depth| depth <= 32), "a queue held {depth:?} frames");
}

/// A run whose accounts are right, and that has something of everything in it.
fn honest() -> (Part, Outcome) {
    let callers = Callers::new(4, 12, 16_000, SECONDS);
    let parts = callers.parts(1, SECONDS);
    let sets = ["gate.threshold=0.3", "gate.release_threshold=0.3"];
    let outcome = run("gate_only", &sets, &parts, None).outcomes.remove(0);
    (parts[0].clone(), outcome)
}

#[test]
fn the_second_account_catches_every_cheat() {
    const FLOW: Flow = Flow::Gated { rate_hz: 16_000 };
    let (part, honest) = honest();
    assert_eq!(unsettled(&part, &honest, FLOW), [""; 0]);
    let without = |doomed: fn(&Event) -> bool| {
        let mut doctored = honest.clone();
        let at = doctored.records.iter().position(|r| doomed(&r.event)).expect("the honest run has one");
        doctored.records.remove(at);
        doctored
    };
    let twice = |wanted: fn(&Event) -> bool| {
        let mut doctored = honest.clone();
        let at = doctored.records.iter().position(|r| wanted(&r.event)).expect("the honest run has one");
        doctored.records.insert(at, honest.records[at].clone());
        doctored
    };
    let mut lost_block = honest.clone();
    lost_block.audio.remove(3);
    let mut lost_sample = honest.clone();
    lost_sample.audio[2].samples.pop();
    let mut foreign = honest.clone();
    foreign.audio[1].segment = 999;
    let mut doubled = honest.clone();
    doubled.audio.insert(1, honest.audio[1].clone());
    let cheats = [
        ("an end is missing", without(|e| matches!(e, Event::SegmentEnded { .. }))),
        ("a confirmation is missing", without(|e| matches!(e, Event::SegmentConfirmed { .. }))),
        ("an opening is missing", without(|e| matches!(e, Event::SegmentOpened { .. }))),
        ("an endpoint is missing", without(|e| matches!(e, Event::Endpoint { .. }))),
        ("the session was never closed", without(|e| matches!(e, Event::SessionClosed))),
        ("ended twice", twice(|e| matches!(e, Event::SegmentEnded { .. }))),
        ("confirmed twice", twice(|e| matches!(e, Event::SegmentConfirmed { .. }))),
        ("a block is lost", lost_block),
        ("a sample is lost", lost_sample),
        ("a block of nobody", foreign),
        ("a block twice", doubled),
    ];
    let missed: Vec<&str> = cheats
        .iter()
        .filter(|(_, log)| unsettled(&part, log, FLOW).is_empty())
        .map(|(what, _)| *what)
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// What was dropped because the caller hung up is in the log with its reason, and nothing else was.
#[test]
fn only_a_hang_up_drops_frames() {
    let callers = Callers::new(4, 12, 48_000, SECONDS);
    let parts = callers.parts(4, SECONDS);
    let played = run("voice_assistant", &[], &parts, Some(callers.script(4)));
    for outcome in &played.outcomes {
        for (t_us, event) in outcome.events() {
            if let Event::FrameDropped { reason, .. } | Event::OutputDropped { reason, .. } = event {
                let corrected =
                    matches!(reason, DropReason::Cancelled | DropReason::Retracted | DropReason::Interrupted);
                assert!(corrected, "at {t_us}: {event:?}");
            }
        }
    }
}
