//! What one session's gate does differently from the scene: each setting has its effect there and nowhere else, and what
//! makes no sense is refused in words.

#[path = "support/host.rs"]
mod host;

use host::{Host, findings};
use mynah_engine::speech::{CancelReason, GateMode, GateOverrides};
use mynah_engine::{Event, OpenError, SessionSpec};

const SCENE: &str = r#"(
    name: "settings",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate(vad: Energy, pad_ms: 100))],
    edges: [("input", "gate"), ("gate", "output")],
)"#;

fn quiet(ms: u64) -> Vec<f32> {
    (0..ms * 16).map(|at| 1e-4 * (at as f32 * 0.37).sin()).collect()
}

/// A sound that the detector takes for speech at 0.4.
fn tone(ms: u64, level: f32) -> Vec<f32> {
    (0..ms * 16).map(|at| level * (at as f32 * 0.3).sin()).collect()
}

/// What happened to the segments of a session, with the media time at which they begin and the engine time at which their
/// end was suspected and was final, in milliseconds.
fn told(host: &Host, session: u32) -> Vec<String> {
    let mine = host.records.iter().filter(|record| record.session.0 == session);
    let told = mine.filter_map(|record| {
        let ms = record.t_us / 1_000;
        Some(match record.event {
            Event::SegmentOpened { from_us, .. } => format!("from {}", from_us / 1_000),
            Event::SegmentConfirmed { .. } => "speech".into(),
            Event::SegmentCancelled { reason: CancelReason::NotSustained, .. } => "no speech".into(),
            Event::Endpoint { .. } => format!("end {ms}"),
            Event::SegmentEnded { .. } => format!("over {ms}"),
            _ => return None,
        })
    });
    told.collect()
}

#[test]
fn each_setting_has_its_effect_in_its_session_alone() {
    let none = GateOverrides::default();
    let soft = GateOverrides { threshold: Some(0.3), release_threshold: Some(0.2), ..none };
    let cases: [(GateOverrides, &[&str]); 8] = [
        (none, &["from 1100", "speech", "end 1625", "over 1885"]),
        (GateOverrides { mode: GateMode::Shut, ..none }, &[]),
        (
            GateOverrides { min_silence_ms: Some(700.0), ..none },
            &["from 1100", "speech", "end 1625", "over 2285"],
        ),
        (
            GateOverrides { lookahead_ms: Some(100.0), ..none },
            &["from 1100", "speech", "end 1685", "over 1885"],
        ),
        (GateOverrides { pad_ms: Some(20.0), ..none }, &["from 1180", "speech", "end 1625", "over 1885"]),
        (GateOverrides { min_speech_ms: Some(1_000.0), ..none }, &["from 1100", "no speech"]),
        // The soft sound, too.
        (
            soft,
            &["from 300", "speech", "end 625", "over 885", "from 1100", "speech", "end 1625", "over 1885"],
        ),
        (none, &["from 1100", "speech", "end 1625", "over 1885"]),
    ];
    let spec = |at, gate| SessionSpec { gate, ..SessionSpec::named(format!("s{at}")) };
    let host = Host::new(SCENE, &[]);
    let mut host = cases.iter().enumerate().fold(host, |host, (at, (gate, _))| host.with(spec(at, *gate)));
    // The first sound is only somewhat more probable than not.
    let samples = [quiet(400), tone(200, 0.000_44), quiet(600), tone(400, 0.4), quiet(1_400)].concat();
    for frame in samples.chunks(320) {
        for session in &host.sessions {
            session.try_push(frame).expect("there is room");
        }
        host.ticks(4);
    }
    let mut wrong = Vec::new();
    for ((overrides, want), session) in cases.iter().zip(0..) {
        let told = told(&host, session);
        if told != *want {
            wrong.push(format!("{overrides:?}: {told:?}, not {want:?}"));
        }
    }
    findings(&wrong);
}

#[test]
fn settings_that_make_no_sense_are_refused_in_words() {
    let host = Host::new("gate_only", &[]);
    let none = GateOverrides::default();
    let cases = [
        (
            GateOverrides { threshold: Some(1.5), ..none },
            "node `gate`: threshold: 1.5 is no probability to open at; expected above 0.0, at most 1.0",
        ),
        (
            GateOverrides { pad_ms: Some(900.0), ..none },
            "node `gate`: pad_ms: 900 ms of pre-roll do not fit into a lookback of 200 ms; expected at most \
             `lookback_ms`",
        ),
    ];
    for (gate, want) in cases {
        let refused = host.engine.handle().open(SessionSpec { gate, ..SessionSpec::named("caller") });
        let Err(OpenError::Setting { reason }) = refused else { panic!("{gate:?} is refused: {refused:?}") };
        assert_eq!(reason, want);
    }
}
