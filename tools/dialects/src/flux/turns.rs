//! Turns as Flux tells them, out of what happens in a session. A function of events and times.
//!
//! The order that is promised, whatever the gate changes its mind about: a turn begins with `StartOfTurn`; an
//! `EagerEndOfTurn` has words; `TurnResumed` follows an eager end and nothing else; nothing but `TurnResumed` and
//! `EndOfTurn` follows an eager end; `EndOfTurn` has the words of the eager end before it; then the next turn begins.
//!
//! What is told is found from where the turn stands, not from each step that led there: an end that was retracted while
//! an earlier turn waited for its words is told by nobody.

use std::collections::VecDeque;

use mynah_engine::SessionEvent;

use super::transcript::{End, Said, Transcript};

/// Shortest time between two updates, microseconds.
const UPDATE_GAP_US: u64 = 250_000;
/// Longest wait for the words of a turn that has ended, microseconds.
pub(super) const WORDS_WITHIN_US: u64 = 5_000_000;
/// Most turns that wait to be told; of more, the first is told as it stands.
const TURNS_MAX: usize = 32;

/// Which event of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnEvent {
    Start,
    Update,
    Eager,
    Resumed,
    End,
}

/// An event that is to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TurnTold {
    pub(super) event: TurnEvent,
    pub(super) index: u32,
    /// Media time that the words are of.
    pub(super) window_us: (u64, u64),
    pub(super) text: String,
    /// The host ended the turn.
    pub(super) manual: bool,
}

#[derive(Debug)]
struct Turn {
    transcript: Transcript,
    from_us: u64,
    /// It is speech.
    confirmed: bool,
    started: bool,
    /// The words of an eager end that holds.
    eager: Option<String>,
    /// The words that were told last, and when.
    told: String,
    told_us: u64,
    /// When it had ended.
    ended_us: Option<u64>,
    /// No more words are waited for.
    given_up: bool,
    manual: bool,
}

/// Turns that were not told to their end.
#[derive(Debug)]
pub(super) struct Turns {
    /// Whether ends are told that only seem to be.
    pub(super) eager: bool,
    turns: VecDeque<Turn>,
    index: u32,
    /// Media time until which audio has come.
    heard_us: u64,
}

impl Turns {
    pub(super) fn new(eager: bool) -> Self {
        Self { eager, turns: VecDeque::new(), index: 0, heard_us: 0 }
    }

    /// Audio has come up to this media time.
    pub(super) fn heard(&mut self, until_us: u64) {
        self.heard_us = self.heard_us.max(until_us);
    }

    /// Takes what happens in the session. Returns whether the words of a turn are lost.
    pub(super) fn take(&mut self, now_us: u64, event: &SessionEvent) -> bool {
        match event {
            SessionEvent::SpeechStarted { segment, from_us } => self.open(*segment, *from_us),
            SessionEvent::SpeechConfirmed { segment, from_us, .. } => {
                self.open(*segment, *from_us);
                self.of(*segment).iter_mut().for_each(|turn| turn.confirmed = true);
            }
            SessionEvent::SpeechCancelled { segment, .. } => self.cancel(now_us, *segment),
            SessionEvent::EndOfSpeech { segment, revision, at_us, last } => {
                let (revision, at_us) = (*revision, *at_us);
                let end = match (last, revision) {
                    (true, 0) => End::Split,
                    (true, _) => End::Final { revision, at_us },
                    (false, _) => End::Seems { revision, at_us },
                };
                self.end(now_us, *segment, end);
            }
            SessionEvent::EndOfSpeechRetracted { segment, .. } => self.end(now_us, *segment, End::Open),
            SessionEvent::PartialTranscript { segment, text } => {
                if let Some(said) = self.of(*segment).and_then(|turn| turn.transcript.find(*segment)) {
                    said.partial(text);
                }
            }
            SessionEvent::Transcript { segment, revision, text, last, .. } => {
                if let Some(said) = self.of(*segment).and_then(|turn| turn.transcript.find(*segment)) {
                    said.words(*revision, text, *last);
                }
            }
            SessionEvent::ServiceFailed { .. } => return self.fail(),
            _ => {}
        }
        if self.turns.len() > TURNS_MAX {
            self.make_room();
        }
        false
    }

    /// The host has ended the turn that is open.
    pub(super) fn ended_by_host(&mut self) {
        let open = self.turns.iter_mut().filter(|turn| turn.ended_us.is_none());
        open.for_each(|turn| turn.manual = true);
    }

    /// The session is over: turns are told as they stand.
    pub(super) fn finish(&mut self) {
        self.turns.retain(|turn| turn.confirmed);
        self.turns.iter_mut().for_each(|turn| turn.given_up = true);
    }

    /// Whether everything was told.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.turns.iter().all(|turn| !turn.confirmed)
    }

    fn of(&mut self, segment: u32) -> Option<&mut Turn> {
        self.turns.iter_mut().find(|turn| turn.transcript.said.iter().any(|said| said.segment == segment))
    }

    /// A segment begins: in a turn of its own, or where another one was split.
    fn open(&mut self, segment: u32, from_us: u64) {
        if self.of(segment).is_some() {
            return;
        }
        let goes_on = |turn: &&mut Turn| turn.transcript.last().is_some_and(|said| said.end == End::Split);
        if let Some(turn) = self.turns.back_mut().filter(goes_on) {
            turn.transcript.push(segment);
            return;
        }
        let mut transcript = Transcript::default();
        transcript.push(segment);
        self.turns.push_back(Turn {
            transcript,
            from_us,
            confirmed: false,
            started: false,
            eager: None,
            told: String::new(),
            told_us: 0,
            ended_us: None,
            given_up: false,
            manual: false,
        });
    }

    /// A segment was no speech. Of a turn that has begun its other segments are left, and its end is told.
    fn cancel(&mut self, now_us: u64, segment: u32) {
        let Some(turn) = self.of(segment) else { return };
        turn.transcript.said.retain(|said| said.segment != segment);
        if turn.started || !turn.transcript.said.is_empty() {
            turn.given_up = true;
            turn.ended_us.get_or_insert(now_us);
            return;
        }
        self.turns.retain(|turn| !turn.transcript.said.is_empty());
    }

    fn end(&mut self, now_us: u64, segment: u32, end: End) {
        let Some(turn) = self.of(segment) else { return };
        if turn.ended_us.is_some() {
            return;
        }
        turn.ended_us = matches!(end, End::Final { .. }).then_some(now_us);
        turn.transcript.find(segment).iter_mut().for_each(|said| said.end = end);
    }

    /// A service has failed: the words of the first end that waits for some do not come.
    fn fail(&mut self) -> bool {
        let waits = |turn: &&mut Turn| {
            let said = turn.transcript.last();
            said.is_some_and(|said| !said.is_complete() && !matches!(said.end, End::Open | End::Split))
        };
        let Some(said) = self.turns.iter_mut().find(waits).and_then(|turn| turn.transcript.said.last_mut())
        else {
            return false;
        };
        said.give_up();
        true
    }

    /// Forgets what nobody knows to be speech yet, or tells what is told now as it stands.
    fn make_room(&mut self) {
        if let Some(at) = self.turns.iter().position(|turn| !turn.confirmed) {
            self.turns.remove(at);
        } else if let Some(turn) = self.current().and_then(|at| self.turns.get_mut(at)) {
            turn.given_up = true;
        }
    }

    /// The turn that is told: the one that has begun, else the first that is speech.
    fn current(&self) -> Option<usize> {
        let begun = self.turns.iter().position(|turn| turn.started);
        begun.or_else(|| self.turns.iter().position(|turn| turn.confirmed))
    }

    /// What is to be told now.
    pub(super) fn next(&mut self, now_us: u64) -> Option<TurnTold> {
        let at = self.current()?;
        let eager = self.eager;
        let turn = self.turns.get_mut(at)?;
        let (event, text) = turn.next(now_us, eager)?;
        let until_us = turn.end_us().unwrap_or(self.heard_us).max(turn.from_us);
        let told = TurnTold {
            event,
            index: self.index,
            window_us: (turn.from_us, until_us),
            text,
            manual: turn.manual && event == TurnEvent::End,
        };
        if event == TurnEvent::End {
            self.turns.remove(at);
            self.index = self.index.wrapping_add(1);
        }
        Some(told)
    }

    /// When there is something to tell though nothing happens.
    pub(super) fn due_us(&self) -> Option<u64> {
        let turn = self.turns.get(self.current()?)?;
        let update_us =
            (turn.eager.is_none() && turn.transcript.text() != turn.told && turn.ended_us.is_none())
                .then_some(turn.told_us.saturating_add(UPDATE_GAP_US));
        let give_up_us = turn.ended_us.map(|us| us.saturating_add(WORDS_WITHIN_US));
        [update_us, give_up_us].into_iter().flatten().min()
    }
}

impl Turn {
    /// What is to be told of it, and with which words.
    fn next(&mut self, now_us: u64, eager: bool) -> Option<(TurnEvent, String)> {
        let text = self.transcript.text();
        if !self.started {
            self.started = true;
            return Some(self.tell(now_us, TurnEvent::Start, text));
        }
        let complete = self.transcript.last().is_some_and(Said::is_complete);
        let waited = self.ended_us.is_some_and(|us| us.saturating_add(WORDS_WITHIN_US) <= now_us);
        let over = self.given_up || self.ended_us.is_some() && (complete || waited);
        let seems = matches!(self.transcript.last().map(|said| said.end), Some(End::Seems { .. }));
        let holds = self.eager.as_ref().is_some_and(|told| *told == text) && (over || complete);
        // An end that was told and is certain by now waits for its words, which are there already.
        let waits = self.ended_us.is_some() && !over;
        if self.eager.is_some() && !holds && !waits {
            self.eager = None;
            return Some(self.tell(now_us, TurnEvent::Resumed, text));
        }
        // An end that was certain before its words were there: who asked for eager ends hears of each before it holds.
        if over && eager && complete && self.eager.is_none() && !text.is_empty() {
            self.eager = Some(text.clone());
            return Some(self.tell(now_us, TurnEvent::Eager, text));
        }
        if over {
            return Some((TurnEvent::End, text));
        }
        if self.eager.is_some() {
            return None;
        }
        if seems && complete && eager && !text.is_empty() {
            self.eager = Some(text.clone());
            return Some(self.tell(now_us, TurnEvent::Eager, text));
        }
        let due = now_us >= self.told_us.saturating_add(UPDATE_GAP_US);
        let update = due && self.ended_us.is_none() && text != self.told;
        update.then(|| self.tell(now_us, TurnEvent::Update, text))
    }

    fn tell(&mut self, now_us: u64, event: TurnEvent, text: String) -> (TurnEvent, String) {
        self.told.clone_from(&text);
        self.told_us = now_us;
        (event, text)
    }

    /// Where speech has ended, as far as that is known.
    fn end_us(&self) -> Option<u64> {
        match self.transcript.last()?.end {
            End::Seems { at_us, .. } | End::Final { at_us, .. } => Some(at_us),
            End::Open | End::Split => None,
        }
    }
}
