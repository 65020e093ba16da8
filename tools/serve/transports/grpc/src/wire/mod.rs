//! Control messages as parts of a stream, and back. The arms of `Control` say what a message says; what goes with every
//! message stands beside the arm of the part.

mod reads;
mod writes;

use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{Arrival, ControlMessage, MESSAGE_BYTES_MAX, MessageError, Overruled};
use prost::Message as _;

use crate::proto::{ClientPart, Control, ServerPart, client_part, server_part};

/// Most characters of foreign text in an error.
const TOLD_MAX: usize = 240;

/// What goes with a control message, whoever sends it.
struct Carried {
    control: Control,
    session_id: String,
    timestamp: u64,
    target_segment_id: Option<String>,
    metadata_json: String,
    message_id: u64,
    revision: Option<u32>,
    turn: Option<u32>,
}

impl Carried {
    fn of(message: &ControlMessage) -> Self {
        Self {
            control: writes::control(&message.message_type),
            session_id: message.session_id.to_string(),
            timestamp: message.timestamp,
            target_segment_id: message.target_segment_id.map(|id| id.to_string()),
            metadata_json: if message.metadata.is_empty() {
                String::new()
            } else {
                writes::json(&message.metadata)
            },
            message_id: message.message_id,
            revision: message.revision,
            turn: message.turn,
        }
    }

    fn read(self) -> Result<Arrival, MessageError> {
        let found = self.control.encoded_len() + self.metadata_json.len();
        if found > MESSAGE_BYTES_MAX {
            return Err(MessageError::Limit { part: "control", found, max: MESSAGE_BYTES_MAX });
        }
        let Some(message_type) = reads::message_type(self.control)? else {
            return Ok(Arrival::UnknownType("an arm of Control".into()));
        };
        let metadata =
            reads::object("metadata_json", &self.metadata_json, "send a JSON object, or leave it out")?;
        let message = ControlMessage {
            message_id: self.message_id,
            target_segment_id: self.target_segment_id.map(|text| segment(&text)).transpose()?,
            revision: self.revision,
            turn: self.turn,
            metadata,
            ..ControlMessage::new(self.session_id.into(), self.timestamp, message_type)
        };
        Ok(Arrival::Message { message, overruled: Overruled::default() })
    }
}

/// A control message on its way to a client.
#[must_use]
pub fn to_client(message: &ControlMessage) -> ServerPart {
    let carried = Carried::of(message);
    ServerPart {
        session_id: carried.session_id,
        timestamp: carried.timestamp,
        target_segment_id: carried.target_segment_id,
        metadata_json: carried.metadata_json,
        message_id: carried.message_id,
        revision: carried.revision,
        turn: carried.turn,
        part: Some(server_part::Part::Control(carried.control)),
    }
}

/// A control message on its way to a server.
#[must_use]
pub fn to_server(message: &ControlMessage) -> ClientPart {
    let carried = Carried::of(message);
    ClientPart {
        session_id: carried.session_id,
        timestamp: carried.timestamp,
        target_segment_id: carried.target_segment_id,
        metadata_json: carried.metadata_json,
        message_id: carried.message_id,
        revision: carried.revision,
        turn: carried.turn,
        part: Some(client_part::Part::Control(carried.control)),
    }
}

/// Reads the control message in a part of a client's; `None`: there is none in it. Whether values are in range is left to
/// [`ControlMessage::check`].
///
/// # Errors
/// A message of more than [`MESSAGE_BYTES_MAX`], a field without its value or with one that it cannot have.
pub fn of_client(part: ClientPart) -> Result<Option<Arrival>, MessageError> {
    let Some(client_part::Part::Control(control)) = part.part else { return Ok(None) };
    let carried = Carried {
        control,
        session_id: part.session_id,
        timestamp: part.timestamp,
        target_segment_id: part.target_segment_id,
        metadata_json: part.metadata_json,
        message_id: part.message_id,
        revision: part.revision,
        turn: part.turn,
    };
    carried.read().map(Some)
}

/// Reads the control message in a part of a server's; as [`of_client`].
///
/// # Errors
/// As [`of_client`].
pub fn of_server(part: ServerPart) -> Result<Option<Arrival>, MessageError> {
    let Some(server_part::Part::Control(control)) = part.part else { return Ok(None) };
    let carried = Carried {
        control,
        session_id: part.session_id,
        timestamp: part.timestamp,
        target_segment_id: part.target_segment_id,
        metadata_json: part.metadata_json,
        message_id: part.message_id,
        revision: part.revision,
        turn: part.turn,
    };
    carried.read().map(Some)
}

/// A UUID in hyphens; RFC 9562 has no other text form.
fn segment(text: &str) -> Result<Uuid, MessageError> {
    let id = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    id.ok_or_else(|| field("target_segment_id", text, "send a UUID of 36 characters, or leave it out"))
}

/// The error of a value that a field cannot have.
fn field(field: &'static str, value: &str, remedy: &'static str) -> MessageError {
    let value = value.chars().take(TOLD_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    MessageError::Field { field, value, remedy }
}
