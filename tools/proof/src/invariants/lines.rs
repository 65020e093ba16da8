//! Lines of hosts: each message is told to be spoken, or not, once; each line that was opened ends once, with the last
//! of its sound, withdrawn, or with its session; no more wait than may; and speech neither pauses nor withdraws one that
//! must not be interrupted.

use std::collections::{BTreeMap, BTreeSet};

use mynah_engine::edge::LINES_MAX;
use mynah_engine::speech::Answer;
use mynah_engine::{Event, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment, Sessions, is_line};

pub(super) const NAME: &str = "lines";

/// Messages of a session that are remembered, counted back from the newest.
const REMEMBERED: u64 = 4_096;

/// A line that has been opened and is not over.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    turn: u32,
    /// It has begun to sound.
    sounds: bool,
    /// How it ended: with its last sample, or withdrawn.
    ends: u32,
    /// Speech must not interrupt it.
    deaf: bool,
}

#[derive(Debug, Default)]
struct Told {
    /// Messages that were told of, by their number.
    messages: BTreeSet<u64>,
    open: BTreeMap<u32, Line>,
    /// The session is closed, or has failed.
    is_over: bool,
}

pub(super) struct Lines {
    /// Text leaves the scene: it is over without a word, and texts of several answers may leave between each other.
    texts: bool,
    sessions: Sessions<Told>,
}

impl Lines {
    /// For a run of `plan`.
    pub(super) fn new(plan: &ScenePlan) -> Self {
        Self { texts: plan.output.audio.is_none(), sessions: Sessions::default() }
    }
}

impl Told {
    /// Takes an event; what is wrong with it.
    fn take(&mut self, record: &Record) -> Option<&'static str> {
        match record.event {
            Event::LineOpened { segment, line } => {
                let opened = Line { turn: record.turn, ..Line::default() };
                let again = self.open.insert(segment, opened).is_some();
                self.names(line).or(again.then_some("its segment is in use"))
            }
            Event::LineDropped { line, .. } => self.names(line),
            Event::OutputStarted { segment, .. } if is_line(segment) => self.sounds(segment),
            Event::OutputEnded { segment, .. } => self.ends(segment),
            Event::AnswerWithdrawn { segment } => self.ends(segment),
            Event::AnswerPaused { .. } => self.hears(record.turn),
            Event::AnswerInterrupted { turn, segment: 1.., .. } => self.hears(turn),
            _ => None,
        }
    }

    fn names(&mut self, message: u64) -> Option<&'static str> {
        self.messages = self.messages.split_off(&message.saturating_sub(REMEMBERED));
        (!self.messages.insert(message)).then_some("the message was told of before")
    }

    fn sounds(&mut self, segment: u32) -> Option<&'static str> {
        let Some(line) = self.open.get_mut(&segment) else { return Some("it was never opened, or is over") };
        let again = std::mem::replace(&mut line.sounds, true) || line.ends > 0;
        again.then_some("it began before, or is over")
    }

    fn ends(&mut self, segment: u32) -> Option<&'static str> {
        if !is_line(segment) {
            return None;
        }
        let Some(line) = self.open.get_mut(&segment) else { return Some("it was never opened, or is over") };
        line.ends += 1;
        (line.ends > 1).then_some("it ended before")
    }

    /// Speech stops the answer of `turn`.
    fn hears(&mut self, turn: u32) -> Option<&'static str> {
        let deaf = self.open.values().any(|line| line.turn == turn && line.deaf);
        deaf.then_some("speech stops a line that must not be interrupted")
    }

    /// Looks at the segments that stand after a tick; `stands` are those of lines, with whether they are deaf.
    fn look(&mut self, stands: &BTreeMap<u32, bool>, mut wrong: impl FnMut(u32, &'static str)) {
        self.open.retain(|segment, line| {
            let stands = stands.get(segment);
            match (stands, line.ends) {
                (Some(deaf), 0) => {
                    line.deaf = *deaf;
                    true
                }
                (Some(_), _) => {
                    wrong(*segment, "has ended, and is still to be spoken");
                    false
                }
                (None, 0) if line.sounds => {
                    wrong(*segment, "began to sound, and is over without a word");
                    false
                }
                // There was nothing to hear in it: no text, a service that failed, a queue without room.
                (None, _) => false,
            }
        });
    }
}

impl Checker for Lines {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let Some(told) = self.sessions.of(record) else { return };
        // A session that has failed leaves what it was saying at once, and is closed a tick later.
        told.is_over |= matches!(record.event, Event::SessionClosed | Event::SessionFailed { .. });
        if told.is_over {
            told.open.clear();
            return;
        }
        if self.texts && matches!(record.event, Event::OutputStarted { .. }) {
            return;
        }
        if let Some(wrong) = told.take(record) {
            findings.add(NAME, Some(record.session), || format!("{:?}: {wrong}", record.event));
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let mut stands: BTreeMap<SessionId, BTreeMap<u32, bool>> = BTreeMap::new();
        for segment in moment.engine.segments() {
            if segment.key.is_line() && segment.answer == Answer::Pending {
                let of = stands.entry(segment.session).or_default();
                of.insert(segment.key.serial, segment.order == u32::MAX);
            }
        }
        let none = BTreeMap::new();
        for session in moment.engine.sessions() {
            let id = session.id();
            let waiting = session.lines();
            if waiting > LINES_MAX {
                findings.add(NAME, Some(id), || format!("{waiting} lines wait, at most {LINES_MAX} may"));
            }
            let Some(told) = self.sessions.at(id).filter(|told| !told.open.is_empty()) else { continue };
            told.look(stands.get(&id).unwrap_or(&none), |segment, wrong| {
                findings.add(NAME, Some(id), || format!("segment {segment} {wrong}"));
            });
        }
    }
}
