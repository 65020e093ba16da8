//! The binary form: a short header that can be read without parsing, followed by the JSON of the whole message.
//!
//! ```text
//! u8 type = 5 | u16 LE session length | session id, UTF-8 | u64 LE timestamp us | u32 LE payload length | payload
//! ```
//!
//! Where header and payload disagree, the header wins, and [`Overruled`] says so.

use std::sync::Arc;

use crate::base::ids::NAME_BYTES_MAX;

use super::json;
use super::{Arrival, ControlMessage, MESSAGE_BYTES_MAX, MessageError, Overruled};

/// The type byte of control messages.
pub const TYPE_CONTROL: u8 = 5;
/// Bytes of a header beside its session id.
const FIXED_BYTES: usize = 1 + 2 + 8 + 4;
/// Most bytes a message takes in this form.
pub const BINARY_BYTES_MAX: usize = FIXED_BYTES + NAME_BYTES_MAX + MESSAGE_BYTES_MAX;

/// Appends `message` to `out`. Allocates only where `out` has to grow.
///
/// # Errors
/// A value out of range, or a JSON longer than [`MESSAGE_BYTES_MAX`]; `out` is then as it was.
pub fn encode_into(message: &ControlMessage, out: &mut Vec<u8>) -> Result<(), MessageError> {
    message.check()?;
    let start = out.len();
    let session = message.session_id.as_bytes();
    let session_length = u16::try_from(session.len()).expect("a checked session id has at most 128 bytes");
    out.push(TYPE_CONTROL);
    out.extend_from_slice(&session_length.to_le_bytes());
    out.extend_from_slice(session);
    out.extend_from_slice(&message.timestamp.to_le_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    json::encode_into(message, out).inspect_err(|_| out.truncate(start))?;
    let payload_length = u32::try_from(out.len() - length_at - 4).expect("a payload is within its limit");
    out[length_at..length_at + 4].copy_from_slice(&payload_length.to_le_bytes());
    Ok(())
}

/// Reads the message at the start of `bytes`, and how many bytes it took; the rest is left alone.
///
/// # Errors
/// A wrong type byte, a length beyond the buffer or the limit, bad JSON, a value out of range.
pub fn decode(bytes: &[u8]) -> Result<(Arrival, usize), MessageError> {
    let header = Header::read(bytes)?;
    let session = std::str::from_utf8(header.session)
        .map_err(|error| MessageError::Utf8 { valid: error.valid_up_to() })?;
    let mut arrival = json::parse(header.payload)?;
    if let Arrival::Message { message, overruled } = &mut arrival {
        *overruled = Overruled {
            session_id: *message.session_id != *session,
            timestamp: message.timestamp != header.timestamp,
        };
        if overruled.session_id {
            message.session_id = Arc::from(session);
        }
        message.timestamp = header.timestamp;
        message.check()?;
    }
    Ok((arrival, header.end))
}

/// Length of the message at the start of `bytes` by its header: where the next one begins, also after a message that
/// [`decode`] rejects.
///
/// # Errors
/// A wrong type byte, or a length beyond the buffer or the limit: then the length is unknown.
pub fn length(bytes: &[u8]) -> Result<usize, MessageError> {
    Header::read(bytes).map(|header| header.end)
}

struct Header<'a> {
    session: &'a [u8],
    timestamp: u64,
    payload: &'a [u8],
    end: usize,
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, MessageError> {
        match bytes.first() {
            Some(&TYPE_CONTROL) => {}
            Some(&found) => return Err(MessageError::TypeByte { found }),
            None => return Err(MessageError::Short { part: "header", need: FIXED_BYTES, have: 0 }),
        }
        let mut rest = Rest { bytes, at: 1 };
        let session_length = u16::from_le_bytes(rest.array("header")?).into();
        let session = rest.part("session_id", session_length, NAME_BYTES_MAX)?;
        let timestamp = u64::from_le_bytes(rest.array("header")?);
        let payload_length = u32::from_le_bytes(rest.array("header")?);
        // A length that does not fit into `usize` is beyond the limit, too.
        let payload_length = usize::try_from(payload_length).unwrap_or(usize::MAX);
        let payload = rest.part("payload", payload_length, MESSAGE_BYTES_MAX)?;
        Ok(Self { session, timestamp, payload, end: rest.at })
    }
}

/// The bytes still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], MessageError> {
        let bytes = self.part(part, N, N)?;
        Ok(bytes.try_into().expect("a part is as long as was asked for"))
    }

    /// The next `length` bytes. The limit is checked first: a length that nobody may send is wrong however many of
    /// the bytes have arrived.
    fn part(&mut self, part: &'static str, length: usize, max: usize) -> Result<&'a [u8], MessageError> {
        if length > max {
            return Err(MessageError::Limit { part, found: length, max });
        }
        let need = self.at + length;
        let found = self.bytes.get(self.at..need);
        let short = MessageError::Short { part, need, have: self.bytes.len() };
        self.at = need;
        found.ok_or(short)
    }
}
