//! Control messages: JSON with an envelope, behind the header.

use mynah_engine::serde_json::{self, Map, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::header::finish;
use super::{CodecError, TYPE_CONTROL, WireHead};

/// The names of a set of messages.
pub trait MessageNames {
    /// All names, as in JSON.
    const NAMES: &'static [&'static str];
}

/// A control message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// Unique and ascending for its sender, from 1.
    pub message_id: u64,
    /// The session that it is about, or nothing.
    pub session_id: String,
    /// Microseconds since the Unix epoch.
    pub timestamp: u64,
    /// What it says.
    pub message_type: T,
}

/// A control message that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Said<T> {
    /// One that is known.
    Known(Envelope<T>),
    /// One of a type that this side does not know: it is ignored, and counted.
    Unknown {
        /// Its type.
        name: String,
    },
}

impl<T: MessageNames + DeserializeOwned> Envelope<T> {
    /// Reads a control message. Session and timestamp are those of the header.
    ///
    /// # Errors
    /// Whatever is not one whole control message within the limits.
    pub fn decode(bytes: &[u8]) -> Result<Said<T>, CodecError> {
        let head = WireHead::read(bytes)?;
        if head.kind != TYPE_CONTROL {
            return Err(CodecError::Kind { found: head.kind, expected: "control (5)" });
        }
        match serde_json::from_slice::<Self>(head.payload) {
            Ok(mut envelope) => {
                if envelope.session_id != head.session {
                    envelope.session_id = head.session.to_owned();
                }
                envelope.timestamp = head.timestamp_us;
                Ok(Said::Known(envelope))
            }
            Err(error) => {
                let json = |error: serde_json::Error| CodecError::Json(error.to_string());
                let any: Envelope<Map<String, Value>> =
                    serde_json::from_slice(head.payload).map_err(|_| json(error))?;
                match any.message_type.into_iter().next() {
                    Some((name, _)) if !T::NAMES.contains(&&*name) => Ok(Said::Unknown { name }),
                    // The name is known, so that its content is wrong.
                    _ => {
                        let again = serde_json::from_slice::<Self>(head.payload).err();
                        Err(again.map_or(CodecError::Json("no message".into()), json))
                    }
                }
            }
        }
    }
}

/// Writes a control message.
///
/// # Errors
/// A payload or a session id beyond its limit.
pub fn encode_control<T: Serialize>(envelope: &Envelope<T>) -> Result<Vec<u8>, CodecError> {
    let mut out = WireHead::begin(TYPE_CONTROL, &envelope.session_id, envelope.timestamp)?;
    serde_json::to_writer(&mut out, envelope).map_err(|error| CodecError::Json(error.to_string()))?;
    finish(&envelope.session_id, out)
}
