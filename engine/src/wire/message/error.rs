//! Reasons for which a control message is refused.

use std::fmt;

/// Why a control message was refused. None of these ends a stream: the message is rejected and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// The binary form does not begin with the type byte of control messages.
    TypeByte {
        /// The byte found.
        found: u8,
    },
    /// The buffer ends before a part of the binary form does.
    Short {
        /// Which part: `header`, `session_id`, `payload`.
        part: &'static str,
        /// Bytes up to the end of that part.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// A part is longer than messages may be.
    Limit {
        /// Which part: `session_id`, `payload`.
        part: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The header's session id is not UTF-8.
    Utf8 {
        /// Bytes of it that are.
        valid: usize,
    },
    /// The JSON is malformed, or a field is missing, repeated or of another type; in the parser's words, with line
    /// and column, at most 240 characters.
    Json {
        /// What is wrong, and where.
        what: String,
    },
    /// A field's value is out of range.
    Field {
        /// The field as it is called on the wire.
        field: &'static str,
        /// The value found.
        value: String,
        /// What helps.
        remedy: &'static str,
    },
}

/// Most characters of foreign text in an error.
const TOLD_MAX: usize = 240;

impl MessageError {
    /// The name of the error in counters, logs and test vectors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TypeByte { .. } => "type_byte",
            Self::Short { .. } => "short",
            Self::Limit { .. } => "limit",
            Self::Utf8 { .. } => "utf8",
            Self::Json { .. } => "json",
            Self::Field { .. } => "field",
        }
    }

    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Json { what: excerpt(&error.to_string(), TOLD_MAX) }
    }
}

/// The first `most` characters of a text from outside, on one line.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TypeByte { found } => {
                write!(f, "type byte {found}: control messages begin with 5; read other types elsewhere")
            }
            Self::Short { part, need, have } => write!(
                f,
                "{part} ends at byte {need} of {have}: the message is cut off or a length in its header is wrong; \
                 send it whole"
            ),
            Self::Limit { part, found, max } => {
                write!(
                    f,
                    "{part} of {found} bytes: at most {max} are taken; shorten it (metadata, a clip or a text, mostly)"
                )
            }
            Self::Utf8 { valid } => {
                write!(f, "session_id is not UTF-8 from its byte {valid} on: encode session ids as UTF-8")
            }
            Self::Json { what } => write!(
                f,
                "no control message: {what}; send one JSON object with message_id, session_id, timestamp and \
                 message_type"
            ),
            Self::Field { field, value, remedy } => write!(f, "{field} is {value}: {remedy}"),
        }
    }
}

impl std::error::Error for MessageError {}
