//! Text of a call: a piece of its answer.
//!
//! ```text
//! u64 LE call | u32 LE part | u8 flags | UTF-8
//! ```

use std::sync::Arc;

use super::header::{Bytes, finish};
use super::{CodecError, TYPE_TEXT, WireHead};

/// Flag: nothing follows in this direction.
const LAST: u8 = 1;

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPart {
    /// The call that it belongs to.
    pub call: u64,
    /// Its number among the data messages of its call and direction, from 0.
    pub part: u32,
    /// Nothing follows in this direction.
    pub last: bool,
    /// The words.
    pub text: Arc<str>,
}

impl TextPart {
    pub(super) fn read(head: &WireHead<'_>) -> Result<Self, CodecError> {
        let mut bytes = Bytes::new(head.payload, "text");
        let (call, part) = (u64::from_le_bytes(bytes.take()?), u32::from_le_bytes(bytes.take()?));
        let [flags] = bytes.take()?;
        let text = std::str::from_utf8(bytes.rest()).map_err(|_| CodecError::Utf8 { part: "text" })?;
        Ok(Self { call, part, last: flags & LAST != 0, text: text.into() })
    }
}

/// Writes a piece of text of `session`.
///
/// # Errors
/// A text or a session id beyond its limit.
pub fn encode_text(session: &str, text: &TextPart) -> Result<Vec<u8>, CodecError> {
    let mut out = WireHead::begin(TYPE_TEXT, session, 0)?;
    out.extend_from_slice(&text.call.to_le_bytes());
    out.extend_from_slice(&text.part.to_le_bytes());
    out.push(u8::from(text.last));
    out.extend_from_slice(text.text.as_bytes());
    finish(session, out)
}
