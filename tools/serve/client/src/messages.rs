//! Messages about the connection, as they come.

use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::SegmentNames;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{ClientError, ServerRefusal};
use crate::told::{AudioOrigin, FromServer, SessionNote, SoundingPart, TurnStage};

/// Most characters of foreign text in an error.
const TOLD_MAX: usize = 240;

/// What a text message is about.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    message_type: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Origin {
    segment: Option<String>,
    #[serde(default)]
    revision: u32,
    #[serde(default)]
    turn: u32,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(flatten)]
    origin: Origin,
    pts_us: u64,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    #[serde(flatten)]
    origin: Origin,
}

#[derive(Deserialize)]
struct ErrorMessage {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    silent: u64,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Note {
    SpeechStarted {
        segment: String,
        from_us: u64,
    },
    Probability {
        at_us: u64,
        p: f32,
        #[serde(default)]
        more: Vec<(u64, f32)>,
    },
    PartialTranscript {
        segment: String,
        text: String,
    },
    Spoken {
        turn: u32,
        from_us: u64,
        times: Vec<Sounding>,
    },
    Turn {
        turn: u32,
        response_ms: f64,
        stages: Vec<Stage>,
    },
}

#[derive(Deserialize)]
struct Sounding {
    word: Option<String>,
    phone: Option<String>,
    from_us: u64,
    until_us: u64,
}

#[derive(Deserialize)]
struct Stage {
    stage: String,
    ms: f64,
}

/// What a text message of the server is.
pub(crate) enum Arrived {
    /// A control message, for the peer.
    Control,
    /// Whose the audio behind it is, and its media time.
    Tag(AudioOrigin, u64),
    /// For the user.
    Told(FromServer),
    /// The answer to `open` or `resume`.
    Answer,
    /// Something newer than this client.
    Unknown,
}

/// Reads a text message.
///
/// # Errors
/// [`ClientError::Protocol`]: it is none of the protocol.
pub(crate) fn read(text: &str, names: &mut SegmentNames) -> Result<Arrived, ClientError> {
    let head: Head = parse(text)?;
    let kind = match (head.kind.as_deref(), head.message_type) {
        (None | Some("control_message"), Some(_)) => return Ok(Arrived::Control),
        (None, None) => {
            return Err(ClientError::Protocol(format!("neither type nor message_type: {}", excerpt(text))));
        }
        (Some(kind), _) => kind,
    };
    Ok(match kind {
        "audio" => {
            let Tag { origin, pts_us } = parse(text)?;
            Arrived::Tag(origin.known(names), pts_us)
        }
        "text" => {
            let Text { text, origin } = parse(text)?;
            Arrived::Told(FromServer::Text { text, origin: origin.known(names) })
        }
        "error" => {
            let ErrorBody { code, message, silent } = parse::<ErrorMessage>(text)?.error;
            Arrived::Told(FromServer::Complaint { code, message, silent })
        }
        "speech_started" | "probability" | "partial_transcript" | "spoken" | "turn" => {
            Arrived::Told(FromServer::Note(parse::<Note>(text)?.known(names)))
        }
        "opened" | "resumed" => Arrived::Answer,
        _ => Arrived::Unknown,
    })
}

/// The refusal in a text message, if it is one.
pub(crate) fn refusal(text: &str) -> Option<ServerRefusal> {
    let ErrorBody { code, message, .. } = serde_json::from_str::<ErrorMessage>(text).ok()?.error;
    Some(ServerRefusal { status: None, code, message, retry_after_s: None })
}

/// Reads a message of a known type.
///
/// # Errors
/// [`ClientError::Protocol`]: it is not of this type.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ClientError> {
    serde_json::from_str(text).map_err(|error| ClientError::Protocol(format!("{error} in {}", excerpt(text))))
}

fn excerpt(text: &str) -> String {
    text.chars().take(TOLD_MAX).collect()
}

/// The serial of a segment; 0: it is long over.
fn serial(id: &str, names: &mut SegmentNames) -> u32 {
    Uuid::parse_str(id).ok().and_then(|id| names.serial(id)).unwrap_or(0)
}

impl Origin {
    fn known(&self, names: &mut SegmentNames) -> AudioOrigin {
        let segment = self.segment.as_deref().map_or(0, |id| serial(id, names));
        AudioOrigin { segment, revision: self.revision, turn: self.turn }
    }
}

impl Note {
    fn known(self, names: &mut SegmentNames) -> SessionNote {
        match self {
            Self::SpeechStarted { segment, from_us } => {
                SessionNote::SpeechStarted { segment: serial(&segment, names), from_us }
            }
            Self::Probability { at_us, p, mut more } => {
                more.push((at_us, p));
                SessionNote::Probability(more)
            }
            Self::PartialTranscript { segment, text } => {
                SessionNote::PartialTranscript { segment: serial(&segment, names), text }
            }
            Self::Spoken { turn, from_us, times } => {
                let part = |Sounding { word, phone, from_us, until_us }| SoundingPart {
                    word,
                    phone,
                    from_us,
                    until_us,
                };
                SessionNote::Spoken { turn, from_us, times: times.into_iter().map(part).collect() }
            }
            Self::Turn { turn, response_ms, stages } => {
                let stage = |Stage { stage, ms }| TurnStage { stage, ms };
                SessionNote::Turn { turn, response_ms, stages: stages.into_iter().map(stage).collect() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::wire::message::segment_id;

    use super::*;

    #[test]
    fn messages_are_told_apart_and_segments_known_by_their_serial() {
        let mut names = SegmentNames::new("caller".into(), 1);
        let id = segment_id("caller", 1, 3);
        let tag = format!(r#"{{"type":"audio","segment":"{id}","revision":1,"turn":2,"pts_us":0}}"#);
        let origin = AudioOrigin { segment: 3, revision: 1, turn: 2 };
        assert!(matches!(read(&tag, &mut names), Ok(Arrived::Tag(o, 0)) if o == origin));
        let note = format!(r#"{{"type":"speech_started","segment":"{id}","from_us":5}}"#);
        assert!(matches!(
            read(&note, &mut names),
            Ok(Arrived::Told(FromServer::Note(SessionNote::SpeechStarted { segment: 3, from_us: 5 })))
        ));
        let p = r#"{"type":"probability","at_us":3,"p":0.5,"more":[[1,0.25]]}"#;
        let Ok(Arrived::Told(FromServer::Note(SessionNote::Probability(all)))) = read(p, &mut names) else {
            panic!("{p}")
        };
        assert_eq!(all, [(1, 0.25), (3, 0.5)]);
        let control =
            r#"{"message_id":1,"session_id":"caller","timestamp":0,"message_type":{"AnswerPaused":{}}}"#;
        assert!(matches!(read(control, &mut names), Ok(Arrived::Control)));
        assert!(matches!(read(r#"{"type":"news"}"#, &mut names), Ok(Arrived::Unknown)));
        assert!(matches!(read("{}", &mut names), Err(ClientError::Protocol(_))));
        assert!(matches!(read("audio", &mut names), Err(ClientError::Protocol(_))));
    }
}
