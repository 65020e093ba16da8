//! The header of every message.

use super::{CodecError, PAYLOAD_BYTES_MAX, SESSION_BYTES_MAX};

/// Bytes of a header beside its session id.
const FIXED_BYTES: usize = 1 + 2 + 8 + 4;
/// Most bytes of a header.
pub const HEADER_BYTES_MAX: usize = FIXED_BYTES + SESSION_BYTES_MAX;

/// A message whose payload was not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireHead<'a> {
    /// The type byte; any value.
    pub kind: u8,
    /// The session, or nothing.
    pub session: &'a str,
    /// Microseconds: media time of audio, since the Unix epoch for control messages.
    pub timestamp_us: u64,
    /// At most [`PAYLOAD_BYTES_MAX`].
    pub payload: &'a [u8],
}

impl<'a> WireHead<'a> {
    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// A length beyond the bytes or the limits, bytes behind the message, a session that is no UTF-8.
    pub fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut rest = Bytes::new(bytes, "header");
        let kind = rest.take::<1>()?[0];
        let session_length = usize::from(u16::from_le_bytes(rest.take()?));
        let session = rest.slice("session id", session_length, SESSION_BYTES_MAX)?;
        let timestamp_us = u64::from_le_bytes(rest.take()?);
        // A length that does not fit into `usize` is beyond the limit, too.
        let length = usize::try_from(u32::from_le_bytes(rest.take()?)).unwrap_or(usize::MAX);
        let payload = rest.slice("payload", length, PAYLOAD_BYTES_MAX)?;
        rest.end()?;
        let session = std::str::from_utf8(session).map_err(|_| CodecError::Utf8 { part: "session id" })?;
        Ok(Self { kind, session, timestamp_us, payload })
    }

    /// Begins a message; [`finish`] ends it.
    pub(super) fn begin(kind: u8, session: &str, timestamp_us: u64) -> Result<Vec<u8>, CodecError> {
        let found = session.len();
        let length = u16::try_from(found).ok().filter(|_| found <= SESSION_BYTES_MAX);
        let length = length.ok_or(CodecError::Limit { part: "session id", found, max: SESSION_BYTES_MAX })?;
        let mut out = Vec::with_capacity(FIXED_BYTES + found + 64);
        out.push(kind);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(session.as_bytes());
        out.extend_from_slice(&timestamp_us.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        Ok(out)
    }
}

/// Writes the length of the payload, which is all that follows the header of `session`.
pub(super) fn finish(session: &str, mut out: Vec<u8>) -> Result<Vec<u8>, CodecError> {
    let start = FIXED_BYTES + session.len();
    let found = out.len() - start;
    if found > PAYLOAD_BYTES_MAX {
        return Err(CodecError::Limit { part: "payload", found, max: PAYLOAD_BYTES_MAX });
    }
    let length = u32::try_from(found).expect("a payload is within its limit");
    out[start - 4..start].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

/// Bytes that are read from the start.
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
    part: &'static str,
}

impl<'a> Bytes<'a> {
    /// `part` names them in errors.
    pub(super) fn new(bytes: &'a [u8], part: &'static str) -> Self {
        Self { bytes, at: 0, part }
    }

    /// The next bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let found = self.slice(self.part, N, N)?;
        Ok(found.try_into().expect("a slice is as long as was asked for"))
    }

    /// The next `length` bytes. The limit is checked first: a length that nobody may send is wrong however many of the
    /// bytes are there.
    fn slice(&mut self, part: &'static str, length: usize, max: usize) -> Result<&'a [u8], CodecError> {
        if length > max {
            return Err(CodecError::Limit { part, found: length, max });
        }
        let need = self.at + length;
        let short = CodecError::Short { part, need, have: self.bytes.len() };
        let found = self.bytes.get(self.at..need).ok_or(short)?;
        self.at = need;
        Ok(found)
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn end(self) -> Result<(), CodecError> {
        match self.rest().len() {
            0 => Ok(()),
            rest => Err(CodecError::Long { rest }),
        }
    }
}
