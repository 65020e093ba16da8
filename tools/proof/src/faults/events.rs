//! What the host of a split session is told, looked at as it comes: one stream, in order.

use std::collections::BTreeSet;

use mynah_engine::edge::SessionEvent;

/// What a host knows by what it was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    /// The newest segment and turn heard of.
    pub segment: u32,
    /// See `segment`.
    pub turn: u32,
    /// Turns whose answer has begun.
    started: BTreeSet<u32>,
    /// Messages that lines came of, or none.
    lines: BTreeSet<u64>,
    /// The last message that took effect, and how many did.
    applied: u64,
    /// See `applied`.
    pub effects: u64,
    /// It was told that the session is over.
    pub closed: bool,
    /// What came after that.
    pub after_closed: u64,
}

impl Events {
    /// Takes an event; `is_line` says of a message whether it may become a line. Returns what is wrong.
    pub(super) fn take(
        &mut self,
        event: &SessionEvent,
        is_line: impl Fn(u64) -> bool,
    ) -> Option<&'static str> {
        self.after_closed += u64::from(self.closed);
        match *event {
            SessionEvent::SpeechStarted { segment, .. } => {
                let before = std::mem::replace(&mut self.segment, segment);
                (segment <= before).then_some("a segment after one with a greater serial")
            }
            SessionEvent::SpeechConfirmed { segment, .. }
            | SessionEvent::SpeechCancelled { segment, .. }
            | SessionEvent::EndOfSpeech { segment, .. }
            | SessionEvent::EndOfSpeechRetracted { segment, .. } => {
                (segment > self.segment).then_some("a segment that has not started")
            }
            SessionEvent::AnswerStarted { turn, line } => {
                self.turn = turn;
                self.started.insert(turn);
                if line == 0 { None } else { self.line(line, is_line(line)) }
            }
            SessionEvent::LineDropped { line, .. } => self.line(line, is_line(line)),
            SessionEvent::AnswerPaused { turn }
            | SessionEvent::AnswerResumed { turn }
            | SessionEvent::AnswerEnded { turn, .. } => {
                (!self.started.contains(&turn)).then_some("an answer that has not started")
            }
            SessionEvent::Line { from_us, until_us, .. } => {
                until_us.is_some_and(|us| us < from_us).then_some("words that end before they begin")
            }
            SessionEvent::Applied { message_id } => {
                self.effects += 1;
                let before = std::mem::replace(&mut self.applied, message_id);
                (message_id <= before).then_some("a message after one that was sent later")
            }
            SessionEvent::Closed { .. } => {
                self.closed = true;
                None
            }
            _ => None,
        }
    }

    /// A message became a line, or none.
    fn line(&mut self, message: u64, is_line: bool) -> Option<&'static str> {
        if !is_line {
            return Some("a line that nobody asked for");
        }
        (!self.lines.insert(message)).then_some("a line that was told of before")
    }
}
