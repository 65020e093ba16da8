//! What is wrong with a message.

use std::fmt;

/// A message that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The bytes end before `part` does.
    Short {
        /// The part of the message.
        part: &'static str,
        /// Bytes that it needs, from the start.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// Bytes follow the message.
    Long {
        /// How many.
        rest: usize,
    },
    /// The type byte is another.
    Kind {
        /// The type byte.
        found: u8,
        /// What was expected.
        expected: &'static str,
    },
    /// Something is longer than it may be.
    Limit {
        /// The part of the message.
        part: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The longest that is allowed.
        max: usize,
    },
    /// A text is no UTF-8.
    Utf8 {
        /// The part of the message.
        part: &'static str,
    },
    /// A number is out of range.
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// What is allowed.
        expected: &'static str,
    },
    /// The JSON is none, or not of this shape.
    Json(String),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { part, need, have } => {
                write!(f, "the message ends in its {part}: {have} bytes, it needs {need}")
            }
            Self::Long { rest } => write!(f, "{rest} bytes follow the message: one message a slice"),
            Self::Kind { found, expected } => write!(f, "type {found}: expected {expected}"),
            Self::Limit { part, found, max } => write!(f, "{part} of {found} bytes: expected at most {max}"),
            Self::Utf8 { part } => write!(f, "the {part} is no UTF-8"),
            Self::Range { field, found, expected } => write!(f, "{field} {found}: expected {expected}"),
            Self::Json(error) => write!(f, "the JSON is wrong: {error}"),
        }
    }
}

impl std::error::Error for CodecError {}
