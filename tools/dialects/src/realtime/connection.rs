//! One client: what it sends is read, what it is to be sent is polled.

use std::borrow::Cow;
use std::collections::VecDeque;

use mynah_engine::edge::CloseReason;
use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, History, HistoryEntry, Speaker};
use mynah_engine::{Control, Out, SessionEvent, SessionSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dialect::{Closing, Dialect, Ending, Opened, Output, Refusal};
use crate::realtime::dialogue::Dialogue;
use crate::realtime::intake::Intake;
use crate::realtime::link::{Handed, Link};
use crate::realtime::outbox::Outbox;
use crate::realtime::requests::{Desk, words};
use crate::realtime::response::Finish;
use crate::realtime::settings::{RATE_HZ, Settings, SettingsError, quoted, session_id};
use crate::scene_facts::SceneFacts;

/// From the first poll until the session is opened without any reason.
const OPENS_US: u64 = 500_000;
/// From the first `session.update` until the same: more of them may come.
const OPENS_AFTER_UPDATE_US: u64 = 150_000;
/// After this time audio that found no room is tried again, even if nobody rings.
const RETRY_US: u64 = 10_000;
/// Longest message that is no audio, bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Longest message with audio: the audio's text has a bound of its own.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most messages, and bytes in them, that wait until the session is open.
const EARLY_MAX: usize = 64;
const EARLY_BYTES_MAX: usize = 1024 * 1024;
/// Longest id of a client's message that is said back to it, bytes; a longer one is left out.
const EVENT_ID_BYTES_MAX: usize = 512;

/// What a connection begins with.
#[derive(Clone, Debug, Default)]
pub struct RealtimeConfig {
    /// The model, as the client asked for it.
    pub model: String,
    /// The name of the session; empty: any that is free.
    pub session_name: String,
    /// The scene that the session runs in.
    pub scene: SceneFacts,
    /// A `session` object that holds as if the client had sent it in a `session.update`: that of a client secret.
    pub session: Option<Value>,
}

/// How far a connection has come.
enum Stage {
    /// No session is asked for; it is at this time, unless there is a reason before.
    Greeted {
        opens_us: Option<u64>,
    },
    /// A session is asked for.
    Opening,
    Open(Box<Link>),
    /// What is to be sent is sent before.
    Closing(Closing),
    Closed,
}

/// A client that speaks OpenAI Realtime.
pub struct Realtime {
    model: String,
    session_name: String,
    stage: Stage,
    dialogue: Dialogue,
    intake: Intake,
    out: Outbox,
    /// Messages that need a session, until there is one.
    early: VecDeque<String>,
    early_bytes: usize,
    /// Of these, items of the history that the session is opened with.
    past: usize,
    /// Something is to be done with the session.
    hurries: bool,
    updated: bool,
    ending: Option<Ending>,
    /// The message that is being sent.
    wire: String,
    /// The same with sound in it, and scratch for the next one: both are kept, so that sound takes no new memory.
    sound: String,
    bytes: Vec<u8>,
}

/// What comes of a poll, before anything is borrowed.
enum Step {
    Sent,
    Sounds { sound_us: u32 },
    Open(Box<SessionSpec>),
    Close(Closing),
    Wait(Option<u64>),
}

/// A text of a message, borrowed from that where it has no escapes. Serde copies a `Cow` behind an `Option`.
#[derive(Deserialize)]
struct Words<'a>(#[serde(borrow)] Cow<'a, str>);

/// What every message of a client has, and the audio of those that have any.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Words<'a>>,
    #[serde(borrow)]
    event_id: Option<Words<'a>>,
    #[serde(borrow)]
    audio: Option<Words<'a>>,
}

fn said<'a>(words: &'a Option<Words<'_>>) -> Option<&'a str> {
    words.as_ref().map(|words| &*words.0)
}

fn format() -> Format {
    Format { rate_hz: RATE_HZ, channels: 1 }
}

fn closing(code: u16, reason: &str) -> Closing {
    let end = (0..=reason.len().min(123)).rev().find(|at| reason.is_char_boundary(*at));
    Closing { code, reason: reason[..end.unwrap_or(0)].into() }
}

impl Realtime {
    /// A connection that was just made.
    #[must_use]
    pub fn new(config: RealtimeConfig) -> Self {
        let RealtimeConfig { model, session_name, scene, session } = config;
        let mut out = Outbox::default();
        let own = Settings::default();
        let changed = session.map(|session| own.changed(&session)).transpose();
        let (settings, remark) = match changed {
            Ok(changed) => changed.unwrap_or((own, None)),
            Err(error) => (own, Some(error)),
        };
        let id = session_id(&session_name);
        out.event("session.created", json!({"session": settings.object(&scene, &model, &id)}));
        remark.iter().for_each(|remark| out.refuse(remark, None));
        Self {
            model,
            session_name,
            stage: Stage::Greeted { opens_us: None },
            dialogue: Dialogue::new(scene, settings),
            intake: Intake::default(),
            out,
            early: VecDeque::new(),
            early_bytes: 0,
            past: 0,
            hurries: false,
            updated: false,
            ending: None,
            wire: String::new(),
            sound: String::new(),
            bytes: Vec::new(),
        }
    }

    /// Reads a message; `replayed`: it has waited for the session.
    fn read(&mut self, now_us: u64, text: &str, replayed: bool) {
        let head: Head<'_> = match serde_json::from_str(text) {
            Ok(head) => head,
            Err(error) => {
                let message = format!("no event: {error}; expected a JSON object with a text `type`");
                return self.out.refuse(&SettingsError::new("invalid_json", message), None);
            }
        };
        let event_id = said(&head.event_id).filter(|id| id.len() <= EVENT_ID_BYTES_MAX);
        let Some(kind) = said(&head.kind) else {
            let message = "type: expected the name of an event, such as `session.update`";
            let error = SettingsError::of("missing_required_parameter", "type", message);
            return self.out.refuse(&error, event_id);
        };
        let waits = !replayed && !matches!(self.stage, Stage::Open(_));
        let done = match kind {
            "input_audio_buffer.append" if !waits || self.early.is_empty() => match said(&head.audio) {
                Some(audio) => {
                    self.hurries = true;
                    self.intake.append(audio)
                }
                None => {
                    let message = "audio: expected base64 of 16-bit samples at 24000 Hz, mono";
                    Err(SettingsError::of("missing_required_parameter", "audio", message))
                }
            },
            _ if text.len() > TEXT_BYTES_MAX && kind != "input_audio_buffer.append" => {
                let message = format!("{} bytes; expected at most {TEXT_BYTES_MAX}", text.len());
                Err(SettingsError::new("string_above_max_length", message))
            }
            "session.update" => self.update(now_us, text, event_id),
            _ if waits => self.wait(kind, text),
            _ => self.request(now_us, kind, text),
        };
        if let Err(error) = done {
            self.out.refuse(&error, event_id);
        }
    }

    /// Keeps a message until the session is open.
    fn wait(&mut self, kind: &str, text: &str) -> Result<(), SettingsError> {
        if self.early.len() >= EARLY_MAX || self.early_bytes + text.len() > EARLY_BYTES_MAX {
            let message = "too many messages before the session is open: wait for session.updated";
            return Err(SettingsError::new("rate_limit_exceeded", message));
        }
        self.early_bytes += text.len();
        self.early.push_back(text.into());
        // Items alone are history, which a session can be opened with.
        self.hurries |= kind != "conversation.item.create";
        Ok(())
    }

    fn request(&mut self, now_us: u64, kind: &str, text: &str) -> Result<(), SettingsError> {
        let Stage::Open(link) = &mut self.stage else { return Ok(()) };
        // It was read once as an object.
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let (dialogue, intake, out) = (&mut self.dialogue, &mut self.intake, &mut self.out);
        let mut desk = Desk { now_us, dialogue, link, intake, out };
        if self.past > 0 {
            self.past -= 1;
            return desk.create(&event, true);
        }
        if desk.take(kind, &event)? {
            return Ok(());
        }
        let kind = quoted(kind);
        let message =
            format!("type: there is no event `{kind}` here; see docs/protocols.md for those there are");
        Err(SettingsError::of("unknown_event", "type", message))
    }

    fn update(&mut self, now_us: u64, text: &str, event_id: Option<&str>) -> Result<(), SettingsError> {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(session) = event.get("session") else {
            let message = "session: expected an object";
            return Err(SettingsError::of("missing_required_parameter", "session", message));
        };
        let (new, remark) = self.dialogue.settings.changed(session)?;
        if let Stage::Open(link) = &mut self.stage {
            let params = new.params_since(&self.dialogue.settings);
            let too_much =
                || SettingsError::new("rate_limit_exceeded", "too much waits already: send it later");
            if !params.is_empty() {
                link.want(Control::Set { params: params.into() }).ok_or_else(too_much)?;
            }
            if new.manual != self.dialogue.settings.manual {
                let mode = if new.manual { GateMode::Shut } else { GateMode::Auto };
                link.held_open = false;
                link.must(Control::Gate { mode });
            }
        }
        self.dialogue.settings = new;
        if let Stage::Greeted { opens_us } = &mut self.stage {
            let soon_us = now_us + OPENS_AFTER_UPDATE_US;
            if !std::mem::replace(&mut self.updated, true) {
                *opens_us = Some(opens_us.map_or(soon_us, |us| us.min(soon_us)));
            }
        }
        let session = self.session();
        self.out.event("session.updated", json!({"session": session}));
        remark.iter().for_each(|remark| self.out.refuse(remark, event_id));
        Ok(())
    }

    fn session(&self) -> Value {
        let id = session_id(&self.session_name);
        self.dialogue.settings.object(&self.dialogue.facts, &self.model, &id)
    }

    /// The session to open. Items up to the last answer among those that have come are its history.
    fn spec(&mut self) -> SessionSpec {
        let said = |text: &String| {
            let event: Value = serde_json::from_str(text).ok()?;
            let is_item = event.get("type")? == "conversation.item.create";
            let item = event
                .get("item")
                .filter(|item| is_item && item.get("type").is_some_and(|of| of == "message"));
            let (role, text) = words(item?).ok()?;
            Some((role.to_owned(), text))
        };
        let items: Vec<_> = self.early.iter().map_while(said).collect();
        self.past = items.iter().rposition(|(role, _)| role == "assistant").map_or(0, |at| at + 1);
        let entries = items.into_iter().take(self.past).filter(|(role, _)| role != "system");
        let history: History = entries
            .map(|(role, text)| HistoryEntry::Said {
                by: if role == "user" { Speaker::User } else { Speaker::Assistant },
                turn: 0,
                text: text.into(),
                interrupted: false,
            })
            .collect();
        let (facts, settings) = (&self.dialogue.facts, &mut self.dialogue.settings);
        let spec = SessionSpec {
            name: self.session_name.clone(),
            input: Some(format()),
            output: Some(format()),
            gate: settings.gate(facts),
            interruption: settings.interruption(facts),
            params: settings.params(),
            history,
            events: true,
            ..SessionSpec::default()
        };
        settings.fixed = true;
        spec
    }

    fn step(&mut self, now_us: u64) -> Step {
        loop {
            if let Some(text) = self.out.next() {
                self.wire = text;
                return Step::Sent;
            }
            if self.out.has_overflown() && !matches!(self.stage, Stage::Closing(_) | Stage::Closed) {
                self.stage = Stage::Closing(closing(1008, "more was sent than is read of the answers"));
            }
            match &mut self.stage {
                Stage::Greeted { opens_us } => {
                    let at_us = *opens_us.get_or_insert(now_us + OPENS_US);
                    if self.ending.is_some() {
                        self.expire();
                    } else if self.hurries || now_us >= at_us {
                        self.stage = Stage::Opening;
                        return Step::Open(Box::new(self.spec()));
                    } else {
                        return Step::Wait(Some(at_us));
                    }
                }
                Stage::Opening => return Step::Wait(None),
                Stage::Open(_) => {
                    if let Some(step) = self.go_on(now_us) {
                        return step;
                    }
                }
                Stage::Closing(closing) => {
                    let closing = closing.clone();
                    self.stage = Stage::Closed;
                    return Step::Close(closing);
                }
                Stage::Closed => return Step::Wait(None),
            }
        }
    }

    /// A step with an open session and nothing to send; `None`: there may be something to send now.
    fn go_on(&mut self, now_us: u64) -> Option<Step> {
        let Stage::Open(link) = &mut self.stage else { return None };
        let (dialogue, out) = (&mut self.dialogue, &mut self.out);
        let handed = link.push(now_us, &mut self.intake, dialogue.settings.manual);
        if let Some(audio) = dialogue.audio(now_us, link, out) {
            // What belongs before the audio is sent before it.
            let rate_hz = link.session().output().map_or(RATE_HZ, |output| output.rate_hz);
            let samples = audio.block.samples();
            let sound_us = (samples.len() as u64 * 1_000_000 / u64::from(rate_hz)) as u32;
            let event = out.number();
            if let Some(response) = &dialogue.response {
                response.sound(samples, event, &mut self.bytes, &mut self.sound);
            }
            dialogue.sent(now_us, audio.turn, samples.len(), link);
            link.sent(now_us, audio);
            return Some(Step::Sounds { sound_us });
        }
        if !out.is_empty() {
            return None;
        }
        if let Some(told) = link.poll(now_us) {
            if let Out::Event(SessionEvent::Closed { reason }) = &told {
                let reason = reason.clone();
                self.over(&reason);
            } else {
                dialogue.take(now_us, told, link, out);
            }
            return None;
        }
        dialogue.settle(now_us, link, out);
        if !out.is_empty() {
            return None;
        }
        if link.session().is_closed() {
            self.over(&CloseReason::EngineGone);
            return None;
        }
        if self.ending == Some(Ending::Now)
            || (self.ending.is_some() && dialogue.is_idle(now_us) && handed == Handed::All)
        {
            self.expire();
            return None;
        }
        let retry = (handed == Handed::Full || link.is_waiting()).then_some(now_us + RETRY_US);
        // Whoever waits for the end of a turn looks again: an answer may fail to come.
        let ends = self.ending.map(|_| now_us + 1_000_000);
        let due = dialogue.due_us(now_us).map(|us| us.max(now_us + 1_000));
        Some(Step::Wait(retry.into_iter().chain(ends).chain(due).min()))
    }

    /// The server wants the session to end.
    fn expire(&mut self) {
        self.dialogue.finish(&Finish::ClientCancelled, &mut self.out);
        self.out.fail("session_expired", "the server goes down: connect again");
        if let Stage::Open(link) = &self.stage {
            link.session().close();
        }
        self.stage = Stage::Closing(closing(1001, "the server goes down"));
    }

    /// The session is over.
    fn over(&mut self, reason: &CloseReason) {
        let words = reason.to_string();
        let how = match reason {
            CloseReason::Finished => Finish::Completed,
            _ => Finish::Failed(words.clone()),
        };
        self.dialogue.finish(&how, &mut self.out);
        let code = match reason {
            CloseReason::Finished | CloseReason::HungUp => 1000,
            CloseReason::ControlOverflow => 4000,
            CloseReason::Refused(_) => 1008,
            CloseReason::Failed(_) | CloseReason::EngineGone => 1011,
        };
        if code != 1000 {
            let code = words.split(':').next().unwrap_or_default();
            self.out.fail(code, &words);
        }
        self.stage = Stage::Closing(closing(code, &words));
    }
}

impl Dialect for Realtime {
    fn text(&mut self, now_us: u64, text: &str) {
        if matches!(self.stage, Stage::Closing(_) | Stage::Closed) {
            return;
        }
        if text.len() > MESSAGE_BYTES_MAX {
            let message = format!("{} bytes; expected at most {MESSAGE_BYTES_MAX}", text.len());
            return self.out.refuse(&SettingsError::new("string_above_max_length", message), None);
        }
        self.read(now_us, text, false);
    }

    fn binary(&mut self, _now_us: u64, _bytes: &[u8]) {
        let message = "binary messages are not understood; expected events as text, audio as base64 in them";
        if !matches!(self.stage, Stage::Closing(_) | Stage::Closed) {
            self.out.refuse(&SettingsError::new("invalid_json", message), None);
        }
    }

    fn opened(&mut self, now_us: u64, opened: Result<Opened, Refusal>) {
        if !matches!(self.stage, Stage::Opening) {
            return;
        }
        match opened {
            Ok(opened) => {
                self.session_name = opened.session.name().into();
                self.stage = Stage::Open(Box::new(Link::new(opened)));
                self.early_bytes = 0;
                while let Some(text) = self.early.pop_front() {
                    self.read(now_us, &text, true);
                }
            }
            Err(Refusal { code, message }) => {
                self.out.fail(code, &message);
                self.early.clear();
                self.stage = Stage::Closing(closing(1008, &message));
            }
        }
    }

    fn poll(&mut self, now_us: u64) -> Output<'_> {
        match self.step(now_us) {
            Step::Sent => Output::Text { text: &self.wire, sound_us: 0 },
            Step::Sounds { sound_us } => Output::Text { text: &self.sound, sound_us },
            Step::Open(spec) => Output::Open(spec),
            Step::Close(closing) => Output::Close(closing),
            Step::Wait(until_us) => Output::Wait { until_us },
        }
    }

    fn has_room(&self) -> bool {
        let link = match &self.stage {
            Stage::Open(link) => link.has_room(),
            _ => self.early.len() < EARLY_MAX / 2,
        };
        link && self.intake.has_room() && self.out.has_room()
    }

    fn end(&mut self, _now_us: u64, ending: Ending) {
        self.ending = self.ending.max(Some(ending));
    }
}
