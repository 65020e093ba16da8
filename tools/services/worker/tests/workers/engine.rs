//! Whole engines whose reply is a worker.

use std::sync::Arc;

use mynah_engine::edge::{Control, ControlIn};
use mynah_engine::scene::{Source, compile};
use mynah_engine::service::TimeMode;
use mynah_engine::{Engine, EngineConfig, Event, NodeId, SessionSpec};
use mynah_host::clock::Epoch;

use crate::program::{example, has_memory};
use crate::stage::{Sweep, fresh};

const SCENE: &str = r#"(
    name: "echoes",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Earshot, min_silence_ms: 300)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 50))),
        "reply": (
            output: Worker(command: Some(["ECHO"]), prefix: Some("PREFIX")),
            timing: (latency: Fixed(ms: 40), words_per_s: 20),
            timeout_ms: 8000,
        ),
    },
)"#;

/// The reply's place among the nodes.
const REPLY: NodeId = NodeId(2);

fn engine(time: TimeMode, prefix: &str) -> Engine {
    let mut registry = mynah_systems::registry(None);
    mynah_worker::register(&mut registry);
    let scene = SCENE.replace("ECHO", &example("echo_worker").to_string_lossy()).replace("PREFIX", prefix);
    let (plan, _) = compile(&Source::new("echoes.ron", scene.as_str()), &[], None, &registry)
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    Engine::new(Arc::new(plan), EngineConfig { threads: 1, time, ..EngineConfig::simulated() })
}

/// Types three questions, one after the other; what was answered, and the events.
fn conversation(time: TimeMode) -> (Vec<String>, Vec<String>) {
    let sweep = Sweep(fresh());
    let mut engine = engine(time, &sweep.0);
    let session = engine.handle().open(SessionSpec::named("caller")).expect("there is room");
    let clock = Epoch::start();
    let (mut answers, mut events) = (vec![String::new()], Vec::new());
    let questions = ["how are you", "what is new", "good bye then"];
    let mut asked = 0;
    for tick in 0_u64.. {
        let now_us = match time {
            TimeMode::Virtual => tick * 5_000,
            TimeMode::Wall => clock.now_us(),
        };
        if asked < questions.len() && answers.len() == asked + 1 {
            let control = Control::SendText { text: questions[asked].into() };
            asked += 1;
            session.control(ControlIn { message_id: asked as u64, control }).expect("it is open");
        }
        engine.tick(now_us);
        for record in engine.records() {
            events.push(format!("{record:?}"));
            match &record.event {
                Event::Text { node: REPLY, text, .. } => {
                    answers.last_mut().expect("one is begun").push_str(text)
                }
                Event::ServiceDone { node: REPLY, .. } => answers.push(String::new()),
                Event::ServiceFailed { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        }
        if answers.len() > questions.len() {
            break;
        }
        assert!(now_us < 60_000_000, "no answer: {events:#?}");
        if time == TimeMode::Wall {
            clock.sleep_until(now_us + 2_000);
        }
    }
    (answers, events)
}

#[test]
fn a_conversation_on_the_wall_clock() {
    if !has_memory() {
        return;
    }
    let (answers, _) = conversation(TimeMode::Wall);
    assert_eq!(answers, ["how are you ", "what is new ", "good bye then ", ""]);
}

#[test]
fn in_virtual_time_two_runs_have_equal_events() {
    if !has_memory() {
        return;
    }
    let (answers, events) = conversation(TimeMode::Virtual);
    assert_eq!(answers, ["how are you ", "what is new ", "good bye then ", ""]);
    assert!(events.len() > 6, "{events:#?}");
    assert_eq!(conversation(TimeMode::Virtual), (answers, events));
}
