//! What a client is told beside control messages, where it asks for that.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::SessionEvent;
use mynah_engine::media::{Spoken, SpokenTime};
use mynah_engine::uuid::Uuid;
use serde::{Deserialize, Serialize};

use crate::terms::{TurnTimes, WantedRecords};

use super::messages::json;

/// Shortest time between two messages about the detector, microseconds.
const PROBABILITY_GAP_US: u64 = 40_000;
/// Most judgements that wait for the next message; the oldest go.
const PROBABILITIES_MAX: usize = 64;
/// Most notes that wait to be polled; the oldest go.
const NOTES_MAX: usize = 64;

/// Which notes a client asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<NoteName>")]
pub struct Notes {
    /// That somebody seems to speak.
    pub speech: bool,
    /// Each judgement of the detector.
    pub probability: bool,
    /// What is recognised so far.
    pub partial: bool,
    /// When words and phones sound.
    pub words: bool,
    /// Where the time of an answer went.
    pub turns: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NoteName {
    Speech,
    Probability,
    Partial,
    Words,
    Turns,
}

impl From<Vec<NoteName>> for Notes {
    fn from(names: Vec<NoteName>) -> Self {
        let mut notes = Self::default();
        for name in names {
            match name {
                NoteName::Speech => notes.speech = true,
                NoteName::Probability => notes.probability = true,
                NoteName::Partial => notes.partial = true,
                NoteName::Words => notes.words = true,
                NoteName::Turns => notes.turns = true,
            }
        }
        notes
    }
}

/// A note on its way: its `type` and its JSON.
pub type Note = (&'static str, String);

/// Notes on their way to a client: 64, then the oldest go and are counted.
#[derive(Debug, Default)]
pub struct NoteQueue {
    asked: Notes,
    waiting: VecDeque<Note>,
    /// Media time and probability, oldest first.
    probabilities: VecDeque<(u64, f32)>,
    probability_told_us: Option<u64>,
    /// The line whose words are told: turn and text.
    line: Option<(u32, Arc<str>)>,
    /// Notes and judgements that found no room.
    dropped: u64,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message<'a> {
    SpeechStarted {
        segment: String,
        from_us: u64,
    },
    Probability {
        at_us: u64,
        p: f32,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        more: Vec<(u64, f32)>,
    },
    PartialTranscript {
        segment: String,
        text: &'a str,
    },
    Spoken {
        turn: u32,
        from_us: u64,
        times: Vec<Sounding<'a>>,
    },
    Turn {
        turn: u32,
        response_ms: f64,
        stages: Vec<StageTime<'a>>,
    },
}

/// A word, a phone, or neither: the mouth rests.
#[derive(Serialize)]
struct Sounding<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    from_us: u64,
    until_us: u64,
}

#[derive(Serialize)]
struct StageTime<'a> {
    stage: &'a str,
    ms: f64,
}

impl NoteQueue {
    /// Notes of these kinds.
    #[must_use]
    pub fn new(asked: Notes) -> Self {
        Self { asked, ..Self::default() }
    }

    /// What is to be handed in from a server's records.
    #[must_use]
    pub fn wants(&self) -> WantedRecords {
        WantedRecords { probability: self.asked.probability, turns: self.asked.turns }
    }

    /// Notes and judgements that found no room, so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes what a session event says beside its message, if that was asked for. `segment`: the name of a segment on the
    /// wire.
    pub fn event(&mut self, event: &SessionEvent, segment: impl Fn(u32) -> Uuid) {
        let name = |serial: &u32| segment(*serial).to_string();
        match event {
            SessionEvent::SpeechStarted { segment, from_us } if self.asked.speech => {
                let message = Message::SpeechStarted { segment: name(segment), from_us: *from_us };
                self.push("speech_started", json(&message));
            }
            SessionEvent::PartialTranscript { segment, text } if self.asked.partial => {
                let message = Message::PartialTranscript { segment: name(segment), text };
                self.push("partial_transcript", json(&message));
            }
            SessionEvent::Line { turn, text, .. } if self.asked.words => {
                self.line = Some((*turn, Arc::clone(text)));
            }
            SessionEvent::Spoken { turn, from_us, times } if self.asked.words => {
                let line = self.line.as_ref().filter(|(of, _)| of == turn).map_or("", |(_, text)| text);
                let times = times.iter().map(|time| sounding(line, time)).collect();
                let text = json(&Message::Spoken { turn: *turn, from_us: *from_us, times });
                self.push("spoken", text);
            }
            _ => {}
        }
    }

    /// Takes a judgement of the detector: media time and probability.
    pub fn probability(&mut self, at_us: u64, p: f32) {
        if !self.asked.probability {
            return;
        }
        if self.probabilities.len() >= PROBABILITIES_MAX {
            self.probabilities.pop_front();
            self.dropped += 1;
        }
        self.probabilities.push_back((at_us, p));
    }

    /// Takes where the time of an answer went.
    pub fn turn(&mut self, times: &TurnTimes<'_>) {
        if self.asked.turns {
            let stages = times.stages.iter().map(|(stage, ms)| StageTime { stage, ms: *ms }).collect();
            let message = Message::Turn { turn: times.turn, response_ms: times.response_ms, stages };
            self.push("turn", json(&message));
        }
    }

    fn push(&mut self, kind: &'static str, json: String) {
        if self.waiting.len() >= NOTES_MAX {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((kind, json));
    }

    /// The note that is to be told now.
    pub fn pop(&mut self, now_us: u64) -> Option<Note> {
        if let Some(note) = self.waiting.pop_front() {
            return Some(note);
        }
        if self.due_us().is_none_or(|due_us| due_us > now_us) {
            return None;
        }
        let (at_us, p) = self.probabilities.pop_back()?;
        let more = self.probabilities.drain(..).collect();
        self.probability_told_us = Some(now_us);
        Some(("probability", json(&Message::Probability { at_us, p, more })))
    }

    /// When there is something to tell without being handed anything, microseconds; in the past: now.
    #[must_use]
    pub fn due_us(&self) -> Option<u64> {
        let told_us = self.probability_told_us.map(|us| us.saturating_add(PROBABILITY_GAP_US));
        (!self.probabilities.is_empty()).then_some(told_us.unwrap_or(0))
    }

    /// Drops what waits: nobody listens.
    pub fn clear(&mut self) {
        self.dropped += (self.waiting.len() + self.probabilities.len()) as u64;
        self.waiting.clear();
        self.probabilities.clear();
    }
}

fn sounding<'a>(line: &'a str, time: &'a SpokenTime) -> Sounding<'a> {
    let (word, phone) = match &time.what {
        Spoken::Word { from, to } => (line.get(*from as usize..*to as usize), None),
        Spoken::Phone(name) => (None, Some(&**name)),
        Spoken::Pause => (None, None),
    };
    Sounding { word, phone, from_us: time.from_us, until_us: time.until_us }
}
