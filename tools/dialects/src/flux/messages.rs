//! Messages to a client of Flux, as JSON.

use serde::Serialize;
use serde_json::Value;

use super::settings::Thresholds;
use super::turns::{TurnEvent, TurnTold};

/// Says what it is sure of: a recogniser of mynah gives no confidence with its words.
const WORD_CONFIDENCE: f64 = 1.0;

/// What every message bears.
#[derive(Debug)]
pub(super) struct Voice {
    /// Names the connection.
    pub(super) request_id: String,
    sequence_id: u64,
}

#[derive(Serialize)]
struct Numbered<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    request_id: &'a str,
    sequence_id: u64,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Connected {},
    TurnInfo {
        event: &'static str,
        turn_index: u32,
        audio_window_start: f64,
        audio_window_end: f64,
        transcript: &'a str,
        words: Vec<Word<'a>>,
        end_of_turn_confidence: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        trigger: Option<&'static str>,
    },
    Configured {
        thresholds: Thresholds,
        keyterms: &'a Value,
    },
    Told {
        code: &'a str,
        description: &'a str,
    },
}

#[derive(Serialize)]
struct Word<'a> {
    word: &'a str,
    confidence: f64,
}

impl Voice {
    pub(super) fn new(request_id: String) -> Self {
        Self { request_id, sequence_id: 0 }
    }

    fn say(&mut self, kind: &'static str, body: Body<'_>) -> String {
        let message = Numbered { kind, request_id: &self.request_id, sequence_id: self.sequence_id, body };
        let json = serde_json::to_string(&message).expect("texts and numbers can always be written");
        self.sequence_id += 1;
        json
    }

    pub(super) fn connected(&mut self) -> String {
        self.say("Connected", Body::Connected {})
    }

    /// An event of a turn. `thresholds`: what the confidence is measured by.
    pub(super) fn turn(&mut self, told: &TurnTold, thresholds: &Thresholds) -> String {
        let (event, confidence) = match told.event {
            TurnEvent::Start => ("StartOfTurn", 0.0),
            TurnEvent::Update => ("Update", 0.0),
            TurnEvent::Eager => {
                ("EagerEndOfTurn", thresholds.eager_eot_threshold.unwrap_or(thresholds.eot_threshold))
            }
            TurnEvent::Resumed => ("TurnResumed", 0.0),
            TurnEvent::End => ("EndOfTurn", 1.0),
        };
        let word = |word| Word { word, confidence: WORD_CONFIDENCE };
        let (from_us, to_us) = told.window_us;
        let trigger = if told.manual { "manual" } else { "model" };
        self.say(
            "TurnInfo",
            Body::TurnInfo {
                event,
                turn_index: told.index,
                audio_window_start: seconds(from_us),
                audio_window_end: seconds(to_us),
                transcript: &told.text,
                words: told.text.split_whitespace().map(word).collect(),
                end_of_turn_confidence: confidence,
                trigger: (told.event == TurnEvent::End).then_some(trigger),
            },
        )
    }

    pub(super) fn configured(&mut self, thresholds: Thresholds, keyterms: &Value) -> String {
        self.say("ConfigureSuccess", Body::Configured { thresholds, keyterms })
    }

    /// `ConfigureFailure`, `Warning` or `Error`.
    pub(super) fn told(&mut self, kind: &'static str, code: &str, description: &str) -> String {
        self.say(kind, Body::Told { code, description })
    }
}

/// Whole milliseconds, in seconds.
fn seconds(us: u64) -> f64 {
    (us / 1_000) as f64 / 1_000.0
}
