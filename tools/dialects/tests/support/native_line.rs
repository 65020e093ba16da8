//! Scenes, and clients of the native protocol in them.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::sync::Arc;

use mynah_dialects::native::{Native, NativeConfig};

use crate::connection::{Connection, Words, plan};

/// Anything loud is speech; somebody says the same again and again, and is answered.
pub(crate) const TALK: &str = r#"(
    name: "talk",
    session: (
        input: (rate_hz: 16000),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40), interrupt_min_ms: 300),
    ),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 200, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text", kind: TextCollector()),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text"), ("text", "tts"),
        ("said", "tts"), ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (output: ScriptedReply(template: "You said {text}."), timing: (latency: Fixed(ms: 10))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 100)),
    },
)"#;

/// What the gate forwards leaves at once, and is taken back where it was nothing.
pub(crate) const GATE: &str = r#"(
    name: "gate",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 200, min_silence_ms: 200, forward: Always))],
    edges: [("input", "gate"), ("gate", "output")],
)"#;

/// What is recognised leaves as text.
pub(crate) const CAPTIONS: &str = r#"(
    name: "captions",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 200, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10)))},
)"#;

pub(crate) const CONFIG: NativeConfig = NativeConfig { epoch_us: 0, resume_ms: 1_000 };

pub(crate) fn connect(scene: &str) -> Connection<Native> {
    Connection::new(plan(scene, Arc::new(Words("hello there"))), Native::new(0, CONFIG))
}

/// A connection with an open session.
pub(crate) fn opened(scene: &str, open: &str) -> Connection<Native> {
    let mut line = connect(scene);
    line.text(open);
    line.carry();
    assert_eq!(line.texts()[0]["type"], "opened", "{:?}", line.got);
    line
}

pub(crate) fn plain(scene: &str) -> Connection<Native> {
    opened(scene, r#"{"type":"open","session":"caller"}"#)
}
