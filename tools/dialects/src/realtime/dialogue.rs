//! The conversation as the session tells of it, put into the client's words: one response at a time, and nothing of it
//! before the speech that it answers is over.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::speech::{HistoryEntry, Speaker};
use mynah_engine::{Control, Out, OutAudio, Params, SessionEvent};
use serde_json::{Value, json};

use crate::realtime::items::Conversation;
use crate::realtime::link::Link;
use crate::realtime::outbox::Outbox;
use crate::realtime::response::{Finish, Response};
use crate::realtime::settings::{RATE_HZ, Settings};
use crate::realtime::utterances::{Heard, Utterances};
use crate::scene_facts::SceneFacts;

/// An answer that was asked for and does not come within this time has failed.
const ANSWER_US: u64 = 30_000_000;
/// An answer to what was said is expected for this time.
const OWED_US: u64 = 10_000_000;
/// A response that has called tools is over when nothing was said for this time.
const CALLED_US: u64 = 200_000;
/// So often a conversation in writing is looked at for the end of an answer.
const LOOKS_US: u64 = 20_000;
/// What was played is told every 100 ms, and when nothing was sent for 60 ms.
const PLAYED_SAMPLES: u64 = RATE_HZ as u64 / 10;
const PLAYED_US: u64 = 60_000;
/// Most samples of an answer that wait until it is told to have begun: 4 s. Beyond that it begins.
const HELD_MAX: usize = 4 * RATE_HZ as usize;
/// Most texts that wait for the same.
const HELD_TEXTS_MAX: usize = 64;
/// Most calls of tools that wait for their results; of older ones none is taken.
pub(super) const CALLS_MAX: usize = 64;

/// An answer that the client has asked for.
pub(super) struct Asked {
    pub(super) metadata: Value,
    pub(super) until_us: u64,
    /// A turn begins with it, later than this one; `None`: the answer to what was said is meant.
    after_turn: Option<u32>,
}

/// A part of an answer that waits until the answer is told to have begun.
enum Held {
    Audio(OutAudio),
    Text { origin: (u32, u32), turn: u32, text: Arc<str> },
}

impl Held {
    fn place(&self) -> (u32, (u32, u32)) {
        match self {
            Self::Audio(audio) => (audio.turn, (audio.segment, audio.revision)),
            Self::Text { origin, turn, .. } => (*turn, *origin),
        }
    }

    fn samples(&self) -> usize {
        match self {
            Self::Audio(audio) => audio.block.len(),
            Self::Text { .. } => HELD_MAX / HELD_TEXTS_MAX,
        }
    }
}

/// What was sent of the answer to a turn. Once a client has said what it has played, the session counts as heard only what
/// it is told of; clients say so when they are interrupted and at no other time, so the rest is told here.
#[derive(Default)]
struct Played {
    tells: bool,
    turn: u32,
    samples: u64,
    told: u64,
    newest_us: u64,
}

impl Played {
    fn is_behind(&self) -> bool {
        self.tells && self.told < self.samples
    }

    fn tell(&mut self, link: &mut Link) {
        let us = self.samples * 1_000_000 / u64::from(RATE_HZ);
        // Without room it is told with the next audio, or soon.
        if link.want(Control::Heard { turn: self.turn, us }).is_some() {
            self.told = self.samples;
        }
    }
}

/// What both sides have said.
pub(super) struct Dialogue {
    pub(super) facts: SceneFacts,
    pub(super) settings: Settings,
    pub(super) items: Conversation,
    pub(super) said: Utterances,
    pub(super) response: Option<Response>,
    pub(super) asked: Option<Asked>,
    /// Until when the scene is expected to answer what was said.
    pub(super) owed_until_us: u64,
    /// Instructions of one response hold until it begins.
    pub(super) instructed: bool,
    /// Calls of tools that wait for their results.
    pub(super) calls: VecDeque<Arc<str>>,
    /// The result of a tool was given: the answer goes on by itself.
    pub(super) resumes: bool,
    /// The answer went on before the client has asked for that, as it will.
    pub(super) went_on: bool,
    /// The client has ended its turn, and the session has not said so yet.
    pub(super) ends: bool,
    /// The newest turn of which anything was told.
    turn: u32,
    /// What the client has typed and not asked to be answered.
    pub(super) typed: Vec<String>,
    /// The turn whose answer sounds.
    sounding: Option<u32>,
    /// The newest turn whose answer was withdrawn, and the newest revision that was retracted.
    withdrawn: u32,
    retracted: (u32, u32),
    held: VecDeque<Held>,
    held_samples: usize,
    played: Played,
    /// A turn in which a service failed, and why.
    failed: Option<(u32, Arc<str>)>,
    failed_last: u32,
}

/// Whether the answer to a turn has left to its end. Where nothing is spoken no event says so, but the history does: it has
/// an answer once that is complete.
fn is_told(link: &Link, turn: u32) -> bool {
    let history = link.session().history();
    let last = history.entries().last();
    matches!(last, Some(HistoryEntry::Said { by: Speaker::Assistant, turn: of, .. }) if *of == turn)
}

impl Dialogue {
    pub(super) fn new(facts: SceneFacts, settings: Settings) -> Self {
        Self {
            facts,
            settings,
            items: Conversation::default(),
            said: Utterances::default(),
            response: None,
            asked: None,
            owed_until_us: 0,
            instructed: false,
            calls: VecDeque::new(),
            resumes: false,
            went_on: false,
            ends: false,
            turn: 0,
            typed: Vec::new(),
            sounding: None,
            withdrawn: 0,
            retracted: (0, 0),
            held: VecDeque::new(),
            held_samples: 0,
            played: Played::default(),
            failed: None,
            failed_last: 0,
        }
    }

    /// Whether nobody speaks and nothing is to be answered.
    pub(super) fn is_idle(&self, now_us: u64) -> bool {
        let waits = self.asked.is_some() || now_us < self.owed_until_us || !self.held.is_empty();
        self.response.is_none() && !waits && !self.said.is_spoken()
    }

    /// Whether the scene is about to answer by itself.
    pub(super) fn is_owed(&self, now_us: u64) -> bool {
        now_us < self.owed_until_us
    }

    pub(super) fn finish(&mut self, how: &Finish, out: &mut Outbox) {
        if let Some(response) = self.response.take() {
            response.finish(how, &mut self.items, out);
        }
    }

    /// Begins the response of a turn, and ends the one before.
    fn begin(&mut self, now_us: u64, turn: u32, link: &mut Link, out: &mut Outbox) {
        self.finish(&Finish::Completed, out);
        self.went_on = self.resumes && self.asked.is_none();
        self.turn = self.turn.max(turn);
        self.failed_last = self.failed_last.max(turn);
        let metadata = self.asked.take().map_or(Value::Null, |asked| asked.metadata);
        (self.owed_until_us, self.resumes, self.failed) = (0, false, None);
        if std::mem::take(&mut self.instructed) {
            let own = Some(self.settings.instructions()).filter(|own| !own.is_empty());
            let params = Params::new().with("instructions", own.map_or(Value::Null, Value::from));
            link.must(Control::Set { params: params.into() });
        }
        self.response = Some(Response::begin(now_us, turn, self.facts.speaks, metadata, out));
    }

    /// An answer that was asked for ends before it has begun.
    pub(super) fn end_unbegun(&mut self, now_us: u64, how: &Finish, link: &mut Link, out: &mut Outbox) {
        self.begin(now_us, 0, link, out);
        self.finish(how, out);
    }

    /// Takes what the session has to say.
    pub(super) fn take(&mut self, now_us: u64, told: Out, link: &mut Link, out: &mut Outbox) {
        match told {
            // The caller's own audio is no answer, nor is text of scenes that only write down what they hear: that is
            // told as a transcript.
            Out::Audio(audio) if audio.revision == 0 => link.dropped(audio),
            Out::Text { revision: 0, .. } | Out::Control(_) => {}
            Out::Text { .. } if self.facts.speaks || !self.facts.answers => {}
            Out::Audio(audio) => self.hold(now_us, Held::Audio(audio), link, out),
            Out::Text { text, segment, revision, turn } => {
                let held = Held::Text { origin: (segment, revision), turn, text };
                self.hold(now_us, held, link, out);
            }
            Out::Event(event) => self.event(now_us, &event, link, out),
        }
    }

    fn hold(&mut self, now_us: u64, held: Held, link: &mut Link, out: &mut Outbox) {
        self.held_samples += held.samples();
        self.held.push_back(held);
        if self.held_samples > HELD_MAX {
            let turn = self.held.front().map_or(0, |held| held.place().0);
            self.sounding = Some(turn);
            if self.response.as_ref().is_none_or(|response| response.turn != turn) {
                self.begin(now_us, turn, link, out);
            }
        }
    }

    /// The next audio to send. Whatever belongs before it goes into `out`, and is to be sent before this is called again.
    pub(super) fn audio(&mut self, now_us: u64, link: &mut Link, out: &mut Outbox) -> Option<OutAudio> {
        while let Some(held) = self.held.front() {
            let (turn, origin) = held.place();
            let is_audio = matches!(held, Held::Audio(_));
            if turn <= self.withdrawn || origin == self.retracted {
                if let Some(Held::Audio(audio)) = self.release() {
                    link.dropped(audio);
                }
                continue;
            }
            if self.response.as_ref().is_none_or(|response| response.turn != turn) {
                if self.sounding != Some(turn) {
                    return None;
                }
                self.begin(now_us, turn, link, out);
            }
            let Some(response) = &mut self.response else { return None };
            (response.origin, response.active_us) = (Some(origin), now_us);
            if is_audio {
                response.open(&mut self.items, out);
            }
            if !out.is_empty() {
                return None;
            }
            match self.release()? {
                Held::Audio(audio) => return Some(audio),
                Held::Text { text, .. } => {
                    let response = self.response.iter_mut();
                    response.for_each(|response| response.words(&text, &mut self.items, out));
                }
            }
        }
        None
    }

    fn release(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.held_samples -= held.samples();
        Some(held)
    }

    fn event(&mut self, now_us: u64, event: &SessionEvent, link: &mut Link, out: &mut Outbox) {
        let ended = matches!(event, SessionEvent::EndOfSpeech { last: true, .. });
        let heard = match *event {
            SessionEvent::SpeechStarted { segment, .. } => {
                self.said.suspect(segment);
                Heard::Nothing
            }
            SessionEvent::SpeechConfirmed { segment, turn, from_us, .. } => {
                self.turn = self.turn.max(turn);
                self.said.confirm(segment, turn, from_us, !self.settings.manual, out);
                Heard::Nothing
            }
            SessionEvent::SpeechCancelled { segment, to_us, .. } => {
                self.said.cancel(segment, to_us, out);
                if std::mem::take(&mut self.ends) { Heard::Wordless } else { Heard::Nothing }
            }
            SessionEvent::EndOfSpeech { segment, revision, at_us, last: true } => {
                self.said.end(segment, (revision, at_us), &mut self.items, out)
            }
            SessionEvent::PartialTranscript { segment, ref text } => {
                self.said.partial(segment, text);
                Heard::Nothing
            }
            SessionEvent::Transcript { segment, revision, turn, ref text, last } => {
                self.turn = self.turn.max(turn);
                self.said.recognised(segment, (revision, turn), text, last, &mut self.items, out)
            }
            _ => return self.answer(now_us, event, link, out),
        };
        self.ends &= !ended;
        match heard {
            // Words may come when the answer is long over.
            Heard::Said if ended && self.facts.answers => self.owed_until_us = now_us + OWED_US,
            Heard::Wordless => {
                self.owed_until_us = 0;
                if self.asked.as_ref().is_some_and(|asked| asked.after_turn.is_none()) {
                    self.end_unbegun(now_us, &Finish::Completed, link, out);
                }
            }
            _ => {}
        }
    }

    fn retract(&mut self, origin: (u32, u32), out: &mut Outbox) {
        self.failed = None;
        self.retracted = origin;
        if self.response.as_ref().is_some_and(|response| response.origin == Some(origin)) {
            self.sounding = None;
            self.finish(&Finish::TurnDetected, out);
        }
    }

    fn answer(&mut self, now_us: u64, event: &SessionEvent, link: &mut Link, out: &mut Outbox) {
        match *event {
            SessionEvent::EndOfSpeechRetracted { segment, revision, .. } => {
                self.retract((segment, revision), out);
            }
            SessionEvent::AnswerStarted { turn, .. } => {
                self.sounding = Some(turn);
                if self.response.as_ref().is_none_or(|response| response.turn != turn) {
                    self.begin(now_us, turn, link, out);
                }
            }
            SessionEvent::Line { turn, ref text, from_us, .. } if self.facts.speaks => {
                let response = self.response.as_mut().filter(|response| response.turn == turn);
                response.into_iter().for_each(|r| r.line(text, from_us, &mut self.items, out));
            }
            SessionEvent::ToolCall(ref call) => {
                let begun = self.response.as_ref().is_some_and(|r| r.turn == call.turn && !r.is_full());
                if !begun {
                    self.begin(now_us, call.turn, link, out);
                }
                self.calls.push_back(Arc::clone(&call.call_id));
                if self.calls.len() > CALLS_MAX {
                    self.calls.pop_front();
                }
                let Some(response) = &mut self.response else { return };
                response.active_us = now_us;
                response.call(call, &mut self.items, out);
            }
            SessionEvent::AnswerInterrupted { turn, .. } => self.interrupted(now_us, turn, link, out),
            SessionEvent::AnswerEnded { turn, .. } => {
                self.sounding.take_if(|sounding| *sounding == turn);
                if self.response.as_ref().is_some_and(|response| response.turn == turn) {
                    self.finish(&Finish::Completed, out);
                }
            }
            SessionEvent::ServiceFailed { turn, ref reason, .. } if turn > self.failed_last => {
                self.failed = Some((turn, Arc::clone(reason)));
            }
            SessionEvent::Applied { message_id } => {
                link.applied(message_id);
                let cancelled = |response: &&mut Response| response.cancelled_by == Some(message_id);
                // Where the answer sounds, the word that it is withdrawn comes in the same tick.
                if let Some(response) = self.response.as_mut().filter(cancelled) {
                    response.cancelled_by = Some(0);
                }
            }
            _ => {}
        }
    }

    /// Why a response ends that the client cancels. Some clients do so as soon as they are told that somebody speaks, a little
    /// before the answer would have been withdrawn for that.
    fn cancelled(&self) -> Finish {
        let spoken = self.said.is_spoken() && self.facts.interrupt_min_ms.is_some();
        if spoken { Finish::TurnDetected } else { Finish::ClientCancelled }
    }

    fn interrupted(&mut self, now_us: u64, turn: u32, link: &mut Link, out: &mut Outbox) {
        self.said.interrupted(turn);
        self.withdrawn = self.withdrawn.max(turn);
        self.sounding.take_if(|sounding| *sounding == turn);
        self.owed_until_us = 0;
        match &self.response {
            Some(response) if response.turn == turn => {
                let by_client = response.cancelled_by.is_some();
                let how = if by_client { self.cancelled() } else { Finish::TurnDetected };
                self.finish(&how, out);
            }
            // It had not begun.
            None if self
                .asked
                .as_ref()
                .is_some_and(|asked| asked.after_turn.is_none_or(|after| turn > after)) =>
            {
                self.end_unbegun(now_us, &Finish::TurnDetected, link, out)
            }
            _ => {}
        }
    }

    /// So many samples of the answer to a turn are sent.
    pub(super) fn sent(&mut self, now_us: u64, turn: u32, samples: usize, link: &mut Link) {
        let played = &mut self.played;
        if played.turn != turn {
            (played.turn, played.samples, played.told) = (turn, 0, 0);
        }
        played.samples += samples as u64;
        played.newest_us = now_us;
        if played.is_behind() && played.samples - played.told >= PLAYED_SAMPLES {
            played.tell(link);
        }
    }

    /// The client says how much of an answer it has played. Of one that is over the session knows already; false: too much
    /// waits.
    pub(super) fn client_played(&mut self, turn: u32, us: u64, link: &mut Link) -> bool {
        if self.response.as_ref().is_none_or(|response| response.turn != turn) {
            return true;
        }
        let told = link.want(Control::Heard { turn, us }).is_some();
        if told {
            (self.played.tells, self.played.told) = (true, self.played.samples);
        }
        told
    }

    /// Does what is due when the session has nothing more to say for now.
    pub(super) fn settle(&mut self, now_us: u64, link: &mut Link, out: &mut Outbox) {
        if self.played.is_behind() && now_us >= self.played.newest_us + PLAYED_US {
            self.played.tell(link);
        }
        if let Some(response) = &self.response {
            let called = response.called
                && (response.calls.is_empty()
                    || self.sounding != Some(response.turn)
                    || now_us >= response.active_us + CALLED_US);
            let written = || !self.facts.speaks && is_told(link, response.turn);
            if response.cancelled_by == Some(0) {
                self.withdrawn = self.withdrawn.max(response.turn);
                let how = self.cancelled();
                self.finish(&how, out);
            } else if called || written() {
                self.finish(&Finish::Completed, out);
            }
        }
        if self.response.is_none()
            && !self.said.is_spoken()
            && let Some((turn, reason)) = self.failed.take()
        {
            self.failed_last = turn;
            self.said.failed(turn, &reason, out);
            self.end_unbegun(now_us, &Finish::Failed(reason.to_string()), link, out);
        }
        if self.asked.as_ref().is_some_and(|asked| now_us >= asked.until_us) {
            let seconds = ANSWER_US / 1_000_000;
            let reason = format!("no answer came within {seconds} s");
            self.end_unbegun(now_us, &Finish::Failed(reason), link, out);
        }
    }

    /// When [`settle`](Self::settle) has something to do although nothing happens.
    pub(super) fn due_us(&self, now_us: u64) -> Option<u64> {
        let called = self.response.as_ref().filter(|response| response.called);
        let called = called.map(|response| response.active_us + CALLED_US);
        let asked = self.asked.as_ref().map(|asked| asked.until_us);
        let written = self.response.as_ref().filter(|_| !self.facts.speaks).map(|_| now_us + LOOKS_US);
        let played = self.played.is_behind().then_some(self.played.newest_us + PLAYED_US);
        called.into_iter().chain(asked).chain(written).chain(played).min()
    }

    /// The client asks for an answer. `anew`: a turn begins with that; otherwise the answer is coming by itself.
    pub(super) fn ask(&mut self, now_us: u64, metadata: Value, anew: bool) {
        let after_turn = anew.then_some(self.turn);
        self.asked = Some(Asked { metadata, until_us: now_us + ANSWER_US, after_turn });
    }

    /// Forgets what the user is saying.
    pub(super) fn discard(&mut self, out: &mut Outbox) {
        self.said.discard();
        (self.owed_until_us, self.ends) = (0, false);
        out.event("input_audio_buffer.cleared", json!({}));
    }
}
