//! The JSON form. Keys have one fixed order, none is left out, unknown keys are ignored.
//!
//! ```json
//! {"message_id":7,"session_id":"sess_abc123","timestamp":1700000000000000,"target_segment_id":null,"revision":null,
//!  "turn":2,"metadata":{},"message_type":{"CancelAnswer":{}}}
//! ```
//! (one line on the wire)

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::fields::{Shared, needed, once};
use super::tagged::Tagged;
use super::{Arrival, ControlMessage, MESSAGE_BYTES_MAX, MessageError, Overruled};

/// The value of `type` on a channel that names its messages.
const LABEL: &str = "control_message";

/// Appends the JSON of `message` to `out`. Allocates only where `out` has to grow.
///
/// # Errors
/// A value out of range, or a text longer than [`MESSAGE_BYTES_MAX`]; `out` is then as it was.
pub fn encode_into(message: &ControlMessage, out: &mut Vec<u8>) -> Result<(), MessageError> {
    write(message, &Keyed { label: None, message }, out)
}

/// Like [`encode_into`], with `"type":"control_message"` in front: the form of WebRTC data channels.
///
/// # Errors
/// As [`encode_into`].
pub fn encode_labelled_into(message: &ControlMessage, out: &mut Vec<u8>) -> Result<(), MessageError> {
    write(message, &Keyed { label: Some(LABEL), message }, out)
}

fn write(message: &ControlMessage, keyed: &Keyed<'_>, out: &mut Vec<u8>) -> Result<(), MessageError> {
    message.check()?;
    let start = out.len();
    let written = serde_json::to_writer(&mut *out, keyed).map_err(|error| MessageError::json(&error));
    let found = out.len() - start;
    let within = if found > MESSAGE_BYTES_MAX {
        Err(MessageError::Limit { part: "payload", found, max: MESSAGE_BYTES_MAX })
    } else {
        Ok(())
    };
    written.and(within).inspect_err(|_| out.truncate(start))
}

/// Reads one message, labelled or not.
///
/// # Errors
/// A text longer than [`MESSAGE_BYTES_MAX`], bad JSON, a value out of range.
pub fn decode(text: &[u8]) -> Result<Arrival, MessageError> {
    let arrival = parse(text)?;
    if let Arrival::Message { message, .. } = &arrival {
        message.check()?;
    }
    Ok(arrival)
}

/// Reads one message without looking at its values.
pub(super) fn parse(text: &[u8]) -> Result<Arrival, MessageError> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(MessageError::Limit { part: "payload", found: text.len(), max: MESSAGE_BYTES_MAX });
    }
    let read = serde_json::from_slice::<Read>(text).map_err(|error| MessageError::json(&error))?;
    Ok(read.0)
}

struct Keyed<'a> {
    label: Option<&'static str>,
    message: &'a ControlMessage,
}

impl Serialize for Keyed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.message;
        let mut keys = serializer.serialize_struct("ControlMessage", 9)?;
        if let Some(label) = self.label {
            keys.serialize_field("type", label)?;
        }
        keys.serialize_field("message_id", &message.message_id)?;
        keys.serialize_field("session_id", &*message.session_id)?;
        keys.serialize_field("timestamp", &message.timestamp)?;
        let mut text = Uuid::encode_buffer();
        let segment = message.target_segment_id.map(|id| &*id.hyphenated().encode_lower(&mut text));
        keys.serialize_field("target_segment_id", &segment)?;
        keys.serialize_field("revision", &message.revision)?;
        keys.serialize_field("turn", &message.turn)?;
        keys.serialize_field("metadata", &message.metadata)?;
        keys.serialize_field("message_type", &message.message_type)?;
        keys.end()
    }
}

/// A message as it stands in the text.
struct Read(Arrival);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    MessageId,
    SessionId,
    Timestamp,
    TargetSegmentId,
    Revision,
    Turn,
    Metadata,
    MessageType,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadVisitor)
    }
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let (mut message_id, mut session_id, mut timestamp) = (None, None, None);
        let (mut segment, mut revision, mut turn) = (None, None, None);
        let (mut metadata, mut message_type) = (None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::MessageId => once(&mut message_id, "message_id", &mut map)?,
                Key::SessionId => once(&mut session_id, "session_id", &mut map)?,
                Key::Timestamp => once(&mut timestamp, "timestamp", &mut map)?,
                Key::TargetSegmentId => once(&mut segment, "target_segment_id", &mut map)?,
                Key::Revision => once(&mut revision, "revision", &mut map)?,
                Key::Turn => once(&mut turn, "turn", &mut map)?,
                Key::Metadata => once(&mut metadata, "metadata", &mut map)?,
                Key::MessageType => once(&mut message_type, "message_type", &mut map)?,
                Key::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let message_id = needed(message_id, "message_id")?;
        let session_id: Shared = needed(session_id, "session_id")?;
        let timestamp = needed(timestamp, "timestamp")?;
        Ok(Read(match needed(message_type, "message_type")? {
            Tagged::Unknown(name) => Arrival::UnknownType(name),
            Tagged::Known(message_type) => Arrival::Message {
                message: ControlMessage {
                    message_id,
                    session_id: session_id.0,
                    timestamp,
                    target_segment_id: segment.flatten().map(|Hyphenated(id)| id),
                    revision: revision.flatten(),
                    turn: turn.flatten(),
                    metadata: metadata.unwrap_or_default(),
                    message_type,
                },
                overruled: Overruled::default(),
            },
        }))
    }
}

/// A UUID in hyphens, of either case; RFC 9562 has no other text form.
struct Hyphenated(Uuid);

impl<'de> Deserialize<'de> for Hyphenated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UuidVisitor;
        impl Visitor<'_> for UuidVisitor {
            type Value = Hyphenated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UUID of 36 characters, or null")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hyphenated, E> {
                let id = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
                id.map(Hyphenated).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(UuidVisitor)
    }
}
