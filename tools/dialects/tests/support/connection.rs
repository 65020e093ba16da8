//! A client's connection to an engine in virtual time: what it sends, and all that it was sent.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::sync::Arc;

use mynah_dialects::{Closing, Dialect, Opened, Output, Refusal, Tap};
use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Record, ScenePlan, SessionHandle, SessionSpec};
use mynah_systems::service::Script;
use serde_json::Value;

/// Engine time between two ticks, microseconds.
pub(crate) const TICK_US: u64 = 5_000;
/// What the tests give for a session to go on with.
pub(crate) const TOKEN: &str = "t0";

/// Something that a client was sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Got {
    Text(Value),
    Audio(Vec<u8>),
    Close(Closing),
}

/// Words for whoever speaks, up to a media time.
pub(crate) struct Words(pub(crate) &'static str);

impl Script for Words {
    fn heard(&self, _: &str, _: u64, _: u64) -> Option<String> {
        Some(self.0.to_owned())
    }
}

/// The text of a scene that is right, in which somebody says these words.
pub(crate) fn plan(scene: &str, script: Arc<dyn Script>) -> Arc<ScenePlan> {
    let registry = mynah_systems::registry(Some(script));
    let made = compile(&Source::new("test.ron", scene), &[], None, &registry);
    Arc::new(made.unwrap_or_else(|found| panic!("{found}")).0)
}

/// An engine with one client.
pub(crate) struct Connection<D: Dialect> {
    pub(crate) engine: Engine,
    pub(crate) now_us: u64,
    pub(crate) dialect: D,
    /// When and what the client was sent.
    pub(crate) got: Vec<(u64, Got)>,
    /// The client acknowledges what wants it.
    pub(crate) acknowledges: bool,
    /// The id of the client's last message.
    pub(crate) sent: u64,
    pub(crate) tap: Option<Box<dyn Tap>>,
    /// The session, once it was opened.
    pub(crate) session: Option<SessionHandle>,
    pub(crate) spec: Option<SessionSpec>,
    /// What the session has logged.
    pub(crate) records: Vec<Record>,
    /// What the dialect asked to go on with.
    pub(crate) resumption: Option<(String, String)>,
}

impl<D: Dialect> Connection<D> {
    pub(crate) fn new(plan: Arc<ScenePlan>, dialect: D) -> Self {
        let config = EngineConfig { shards: Some(1), sessions_max: 4, ..EngineConfig::simulated() };
        Self::to(Engine::new(plan, config), 0, dialect)
    }

    pub(crate) fn to(engine: Engine, now_us: u64, dialect: D) -> Self {
        Self {
            engine,
            now_us,
            dialect,
            got: Vec::new(),
            acknowledges: true,
            sent: 0,
            tap: None,
            session: None,
            spec: None,
            records: Vec::new(),
            resumption: None,
        }
    }

    fn open(&mut self, mut spec: SessionSpec) {
        self.spec = Some(spec.clone());
        if spec.name.is_empty() {
            spec.name = "any".to_owned();
        }
        let opened = self.engine.handle().open(spec).map(|session| {
            self.session = Some(session.clone());
            Opened { session, scene: "test".to_owned(), token: Some(TOKEN.to_owned()), tap: self.tap.take() }
        });
        let opened = opened.map_err(|error| Refusal::new("bad_request", error.to_string()));
        self.dialect.opened(self.now_us, opened);
    }

    /// Takes all that the dialect has to give.
    pub(crate) fn carry(&mut self) {
        let mut outputs = 0;
        loop {
            outputs += 1;
            assert!(outputs < 10_000, "it never comes to rest");
            let got = match self.dialect.poll(self.now_us) {
                Output::Open(spec) => {
                    self.open(*spec);
                    continue;
                }
                Output::Resume { session, token } => {
                    self.resumption = Some((session, token));
                    return;
                }
                Output::Text { text, .. } => Got::Text(serde_json::from_str(text).expect("it is JSON")),
                Output::Binary { bytes, sound_us } => {
                    assert!(sound_us > 0, "audio may be dropped");
                    Got::Audio(bytes.to_vec())
                }
                Output::Close(closing) => Got::Close(closing),
                Output::Wait { until_us } => {
                    assert!(until_us.is_none_or(|us| us > self.now_us), "a driver would spin");
                    return;
                }
            };
            self.got.push((self.now_us, got.clone()));
            if let Got::Text(message) = &got
                && self.acknowledges
                && wants_ack(message)
            {
                self.control(&format!(
                    r#"{{"Ack":{{"message_id":{},"stage":"Delivered"}}}}"#,
                    message["message_id"]
                ));
            }
        }
    }

    pub(crate) fn tick(&mut self) {
        self.carry();
        self.now_us += TICK_US;
        self.engine.tick(self.now_us);
        let records = self.engine.records().to_vec();
        for record in records {
            self.dialect.record(self.now_us, &record);
            self.records.push(record);
        }
        self.carry();
    }

    pub(crate) fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..4_000 {
            if done(self) {
                return;
            }
            self.tick();
        }
        panic!("{what}: not within 20 s; {:#?}", self.texts());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.dialect.text(self.now_us, text);
    }

    /// A control message of the client, about its session.
    pub(crate) fn control(&mut self, message_type: &str) -> u64 {
        self.sent += 1;
        let id = self.sent;
        self.control_as(id, message_type);
        id
    }

    pub(crate) fn control_as(&mut self, id: u64, message_type: &str) {
        let session = self.session.as_ref().expect("it was opened").name().to_owned();
        let now_us = self.now_us;
        let text = format!(
            r#"{{"message_id":{id},"session_id":"{session}","timestamp":{now_us},"message_type":{message_type}}}"#
        );
        self.text(&text);
    }

    /// Sends 16-bit audio of 16 kHz as it is spoken, 20 ms at a time.
    pub(crate) fn speak(&mut self, samples: &[f32]) {
        for piece in samples.chunks(320) {
            let mut bytes = Vec::new();
            mynah_dialects::pcm::Encoding::S16.encode(piece, &mut bytes);
            assert!(self.dialect.has_room(), "it comes as it is spoken");
            self.dialect.binary(self.now_us, &bytes);
            self.ticks(4);
        }
    }

    /// Texts so far.
    pub(crate) fn texts(&self) -> Vec<&Value> {
        let texts = self.got.iter().filter_map(|(_, got)| match got {
            Got::Text(message) => Some(message),
            _ => None,
        });
        texts.collect()
    }

    /// When and what of one `type`, or with one key in its `message_type`.
    pub(crate) fn of(&self, kind: &str) -> Vec<(u64, &Value)> {
        let texts = self.got.iter().filter_map(|(us, got)| match got {
            Got::Text(message) => Some((*us, message)),
            _ => None,
        });
        texts
            .filter(|(_, message)| message["type"] == kind || !message["message_type"][kind].is_null())
            .collect()
    }

    pub(crate) fn closing(&self) -> Option<&Closing> {
        self.got.iter().find_map(|(_, got)| match got {
            Got::Close(closing) => Some(closing),
            _ => None,
        })
    }
}

/// Whether a message is one that its sender repeats.
pub(crate) fn wants_ack(message: &Value) -> bool {
    let types =
        ["ConfirmSpeculation", "CancelSpeculation", "EndOfSpeech", "RetractEndOfSpeech", "DeadlineWarning"];
    types.iter().any(|kind| !message["message_type"][kind].is_null())
}

/// Near silence and loud noise by turns, near silence first; lengths in milliseconds.
pub(crate) fn bursts(stretches_ms: &[usize]) -> Vec<f32> {
    let mut state = 1_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 / 2_147_483_648.0
    };
    let mut samples = Vec::new();
    for (ms, level) in stretches_ms.iter().zip([0.0005, 0.3].into_iter().cycle()) {
        samples.extend((0..ms * 16).map(|_| level * noise()));
    }
    samples
}
