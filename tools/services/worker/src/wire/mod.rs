//! What engine and workers say to each other, as bytes. Nothing here touches shared memory or a clock.
//!
//! ```text
//! u8 type | u16 LE session length | session id, UTF-8 | u64 LE timestamp us | u32 LE payload length | payload
//! ```
//!
//! Types are [`TYPE_AUDIO`], [`TYPE_TEXT`] and [`TYPE_CONTROL`]. Where header and payload disagree, the header wins. One
//! message fills its slice of shared memory to the end.

mod audio;
mod control;
mod envelope;
mod error;
mod header;
mod text;

pub use audio::{AudioPart, SampleFormat, encode_audio};
pub use control::{AckStep, CallWords, FromWorker, HearsRate, SpeaksRate, ToWorker, WorkerTask};
pub use envelope::{Envelope, MessageNames, Said, encode_control};
pub use error::CodecError;
pub use header::{HEADER_BYTES_MAX, WireHead};
pub use text::{TextPart, encode_text};

/// Version of the protocol that this crate speaks.
pub const PROTOCOL: u32 = 1;
/// The type byte of audio.
pub const TYPE_AUDIO: u8 = 1;
/// The type byte of text.
pub const TYPE_TEXT: u8 = 3;
/// The type byte of control messages.
pub const TYPE_CONTROL: u8 = 5;
/// Most bytes of a payload of any type.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a session's id.
pub const SESSION_BYTES_MAX: usize = mynah_engine::base::NAME_BYTES_MAX;

/// A piece of an answer, or of what is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum DataPart {
    /// Sound.
    Audio(AudioPart),
    /// Words.
    Text(TextPart),
}

impl DataPart {
    /// Reads audio or text, with the session that it belongs to.
    ///
    /// # Errors
    /// Whatever is not one whole message of these types within the limits.
    pub fn decode(bytes: &[u8]) -> Result<(&str, Self), CodecError> {
        let head = WireHead::read(bytes)?;
        let part = match head.kind {
            TYPE_AUDIO => Self::Audio(AudioPart::read(&head)?),
            TYPE_TEXT => Self::Text(TextPart::read(&head)?),
            found => return Err(CodecError::Kind { found, expected: "audio (1) or text (3)" }),
        };
        Ok((head.session, part))
    }

    /// The call that it belongs to.
    pub fn call(&self) -> u64 {
        match self {
            Self::Audio(audio) => audio.call,
            Self::Text(text) => text.call,
        }
    }

    /// Its number among the data messages of its call and direction, from 0.
    pub fn part(&self) -> u32 {
        match self {
            Self::Audio(audio) => audio.part,
            Self::Text(text) => text.part,
        }
    }
}
