//! A client of Flux behind one WebSocket.

use std::collections::VecDeque;

use mynah_engine::edge::CloseReason;
use mynah_engine::scene::Format;
use mynah_engine::wire::message::segment_id;
use mynah_engine::{
    Control, ControlError, ControlIn, Out, PushError, SessionEvent, SessionHandle, SessionSpec,
};
use serde::Deserialize;
use serde_json::Value;

use crate::dialect::{Dialect, Output};
use crate::pcm::Encoding;
use crate::terms::{Closing, Ending, Opened, Refusal, Tap};

use super::messages::Voice;
use super::settings::{Changes, Settings};
use super::turns::Turns;

/// Most audio that waits for room in the session, bytes of 16-bit samples; more ends the connection.
pub const AUDIO_BYTES_MAX: usize = 1 << 20;
/// Longest text message, bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most answers to messages of the client that wait to be polled; more ends the connection.
const ANSWERS_MAX: usize = 64;
/// Pushed at a time: a tenth of a second.
const PUSHES_A_SECOND: u32 = 10;

/// Who has the session.
enum Stage {
    /// It is to be opened.
    New,
    /// It was asked for.
    Opening,
    Live(SessionHandle),
    Over,
}

/// One client of Flux.
pub struct Flux {
    settings: Settings,
    stage: Stage,
    voice: Voice,
    turns: Turns,
    tap: Option<Box<dyn Tap>>,
    /// Answers to the client's messages.
    waiting: VecDeque<String>,
    text: String,
    /// Audio that the session has not taken, from the first sample that waits.
    audio: Vec<f32>,
    at: usize,
    /// Half a sample.
    odd: Option<u8>,
    pushed_frames: u64,
    /// The client has sent all.
    finishing: bool,
    finished: bool,
    ending: Option<Ending>,
    /// The segment in which the user speaks.
    speaking: Option<u32>,
    /// Number of the last message to the session, and whether it has taken effect.
    message_id: u64,
    end_asked: bool,
    keyterms: Value,
    /// The client was told that it sends audio behind its end.
    warned: bool,
    /// Code and description of what ends the connection.
    error: Option<(String, String)>,
    closing: Option<Closing>,
}

#[derive(Deserialize)]
struct ClientMessage {
    #[serde(rename = "type")]
    kind: String,
    thresholds: Option<Value>,
    keyterms: Option<Value>,
}

impl Flux {
    /// A client that connects with this query, such as `model=flux-general-en&encoding=linear16&sample_rate=16000`.
    ///
    /// # Errors
    /// `bad_request`: a value that cannot be served; the message says what can. To be told before the upgrade.
    pub fn new(query: &str) -> Result<Self, Refusal> {
        let settings = Settings::parse(query)?;
        Ok(Self {
            turns: Turns::new(settings.thresholds.eager_eot_threshold.is_some()),
            settings,
            stage: Stage::New,
            voice: Voice::new(String::new()),
            tap: None,
            waiting: VecDeque::new(),
            text: String::new(),
            audio: Vec::new(),
            at: 0,
            odd: None,
            pushed_frames: 0,
            finishing: false,
            finished: false,
            ending: None,
            speaking: None,
            message_id: 0,
            end_asked: false,
            keyterms: Value::Array(Vec::new()),
            warned: false,
            error: None,
            closing: None,
        })
    }

    /// The model that is asked for, as it stands in the query; empty: none.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// Ends the connection: what is left of turns is told as it stands, then what is wrong.
    fn fail(&mut self, code: &str, description: &str, close: u16) {
        if !matches!(self.stage, Stage::Over) {
            self.error = Some((code.to_owned(), description.to_owned()));
            self.over(Closing::new(close, description));
        }
    }

    fn over(&mut self, closing: Closing) {
        self.turns.finish();
        if let Stage::Live(session) = std::mem::replace(&mut self.stage, Stage::Over) {
            session.close();
        }
        self.closing = Some(closing);
    }

    fn answer(&mut self, message: String) {
        self.waiting.push_back(message);
        if self.waiting.len() > ANSWERS_MAX {
            let most = format!("more than {ANSWERS_MAX} answers wait to be read; read them as they come");
            self.fail("CONTROL_OVERFLOW", &most, 4000);
        }
    }

    fn configure(&mut self, message: &ClientMessage) {
        let changed = Changes::of(message.thresholds.as_ref())
            .and_then(|changes| self.settings.thresholds.with(&changes));
        let answer = match changed {
            Ok(thresholds) => {
                self.settings.thresholds = thresholds;
                self.turns.eager = thresholds.eager_eot_threshold.is_some();
                if let Some(keyterms) = &message.keyterms {
                    self.keyterms = keyterms.clone();
                }
                self.voice.configured(thresholds, &self.keyterms)
            }
            Err(refusal) => self.voice.told("ConfigureFailure", "INVALID_CONFIGURATION", &refusal.message),
        };
        self.answer(answer);
    }

    fn end_turn(&mut self) {
        let Stage::Live(session) = &self.stage else { return };
        // One is enough until it has taken effect.
        if self.end_asked {
            return;
        }
        self.message_id += 1;
        let message = ControlIn { message_id: self.message_id, control: Control::EndTurn };
        match session.control(message) {
            Ok(()) => {
                self.end_asked = true;
                self.turns.ended_by_host();
            }
            // The session is over, and tells so itself.
            Err(ControlError::Ended) => {}
            Err(error) => self.fail("CONTROL_OVERFLOW", &error.to_string(), 4000),
        }
    }

    /// Hands the session what waits, as far as there is room.
    fn hand_over(&mut self, now_us: u64) {
        let Stage::Live(session) = &self.stage else { return };
        let most = (self.settings.rate_hz / PUSHES_A_SECOND) as usize;
        while self.at < self.audio.len() {
            let part = &self.audio[self.at..self.audio.len().min(self.at + most)];
            let pushed = session.try_push_with(part.len(), Some(now_us), |at, out| {
                out.copy_from_slice(&part[at..][..out.len()])
            });
            match pushed {
                Ok(()) => {
                    if let Some(tap) = &mut self.tap {
                        tap.heard(now_us, part);
                    }
                    self.pushed_frames += part.len() as u64;
                    self.at += part.len();
                }
                Err(PushError::Full) => return,
                // Nothing more is taken, and the session tells its end itself.
                Err(PushError::Ended | PushError::BadLength { .. }) => self.at = self.audio.len(),
            }
        }
        self.audio.clear();
        self.at = 0;
        self.turns.heard(self.pushed_frames * 1_000_000 / u64::from(self.settings.rate_hz));
        let drained = self.ending == Some(Ending::AfterTurn) && self.speaking.is_none();
        if (self.finishing || drained) && !std::mem::replace(&mut self.finished, true) {
            session.finish();
        }
    }

    /// Takes what the session tells. `false`: it tells nothing now.
    fn take(&mut self, now_us: u64) -> bool {
        let Stage::Live(session) = &self.stage else { return false };
        match session.poll() {
            // A scene that speaks, too, is heard by nobody.
            Some(Out::Audio(audio)) => session.give_back(audio.block),
            Some(Out::Event(event)) => self.event(now_us, &event),
            Some(Out::Text { .. } | Out::Control(_)) => {}
            None => return false,
        }
        true
    }

    fn event(&mut self, now_us: u64, event: &SessionEvent) {
        if let Some(tap) = &mut self.tap {
            tap.told(now_us, event);
        }
        match event {
            SessionEvent::SpeechStarted { segment, .. } => self.speaking = Some(*segment),
            SessionEvent::EndOfSpeech { segment, revision: 1.., last: true, .. }
            | SessionEvent::SpeechCancelled { segment, .. }
                if self.speaking == Some(*segment) =>
            {
                self.speaking = None;
            }
            SessionEvent::Applied { message_id } => self.end_asked &= *message_id != self.message_id,
            SessionEvent::Closed { reason } => return self.closed(reason),
            _ => {}
        }
        if self.turns.take(now_us, event)
            && let SessionEvent::ServiceFailed { service, reason, .. } = event
        {
            let what = format!("{service}: {reason}; words of a turn are missing");
            let warning = self.voice.told("Warning", "SERVICE_FAILED", &what);
            self.answer(warning);
        }
    }

    /// The session is over.
    fn closed(&mut self, reason: &CloseReason) {
        let closing = Closing::of_session(Some(reason), self.ending.is_some());
        if matches!(closing.code, 1000 | 1001) {
            self.over(closing);
        } else {
            self.fail("SESSION_FAILED", &reason.to_string(), closing.code);
        }
    }

    /// Finds what is to be sent next, in the order of its numbers.
    fn tell(&mut self, now_us: u64) -> bool {
        let text = if let Some(text) = self.waiting.pop_front() {
            text
        } else if let Some(told) = self.turns.next(now_us) {
            self.voice.turn(&told, &self.settings.thresholds)
        } else if let Some((code, description)) = self.error.take() {
            self.voice.told("Error", &code, &description)
        } else {
            return false;
        };
        self.text = text;
        true
    }

    /// Appends 16-bit samples; half of one waits for its other half.
    fn decode(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if let (Some(low), Some((high, behind))) = (self.odd, bytes.split_first()) {
            Encoding::S16.decode(&[low, *high], &mut self.audio);
            (self.odd, rest) = (None, behind);
        }
        Encoding::S16.decode(rest, &mut self.audio);
        if !rest.len().is_multiple_of(2) {
            self.odd = rest.last().copied();
        }
    }

    fn spec(&self) -> SessionSpec {
        let input = Some(Format { rate_hz: self.settings.rate_hz, channels: 1 });
        SessionSpec { input, events: true, ..SessionSpec::default() }
    }
}

impl Dialect for Flux {
    fn text(&mut self, _now_us: u64, text: &str) {
        match &self.stage {
            Stage::Live(_) => {}
            Stage::New | Stage::Opening => {
                return self.fail("BAD_REQUEST", "messages come behind Connected: wait for it", 1008);
            }
            Stage::Over => return,
        }
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("a message of {} bytes: expected at most {TEXT_BYTES_MAX}", text.len());
            return self.fail("MESSAGE_TOO_LARGE", &what, 1009);
        }
        match serde_json::from_str::<ClientMessage>(text) {
            Ok(message) => match message.kind.as_str() {
                "CloseStream" => self.finishing = true,
                "Configure" => self.configure(&message),
                "ForceEndTurn" => self.end_turn(),
                "KeepAlive" => {}
                _ => {
                    let what = "type: expected CloseStream, Configure, ForceEndTurn or KeepAlive";
                    self.fail("UNPARSABLE_CLIENT_MESSAGE", what, 1008);
                }
            },
            Err(_) => {
                let what = "no message: expected a JSON object with a type";
                self.fail("UNPARSABLE_CLIENT_MESSAGE", what, 1008);
            }
        }
    }

    fn binary(&mut self, now_us: u64, bytes: &[u8]) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        if self.finishing {
            if !std::mem::replace(&mut self.warned, true) {
                let what = "audio behind CloseStream is not heard: connect again for more";
                let warning = self.voice.told("Warning", "AUDIO_AFTER_CLOSE", what);
                self.answer(warning);
            }
            return;
        }
        let waiting = (self.audio.len() - self.at) * 2;
        if waiting + bytes.len() > AUDIO_BYTES_MAX {
            let what = format!("more than {AUDIO_BYTES_MAX} bytes of audio wait: send smaller messages");
            return self.fail("MESSAGE_TOO_LARGE", &what, 1009);
        }
        self.decode(bytes);
        self.hand_over(now_us);
    }

    fn opened(&mut self, _now_us: u64, opened: Result<Opened, Refusal>) {
        if !matches!(self.stage, Stage::Opening) {
            return;
        }
        match opened {
            Ok(Opened { session, tap, .. }) => {
                // A name of no segment, and so of this session alone.
                let id = segment_id(session.name(), session.generation(), 0);
                self.voice = Voice::new(id.to_string());
                self.waiting.push_back(self.voice.connected());
                if self.ending == Some(Ending::Now) {
                    session.close();
                }
                (self.stage, self.tap) = (Stage::Live(session), tap);
            }
            Err(Refusal { code, message }) => self.fail(&code.to_uppercase(), &message, 1008),
        }
    }

    fn poll(&mut self, now_us: u64) -> Output<'_> {
        if matches!(self.stage, Stage::New) {
            self.stage = Stage::Opening;
            return Output::Open(Box::new(self.spec()));
        }
        loop {
            if self.tell(now_us) {
                return Output::Text { text: &self.text, sound_us: 0 };
            }
            if let Some(closing) = self.closing.take() {
                return Output::Close(closing);
            }
            self.hand_over(now_us);
            if !self.take(now_us) {
                break;
            }
        }
        let live = matches!(self.stage, Stage::Live(_));
        Output::Wait { until_us: self.turns.due_us().filter(|_| live) }
    }

    fn has_room(&self) -> bool {
        match self.stage {
            Stage::New | Stage::Opening => false,
            Stage::Live(_) => self.at == self.audio.len(),
            Stage::Over => true,
        }
    }

    fn end(&mut self, _now_us: u64, ending: Ending) {
        self.ending = self.ending.max(Some(ending));
        if ending == Ending::Now
            && let Stage::Live(session) = &self.stage
        {
            session.close();
        }
    }
}
