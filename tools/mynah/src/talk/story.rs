//! The conversation as the session's events tell it: what is told on, and what is counted. A function of the events and
//! their times.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use mynah_engine::SessionEvent;
use mynah_engine::record::latency_histogram;

use super::told::{Told, ms};

/// Segments and turns that are remembered.
const KEPT: usize = 64;

/// What was said in a segment.
#[derive(Debug, Default)]
struct Said {
    turn: u32,
    from_us: u64,
    /// Revision and time of the end of speech that holds so far, and whether it is final.
    end: Option<(u32, u64, bool)>,
    texts: Vec<(u32, Arc<str>)>,
    /// The revision whose recognition is complete.
    complete: Option<u32>,
}

/// The conversation so far.
#[derive(Debug)]
pub(super) struct Story {
    segments: BTreeMap<u32, Said>,
    /// By turn, the end of what was said in it.
    ends_us: BTreeMap<u32, u64>,
    /// The latency of an answer whose words are not known yet.
    latency_ms: Option<f64>,
    /// The line that was told last: turn and place in its answer.
    line: Option<(u32, u64)>,
    /// The turn that was counted last.
    last_turn: u32,
    /// The turn whose answer began last.
    begun: Option<u32>,
    /// Turns in which somebody spoke to the end.
    pub(super) turns: u64,
    /// Of these, answered.
    pub(super) answered: u64,
    /// Answers that were withdrawn while they sounded.
    pub(super) interrupted: u64,
    /// From the end of speech to the first sample of the answer.
    pub(super) latencies: Histogram<u32>,
    /// Somebody speaks.
    pub(super) hears: bool,
    /// An answer sounds, and does not wait.
    pub(super) speaks: bool,
    /// What is recognised of what is being said, or was said last.
    pub(super) heard: Arc<str>,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            segments: BTreeMap::new(),
            ends_us: BTreeMap::new(),
            latency_ms: None,
            line: None,
            last_turn: 0,
            begun: None,
            turns: 0,
            answered: 0,
            interrupted: 0,
            latencies: latency_histogram(),
            hears: false,
            speaks: false,
            heard: "".into(),
        }
    }
}

impl Story {
    /// Takes an event at `now_us`; `zero_us` is when the session's media time began, on the same clock.
    pub(super) fn take(&mut self, event: &SessionEvent, now_us: u64, zero_us: u64) -> Vec<Told> {
        let mut told = Vec::new();
        match event {
            SessionEvent::SpeechStarted { .. } => self.hears = true,
            SessionEvent::SpeechConfirmed { segment, turn, from_us, .. } => {
                let said = self.segments.entry(*segment).or_default();
                (said.turn, said.from_us) = (*turn, *from_us);
            }
            SessionEvent::SpeechCancelled { segment, .. } => {
                self.segments.remove(segment);
                self.hears = false;
                told.push(Told::SpeechCancelled { segment: *segment });
            }
            SessionEvent::EndOfSpeech { segment, revision, at_us, last } => {
                self.end(*segment, (*revision, *at_us, *last), &mut told);
            }
            SessionEvent::EndOfSpeechRetracted { segment, .. } => {
                self.segments.entry(*segment).or_default().end = None;
                self.hears = true;
            }
            SessionEvent::PartialTranscript { text, .. } => self.heard = Arc::clone(text),
            SessionEvent::Transcript { segment, revision, turn, text, last } => {
                let said = self.segments.entry(*segment).or_default();
                said.turn = *turn;
                said.end.iter().for_each(|(_, at_us, _)| _ = self.ends_us.insert(*turn, *at_us));
                if *last {
                    said.complete = Some(*revision);
                } else {
                    said.texts.push((*revision, Arc::clone(text)));
                    self.heard = Arc::clone(text);
                }
                self.transcript(*segment, &mut told);
            }
            _ => self.answer(event, now_us, zero_us, &mut told),
        }
        while self.segments.len() > KEPT {
            self.segments.pop_first();
        }
        while self.ends_us.len() > KEPT {
            self.ends_us.pop_first();
        }
        told
    }

    fn end(&mut self, segment: u32, end: (u32, u64, bool), told: &mut Vec<Told>) {
        let said = self.segments.entry(segment).or_default();
        said.end = Some(end);
        let (turn, (_, at_us, last)) = (said.turn, end);
        self.ends_us.insert(turn, at_us);
        self.hears = false;
        if last {
            told.push(Told::EndOfSpeech { segment, from_ms: ms(said.from_us), to_ms: ms(at_us) });
            self.turns += u64::from(turn != self.last_turn);
            self.last_turn = turn;
            self.transcript(segment, told);
        }
    }

    /// Tells what was said once its end is final and all of it is recognised.
    fn transcript(&mut self, segment: u32, told: &mut Vec<Told>) {
        let Some(said) = self.segments.get(&segment) else { return };
        let Some((revision, _, true)) = said.end else { return };
        if said.complete != Some(revision) {
            return;
        }
        let turn = said.turn;
        let texts = said.texts.iter().filter(|(of, _)| *of == revision).map(|(_, text)| text.trim());
        let text = texts.collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            self.heard = text.as_str().into();
            told.push(Told::Transcript { segment, turn, text });
        }
        self.segments.remove(&segment);
    }

    fn answer(&mut self, event: &SessionEvent, now_us: u64, zero_us: u64, told: &mut Vec<Told>) {
        match event {
            SessionEvent::AnswerStarted { turn, line } => {
                self.speaks = true;
                self.begun = Some(*turn);
                let end_us = self.ends_us.get(turn).filter(|_| *line == 0);
                let latency_us = end_us.map(|end_us| now_us.saturating_sub(zero_us + end_us));
                self.answered += u64::from(latency_us.is_some());
                latency_us.iter().for_each(|us| self.latencies.saturating_record(*us));
                self.latency_ms = latency_us.map(ms);
                told.push(Told::AnswerStarted { turn: *turn, latency_ms: self.latency_ms });
            }
            // It is told again once its length is known.
            SessionEvent::Line { turn, text, from_us, .. } if self.line != Some((*turn, *from_us)) => {
                self.line = Some((*turn, *from_us));
                let (text, latency_ms) = (text.trim().to_owned(), self.latency_ms.take());
                told.push(Told::Line { turn: *turn, text, latency_ms });
            }
            SessionEvent::AnswerPaused { turn } => {
                self.speaks = false;
                told.push(Told::AnswerPaused { turn: *turn });
            }
            SessionEvent::AnswerResumed { turn } => {
                self.speaks = true;
                told.push(Told::AnswerResumed { turn: *turn });
            }
            SessionEvent::AnswerInterrupted { turn, heard_us } => {
                self.speaks = false;
                // One that had not begun was withdrawn, too.
                self.interrupted += u64::from(self.begun == Some(*turn));
                // Who speaks into an answer begins the next turn with that.
                let open = self.segments.values_mut().filter(|said| said.turn == *turn);
                open.filter(|said| !said.end.is_some_and(|(.., last)| last)).for_each(|said| said.turn += 1);
                told.push(Told::AnswerInterrupted { turn: *turn, heard_ms: ms(*heard_us) });
            }
            SessionEvent::AnswerEnded { turn, heard_us } => {
                self.speaks = false;
                told.push(Told::AnswerEnded { turn: *turn, heard_ms: ms(*heard_us) });
            }
            SessionEvent::Text { text, .. } => told.push(Told::Text { text: text.to_string() }),
            SessionEvent::ServiceFailed { service, reason, .. } => {
                told.push(Told::ServiceFailed { service: service.to_string(), reason: reason.to_string() });
            }
            SessionEvent::Closed { reason } => told.push(Told::Closed { reason: reason.to_string() }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(story: &mut Story, events: Vec<(u64, SessionEvent)>) -> Vec<Told> {
        events.iter().flat_map(|(now_us, event)| story.take(event, *now_us, 50_000)).collect()
    }

    fn said(segment: u32, revision: u32, text: &str, last: bool) -> SessionEvent {
        SessionEvent::Transcript { segment, revision, turn: 1, text: text.into(), last }
    }

    fn end(revision: u32, at_us: u64, last: bool) -> SessionEvent {
        SessionEvent::EndOfSpeech { segment: 0, revision, at_us, last }
    }

    #[test]
    fn what_was_said_is_told_once_of_the_end_that_holds() {
        let mut story = Story::default();
        let told = all(
            &mut story,
            vec![
                (300_000, SessionEvent::SpeechStarted { segment: 0, from_us: 200_000 }),
                (
                    400_000,
                    SessionEvent::SpeechConfirmed { segment: 0, turn: 1, from_us: 150_000, to_us: 300_000 },
                ),
                (900_000, end(1, 800_000, false)),
                (910_000, said(0, 1, " I seek", false)),
                (915_000, said(0, 1, "", true)),
                (920_000, SessionEvent::EndOfSpeechRetracted { segment: 0, revision: 1, at_us: 800_000 }),
                (1_500_000, end(2, 1_400_000, false)),
                (1_510_000, said(0, 2, " I seek", false)),
                (1_511_000, said(0, 2, " a dragon. ", false)),
                (1_512_000, said(0, 2, "", true)),
                (1_700_000, end(2, 1_400_000, true)),
                (1_750_000, SessionEvent::AnswerStarted { turn: 1, line: 0 }),
                (
                    1_750_000,
                    SessionEvent::Line { turn: 1, text: "A dragon.".into(), from_us: 0, until_us: None },
                ),
                (
                    2_000_000,
                    SessionEvent::Line { turn: 1, text: "A dragon.".into(), from_us: 0, until_us: Some(9) },
                ),
                (2_000_000, SessionEvent::AnswerInterrupted { turn: 1, heard_us: 240_000 }),
            ],
        );
        let text = String::from("I seek a dragon.");
        let wanted = [
            Told::EndOfSpeech { segment: 0, from_ms: 150.0, to_ms: 1_400.0 },
            Told::Transcript { segment: 0, turn: 1, text },
            Told::AnswerStarted { turn: 1, latency_ms: Some(300.0) },
            Told::Line { turn: 1, text: "A dragon.".into(), latency_ms: Some(300.0) },
            Told::AnswerInterrupted { turn: 1, heard_ms: 240.0 },
        ];
        assert_eq!(told, wanted);
        assert_eq!((story.turns, story.answered, story.interrupted, story.latencies.len()), (1, 1, 1, 1));
        assert!(!story.hears && !story.speaks && story.segments.is_empty());
    }

    #[test]
    fn who_interrupts_begins_a_turn_of_his_own() {
        let mut story = Story::default();
        let confirmed = SessionEvent::SpeechConfirmed { segment: 0, turn: 1, from_us: 0, to_us: 300_000 };
        let text =
            SessionEvent::Transcript { segment: 0, revision: 1, turn: 2, text: "Stop.".into(), last: false };
        let last = SessionEvent::Transcript { segment: 0, revision: 1, turn: 2, text: "".into(), last: true };
        let told = all(
            &mut story,
            vec![
                (250_000, SessionEvent::AnswerStarted { turn: 1, line: 0 }),
                (300_000, confirmed),
                (600_000, SessionEvent::AnswerInterrupted { turn: 1, heard_us: 100_000 }),
                (900_000, end(1, 800_000, false)),
                (980_000, end(1, 800_000, true)),
                (985_000, text),
                (990_000, last),
                (1_000_000, SessionEvent::AnswerStarted { turn: 2, line: 0 }),
            ],
        );
        assert!(told.contains(&Told::AnswerStarted { turn: 2, latency_ms: Some(150.0) }), "{told:?}");
        assert_eq!((story.turns, story.answered, story.interrupted), (1, 1, 1));
    }

    #[test]
    fn a_line_of_the_hosts_own_is_no_answer_and_noise_no_turn() {
        let mut story = Story::default();
        let told = all(
            &mut story,
            vec![
                (10, SessionEvent::AnswerStarted { turn: 1, line: 7 }),
                (20, SessionEvent::SpeechStarted { segment: 0, from_us: 0 }),
                (
                    30,
                    SessionEvent::SpeechCancelled {
                        segment: 0,
                        reason: mynah_engine::speech::CancelReason::NotSustained,
                        from_us: 0,
                        to_us: 0,
                        late: false,
                    },
                ),
            ],
        );
        assert_eq!(
            told,
            [Told::AnswerStarted { turn: 1, latency_ms: None }, Told::SpeechCancelled { segment: 0 }]
        );
        assert_eq!((story.turns, story.answered, story.latencies.len()), (0, 0, 0));
    }
}
