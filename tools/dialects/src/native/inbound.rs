//! What a text message of a client is.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::terms::Refusal;

/// Most characters of foreign text in an error.
const TOLD_MAX: usize = 240;

/// What a text message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    Open,
    Resume,
    Finish,
    Close,
    /// A control message, labelled or not.
    Control,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    message_type: Option<IgnoredAny>,
}

impl Inbound {
    /// Tells what a message is, and reads nothing else of it.
    pub(super) fn of(text: &str) -> Result<Self, Refusal> {
        let head: Head = serde_json::from_str(text).map_err(|error| {
            let error = excerpt(&error.to_string());
            Refusal::new("bad_message", format!("{error}; send one JSON object with type or message_type"))
        })?;
        match (head.kind.as_deref(), head.message_type) {
            (None | Some("control_message"), Some(_)) => Ok(Self::Control),
            (Some("open"), _) => Ok(Self::Open),
            (Some("resume"), _) => Ok(Self::Resume),
            (Some("finish"), _) => Ok(Self::Finish),
            (Some("close"), _) => Ok(Self::Close),
            (Some(other), _) => {
                let other = excerpt(other);
                let expected = "expected open, resume, finish or close, or a message_type";
                Err(Refusal::new("bad_message", format!("type: `{other}`; {expected}")))
            }
            (None, None) => {
                Err(Refusal::new("bad_message", "neither type nor message_type: expected one of them"))
            }
        }
    }
}

/// The beginning of a text from outside, on one line.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(TOLD_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
