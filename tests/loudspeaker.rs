//! Over loudspeakers an assistant hears itself: what the gate's settings do about it, and what they cost.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

#[path = "support/host.rs"]
mod host;
#[path = "support/loudspeaker.rs"]
mod loudspeaker;
#[path = "support/spoken.rs"]
mod spoken;

use std::path::Path;

use host::{Host, TICK_US, findings};
use loudspeaker::{RATE_HZ, Room, answers, call, interruptions, mixed, pauses, samples};
use mynah_engine::speech::GateOverrides;
use mynah_engine::{Event, SessionSpec};
use mynah_load::wav;

const SCENE: &str = "barge_in";
const DEAF: &str = "gate.half_duplex=true";
const RAISED: &str = "gate.raise_threshold_while_speaking=0.97";
/// The usual tail.
const TAIL_US: u64 = 300_000;
/// A frame of what the callers send: segments begin with whole ones.
const FRAME_US: u64 = 20_000;

/// A question, and silence until `ms`.
fn question(ms: usize) -> Vec<f32> {
    let mut said = spoken::speech(RATE_HZ as u32, "where can I find the station");
    said.resize(samples(ms), 0.0);
    said
}

/// Utterances of several voices: file, and where they begin and end in milliseconds.
const UTTERANCES: [(&str, usize, usize); 8] = [
    ("cards.wav", 580, 1_340),
    ("cards.wav", 2_183, 3_428),
    ("cards.wav", 4_216, 5_201),
    ("turns.wav", 282, 2_507),
    ("turns.wav", 3_323, 4_623),
    ("voices.wav", 270, 2_115),
    ("voices.wav", 4_975, 6_615),
    ("voices.wav", 9_025, 11_410),
];

/// Power of the loudest 32 ms.
fn loudest(samples: &[f32]) -> f32 {
    samples.chunks_exact(512).map(|hop| hop.iter().map(|s| s * s).sum::<f32>() / 512.0).fold(0.0, f32::max)
}

/// An utterance whose loudest 32 ms have `db` of full scale.
fn utterance((file, from_ms, to_ms): (&str, usize, usize), db: f32) -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let whole = wav::read(&folder.join(file)).expect("the recording is in the checkout");
    assert_eq!((whole.rate as usize, whole.channels), (RATE_HZ, 1), "{file}");
    let words = &whole.samples[samples(from_ms)..samples(to_ms)];
    let gain = (10f32.powf(db / 10.0) / loudest(words)).sqrt();
    words.iter().map(|sample| sample * gain).collect()
}

fn caller() -> SessionSpec {
    SessionSpec::named("caller")
}

/// When the first answer is over at the loudspeaker, microseconds.
fn answered_us(host: &Host) -> u64 {
    let mut over_us = 0;
    for sound in host.sounds.iter().filter(|sound| sound.segment == 1) {
        over_us = sound.t_us.max(over_us) + (sound.samples.len() * 1_000_000 / RATE_HZ) as u64;
    }
    over_us
}

/// Where segments began, with their number, in microseconds of media time.
fn opened(host: &Host) -> Vec<(u32, u64)> {
    let opened = host.events(|event| match event {
        Event::SegmentOpened { segment, from_us } => Some((*segment, *from_us)),
        _ => None,
    });
    opened.into_iter().map(|(.., segment)| segment).collect()
}

#[test]
fn an_assistant_interrupts_itself_and_answers_itself_unless_its_gate_knows_better() {
    let mut wrong = Vec::new();
    println!("echo dB, setting: interrupted, first after ms, paused, answers to itself");
    for echo_db in [-10.0, -20.0, -30.0] {
        let rooms = [20, 60, 100].map(|chunk_ms| Room { chunk_ms, ..Room::with_echo(echo_db) });
        for (set, room) in [("gate.half_duplex=false", rooms[0])]
            .into_iter()
            .chain(rooms.map(|room| (DEAF, room)))
            .chain(rooms.map(|room| (RAISED, room)))
        {
            let host = call(SCENE, &[set], caller(), room, &question(15_000));
            let (answers, (count, first_ms)) = (answers(&host), interruptions(&host));
            let first_ms = first_ms.map(|ms| ms - answers[0].0);
            let itself = answers.len() - 1;
            println!("{echo_db}, {set}: {count}, {first_ms:?}, {}, {itself}", pauses(&host));
            let heard = host.count(|e| matches!(e, Event::OutputEnded { segment: 1, .. })) == 1;
            let alone = (count, pauses(&host), itself, opened(&host).len()) == (0, 0, 0, 1) && heard;
            let ill = count > 0 && itself > 0;
            if (set.ends_with("false") && !ill) || (!set.ends_with("false") && !alone) {
                wrong.push(format!("{set} at {echo_db} dB, {room:?}: {answers:?}, {:?}", opened(&host)));
            }
            assert!(host.imbalances().is_empty(), "{:?}", host.imbalances());
        }
    }
    findings(&wrong);
}

#[test]
fn a_session_says_for_itself_whether_it_has_a_loudspeaker() {
    let none = GateOverrides::default();
    let (on, off) = (Some(true), Some(false));
    let cases = [
        ("gate.half_duplex=false", none, true),
        ("gate.half_duplex=false", GateOverrides { half_duplex: on, ..none }, false),
        (
            "gate.half_duplex=false",
            GateOverrides { raise_threshold_while_speaking: Some(0.97), ..none },
            false,
        ),
        (DEAF, none, false),
        (DEAF, GateOverrides { half_duplex: off, ..none }, true),
        // The echo comes in 150 ms after the sound.
        (DEAF, GateOverrides { echo_tail_ms: Some(20.0), ..none }, true),
    ];
    let mut wrong = Vec::new();
    for (set, gate, hears_itself) in cases {
        let spec = SessionSpec { gate, ..caller() };
        let host = call(SCENE, &[set], spec, Room::with_echo(-10.0), &question(14_500));
        if (opened(&host).len() > 1) != hears_itself {
            wrong.push(format!("{set}, {gate:?}: {:?}", opened(&host)));
        }
    }
    findings(&wrong);
}

/// With the echo of 150 ms a device takes 100 ms more than the scene knows, or the host says so.
#[test]
fn what_the_host_says_of_its_latency_counts() {
    let room = Room { delay_ms: 700, ..Room::with_echo(-10.0) };
    for (latency_ms, hears_itself) in [(0, true), (600, false)] {
        let spec = SessionSpec { latency_ms, ..caller() };
        let host = call(SCENE, &[DEAF], spec, room, &question(15_000));
        assert_eq!(opened(&host).len() > 1, hears_itself, "{latency_ms} ms: {:?}", opened(&host));
    }
}

#[test]
fn whoever_speaks_after_the_answer_and_its_tail_is_heard_from_the_first_sample_on() {
    let words = utterance(UTTERANCES[4], -17.0);
    let mut wrong = Vec::new();
    for (echo_db, speculate) in [(-10.0, true), (-30.0, true), (-10.0, false)] {
        let speculates = format!("gate.speculate={speculate}");
        let sets = [DEAF, &*speculates];
        let alone = call(SCENE, &sets, caller(), Room::with_echo(echo_db), &question(15_000));
        let quiet_us = answered_us(&alone) + TAIL_US;
        for late_ms in (-120..=96).step_by(24) {
            let onset_us = (quiet_us as i64 + late_ms * 1_000) as u64;
            let voice = mixed(question(15_000), (onset_us / 1_000) as usize, &words);
            let voice = mixed(voice, 17_500, &[]);
            let host = call(SCENE, &sets, caller(), Room::with_echo(echo_db), &voice);
            let second = opened(&host).get(1).map(|(_, from_us)| *from_us);
            // Of what was said before, nothing is left: the echo would be in it.
            let whole = second.is_some_and(|from_us| {
                from_us <= onset_us.max(quiet_us) && from_us + FRAME_US + TICK_US > quiet_us
            });
            if !whole || answers(&host).len() != 2 {
                let answers = answers(&host);
                wrong.push(format!(
                    "{echo_db} dB, {late_ms} ms: {second:?} {onset_us} {quiet_us} {answers:?}"
                ));
            }
        }
    }
    findings(&wrong);
}

/// The middle and the last of some times.
fn middle_and_last(mut ms: Vec<u64>) -> String {
    ms.sort_unstable();
    match ms.last() {
        Some(last) => format!("{}, {last}", ms[ms.len() / 2]),
        None => "-".into(),
    }
}

/// When the answer is paused, and when it is interrupted, after a caller has begun to speak over it; `None`: neither, and
/// so on.
fn spoken_over(set: &str, room: Room, words: &[f32]) -> (Option<u64>, Option<u64>) {
    const OVER_MS: usize = 5_500;
    let voice = mixed(question(9_000), OVER_MS, words);
    let host = call(SCENE, &[set], caller(), room, &voice);
    let after = |events: Vec<(u32, u64, ())>| {
        events.iter().map(|(_, t_us, ())| t_us / 1_000).find(|ms| *ms >= OVER_MS as u64)
    };
    let paused = host.events(|event| matches!(event, Event::AnswerPaused { .. }).then_some(()));
    let interrupted = host.events(|event| matches!(event, Event::AnswerInterrupted { .. }).then_some(()));
    let before = interrupted.iter().any(|(_, t_us, ())| *t_us / 1_000 < OVER_MS as u64);
    if before {
        return (None, None);
    }
    let since = |ms: u64| ms - OVER_MS as u64;
    (after(paused).map(since), after(interrupted).map(since))
}

#[test]
fn whoever_talks_over_the_answer_loudly_enough_still_interrupts() {
    let rooms = [
        ("headphones", Room::with_headphones()),
        ("-30 dB", Room::with_echo(-30.0)),
        ("-20 dB", Room::with_echo(-20.0)),
        ("-10 dB", Room::with_echo(-10.0)),
    ];
    let mut wrong = Vec::new();
    println!(
        "| caller's loudest 32 ms | setting | echo | interrupts | paused after P50, max ms | interrupted |"
    );
    for (level_db, least) in [(-14.0, 6), (-17.0, 4), (-20.0, 2), (-26.0, 0)] {
        for (set, rooms) in
            [("gate.half_duplex=false", &rooms[..1]), (RAISED, &rooms[..]), (DEAF, &rooms[..1])]
        {
            for (name, room) in rooms {
                let over = UTTERANCES.map(|which| spoken_over(set, *room, &utterance(which, level_db)));
                let paused: Vec<u64> = over.iter().filter_map(|(paused, _)| *paused).collect();
                let interrupted: Vec<u64> = over.iter().filter_map(|(_, at)| *at).collect();
                let count = interrupted.len();
                println!(
                    "| {level_db} dB | {set} | {name} | {count} of 8 | {} | {} |",
                    middle_and_last(paused),
                    middle_and_last(interrupted)
                );
                let right = match set {
                    RAISED => count >= least,
                    DEAF => count == 0,
                    _ => count >= 7,
                };
                if !right {
                    wrong.push(format!("{level_db} dB, {set}, {name}: {count}"));
                }
            }
        }
    }
    findings(&wrong);
}
