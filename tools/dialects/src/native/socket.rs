//! The native protocol on one WebSocket: the first message opens a session or goes on with one.

use std::collections::VecDeque;

use mynah_engine::{Record, SessionSpec};

use crate::dialect::{Dialect, Output};
use crate::terms::{Closing, Ending, Figures, Opened, Refusal, TurnTimes, WantedRecords};

use super::complaints::error_json;
use super::inbound::Inbound;
use super::opening::{Opening, Resumption};
use super::session::{NativeConfig, NativeOutput, NativeSession};

/// Time in which the first message has to come, microseconds.
pub const OPEN_WITHIN_US: u64 = 10_000_000;

/// How far a connection has come.
enum Stage {
    /// Waits for the first message until then.
    Silent(u64),
    /// A session is to be opened, or was asked for.
    Opening(Box<Opening>, Option<Box<SessionSpec>>),
    /// A session is to be found, or was asked for.
    Resuming(Option<Resumption>),
    Live(Box<NativeSession>),
    Over,
}

/// A client behind one WebSocket.
pub struct Native {
    config: NativeConfig,
    stage: Stage,
    /// What is said before the session has anything to say; two messages at most.
    waiting: VecDeque<String>,
    text: String,
    ending: Option<Ending>,
    closing: Option<Closing>,
}

impl Native {
    /// A connection that was just made.
    #[must_use]
    pub fn new(now_us: u64, config: NativeConfig) -> Self {
        Self {
            config,
            stage: Stage::Silent(now_us.saturating_add(OPEN_WITHIN_US)),
            waiting: VecDeque::new(),
            text: String::new(),
            ending: None,
            closing: None,
        }
    }

    fn first(&mut self, text: &str) -> Result<(), Refusal> {
        match Inbound::of(text)? {
            Inbound::Open => {
                let mut opening = Opening::parse(text)?;
                let spec = Box::new(std::mem::take(&mut opening.spec));
                self.stage = Stage::Opening(Box::new(opening), Some(spec));
                Ok(())
            }
            Inbound::Resume => {
                self.stage = Stage::Resuming(Some(Resumption::parse(text)?));
                Ok(())
            }
            Inbound::Finish | Inbound::Close | Inbound::Control => {
                Err(Refusal::new("bad_request", "the first message has to be open or resume"))
            }
        }
    }

    /// There is no session for this connection.
    fn refuse(&mut self, refusal: &Refusal) {
        self.waiting.push_back(error_json(refusal, 0));
        self.closing = Some(Closing::new(1008, &refusal.message));
        self.stage = Stage::Over;
    }

    fn live(&mut self, mut session: Box<NativeSession>, first: String) {
        self.waiting.push_back(first);
        if let Some(ending) = self.ending {
            session.end(ending);
        }
        self.stage = Stage::Live(session);
    }

    /// What comes before anything of the session.
    fn asks(&mut self, now_us: u64) -> Option<Output<'static>> {
        if let Stage::Silent(until_us) = self.stage
            && until_us <= now_us
        {
            let what = "no message within 10 s: the first one opens a session or goes on with one";
            self.refuse(&Refusal::new("timeout", what));
        }
        match &mut self.stage {
            Stage::Opening(_, spec) => spec.take().map(Output::Open),
            Stage::Resuming(resumption) => {
                resumption.take().map(|Resumption { session, token }| Output::Resume { session, token })
            }
            _ => None,
        }
    }
}

impl Dialect for Native {
    fn text(&mut self, now_us: u64, text: &str) {
        match &mut self.stage {
            Stage::Silent(_) => {
                if let Err(refusal) = self.first(text) {
                    self.refuse(&refusal);
                }
            }
            Stage::Live(session) => session.text(now_us, text),
            Stage::Opening(..) | Stage::Resuming(_) => {
                self.refuse(&Refusal::new("bad_message", "wait for the answer to the first message"));
            }
            Stage::Over => {}
        }
    }

    fn binary(&mut self, now_us: u64, bytes: &[u8]) {
        match &mut self.stage {
            Stage::Live(session) => session.binary(now_us, bytes),
            Stage::Silent(_) | Stage::Opening(..) | Stage::Resuming(_) => {
                self.refuse(&Refusal::new("bad_message", "audio comes behind the answer to open or resume"));
            }
            Stage::Over => {}
        }
    }

    fn opened(&mut self, _now_us: u64, opened: Result<Opened, Refusal>) {
        let Stage::Opening(opening, _) = &self.stage else { return };
        match opened.and_then(|opened| NativeSession::new(opened, opening, self.config)) {
            Ok(session) => {
                let first = session.opened_json();
                self.live(Box::new(session), first);
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn resumed(&mut self, now_us: u64, resumed: Result<Box<NativeSession>, Refusal>) {
        if !matches!(self.stage, Stage::Resuming(_)) {
            return;
        }
        match resumed {
            Ok(mut session) => {
                session.reconnected(now_us);
                let first = session.resumed_json();
                self.live(session, first);
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn poll(&mut self, now_us: u64) -> Output<'_> {
        if let Some(asked) = self.asks(now_us) {
            return asked;
        }
        if let Some(text) = self.waiting.pop_front() {
            self.text = text;
            return Output::Text { text: &self.text, sound_us: 0 };
        }
        if let Some(closing) = self.closing.take() {
            return Output::Close(closing);
        }
        match &mut self.stage {
            Stage::Silent(until_us) => Output::Wait { until_us: Some(*until_us) },
            Stage::Opening(..) | Stage::Resuming(_) | Stage::Over => Output::Wait { until_us: None },
            Stage::Live(session) => match session.poll(now_us) {
                NativeOutput::Event { json, .. } => Output::Text { text: json, sound_us: 0 },
                NativeOutput::Audio { bytes, sound_us } => Output::Binary { bytes, sound_us },
                NativeOutput::Closed(closing) => Output::Close(closing),
                NativeOutput::Wait { until_us } => Output::Wait { until_us },
            },
        }
    }

    fn has_room(&self) -> bool {
        match &self.stage {
            Stage::Silent(_) | Stage::Over => true,
            // What comes behind the first message waits for its answer.
            Stage::Opening(..) | Stage::Resuming(_) => false,
            Stage::Live(session) => session.has_room(),
        }
    }

    fn end(&mut self, _now_us: u64, ending: Ending) {
        self.ending = self.ending.max(Some(ending));
        match &mut self.stage {
            Stage::Live(session) => session.end(ending),
            Stage::Silent(_) => {
                self.closing = Some(Closing::new(1001, "the server ends"));
                self.stage = Stage::Over;
            }
            Stage::Opening(..) | Stage::Resuming(_) | Stage::Over => {}
        }
    }

    fn park(self: Box<Self>, now_us: u64) -> Option<Box<NativeSession>> {
        let Stage::Live(mut session) = self.stage else { return None };
        if session.is_over() || session.token().is_none() {
            return None;
        }
        session.disconnected(now_us);
        Some(session)
    }

    fn wants(&self) -> WantedRecords {
        match &self.stage {
            Stage::Live(session) => session.wants(),
            Stage::Opening(opening, _) => {
                WantedRecords { probability: opening.notes.probability, turns: opening.notes.turns }
            }
            _ => WantedRecords::default(),
        }
    }

    fn record(&mut self, _now_us: u64, record: &Record) {
        if let Stage::Live(session) = &mut self.stage {
            session.record(record);
        }
    }

    fn turn(&mut self, _now_us: u64, times: &TurnTimes<'_>) {
        if let Stage::Live(session) = &mut self.stage {
            session.turn(times);
        }
    }

    fn figures(&self) -> Figures {
        match &self.stage {
            Stage::Live(session) => session.figures(),
            _ => Figures::default(),
        }
    }
}
