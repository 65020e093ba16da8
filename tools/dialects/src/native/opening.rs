//! The object that opens a session, and the one that goes on with it.

use mynah_engine::scene::Format;
use mynah_engine::speech::{GateMode, GateOverrides, History, Interruption};
use mynah_engine::{Params, SessionSpec};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::pcm::Encoding;
use crate::terms::Refusal;

use super::inbound::excerpt;
use super::notes::Notes;

/// What a client asks for when it opens a session.
pub struct Opening {
    /// The session: of an empty name any that is free.
    pub spec: SessionSpec,
    /// How samples stand in the client's audio.
    pub input: Encoding,
    /// How samples are to stand in the session's audio.
    pub output: Encoding,
    /// What is told beside control messages.
    pub notes: Notes,
}

/// What a client says to go on with a session over another connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The session's name.
    pub session: String,
    /// What it was given when the session was opened.
    pub token: String,
}

/// The object as it stands in the text; what is in it is read field by field, so that an error says which it was.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenObject {
    #[serde(rename = "type")]
    kind: Option<Value>,
    session: Option<Value>,
    input: Option<Value>,
    output: Option<Value>,
    params: Option<Value>,
    lead_ms: Option<Value>,
    latency_ms: Option<Value>,
    gate: Option<Value>,
    interruption: Option<Value>,
    history: Option<Value>,
    notes: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FormatObject {
    rate_hz: Option<u32>,
    channels: Option<u8>,
    encoding: Encoding,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GateObject {
    threshold: Option<f32>,
    release_threshold: Option<f32>,
    min_speech_ms: Option<f32>,
    min_silence_ms: Option<f32>,
    lookahead_ms: Option<f32>,
    pad_ms: Option<f32>,
    half_duplex: Option<bool>,
    echo_tail_ms: Option<f32>,
    raise_threshold_while_speaking: Option<f32>,
    mode: ModeName,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum ModeName {
    #[default]
    Auto,
    Open,
    Shut,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeObject {
    #[serde(rename = "type")]
    _kind: Value,
    session: String,
    token: String,
}

impl Opening {
    /// Reads the object that opens a session. Its `type` may be left out.
    ///
    /// # Errors
    /// `bad_request`: the text is no such object; the message names the field, what is wrong and what would do. Ranges
    /// are judged when the session is opened.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let object: OpenObject = serde_json::from_str(text).map_err(|error| bad("open", &error))?;
        if object.kind.as_ref().is_some_and(|kind| kind.as_str() != Some("open")) {
            return Err(Refusal::new("bad_request", "type: expected \"open\", or none"));
        }
        let (input, input_encoding) = format("input", object.input)?;
        let (output, output_encoding) = format("output", object.output)?;
        let notes: Notes = field("notes", object.notes)?;
        let history: Option<History> = field("history", object.history)?;
        let spec = SessionSpec {
            name: name(object.session)?,
            input,
            output,
            lead_ms: field("lead_ms", object.lead_ms)?,
            latency_ms: field::<Option<u32>>("latency_ms", object.latency_ms)?.unwrap_or(0),
            gate: field::<GateObject>("gate", object.gate)?.overrides(),
            interruption: interruption(object.interruption)?,
            params: field::<Params>("params", object.params)?,
            history: history.unwrap_or_default(),
            events: true,
            traced: notes.probability,
            ..SessionSpec::default()
        };
        Ok(Self { spec, input: input_encoding, output: output_encoding, notes })
    }
}

impl Resumption {
    /// Reads the object that goes on with a session.
    ///
    /// # Errors
    /// `bad_request`: the text is no such object.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let object: ResumeObject = serde_json::from_str(text).map_err(|error| bad("resume", &error))?;
        Ok(Self { session: object.session, token: object.token })
    }
}

impl GateObject {
    fn overrides(self) -> GateOverrides {
        GateOverrides {
            threshold: self.threshold,
            release_threshold: self.release_threshold,
            min_speech_ms: self.min_speech_ms,
            min_silence_ms: self.min_silence_ms,
            lookahead_ms: self.lookahead_ms,
            pad_ms: self.pad_ms,
            half_duplex: self.half_duplex,
            echo_tail_ms: self.echo_tail_ms,
            raise_threshold_while_speaking: self.raise_threshold_while_speaking,
            mode: match self.mode {
                ModeName::Auto => GateMode::Auto,
                ModeName::Open => GateMode::Open,
                ModeName::Shut => GateMode::Shut,
            },
        }
    }
}

fn bad(place: &str, error: &serde_json::Error) -> Refusal {
    Refusal::new("bad_request", format!("{place}: {}", excerpt(&error.to_string())))
}

/// The value of a field; one that is left out or `null` is its default.
fn field<T: DeserializeOwned + Default>(name: &str, value: Option<Value>) -> Result<T, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(T::default()),
        Some(value) => T::deserialize(value).map_err(|error| bad(name, &error)),
    }
}

/// The session's name; empty where none is given. One that is given is not empty.
fn name(value: Option<Value>) -> Result<String, Refusal> {
    match field::<Option<String>>("session", value)? {
        Some(name) if name.is_empty() => {
            Err(Refusal::new("bad_request", "session: a name of 0 bytes; expected 1 to 128, or none"))
        }
        name => Ok(name.unwrap_or_default()),
    }
}

fn format(name: &str, value: Option<Value>) -> Result<(Option<Format>, Encoding), Refusal> {
    let FormatObject { rate_hz, channels, encoding } = field(name, value)?;
    match (rate_hz, channels) {
        (Some(rate_hz), channels) => {
            Ok((Some(Format { rate_hz, channels: channels.unwrap_or(1) }), encoding))
        }
        (None, None) => Ok((None, encoding)),
        (None, Some(channels)) => Err(Refusal::new(
            "bad_request",
            format!(
                "{name}: {channels} channels without a rate; expected rate_hz beside channels, or neither"
            ),
        )),
    }
}

fn interruption(value: Option<Value>) -> Result<Option<Interruption>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) if word == "never" => Ok(Some(Interruption::Never)),
        Some(value) => match value.as_u64().and_then(|ms| u32::try_from(ms).ok()) {
            Some(ms) => Ok(Some(Interruption::AfterMs(ms))),
            None => Err(Refusal::new(
                "bad_request",
                format!(
                    "interruption: {}; expected \"never\", or the milliseconds of speech that withdraw an answer",
                    excerpt(&value.to_string())
                ),
            )),
        },
    }
}
