//! Control messages: the one vocabulary in which an engine, its hosts and its workers tell each other what to stop,
//! what is final and what has arrived.
//!
//! One message has two forms: JSON ([`json`]) and the same JSON behind a short header ([`binary`]). Decoding never
//! panics and never trusts a length; [`MessageIntake`] sorts the results. Nothing here sends anything:
//! [`crate::wire::delivery`] sees to it that a message arrives and takes effect once.

pub mod binary;
mod error;
mod fields;
mod intake;
pub mod json;
mod metadata;
mod segment_id;
mod segment_names;
mod tagged;
mod translate;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::ids::NAME_BYTES_MAX;

pub use error::MessageError;
pub use intake::{IntakeFigures, MessageIntake, STALE_US, Taken};
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

/// What a control message says. Every `*_timestamp` is microseconds since the session's start (media time).
///
/// The table says which fields of the message go with a type: `segment` is `target_segment_id`.
///
/// | type | with |
/// |---|---|
/// | `CancelSpeculation`, `ConfirmSpeculation` | segment |
/// | `EndOfSpeech`, `RetractEndOfSpeech` | segment, revision |
/// | `CancelAnswer` | turn |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum MessageType {
    /// Not speech: stop, discard its audio and everything derived from it.
    CancelSpeculation {
        /// First sample of the stretch.
        from_timestamp: u64,
        /// First sample after the stretch, later than `from_timestamp`.
        to_timestamp: u64,
        /// Some output of the segment had already left. `false` if the sender omits the field.
        late: bool,
    },
    /// The segment is speech; sent once per segment.
    ConfirmSpeculation {
        /// First sample of the stretch.
        from_timestamp: u64,
        /// First sample after the stretch, later than `from_timestamp`.
        to_timestamp: u64,
    },
    /// The speaker has finished.
    EndOfSpeech {
        /// Where speech ended.
        at_timestamp: u64,
        /// `final` on the wire. False: the gate believes so, start work; true: the end is final.
        #[serde(rename = "final")]
        last: bool,
    },
    /// The revision is retracted: discard what was derived from it, keep the audio.
    RetractEndOfSpeech {
        /// Where speech seemed to have ended.
        at_timestamp: u64,
    },
    /// The user interrupts: stop and flush the answer of the turn.
    CancelAnswer {},
    /// Advice: how many items a batch should have.
    BatchHint {
        /// At least 1.
        suggested_batch_size: u32,
    },
    /// Advice: a result is wanted soon.
    DeadlineWarning {
        /// Time left from now, at least 1 us.
        deadline_us: u64,
    },
    /// Receipt of another message, never acknowledged itself.
    Ack {
        /// The message that is acknowledged.
        message_id: u64,
        /// The stage of that message.
        stage: AckStage,
    },
}

/// How far a message has come at its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AckStage {
    /// The message has arrived and takes effect.
    Delivered,
    /// The work that the message stops has stopped; implies `Delivered`.
    Applied,
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

    /// Checks that every value is within its range; both encoders and both decoders refuse others.
    ///
    /// # Errors
    /// [`MessageError::Field`] for the first value out of range.
    pub fn check(&self) -> Result<(), MessageError> {
        let field = |field, value: &dyn ToString, remedy| {
            Err(MessageError::Field { field, value: value.to_string(), remedy })
        };
        let id_remedy = "ids are integers from 0 to 9007199254740991 (2^53 - 1)";
        if self.message_id > MESSAGE_ID_MAX {
            return field("message_id", &self.message_id, id_remedy);
        }
        if self.session_id.is_empty() || self.session_id.len() > NAME_BYTES_MAX {
            let found = format!("{} bytes", self.session_id.len());
            return field("session_id", &found, "name the session in 1 to 128 bytes of UTF-8");
        }
        match self.message_type {
            MessageType::CancelSpeculation { from_timestamp: from, to_timestamp: to, .. }
            | MessageType::ConfirmSpeculation { from_timestamp: from, to_timestamp: to }
                if from >= to =>
            {
                let remedy = "from_timestamp must be less than to_timestamp; both are media time in us";
                field("from_timestamp", &format!("{from} with to_timestamp {to}"), remedy)
            }
            MessageType::BatchHint { suggested_batch_size: 0 } => {
                field("suggested_batch_size", &0, "suggest at least 1 item")
            }
            MessageType::DeadlineWarning { deadline_us: 0 } => {
                field("deadline_us", &0, "say how many us are left from now, at least 1")
            }
            MessageType::Ack { message_id, .. } if message_id > MESSAGE_ID_MAX => {
                field("Ack.message_id", &message_id, id_remedy)
            }
            _ => Ok(()),
        }
    }
}
