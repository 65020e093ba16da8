//! What a client of Flux asks for: in the query of its connection, and in `Configure` later.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::terms::Refusal;

/// Rates that a session takes.
const RATES_HZ: RangeInclusive<u32> = 8_000..=192_000;
/// Confidence that ends a turn for certain, as Deepgram has it.
const END: RangeInclusive<f64> = 0.5..=0.9;
/// Confidence that ends it eagerly.
const EAGER: RangeInclusive<f64> = 0.3..=0.9;
/// Silence that ends it in any case.
const TIMEOUT_MS: RangeInclusive<u32> = 500..=10_000;
/// Longest value of a query that is repeated in an error, characters.
const TOLD_MAX: usize = 60;

/// Thresholds of a turn's end. A gate has its own: they are checked and repeated, and an eager one asks for eager ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Thresholds {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) eager_eot_threshold: Option<f64>,
    pub(super) eot_threshold: f64,
    pub(super) eot_timeout_ms: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { eager_eot_threshold: None, eot_threshold: 0.7, eot_timeout_ms: 5_000 }
    }
}

/// What the query of a connection says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) model: String,
    pub(super) rate_hz: u32,
    pub(super) thresholds: Thresholds,
}

/// The thresholds of a `Configure`; what is left out stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Changes {
    eager_eot_threshold: Option<f64>,
    eot_threshold: Option<f64>,
    eot_timeout_ms: Option<f64>,
}

impl Settings {
    /// Reads a query, with or without its `?`. What it does not know it ignores, as Deepgram's clients say more than
    /// there is to say.
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let (mut model, mut encoding, mut rate_hz) = (String::new(), None, None);
        let mut changes = Changes::default();
        for pair in query.trim_start_matches('?').split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = unescaped(value);
            match name {
                "model" => model = value,
                "encoding" => encoding = Some(value),
                "sample_rate" => rate_hz = Some(value),
                "eager_eot_threshold" => changes.eager_eot_threshold = Some(number(name, &value)?),
                "eot_threshold" => changes.eot_threshold = Some(number(name, &value)?),
                "eot_timeout_ms" => changes.eot_timeout_ms = Some(number(name, &value)?),
                _ => {}
            }
        }
        if encoding.as_deref() != Some("linear16") {
            return Err(bad("encoding", encoding.as_deref().unwrap_or(""), "linear16"));
        }
        let rate = rate_hz.unwrap_or_default();
        let Some(rate_hz) = rate.parse().ok().filter(|rate_hz| RATES_HZ.contains(rate_hz)) else {
            return Err(bad("sample_rate", &rate, "8000 to 192000"));
        };
        let thresholds = Thresholds::default().with(&changes)?;
        Ok(Self { model, rate_hz, thresholds })
    }
}

impl Thresholds {
    /// These with some of them changed.
    pub(super) fn with(self, changes: &Changes) -> Result<Self, Refusal> {
        let eager_eot_threshold = changes.eager_eot_threshold.or(self.eager_eot_threshold);
        let eot_threshold = changes.eot_threshold.unwrap_or(self.eot_threshold);
        let eot_timeout_ms = changes.eot_timeout_ms.unwrap_or(f64::from(self.eot_timeout_ms));
        if !END.contains(&eot_threshold) {
            return Err(bad("eot_threshold", &eot_threshold.to_string(), "0.5 to 0.9"));
        }
        if let Some(eager) =
            eager_eot_threshold.filter(|eager| !EAGER.contains(eager) || *eager > eot_threshold)
        {
            return Err(bad("eager_eot_threshold", &eager.to_string(), "0.3 to 0.9, at most eot_threshold"));
        }
        // `as` saturates, and makes 0 of what is no number.
        let whole = eot_timeout_ms as u32;
        if !TIMEOUT_MS.contains(&whole) {
            return Err(bad("eot_timeout_ms", &eot_timeout_ms.to_string(), "500 to 10000"));
        }
        Ok(Self { eager_eot_threshold, eot_threshold, eot_timeout_ms: whole })
    }
}

impl Changes {
    /// Reads the `thresholds` of a `Configure`.
    pub(super) fn of(thresholds: Option<&Value>) -> Result<Self, Refusal> {
        let none = Ok(Self::default());
        thresholds.filter(|value| !value.is_null()).map_or(none, |value| {
            let wrong = |_| bad("thresholds", &value.to_string(), "an object of numbers");
            Self::deserialize(value).map_err(wrong)
        })
    }
}

fn number(name: &str, value: &str) -> Result<f64, Refusal> {
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| bad(name, value, "a number"))
}

fn bad(name: &str, value: &str, expected: &str) -> Refusal {
    let value: String = value.chars().take(TOLD_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Refusal::new("bad_request", format!("{name}: `{value}`; expected {expected}"))
}

/// A value of a query, with its escapes resolved; one that is none stays as it is.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
