//! Control messages: the one vocabulary in which an engine, its hosts and its workers tell each other what to stop,
//! what is final and what has arrived.
//!
//! One message has two forms: JSON ([`json`]) and the same JSON behind a short header ([`binary`]). Decoding never
//! panics and never trusts a length; [`MessageIntake`] sorts the results. Nothing here sends anything:
//! [`crate::wire::delivery`] sees to it that a message arrives and takes effect once.

pub mod binary;
mod body;
mod error;
mod fields;
mod intake;
pub mod json;
mod message_type;
mod metadata;
mod modes;
mod name;
mod ranges;
mod say;
mod segment_id;
mod segment_names;
mod tagged;
mod translate;

use std::sync::Arc;

use uuid::Uuid;

pub use error::MessageError;
pub use intake::{IntakeFigures, MessageIntake, STALE_US, Taken};
pub use message_type::{AckStage, MessageType};
pub use metadata::Metadata;
pub use segment_id::{SEGMENT_NAMESPACE, segment_id};
pub use segment_names::{NAMES_MAX, SegmentNames};

/// The greatest message id: the last integer that a double, and so every JSON reader, tells from its neighbours (2^53
/// - 1).
pub const MESSAGE_ID_MAX: u64 = (1 << 53) - 1;
/// Most bytes of a message's JSON on any transport; the binary form's header comes on top.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// One control message.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlMessage {
    /// Unique per sender and session, ascending, 0..=[`MESSAGE_ID_MAX`].
    pub message_id: u64,
    /// The session that the message is about: 1..=128 bytes of UTF-8.
    pub session_id: Arc<str>,
    /// When the message was made: microseconds since the Unix epoch by the engine's clock (virtual runs start at 0).
    pub timestamp: u64,
    /// The segment that the message is about, see [`segment_id`].
    pub target_segment_id: Option<Uuid>,
    /// The revision of that segment's end.
    pub revision: Option<u32>,
    /// The turn that the message is about.
    pub turn: Option<u32>,
    /// Fields that the sender adds; nothing here reads them.
    pub metadata: Metadata,
    /// What the message says.
    pub message_type: MessageType,
}

/// A well-formed message, known or not.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// A message that can be processed.
    Message {
        /// The message; where header and payload disagreed, with the header's values.
        message: ControlMessage,
        /// The fields that the header overruled; none for plain JSON.
        overruled: Overruled,
    },
    /// A type that this version does not know: ignored, so that newer senders may say more. The first 64 characters
    /// of its name.
    UnknownType(Box<str>),
}

/// Where a binary header contradicted its payload and won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overruled {
    /// The payload named another session.
    pub session_id: bool,
    /// The payload had another timestamp.
    pub timestamp: bool,
}

impl Overruled {
    /// Whether header and payload disagreed at all.
    #[must_use]
    pub fn any(self) -> bool {
        self.session_id || self.timestamp
    }
}

impl ControlMessage {
    /// A message about no segment, revision or turn, with id 0; the caller sets other fields. Units as in the fields.
    #[must_use]
    pub fn new(session_id: Arc<str>, timestamp: u64, message_type: MessageType) -> Self {
        Self {
            message_id: 0,
            session_id,
            timestamp,
            target_segment_id: None,
            revision: None,
            turn: None,
            metadata: Metadata::default(),
            message_type,
        }
    }
}
