//! What a client asks for when it opens a session, and what it is given.

use mynah_dialects::pcm::Encoding;
use mynah_engine::Params;
use mynah_engine::scene::Format;
use mynah_engine::speech::Interruption;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How audio goes over the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// Sample frames a second.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: u8,
    /// How a sample stands in bytes.
    #[serde(default)]
    pub encoding: Encoding,
}

impl AudioFormat {
    /// The format in this encoding.
    #[must_use]
    pub fn new(format: Format, encoding: Encoding) -> Self {
        Self { rate_hz: format.rate_hz, channels: format.channels, encoding }
    }

    pub(crate) fn frame_bytes(self) -> usize {
        self.encoding.sample_bytes() * usize::from(self.channels.max(1))
    }
}

/// What is told beside control messages, where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// That somebody seems to speak.
    Speech,
    /// Each judgement of the detector.
    Probability,
    /// What is recognised so far.
    Partial,
    /// When words and phones sound.
    Words,
    /// Where the time of an answer went.
    Turns,
}

/// What a client asks for when it opens a session. The default is a session as the scene has it, with a name that the
/// server gives.
#[derive(Clone, Debug, Default)]
pub struct SessionRequest {
    /// Its name, 1 to 128 bytes.
    pub session: Option<String>,
    /// Audio up; `None`: the scene's own in 16 bits.
    pub input: Option<AudioFormat>,
    /// Audio down; `None`: the scene's own in 16 bits.
    pub output: Option<AudioFormat>,
    /// What services are told of the caller.
    pub params: Params,
    /// How far ahead of the ear answers are sent, ms; `None`: as the scene has it.
    pub lead_ms: Option<u32>,
    /// How long sound takes from here to the ear, ms.
    pub latency_ms: u32,
    /// What the gate does differently, as the protocol writes it.
    pub gate: Map<String, Value>,
    /// Whether the user's speech interrupts; `None`: as the scene has it.
    pub interruption: Option<Interruption>,
    /// A conversation that goes on, as the protocol writes it.
    pub history: Option<Value>,
    /// What is told beside control messages.
    pub notes: Vec<NoteKind>,
}

/// The session as it was opened.
#[derive(Clone, Debug, Deserialize)]
pub struct GivenSession {
    /// Its name.
    pub session: String,
    /// Which session of that name it is at the server.
    pub generation: u32,
    /// What is shown to go on with it over another connection; `None`: it ends with its connection.
    pub token: Option<String>,
    /// How long it goes on without a connection, ms.
    pub resume_ms: u32,
    /// The scene that it runs in.
    pub scene: String,
    /// Audio up.
    pub input: AudioFormat,
    /// Audio down; `None`: the scene puts out none.
    pub output: Option<AudioFormat>,
}

#[derive(Serialize)]
struct Open<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<AudioFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<AudioFormat>,
    #[serde(skip_serializing_if = "Params::is_empty")]
    params: &'a Params,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_ms: Option<u32>,
    latency_ms: u32,
    #[serde(skip_serializing_if = "Map::is_empty")]
    gate: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interruption: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a Value>,
    notes: &'a [NoteKind],
}

impl SessionRequest {
    /// The message that asks for it.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        let interruption = self.interruption.map(|interruption| match interruption {
            Interruption::Never => Value::from("never"),
            Interruption::AfterMs(ms) => Value::from(ms),
        });
        serde_json::to_string(&Open {
            kind: "open",
            session: self.session.as_deref(),
            input: self.input,
            output: self.output,
            params: &self.params,
            lead_ms: self.lead_ms,
            latency_ms: self.latency_ms,
            gate: &self.gate,
            interruption,
            history: self.history.as_ref(),
            notes: &self.notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use mynah_dialects::native::Opening;

    use super::*;

    #[test]
    fn what_is_asked_for_is_what_a_server_reads() {
        let format = AudioFormat { rate_hz: 48_000, channels: 2, encoding: Encoding::F32 };
        let request = SessionRequest {
            session: Some("caller".into()),
            input: Some(format),
            output: None,
            params: Params::new().with("language", "en"),
            lead_ms: Some(200),
            latency_ms: 30,
            gate: Map::from_iter([("min_silence_ms".to_owned(), Value::from(300))]),
            interruption: Some(Interruption::AfterMs(400)),
            history: None,
            notes: vec![NoteKind::Speech, NoteKind::Turns],
        };
        let text = request.json().expect("it can be written");
        let read = Opening::parse(&text).unwrap_or_else(|refusal| panic!("{text}: {}", refusal.message));
        assert_eq!(read.spec.name, "caller");
        assert_eq!(read.spec.input, Some(Format { rate_hz: 48_000, channels: 2 }));
        assert_eq!((read.input, read.output), (Encoding::F32, Encoding::S16));
        assert_eq!(read.spec.params.text("language"), Some("en"));
        assert_eq!((read.spec.lead_ms, read.spec.latency_ms), (Some(200), 30));
        assert_eq!(read.spec.gate.min_silence_ms, Some(300.0));
        assert_eq!(read.spec.interruption, Some(Interruption::AfterMs(400)));
        assert!(read.notes.speech && read.notes.turns && !read.notes.words);
        let plain = SessionRequest::default().json().expect("it can be written");
        assert!(Opening::parse(&plain).is_ok_and(|read| read.spec.name.is_empty()), "{plain}");
    }
}
