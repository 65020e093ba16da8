//! What a peer has to know before it hears or says anything.

use std::sync::Arc;

use crate::edge::control::CONTROLS_MAX;
use crate::wire::message::{ControlMessage, MESSAGE_ID_MAX, MessageError, MessageType, binary, json};

/// What two peers agree on when a session opens.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The session that the messages are about: 1..=128 bytes of UTF-8.
    pub session: Arc<str>,
    /// Which session of that name it is at the engine whose segments the messages name, see
    /// [`SessionHandle::generation`](crate::SessionHandle::generation). The same at both ends.
    pub generation: u32,
    /// Time of the messages' timestamps when this end's clock shows 0: microseconds since the Unix epoch, 0 in virtual
    /// time.
    pub epoch_us: u64,
    /// The form of what this end sends. What it receives may have either.
    pub form: MessageForm,
    /// Whether events are acknowledged. The same at both ends.
    pub receipts: EventReceipts,
    /// The greatest id that an earlier peer of this end has used, as the other end knows it
    /// ([`Peer::newest_id`](super::Peer::newest_id)): ids go on behind it. 0: there was none. At most [`IDS_BEFORE_MAX`].
    pub ids_before: u64,
}

/// Most messages that may wait to be polled, beside those that a session has taken.
pub const ARRIVED_MAX: usize = CONTROLS_MAX;
/// Greatest id that an earlier peer may have used: half of all ids. Whoever claims more counts too fast.
pub const IDS_BEFORE_MAX: u64 = MESSAGE_ID_MAX / 2;

/// Form of the messages that a peer sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageForm {
    /// JSON behind a header: shared memory and pipes.
    #[default]
    Binary,
    /// JSON: WebSocket, SSE.
    Json,
    /// JSON with `"type": "control_message"`: channels that carry other things beside it, such as those of WebRTC.
    LabelledJson,
    /// None of these: what is transmitted has no bytes, and whoever carries it writes
    /// [`Peer::transmitted`](super::Peer::transmitted) in a form of its own, such as Protocol Buffers. What it receives goes
    /// into [`Peer::handle_decoded`](super::Peer::handle_decoded).
    Own,
}

/// Whether the events of an engine are acknowledged. What is said of speech, and what a host wants, always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventReceipts {
    /// Each event is sent once, for paths that lose nothing and keep the order. On others an event that another one
    /// overtook is dropped and counted by its receiver.
    #[default]
    None,
    /// Each event is sent until it is acknowledged or given up, and the next one not before: they arrive in order over any
    /// path, at most one in a round trip.
    Each,
}

impl PeerConfig {
    /// Binary messages in virtual time about the `generation`-th session with this name; events are not acknowledged.
    #[must_use]
    pub fn new(session: Arc<str>, generation: u32) -> Self {
        Self {
            session,
            generation,
            epoch_us: 0,
            form: MessageForm::default(),
            receipts: EventReceipts::default(),
            ids_before: 0,
        }
    }

    pub(super) fn check(&self) -> Result<(), MessageError> {
        if self.ids_before > IDS_BEFORE_MAX {
            return Err(MessageError::Field {
                field: "ids_before",
                value: self.ids_before.to_string(),
                remedy: "ids are counted from 1, one a message: go on behind the last that was used",
            });
        }
        let what = MessageType::CancelAnswer {};
        ControlMessage::new(Arc::clone(&self.session), 0, what).check()
    }
}

impl MessageForm {
    /// Appends `message` to `out`.
    pub(super) fn encode_into(self, message: &ControlMessage, out: &mut Vec<u8>) -> Result<(), MessageError> {
        match self {
            Self::Binary => binary::encode_into(message, out),
            Self::Json => json::encode_into(message, out),
            Self::LabelledJson => json::encode_labelled_into(message, out),
            Self::Own => message.check(),
        }
    }
}
