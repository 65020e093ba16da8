//! Whole engines whose services are behind HTTP: on the wall clock, and in virtual time.

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::{
    Control, ControlIn, Engine, EngineConfig, Out, ScenePlan, SessionEvent, SessionHandle, SessionSpec,
};
use mynah_host::clock::Epoch;
use mynah_host::{Runner, RunnerOptions};

use crate::mock::{Asked, Mock, Wire, rest};

/// Longer than any conversation here takes, however slow the machine is.
const PATIENCE_US: u64 = 60_000_000;

/// Anything loud is speech; what was recognised goes to a model, and what that says to a voice.
fn spoken(mock: &Mock) -> Arc<ScenePlan> {
    let at = mock.patient();
    plan(&format!(
        r#"(
    name: "spoken",
    session: (
        input: (rate_hz: 16000),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40), interrupt_min_ms: 200),
    ),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text_collector", kind: TextCollector()),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text_collector"),
        ("text_collector", "tts"), ("tts", "output"),
    ],
    services: {{
        "asr": (output: Transcription({at}), timing: (latency: Fixed(ms: 10))),
        "reply": (output: Chat({at}, system: "Be brief."), timing: (latency: Fixed(ms: 200), words_per_s: 20)),
        "tts": (output: Speech({at}, voice: "v"), timing: (latency: Fixed(ms: 100), speed: 10)),
    }},
)"#
    ))
}

/// What was typed is answered in writing.
fn written(mock: &Mock) -> Arc<ScenePlan> {
    let at = mock.patient();
    plan(&format!(
        r#"(
    name: "written",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "output")],
    services: {{
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (
            output: Chat({at}, tools: [(name: "clock")]),
            timing: (latency: Fixed(ms: 200), words_per_s: 20),
        ),
    }},
)"#
    ))
}

fn plan(text: &str) -> Arc<ScenePlan> {
    let mut registry = mynah_systems::registry(None);
    mynah_http::register(&mut registry);
    let made = compile(&Source::new("test.ron", text), &[], None, &registry);
    Arc::new(made.unwrap_or_else(|wrong| panic!("{wrong}")).0)
}

/// A server of all three services: recognises a numbered sentence, answers with the number of turns, speaks 300 ms.
fn server() -> Mock {
    Mock::new(|asked, wire| {
        if asked.line.contains("/audio/transcriptions") {
            wire.answer("200 OK", "Content-Type: application/json\r\n", r#"{"text":"What now?"}"#);
        } else if asked.line.contains("/audio/speech") {
            wire.begin("audio/pcm");
            (0..15).for_each(|_| wire.chunk([0, 8].repeat(480)));
            wire.end();
        } else {
            answer(asked, wire);
        }
    })
}

fn answer(asked: &Asked, wire: &mut Wire) {
    let turns = asked.messages().iter().filter(|message| message.starts_with("user")).count();
    wire.says(&[]);
    // The real server takes its time: in virtual time nobody must notice.
    for word in ["That ", "is ", "answer ", &format!("{turns}. ")] {
        rest(5);
        wire.word(word);
    }
    wire.stops("stop");
}

fn type_in(session: &SessionHandle, message_id: u64, text: &str) {
    let control = Control::SendText { text: text.into() };
    session.control(ControlIn { message_id, control }).expect("there is room");
}

/// The chat requests among all.
fn chats(mock: &Mock) -> Vec<Asked> {
    mock.asked().into_iter().filter(|asked| asked.line.contains("/chat/")).collect()
}

#[test]
fn a_spoken_conversation_of_three_turns_runs_on_the_wall_clock() {
    let mock = server();
    let config = EngineConfig { sessions_max: 4, ..EngineConfig::real_time() };
    let runner = Runner::spawn(spoken(&mock), config, RunnerOptions::default()).expect("there are threads");
    let spec = SessionSpec { events: true, ..SessionSpec::named("caller") };
    let session = runner.handle().open(spec).expect("there is room");
    let (epoch, mut seen, mut heard) = (Epoch::start(), Vec::new(), 0);
    let (mut at, mut loud_until, mut turns, mut noise) = (0_u32, 0_u32, 0, 1_u32);
    let ended = |seen: &[SessionEvent]| {
        seen.iter().filter(|event| matches!(event, SessionEvent::AnswerEnded { .. })).count()
    };
    while ended(&seen) < 3 {
        assert!(epoch.now_us() < PATIENCE_US, "{turns} turns, {} chats: {seen:#?}", chats(&mock).len());
        // 600 ms of noise once the answer before is over, near silence for the rest.
        if ended(&seen) == turns {
            (turns, loud_until) = (turns + 1, at + 30);
        }
        let level = if at < loud_until { 0.3 } else { 0.0005 };
        if session.try_push(&white(&mut noise, level)).is_ok() {
            at += 1;
        }
        while let Some(out) = session.poll() {
            match out {
                Out::Audio(audio) => {
                    heard += audio.block.len();
                    session.give_back(audio.block);
                }
                Out::Event(event) => seen.push(event),
                _ => {}
            }
        }
        rest(20);
    }
    session.close();
    runner.stop().expect("no tick panics");
    let wanted = [
        "system: Be brief.",
        "user: What now?",
        "assistant: That is answer 1.",
        "user: What now?",
        "assistant: That is answer 2.",
        "user: What now?",
    ];
    let asked = chats(&mock);
    assert_eq!(asked.last().expect("there are three").messages(), wanted);
    assert_eq!(heard, 3 * 16_000 * 3 / 10, "three answers of 300 ms at the rate of the node");
    let failed = seen.iter().any(|event| matches!(event, SessionEvent::ServiceFailed { .. }));
    assert!(!failed, "{seen:#?}");
}

/// 20 ms of white noise.
fn white(state: &mut u32, level: f32) -> Vec<f32> {
    let mut next = || {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state as i32 as f32 / 2_147_483_648.0 * level
    };
    (0..320).map(|_| next()).collect()
}

/// All that happens while three texts are typed in virtual time, and what the session says.
fn typed(mock: &Mock) -> (Vec<String>, Vec<(u64, String)>) {
    let mut engine =
        Engine::new(written(mock), EngineConfig { shards: Some(1), ..EngineConfig::simulated() });
    let session = engine.handle().open(SessionSpec::named("caller")).expect("there is room");
    let (mut events, mut said) = (Vec::new(), Vec::new());
    for tick in 0..1_200_u64 {
        if let Some(turn) = [50, 300, 550].iter().position(|at| *at == tick) {
            type_in(&session, turn as u64 + 1, ["one", "two", "three"][turn]);
        }
        let t_us = tick * 5_000;
        engine.tick(t_us);
        events.extend(engine.records().iter().map(|record| format!("{record:?}")));
        while let Some(out) = session.poll() {
            if let Out::Text { text, .. } = out {
                said.push((t_us, text.to_string()));
            }
        }
    }
    (events, said)
}

#[test]
fn virtual_time_waits_for_the_server_and_repeats_itself() {
    let (first, second) = (server(), server());
    let (events, said) = typed(&first);
    let words: String = said.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, "That is answer 1. That is answer 2. That is answer 3. ");
    // The scene's timing, whatever the server took: 200 ms until the first word, 50 ms between words.
    let turn: Vec<u64> = said[..4].iter().map(|(t_us, _)| t_us - said[0].0).collect();
    assert_eq!(turn, [0, 50_000, 100_000, 150_000]);
    let after = said[0].0 - 250_000;
    assert!((200_000..215_000).contains(&after), "{after}");
    assert_eq!(typed(&second), (events, said), "two runs are the same");
    let wanted = [
        "user: one",
        "assistant: That is answer 1.",
        "user: two",
        "assistant: That is answer 2.",
        "user: three",
    ];
    assert_eq!(chats(&first)[2].messages(), wanted);
}

#[test]
fn a_server_that_fails_in_virtual_time_fails_the_same_way_each_time() {
    let failing = || Mock::new(|_, wire| (wire.says(&["Half "]), wire.closes()).1);
    let (events, said) = typed(&failing());
    assert_eq!(said.len(), 3, "what came before the end is said: {said:?}");
    let reasons = events.iter().filter(|event| event.contains("ServiceFailed")).count();
    assert_eq!(reasons, 3);
    let (again, _) = typed(&failing());
    // The address is another.
    let plain = |events: Vec<String>| -> Vec<String> {
        events.into_iter().filter(|event| !event.contains("ServiceFailed")).collect()
    };
    assert_eq!(plain(again), plain(events));
}
