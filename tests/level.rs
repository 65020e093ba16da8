//! With `Level` before the gate a faint voice is forwarded as early as a loud one, from its second utterance on at the
//! latest, and noise opens nothing that it would not open without.
//!
//! Engine time at which the gate opens a segment that it confirms. The room is steady: noise of -66 dBFS, whoever speaks.

#![allow(
    clippy::print_stdout,
    unused_crate_dependencies,
    reason = "figures for --nocapture; crates are the package's"
)]

#[path = "support/host.rs"]
mod host;

use std::path::Path;

use host::{Host, compiled, findings};
use mynah_engine::base::rng::Rng;
use mynah_engine::scene::Format;
use mynah_engine::{Event, SessionSpec};

const RATE: usize = 16_000;
/// Samples that are pushed in a tick.
const PUSH: usize = 80;
const ROOM_DBFS: f32 = -66.0;
/// Recordings of speech: where utterances are, in milliseconds (tests/recordings/labels.jsonl).
const VOICES: [(&str, &[(usize, usize)]); 2] =
    [("turns", &[(282, 2507), (3323, 4623)]), ("cards", &[(580, 1340), (2183, 3428), (4216, 5201)])];
const NOISES: [&str; 3] = ["sounds", "bed_keys", "bed_music"];
/// How much later than at -6 dBFS a faint voice may be forwarded.
const LATER_MS_MAX: i64 = 100;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Front {
    Nothing,
    Level,
}

/// The gate of `voice_assistant`.
fn scene(front: Front) -> String {
    let (node, edges) = match front {
        Front::Nothing => ("", r#"("input", "gate")"#),
        Front::Level => (r#"(id: "level", kind: Level()),"#, r#"("input", "level"), ("level", "gate")"#),
    };
    let gate = "vad: Silero, threshold: 0.9, release_threshold: 0.85, min_speech_ms: 96, min_silence_ms: 128, \
                pad_ms: 150, lookback_ms: 200, lookahead_ms: 32";
    format!(
        r#"(
            name: "faint",
            session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
            nodes: [{node} (id: "gate", kind: VadGate({gate}))],
            edges: [{edges}, ("gate", "output")],
        )"#
    )
}

fn factor(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// A recording with its peak at this level.
fn recording(name: &str, dbfs: f32) -> Vec<f32> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings").join(format!("{name}.wav"));
    let samples = mynah_load::wav::read(&path).expect("it is part of the checkout").samples;
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    samples.iter().map(|sample| sample * factor(dbfs) / peak).collect()
}

/// The same `times` times, so many milliseconds apart, in the room.
fn repeated(samples: &[f32], times: usize, gap_ms: usize) -> Vec<f32> {
    let mut rng = Rng::new(1, 0, 0);
    let gap = vec![0.0; gap_ms * RATE / 1_000];
    let whole = (0..times).flat_map(|_| samples.iter().chain(&gap));
    whole.map(|sample| sample + factor(ROOM_DBFS) * rng.range_f32(-1.0..1.0)).collect()
}

/// When segments are opened, in milliseconds, and whether they are confirmed.
fn opened_ms(front: Front, samples: &[f32]) -> Vec<(usize, bool)> {
    let mut host = Host::new(&scene(front), &[]).with(SessionSpec::named("caller"));
    for chunk in samples.chunks(PUSH) {
        host.sessions[0].try_push(chunk).expect("5 ms in each tick of 5 ms");
        host.tick();
    }
    host.finish();
    findings(&host.imbalances());
    host.nothing_left();
    let opened = host.events(|event| match event {
        Event::SegmentOpened { segment, .. } => Some(*segment),
        _ => None,
    });
    let confirmed = |wanted| {
        host.count(|event| matches!(event, Event::SegmentConfirmed { segment, .. } if *segment == wanted)) > 0
    };
    opened.into_iter().map(|(_, t_us, segment)| (t_us as usize / 1_000, confirmed(segment))).collect()
}

/// How long after its beginning each utterance is forwarded, in milliseconds; one that is not is as late as it is long.
fn delays_ms(front: Front, voice: &(&str, &[(usize, usize)]), dbfs: f32, gap_ms: usize) -> Vec<i64> {
    let samples = recording(voice.0, dbfs);
    let turn_ms = samples.len() * 1_000 / RATE + gap_ms;
    let opened = opened_ms(front, &repeated(&samples, 3, gap_ms));
    let utterances =
        (0..3).flat_map(|turn| voice.1.iter().map(move |(from, to)| (turn * turn_ms, *from, *to)));
    let delay_ms = |(origin, from, to): (usize, usize, usize)| {
        let within = |ms: &usize| (origin + from..origin + to).contains(ms);
        let first = opened.iter().filter(|(_, confirmed)| *confirmed).map(|(ms, _)| *ms).find(within);
        first.unwrap_or(origin + to) as i64 - (origin + from) as i64
    };
    utterances.map(delay_ms).collect()
}

#[test]
fn a_faint_voice_is_forwarded_as_early_as_a_loud_one_from_its_second_utterance_on() {
    let (mut wrong, mut latest_without_ms) = (Vec::new(), 0);
    for voice in &VOICES {
        for gap_ms in [1_000, 4_000] {
            for front in [Front::Nothing, Front::Level] {
                let loud = delays_ms(front, voice, -6.0, gap_ms);
                println!("{} gap {gap_ms} ms, {front:?}: -6 dBFS after {loud:?} ms", voice.0);
                for dbfs in [-20.0, -34.0] {
                    let faint = delays_ms(front, voice, dbfs, gap_ms);
                    let later: Vec<i64> = faint.iter().zip(&loud).map(|(faint, loud)| faint - loud).collect();
                    println!("  {dbfs} dBFS later by {later:?} ms");
                    let latest_ms = later[1..].iter().copied().max().unwrap_or(0);
                    match front {
                        Front::Nothing => latest_without_ms = latest_without_ms.max(latest_ms),
                        Front::Level if latest_ms > LATER_MS_MAX => {
                            wrong.push(format!(
                                "{} at {dbfs} dBFS, gap {gap_ms} ms: later by {later:?}",
                                voice.0
                            ));
                        }
                        Front::Level => {}
                    }
                }
            }
        }
    }
    findings(&wrong);
    assert!(
        latest_without_ms > 5 * LATER_MS_MAX,
        "without it the voice is late, too: {latest_without_ms} ms"
    );
}

#[test]
fn a_loud_voice_is_forwarded_no_later_than_without() {
    for voice in &VOICES {
        let [without, with] =
            [Front::Nothing, Front::Level].map(|front| delays_ms(front, voice, -6.0, 1_000));
        // A hop of the detector is 32 ms.
        let later = without.iter().zip(&with).filter(|(without, with)| **with > **without + 35).count();
        assert_eq!(later, 0, "{}: {with:?} ms, without it {without:?} ms", voice.0);
    }
}

#[test]
fn noise_opens_nothing_more_than_without_also_when_a_faint_voice_had_spoken() {
    let mut wrong = Vec::new();
    for name in NOISES {
        for dbfs in [-6.0, -14.0, -20.0, -27.0, -34.0, -40.0] {
            for before in [Vec::new(), recording("turns", -34.0)] {
                let noise = repeated(&recording(name, dbfs), 5, 0);
                let samples = [repeated(&before, 2, 1_000), noise].concat();
                // In the pause before it there is nothing to open.
                let from_ms = (2 * (before.len() + RATE)) * 1_000 / RATE - 300;
                let count = |front| opened_ms(front, &samples).iter().filter(|(ms, _)| *ms > from_ms).count();
                let [without, with] = [Front::Nothing, Front::Level].map(count);
                let after = if before.is_empty() { "alone" } else { "after a voice of -34 dBFS" };
                let line = format!("{name} at {dbfs} dBFS {after}: {with} segments, without {without}");
                println!("{line}");
                wrong.extend((with > without).then_some(line));
            }
        }
    }
    findings(&wrong);
}

#[test]
fn what_leaves_does_not_depend_on_how_it_came() {
    let scene = r#"(
        name: "alone",
        session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
        nodes: [(id: "level", kind: Level())],
        edges: [("input", "level"), ("level", "output")],
    )"#;
    for format in [Format { rate_hz: 16_000, channels: 1 }, Format { rate_hz: 48_000, channels: 2 }] {
        let voice = repeated(&recording("cards", -34.0), 1, 0);
        let samples = &voice[..voice.len() / 960 * 960];
        let heard = |push: usize| {
            let spec = SessionSpec { input: Some(format), ..SessionSpec::named("caller") };
            let mut host = Host::new(scene, &[]).with(spec);
            for chunk in samples.chunks(push) {
                host.sessions[0].try_push(chunk).expect("there is credit");
                host.tick();
            }
            host.finish();
            findings(&host.imbalances());
            host.whole(0).iter().map(|sample| sample.to_bits()).collect::<Vec<_>>()
        };
        let [whole, pieces] = [240, 30].map(heard);
        assert_eq!(whole.len(), samples.len(), "{format:?}");
        assert!(whole == pieces, "{format:?}: the blocks are heard");
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_refused_with_what_would() {
    let registry = mynah_systems::registry(None);
    for (set, value, remedy) in [
        ("level.high_pass_hz=2000", "2000 Hz is out of range", "0 to 1000"),
        ("level.target_dbfs=3", "3 dBFS is out of range", "-40 to -3"),
        ("level.max_gain_db=60", "60 dB is out of range", "0 to 40"),
        ("level.gain=2", "gain", "max_gain_db"),
    ] {
        let said = compiled(&scene(Front::Level), &[set], &registry).expect_err(set);
        let field = set.split('=').next().unwrap_or(set).trim_start_matches("level.");
        assert!(said.contains(value) && said.contains(remedy) && said.contains(field), "{set}: {said}");
    }
}
