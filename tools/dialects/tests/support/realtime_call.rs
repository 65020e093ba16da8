//! A client of OpenAI Realtime and the engine that it talks with, in virtual time.

#![allow(dead_code, reason = "every test uses its own part of it")]

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_dialects::pcm::Encoding;
use mynah_dialects::realtime::{Realtime, RealtimeConfig};
use mynah_dialects::{Closing, Dialect, Opened, Output, Refusal, SceneFacts, Tap};
use mynah_engine::scene::{Override, Source};
use mynah_engine::speech::GateSettings;
use mynah_engine::{Engine, EngineConfig, OutAudio, Registry, ScenePlan, SessionEvent, SessionSpec};
use mynah_systems::service::Script;
use mynah_systems::speech::flite::{Flite, VoiceStyle};
use serde_json::{Value, json};

use crate::law::Law;

pub(crate) const TICK_US: u64 = 5_000;
const RATE_HZ: usize = 24_000;

/// What the session has heard and told.
#[derive(Default)]
pub(crate) struct Noted {
    pub(crate) heard: usize,
    pub(crate) events: Vec<SessionEvent>,
}

struct Notes(Arc<Mutex<Noted>>);

impl Tap for Notes {
    fn heard(&mut self, _: u64, samples: &[f32]) {
        self.0.lock().expect("one thread").heard += samples.len();
    }
    fn said(&mut self, _: u64, _: &OutAudio) {}
    fn told(&mut self, _: u64, event: &SessionEvent) {
        self.0.lock().expect("one thread").events.push(event.clone());
    }
}

/// What simulated callers are recognised as.
struct Words(&'static str);

impl Script for Words {
    fn heard(&self, _: &str, _: u64, _: u64) -> Option<String> {
        Some(self.0.into())
    }
}

/// What the scene `voice_assistant` is.
pub(crate) fn assistant() -> SceneFacts {
    SceneFacts {
        name: "voice_assistant".into(),
        hears: true,
        speaks: true,
        writes: false,
        answers: true,
        interrupt_min_ms: Some(300),
        gate: Some(GateSettings {
            threshold: 0.9,
            release_threshold: 0.85,
            raise_threshold_while_speaking: 0.0,
            pad_ms: 150.0,
            lookback_ms: 200.0,
            min_silence_ms: 128.0,
            lookahead_ms: 32.0,
        }),
    }
}

/// A connection.
pub(crate) struct Call {
    /// `None`: it is gone.
    pub(crate) engine: Option<Engine>,
    pub(crate) client: Realtime,
    pub(crate) now_us: u64,
    /// What the client was sent, and when.
    pub(crate) events: Vec<(u64, Value)>,
    pub(crate) law: Law,
    pub(crate) closed: Option<Closing>,
    pub(crate) noted: Arc<Mutex<Noted>>,
    pub(crate) spec: Option<SessionSpec>,
    microphone: VecDeque<f32>,
}

fn config() -> EngineConfig {
    EngineConfig { shards: Some(1), ..EngineConfig::simulated() }
}

pub(crate) fn voice_assistant(sets: &[&str], script: Option<&'static str>) -> Arc<ScenePlan> {
    let sets: Vec<_> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let script = script.map(|words| Arc::new(Words(words)) as Arc<dyn Script>);
    match mynah_sim::scenes::compile("voice_assistant", &sets, None, script) {
        Ok((plan, _)) => plan,
        Err(failure) => panic!("{failure}"),
    }
}

impl Call {
    /// A client of the assistant.
    pub(crate) fn new() -> Self {
        Self::of(voice_assistant(&[], None), assistant(), None)
    }

    pub(crate) fn set(sets: &[&str]) -> Self {
        Self::of(voice_assistant(sets, None), assistant(), None)
    }

    /// A client whose every word is recognised as `words`.
    pub(crate) fn recognised_as(words: &'static str) -> Self {
        Self::of(voice_assistant(&[], Some(words)), assistant(), None)
    }

    pub(crate) fn scene(text: &str, registry: &Registry, facts: SceneFacts) -> Self {
        let (plan, _) = mynah_engine::scene::compile(&Source::new("test.ron", text), &[], None, registry)
            .unwrap_or_else(|found| panic!("{found}"));
        Self::of(Arc::new(plan), facts, None)
    }

    pub(crate) fn of(plan: Arc<ScenePlan>, scene: SceneFacts, session: Option<Value>) -> Self {
        let config = RealtimeConfig { model: "mynah".into(), session_name: "caller".into(), scene, session };
        Self {
            engine: Some(Engine::new(plan, self::config())),
            client: Realtime::new(config),
            now_us: 0,
            events: Vec::new(),
            law: Law::default(),
            closed: None,
            noted: Arc::default(),
            spec: None,
            microphone: VecDeque::new(),
        }
    }

    /// A session of the assistant with the settings of a client secret.
    pub(crate) fn with_secret(session: Value) -> Self {
        Self::of(voice_assistant(&[], None), assistant(), Some(session))
    }

    /// Polls until there is nothing to do.
    pub(crate) fn drive(&mut self) {
        for _ in 0..100_000 {
            let spec = match self.client.poll(self.now_us) {
                Output::Open(spec) => spec,
                Output::Text { text, sound_us } => {
                    let event: Value = serde_json::from_str(text).expect("an event is JSON");
                    assert_eq!(sound_us > 0, event["type"] == "response.output_audio.delta", "{event}");
                    if let Err(wrong) = self.law.check(&event) {
                        panic!("{wrong}; behind {:#?}", self.types());
                    }
                    assert!(self.closed.is_none(), "an event behind the end");
                    self.events.push((self.now_us, event));
                    continue;
                }
                Output::Binary { .. } => panic!("there are no binary messages"),
                Output::Resume { .. } => panic!("no session goes on over another connection"),
                Output::Close(closing) => {
                    assert_eq!(self.closed.replace(closing), None, "it is closed once");
                    continue;
                }
                Output::Wait { until_us } => {
                    assert!(until_us.is_none_or(|us| us > self.now_us), "a connection would spin");
                    return;
                }
            };
            assert!(self.spec.replace((*spec).clone()).is_none(), "one session");
            let opened = match &self.engine {
                Some(engine) => engine
                    .handle()
                    .open(*spec)
                    .map_err(|error| Refusal { code: "bad_request", message: error.to_string() }),
                None => panic!("no engine"),
            };
            let opened = opened.map(|session| Opened {
                token: None,
                session,
                scene: "voice_assistant".into(),
                tap: Some(Box::new(Notes(Arc::clone(&self.noted)))),
            });
            self.client.opened(self.now_us, opened);
        }
        panic!("it never waits");
    }

    /// Sends an event.
    pub(crate) fn send(&mut self, event: Value) {
        self.client.text(self.now_us, &event.to_string());
        self.drive();
    }

    /// A tick in which the microphone hears nothing.
    pub(crate) fn tick(&mut self) {
        self.now_us += TICK_US;
        if let Some(engine) = &mut self.engine {
            engine.tick(self.now_us);
        }
        self.drive();
    }

    pub(crate) fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    /// Samples in a message of their own.
    pub(crate) fn append(&mut self, samples: &[f32]) {
        let mut bytes = Vec::new();
        Encoding::S16.encode(samples, &mut bytes);
        self.send(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)}));
    }

    /// The microphone hears a sentence next.
    pub(crate) fn say(&mut self, text: &str) {
        self.microphone.extend(spoken(text));
    }

    /// Goes on in real time, with audio every 40 ms: what the microphone hears, and silence.
    pub(crate) fn listen(&mut self, ms: usize) {
        for _ in 0..ms / 40 {
            let piece: Vec<f32> =
                (0..RATE_HZ / 25).map(|_| self.microphone.pop_front().unwrap_or(0.0)).collect();
            self.append(&piece);
            self.ticks(8);
        }
    }

    /// Listens until an event of this type has come that is newer than the first `from`, at most 20 s; its place.
    pub(crate) fn until(&mut self, kind: &str, from: usize) -> usize {
        for _ in 0..500 {
            if let Some(at) = self.events[from..].iter().position(|(_, event)| event["type"] == kind) {
                return from + at;
            }
            self.listen(40);
        }
        panic!("no {kind} within 20 s: {:#?}", self.types());
    }

    pub(crate) fn of_type(&self, kind: &str) -> Vec<&Value> {
        let all = self.events.iter().map(|(_, event)| event);
        all.filter(|event| event["type"] == kind).collect()
    }

    /// The types of all events, of neighbours with the same one only the first.
    pub(crate) fn types(&self) -> Vec<&str> {
        let mut types: Vec<_> = self.events.iter().filter_map(|(_, event)| event["type"].as_str()).collect();
        types.dedup();
        types
    }

    pub(crate) fn errors(&self) -> Vec<&str> {
        self.of_type("error").iter().filter_map(|event| event["error"]["code"].as_str()).collect()
    }

    /// Audio of a response, microseconds.
    pub(crate) fn audio_us(&self, response: &Value) -> u64 {
        let deltas = self.of_type("response.output_audio.delta").into_iter();
        let mine = deltas.filter(|event| event["response_id"] == response["id"]);
        let bytes: usize = mine
            .map(|event| STANDARD.decode(event["delta"].as_str().expect("a text")).expect("base64").len())
            .sum();
        bytes as u64 * 1_000_000 / 2 / RATE_HZ as u64
    }

    /// Status of each response that is done, with the reason.
    pub(crate) fn done(&self) -> Vec<String> {
        let done = self.of_type("response.done").into_iter().map(|event| &event["response"]);
        let words = done.map(|response| {
            let (status, details) = (&response["status"], &response["status_details"]);
            format!("{} {}", status.as_str().unwrap_or("?"), details["reason"].as_str().unwrap_or("-"))
        });
        words.collect()
    }
}

/// A sentence as a voice says it, at the client's rate.
pub(crate) fn spoken(text: &str) -> Vec<f32> {
    let flite = Flite::new().expect("the voice is part of the program");
    let mut said = Vec::new();
    let end = flite.synthesize(text, VoiceStyle::default(), &mut |piece: &[f32]| {
        said.extend_from_slice(piece);
        ControlFlow::Continue(())
    });
    assert!(end.is_ok(), "the natural style is in range");
    // From 16 kHz, on straight lines.
    let sample = |at: usize| {
        let (whole, part) = (at * 2 / 3, (at * 2 % 3) as f32 / 3.0);
        said[whole] * (1.0 - part) + said.get(whole + 1).copied().unwrap_or(0.0) * part
    };
    (0..said.len() * 3 / 2).map(sample).collect()
}
