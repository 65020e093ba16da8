//! What a host says to an engine: answers it wants stopped, advice for batches, nonsense, too much at once.

#[path = "support/host.rs"]
mod host;
#[path = "support/white.rs"]
mod white;

use host::{Host, plan};
use mynah_engine::record::FlushReason;
use mynah_engine::{Control, ControlError, ControlIn, EngineConfig, Event, SessionSpec, embed};
use white::White;

/// Anything loud is speech; a real voice tells how long it was.
const ASSISTANT: &str = r#"(
    name: "assistant",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: RealTime(lead_ms: 40))),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 100, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "tts", kind: Service(service: "tts", task: Synthesize), buffering: (max_batch_size: 4, max_wait_ms: 200)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "tts"), ("tts", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 100)),
    },
)"#;

/// The callers' own audio comes out.
const OWN: &str = r#"(
    name: "own",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 100, lookahead_ms: 40)),
    ],
    edges: [("input", "gate"), ("gate", "output")],
)"#;

/// A session with the assistant that is told of speech, or is not.
fn assistant(told: bool) -> Host {
    caller(ASSISTANT, told)
}

fn caller(scene: &str, told: bool) -> Host {
    let spec = SessionSpec { controls: told, ..SessionSpec::named("caller") };
    let mut host = Host::new(scene, &[]).with(spec);
    host.tick();
    host
}

impl Host {
    /// So many ms of noise or near silence.
    fn speak(&mut self, ms: usize, level: f32) {
        let noise: Vec<f32> = White::default().take(ms * 16).map(|sample| level * sample).collect();
        for piece in noise.chunks(320) {
            self.sessions[0].try_push(piece).expect("20 ms in four ticks are no flood");
            self.ticks(4);
        }
    }

    fn send(&self, message_id: u64, control: Control) -> Result<(), ControlError> {
        self.sessions[0].control(ControlIn { message_id, control })
    }

    fn told(&self) -> Vec<Control> {
        self.controls.iter().map(|(.., control)| control.clone()).collect()
    }
}

#[test]
fn an_answer_is_stopped_in_the_tick_of_its_message_and_the_next_one_comes() {
    let mut host = assistant(true);
    host.speak(300, 0.0005);
    host.speak(400, 0.3);
    host.speak(500, 0.0005);
    assert!(host.sounds.iter().any(|sound| sound.turn == 1), "the answer sounds");
    let before = host.sounds.len();
    host.send(7, Control::CancelAnswer { turn: 1 }).expect("there is room");
    host.tick();
    assert_eq!(host.sounds.len(), before, "in that tick");
    assert_eq!(host.told().last(), Some(&Control::Applied { message_id: 7 }));
    assert!(
        !host.told().iter().any(|control| matches!(control, Control::CancelAnswer { .. })),
        "who asked is not told"
    );
    let interrupted = |event: &Event| matches!(event, Event::AnswerInterrupted { turn: 1, segment: 0, .. });
    assert_eq!(host.count(interrupted), 1);
    // Again, of a turn that never was, and of one to come: nothing happens.
    for (id, turn) in [(8, 1), (9, 5), (10, 0), (11, 2)] {
        host.send(id, Control::CancelAnswer { turn }).expect("there is room");
    }
    host.speak(400, 0.0005);
    assert_eq!((host.sounds.len(), host.count(interrupted)), (before, 1), "not a sample more");
    let figures = host.census().controls;
    assert_eq!((figures.arrived, figures.without_effect), (5, 4));
    host.speak(400, 0.3);
    host.speak(500, 0.0005);
    assert_eq!(host.sounds.last().map(|sound| sound.turn), Some(2), "the next turn is answered");
    host.finish_within(800);
    assert_eq!(host.census().segments_active, 0);
    assert_eq!(host.told().last(), Some(&Control::Closed));
    assert_eq!(host.send(12, Control::CancelAnswer { turn: 2 }), Err(ControlError::Ended));
}

#[test]
fn who_is_speaking_when_the_answer_is_stopped_is_answered_in_a_turn_of_his_own() {
    let mut host = assistant(true);
    host.speak(300, 0.0005);
    host.speak(400, 0.3);
    host.speak(300, 0.0005);
    assert!(host.sounds.iter().any(|sound| sound.turn == 1), "the answer sounds");
    // The next words are known to be speech when the message comes.
    host.speak(200, 0.3);
    assert_eq!(host.count(|event| matches!(event, Event::SegmentConfirmed { segment: 2, .. })), 1);
    host.send(1, Control::CancelAnswer { turn: 1 }).expect("there is room");
    host.speak(200, 0.3);
    let before = host.sounds.len();
    host.speak(500, 0.0005);
    let answered: Vec<u32> = host.sounds[before..].iter().map(|sound| sound.turn).collect();
    assert!(!answered.is_empty() && answered.iter().all(|turn| *turn == 2), "{answered:?}");
}

#[test]
fn an_answer_under_way_is_stopped_before_it_sounds() {
    let mut host = assistant(false);
    host.speak(300, 0.0005);
    host.speak(400, 0.3);
    // Its end is suspected, and work has begun.
    while host.count(|event| matches!(event, Event::Endpoint { .. })) == 0 {
        host.speak(20, 0.0005);
    }
    host.send(1, Control::CancelAnswer { turn: 1 }).expect("there is room");
    host.speak(1_000, 0.0005);
    assert_eq!(host.sounds, []);
    assert_eq!(host.count(|event| matches!(event, Event::AnswerWithdrawn { segment: 1 })), 1);
}

#[test]
fn a_speaker_who_goes_on_after_a_stopped_answer_is_answered() {
    let mut host = assistant(false);
    host.speak(300, 0.0005);
    host.speak(400, 0.3);
    while host.count(|event| matches!(event, Event::Endpoint { .. })) == 0 {
        host.speak(20, 0.0005);
    }
    host.send(1, Control::CancelAnswer { turn: 1 }).expect("there is room");
    // The end was none: what follows is of the same segment.
    host.speak(400, 0.3);
    assert_eq!(host.count(|event| matches!(event, Event::EndpointRetracted { segment: 1, .. })), 1);
    host.speak(1_000, 0.0005);
    let begun = host.count(|event| matches!(event, Event::OutputStarted { segment: 1, revision: 2 }));
    assert_eq!((begun, host.count(|event| matches!(event, Event::SegmentOpened { .. }))), (1, 1));
    host.finish_within(800);
    assert_eq!(host.census().segments_active, 0);
}

#[test]
fn a_stopped_answer_stops_nothing_of_the_callers_own_audio() {
    let mut host = caller(OWN, true);
    host.speak(400, 0.5);
    // Silent for so long that the end is suspected and does not hold yet.
    host.speak(80, 0.0001);
    host.send(1, Control::CancelAnswer { turn: 1 }).expect("there is room");
    host.speak(300, 0.5);
    host.speak(400, 0.0001);
    let suspected = host.count(|event| matches!(event, Event::EndpointRetracted { segment: 1, .. }));
    assert_eq!(suspected, 1, "the message has to come while the end is suspected");
    assert_eq!(host.count(|event| matches!(event, Event::OutputStarted { segment: 1, .. })), 1);
    let ended = host.events(|event| match event {
        Event::OutputEnded { segment: 1, samples, .. } => Some(*samples as usize),
        _ => None,
    });
    let left: usize = host.sounds.iter().map(|sound| sound.samples.len()).sum();
    assert_eq!(ended.first().map(|(.., samples)| *samples), Some(left), "samples of the whole segment");
}

#[test]
fn a_hint_moves_what_is_worth_a_batch_within_the_policy() {
    let reason = |hint: Option<u32>| {
        let mut host = assistant(false);
        if let Some(size) = hint {
            host.send(1, Control::BatchHint { size }).expect("there is room");
        }
        host.speak(300, 0.0005);
        host.speak(400, 0.3);
        host.speak(800, 0.0005);
        let batch = host.records.iter().find_map(|record| match record.event {
            Event::Batch { reason, .. } => Some(reason),
            _ => None,
        });
        (batch, host.census().controls.without_effect)
    };
    // A lone item waits for company only where that is worth it.
    assert_eq!(reason(None), (Some(FlushReason::Count), 0));
    assert_eq!(reason(Some(3)), (Some(FlushReason::Timer), 0));
    assert_eq!(reason(Some(1)), (Some(FlushReason::Count), 0));
    assert_eq!(reason(Some(0)), (Some(FlushReason::Count), 1), "no size");
}

#[test]
fn a_hint_of_one_caller_leaves_the_others_alone() {
    let reason = |hinting: usize| {
        let mut host = assistant(false).with(SessionSpec::named("another"));
        host.tick();
        let message = ControlIn { message_id: 1, control: Control::BatchHint { size: 3 } };
        host.sessions[hinting].control(message).expect("there is room");
        host.speak(300, 0.0005);
        host.speak(400, 0.3);
        host.speak(800, 0.0005);
        host.records.iter().find_map(|record| match record.event {
            Event::Batch { reason, .. } => Some(reason),
            _ => None,
        })
    };
    assert_eq!(reason(0), Some(FlushReason::Timer), "of the caller who speaks");
    assert_eq!(reason(1), Some(FlushReason::Count), "of the other");
}

#[test]
fn the_lane_holds_256_and_drops_none() {
    let mut host = assistant(false);
    for id in 0..256 {
        host.send(id, Control::CancelAnswer { turn: 9 }).expect("there is room");
    }
    let full = host.send(256, Control::CancelAnswer { turn: 9 }).expect_err("256 is all");
    assert_eq!(full, ControlError::Overflow);
    assert!(full.to_string().starts_with("control_overflow: 256 "), "{full}");
    host.ticks(12);
    let applied: Vec<Control> = (0..256).map(|message_id| Control::Applied { message_id }).collect();
    assert_eq!(host.told(), applied, "each once, in order, and the session lives");
    assert_eq!(host.send(256, Control::CancelAnswer { turn: 9 }), Ok(()), "there is room again");
    host.tick();
    assert_eq!(host.census().controls.arrived, 257);
}

#[test]
fn what_an_engine_cannot_use_is_worked_off_without_effect() {
    let mut host = assistant(false);
    let nonsense = [
        Control::ConfirmSpeculation { segment: 1, turn: 1, from_us: 0, to_us: 1 },
        Control::CancelSpeculation { segment: 1, from_us: 0, to_us: 1, late: false },
        Control::EndOfSpeech { segment: 0, revision: 0, at_us: 0, last: true },
        Control::RetractEndOfSpeech { segment: u32::MAX, revision: u32::MAX, at_us: u64::MAX },
        Control::DeadlineWarning { turn: 1, left_us: 0 },
        Control::Applied { message_id: 3 },
        Control::Closed,
    ];
    for (id, control) in (0..).zip(nonsense) {
        host.send(id, control).expect("there is room");
    }
    host.speak(300, 0.0005);
    host.speak(400, 0.3);
    host.speak(400, 0.0005);
    let figures = host.census().controls;
    assert_eq!((figures.arrived, figures.without_effect), (7, 7));
    assert!(!host.sounds.is_empty(), "the gate here decides, and the answer comes");
}

#[test]
fn messages_of_sessions_that_close_are_no_burden() {
    let mut world = bevy_ecs::prelude::World::new();
    let engine = embed::embed(&mut world, &plan(ASSISTANT, &[]), EngineConfig::simulated());
    for round in 0..50 {
        let session = engine.open(SessionSpec::named("caller")).expect("the one before has gone");
        let message = ControlIn { message_id: round, control: Control::CancelAnswer { turn: 1 } };
        session.control(message.clone()).expect("before the first tick");
        embed::tick(&mut world, round * 20_000);
        session.control(message.clone()).expect("there is room");
        session.close();
        embed::tick(&mut world, round * 20_000 + 5_000);
        embed::tick(&mut world, round * 20_000 + 10_000);
        assert_eq!(session.control(message), Err(ControlError::Ended));
        assert_eq!(
            std::iter::from_fn(|| session.poll()).count(),
            2,
            "what was worked off is told: round {round}"
        );
    }
}
