//! Reads the value of `message_type`: `{"Name": {...}}`, with a name this version may not know.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::excerpt;
use super::fields::{needed, once};
use super::{AckStage, MessageType};

/// Most characters of an unknown type's name that are kept.
const NAME_CHARS_MAX: usize = 64;

/// A message type as it stands in the text.
pub(super) enum Tagged {
    Known(MessageType),
    Unknown(Box<str>),
}

#[derive(Clone, Copy)]
enum Name {
    CancelSpeculation,
    ConfirmSpeculation,
    EndOfSpeech,
    RetractEndOfSpeech,
    CancelAnswer,
    BatchHint,
    DeadlineWarning,
    Ack,
}

impl Name {
    fn known(text: &str) -> Option<Self> {
        Some(match text {
            "CancelSpeculation" => Self::CancelSpeculation,
            "ConfirmSpeculation" => Self::ConfirmSpeculation,
            "EndOfSpeech" => Self::EndOfSpeech,
            "RetractEndOfSpeech" => Self::RetractEndOfSpeech,
            "CancelAnswer" => Self::CancelAnswer,
            "BatchHint" => Self::BatchHint,
            "DeadlineWarning" => Self::DeadlineWarning,
            "Ack" => Self::Ack,
            _ => return None,
        })
    }
}

impl<'de> Deserialize<'de> for Tagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TaggedVisitor)
    }
}

struct TaggedVisitor;

impl<'de> Visitor<'de> for TaggedVisitor {
    type Value = Tagged;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one key, the type's name")
    }

    /// A type without content may be sent as its mere name by a newer version; the types known here have content.
    fn visit_str<E: Error>(self, text: &str) -> Result<Tagged, E> {
        match Name::known(text) {
            Some(_) => {
                let text = excerpt(text, NAME_CHARS_MAX);
                Err(E::custom(format_args!("{text} stands alone: expected {{\"{text}\": {{...}}}}")))
            }
            None => Ok(Tagged::Unknown(excerpt(text, NAME_CHARS_MAX).into())),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tagged, A::Error> {
        let one = "expected one key, the type's name";
        let Some(NameText(name)) = map.next_key()? else {
            return Err(A::Error::custom(format_args!("no type: {one}")));
        };
        let tagged = match name {
            Ok(name) => {
                let body: Body = map.next_value()?;
                Tagged::Known(body.of_type(name)?)
            }
            Err(unknown) => {
                map.next_value::<IgnoredAny>()?;
                Tagged::Unknown(unknown)
            }
        };
        match map.next_key::<IgnoredAny>()? {
            Some(_) => Err(A::Error::custom(format_args!("more than one type: {one}"))),
            None => Ok(tagged),
        }
    }
}

struct NameText(Result<Name, Box<str>>);

impl<'de> Deserialize<'de> for NameText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = NameText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a message type")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<NameText, E> {
                Ok(NameText(Name::known(text).ok_or_else(|| excerpt(text, NAME_CHARS_MAX).into())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// The fields that any type may have; which of them a type needs is checked once its name is known.
#[derive(Default)]
struct Body {
    from_timestamp: Option<u64>,
    to_timestamp: Option<u64>,
    late: Option<bool>,
    at_timestamp: Option<u64>,
    last: Option<bool>,
    suggested_batch_size: Option<u32>,
    deadline_us: Option<u64>,
    message_id: Option<u64>,
    stage: Option<AckStage>,
}

impl Body {
    fn of_type<E: Error>(self, name: Name) -> Result<MessageType, E> {
        let from = || needed(self.from_timestamp, "from_timestamp");
        let to = || needed(self.to_timestamp, "to_timestamp");
        let at = || needed(self.at_timestamp, "at_timestamp");
        Ok(match name {
            Name::CancelSpeculation => MessageType::CancelSpeculation {
                from_timestamp: from()?,
                to_timestamp: to()?,
                late: self.late.unwrap_or(false),
            },
            Name::ConfirmSpeculation => {
                MessageType::ConfirmSpeculation { from_timestamp: from()?, to_timestamp: to()? }
            }
            Name::EndOfSpeech => {
                MessageType::EndOfSpeech { at_timestamp: at()?, last: needed(self.last, "final")? }
            }
            Name::RetractEndOfSpeech => MessageType::RetractEndOfSpeech { at_timestamp: at()? },
            Name::CancelAnswer => MessageType::CancelAnswer {},
            Name::BatchHint => MessageType::BatchHint {
                suggested_batch_size: needed(self.suggested_batch_size, "suggested_batch_size")?,
            },
            Name::DeadlineWarning => {
                MessageType::DeadlineWarning { deadline_us: needed(self.deadline_us, "deadline_us")? }
            }
            Name::Ack => MessageType::Ack {
                message_id: needed(self.message_id, "message_id")?,
                stage: needed(self.stage, "stage")?,
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    FromTimestamp,
    ToTimestamp,
    Late,
    AtTimestamp,
    #[serde(rename = "final")]
    Last,
    SuggestedBatchSize,
    DeadlineUs,
    MessageId,
    Stage,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the type's fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut body = Body::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::FromTimestamp => once(&mut body.from_timestamp, "from_timestamp", &mut map)?,
                Key::ToTimestamp => once(&mut body.to_timestamp, "to_timestamp", &mut map)?,
                Key::Late => once(&mut body.late, "late", &mut map)?,
                Key::AtTimestamp => once(&mut body.at_timestamp, "at_timestamp", &mut map)?,
                Key::Last => once(&mut body.last, "final", &mut map)?,
                Key::SuggestedBatchSize => {
                    once(&mut body.suggested_batch_size, "suggested_batch_size", &mut map)?
                }
                Key::DeadlineUs => once(&mut body.deadline_us, "deadline_us", &mut map)?,
                Key::MessageId => once(&mut body.message_id, "message_id", &mut map)?,
                Key::Stage => once(&mut body.stage, "stage", &mut map)?,
                Key::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(body)
    }
}
