//! Answers against true utterances, matched when their time is over, so that a run of a day remembers some minutes.

use super::balance::StreamLaw;
use super::breakdown::AnsweredTurns;
use super::measure::{Latencies, Measurement, SegmentStory, SessionMeasurement, Turns};
use crate::report::stages::AnsweredTurn;
use mynah_load::load::{Stream, Utterance};

/// A segment may begin this long before the labelled onset and still be of that utterance: pre-roll and label error.
const BEFORE_US: u64 = 400_000;
/// And this long after its labelled end.
const AFTER_US: u64 = 300_000;
/// Segments and utterances are kept for this long after they were matched: a later one may refer to them.
const KEPT_US: u64 = 60_000_000;

/// The first and the last stretch of a long run, engine time: latency should be the same in both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretches {
    /// The first one ends here.
    pub early_until_us: u64,
    /// The last one begins here.
    pub late_from_us: u64,
}

/// When the speech that a segment heard truly began: the utterance, or its going on after a pause.
fn resumes_us(utterance: &Utterance, story: &SegmentStory) -> u64 {
    let after = utterance
        .pauses
        .iter()
        .map(|pause| pause.end_us)
        .filter(|end_us| *end_us <= story.from_us + BEFORE_US);
    after.max().unwrap_or(utterance.start_us)
}

/// Whether a segment is of a true utterance.
fn is_of(story: &SegmentStory, utterance: &Utterance) -> bool {
    let (start_us, end_us) = (utterance.start_us, utterance.end_us);
    let begins_in = story.from_us + BEFORE_US >= start_us && story.from_us <= end_us + AFTER_US;
    begins_in || story.from_us < start_us && story.to_us > start_us
}

/// Where the treatment of utterances is written down.
struct Tallies<'a> {
    turns: &'a mut Turns,
    latencies: &'a mut Latencies,
    answered: &'a mut AnsweredTurns,
    stretches: Stretches,
    counted_from_us: u64,
}

impl Tallies<'_> {
    fn answered(&mut self, turn: AnsweredTurn) {
        self.turns.answered += 1;
        let after_us = turn.latency_us();
        self.latencies.end_to_response.saturating_record(after_us);
        if turn.ended_us < self.stretches.early_until_us {
            self.latencies.early_late[0].saturating_record(after_us);
        }
        if turn.ended_us >= self.stretches.late_from_us {
            self.latencies.early_late[1].saturating_record(after_us);
        }
        self.answered.push(turn);
    }
}

impl Measurement {
    /// Matches answers to the true utterances that were over at `before_us` of engine time (`u64::MAX`: to all), and
    /// forgets what is long past, once more looked at by the law; without a law nothing is forgotten.
    pub fn settle(&mut self, before_us: u64, law: Option<&StreamLaw>, stretches: Stretches) {
        self.tally(before_us, stretches);
        let Some(law) = law else { return };
        let mut wrong = std::mem::take(&mut self.wrong);
        self.forget(before_us, |session, serial, story| {
            let place = format!("session {session} segment {serial}");
            law.check(&place, story, true, &mut wrong);
        });
        self.wrong = wrong;
    }

    /// Matches answers to the true utterances that were over at `before_us` of engine time.
    pub(super) fn tally(&mut self, before_us: u64, stretches: Stretches) {
        let Self { turns, latencies, answered, sessions, counted_from_us, .. } = self;
        let counted_from_us = *counted_from_us;
        let mut tallies = Tallies { turns, latencies, answered, stretches, counted_from_us };
        for (session, heard) in sessions.iter_mut().enumerate() {
            let before_us = before_us.saturating_sub(heard.offset_us);
            if let Some(caller) = &mut heard.caller {
                caller.drain_truth_until(before_us, &mut heard.truth);
            }
            tallies.turns.interrupted_by_noise += heard.interruptions(before_us, &mut tallies);
            heard.match_answers(session, before_us, &mut tallies);
        }
    }

    /// Forgets what was long past at `before_us` of engine time; of each segment `last_look` gets the number of its
    /// session, its serial and its story.
    pub(super) fn forget(&mut self, before_us: u64, mut last_look: impl FnMut(usize, u32, &SegmentStory)) {
        for (session, heard) in self.sessions.iter_mut().enumerate() {
            let past_us = before_us.saturating_sub(heard.offset_us).saturating_sub(KEPT_US);
            if let Some(words) = &mut heard.words {
                words.settle(past_us);
            }
            heard.forget(past_us, |serial, story| last_look(session, serial, story));
        }
    }
}

impl Measurement {
    /// The run is over, and the callers with these streams have said what they have said: how all utterances were treated.
    pub fn over<'a>(&mut self, streams: impl Iterator<Item = &'a Stream>, stretches: Stretches) -> Turns {
        for (heard, stream) in self.sessions.iter_mut().zip(streams) {
            if heard.hung_up {
                continue;
            }
            let mut caller = heard.caller.take().unwrap_or_else(|| stream.clone());
            let said_us = stream.position_us();
            caller.drain_truth_until(said_us, &mut heard.truth);
            if self.is_cut {
                heard.truth.retain(|utterance| utterance.end_us <= said_us);
            }
        }
        // Nothing is to be forgotten any more: what is left is looked at with the rest.
        self.settle(u64::MAX, None, stretches);
        self.turns
    }
}

impl SessionMeasurement {
    /// The caller hangs up at `said_us` of media time, before the run ends: what it was in the middle of is no utterance.
    pub(super) fn hangs_up(&mut self, said_us: u64) {
        if let Some(mut caller) = self.caller.take() {
            caller.drain_truth_until(said_us, &mut self.truth);
            self.truth.retain(|utterance| utterance.end_us <= said_us);
        }
        self.hung_up = true;
    }

    /// How fast answers fell silent when the user began to speak; returns how many were interrupted by noise.
    fn interruptions(&mut self, before_us: u64, tallies: &mut Tallies<'_>) -> u64 {
        let (segments, truth, offset_us) = (&self.segments, &self.truth, self.offset_us);
        let utterance_of = |serial: u32| {
            let story = segments.get(&serial)?;
            // A pause inside an utterance may open a segment of its own: the first one counts.
            truth.iter().rev().find(|utterance| is_of(story, utterance))
        };
        let is_past = |serial: u32| segments.get(&serial).is_none_or(|story| story.from_us < before_us);
        self.pauses.retain(|waited| {
            if !is_past(waited.segment) {
                return true;
            }
            let Some(utterance) = utterance_of(waited.segment) else { return false };
            let story = segments.get(&waited.segment);
            let onset_us = story.map_or(utterance.start_us, |story| resumes_us(utterance, story));
            // An answer that began too early is spoken over from its own beginning.
            let both_us = (onset_us + offset_us).max(waited.since_us);
            if both_us >= tallies.counted_from_us {
                let after_us = waited.quiet_us.saturating_sub(both_us);
                tallies.latencies.speech_to_silence.saturating_record(after_us);
            }
            false
        });
        let mut by_noise = 0;
        self.interrupted_by.retain(|serial| {
            by_noise += u64::from(is_past(*serial) && utterance_of(*serial).is_none());
            !is_past(*serial)
        });
        by_noise
    }

    fn match_answers(&mut self, session: usize, before_us: u64, tallies: &mut Tallies<'_>) {
        for utterance in self.truth[self.matched..].iter().take_while(|u| u.end_us < before_us) {
            self.matched += 1;
            tallies.turns.utterances += 1;
            let mine = || self.segments.iter().filter(|(_, s)| s.confirmed && is_of(s, utterance));
            let Some(first) = mine().map(|(_, s)| s.opened_us).min() else {
                tallies.turns.missed += 1;
                continue;
            };
            let heard_from = utterance.start_us + self.offset_us;
            let heard_to = utterance.end_us + self.offset_us;
            let counts = heard_to >= tallies.counted_from_us;
            if counts {
                tallies.latencies.start_to_forward.saturating_record(first.saturating_sub(heard_from));
            }
            let answers = mine().flat_map(|(serial, s)| s.answers.iter().map(|(r, t)| (*t, *serial, *r)));
            let Some((answer, segment, revision)) = answers.min() else { continue };
            if answer < heard_to {
                tallies.turns.premature += 1;
                continue;
            }
            if !counts {
                tallies.turns.answered += 1;
                continue;
            }
            let steps = self.answers.steps(segment, revision);
            let origin = (segment, revision);
            let turn = AnsweredTurn::new(session as u32, origin, heard_to, answer, steps);
            if let Some(replies) = &mut tallies.latencies.replies {
                replies.record(utterance.end_us, turn.latency_us());
            }
            tallies.answered(turn);
        }
    }

    /// Lets go of segments and utterances that were over at `before_us`.
    fn forget(&mut self, before_us: u64, mut last_look: impl FnMut(u32, &SegmentStory)) {
        let past = self.truth[..self.matched].iter().take_while(|u| u.end_us < before_us).count();
        self.truth.drain(..past);
        self.matched -= past;
        self.segments.retain(|serial, story| {
            let is_past = (story.ended || story.cancelled) && story.to_us < before_us;
            if is_past {
                last_look(*serial, story);
            }
            !is_past
        });
        let segments = &self.segments;
        self.answers.keep(|segment| segments.contains_key(&segment));
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::{Event, Record, SessionId};

    use super::*;

    /// Speech from 1 to 2 s of a session whose media time begins at 7 ms of engine time.
    const START_US: u64 = 1_000_000;
    const END_US: u64 = 2_000_000;
    const OFFSET_US: u64 = 7_000;

    fn utterance(start_us: u64, end_us: u64) -> Utterance {
        Utterance { start_us, end_us, text: "yes".into(), voice: "".into(), pauses: Vec::new(), clip: 0 }
    }

    fn told(run: &mut Measurement, t_us: u64, event: Event) {
        run.event(&Record::new(t_us, SessionId(0), 1, event));
    }

    /// One utterance, one confirmed segment that begins with it, and answers that begin to sound at these times.
    fn heard(answers_us: &[u64]) -> Measurement {
        let mut run = Measurement::default();
        let mut heard = SessionMeasurement::new(OFFSET_US);
        heard.truth.push(utterance(START_US, END_US));
        run.sessions.push(heard);
        let opened_us = START_US + OFFSET_US + 40_000;
        told(&mut run, opened_us, Event::SegmentOpened { segment: 1, from_us: START_US });
        let confirmed = Event::SegmentConfirmed { segment: 1, from_us: START_US, to_us: START_US + 96_000 };
        told(&mut run, opened_us + 96_000, confirmed);
        for (answer_us, revision) in answers_us.iter().zip(1..) {
            told(&mut run, *answer_us, Event::OutputStarted { segment: 1, revision });
        }
        run.settle(u64::MAX, None, Stretches::default());
        run
    }

    /// When answers begin; answered and premature, and the latency.
    type Case<'a> = (&'a [u64], (u64, u64), Option<u64>);

    #[test]
    fn an_answer_is_premature_until_the_microsecond_in_which_speech_ends() {
        let end_us = END_US + OFFSET_US;
        let cases: [Case<'_>; 7] = [
            (&[end_us - 200_000], (0, 1), None),
            (&[end_us - 99_999], (0, 1), None),
            (&[end_us - 1], (0, 1), None),
            (&[end_us], (1, 0), Some(0)),
            (&[end_us + 1], (1, 0), Some(1)),
            (&[end_us + 90], (1, 0), Some(90)),
            // Whoever was answered too early was so, however late the next answer comes.
            (&[end_us - 1, end_us + 500_000], (0, 1), None),
        ];
        let mut wrong = Vec::new();
        for (answers_us, counts, latency_us) in cases {
            let run = heard(answers_us);
            let (turns, latencies) = (run.turns, &run.latencies.end_to_response);
            let found = (!latencies.is_empty()).then(|| latencies.max());
            if (turns.answered, turns.premature) != counts || found != latency_us {
                wrong.push(format!("{answers_us:?}: {turns:?}, {found:?} us"));
            }
            assert_eq!((turns.utterances, turns.missed), (1, 0), "{answers_us:?}");
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    #[test]
    fn a_segment_is_of_an_utterance_from_its_pre_roll_to_what_hangs_over() {
        // Where the segment begins and ends, and whether it is of speech from 1 to 2 s.
        let cases = [
            (START_US - BEFORE_US, START_US - 1, true),
            (START_US - BEFORE_US - 1, START_US, false),
            (START_US - BEFORE_US - 1, START_US + 1, true),
            (END_US + AFTER_US, END_US + AFTER_US + 1, true),
            (END_US + AFTER_US + 1, END_US + 2 * AFTER_US, false),
        ];
        for (from_us, to_us, of) in cases {
            let story = SegmentStory { from_us, to_us, ..SegmentStory::default() };
            assert_eq!(is_of(&story, &utterance(START_US, END_US)), of, "{from_us} to {to_us}");
        }
    }
}
