//! Reads the value of `message_type`: `{"Name": {...}}`, with a name this version may not know.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::MessageType;
use super::body::Body;
use super::error::excerpt;
use super::name::Name;

/// Most characters of an unknown type's name that are kept.
const NAME_CHARS_MAX: usize = 64;

/// A message type as it stands in the text.
pub(super) enum Tagged {
    Known(MessageType),
    Unknown(Box<str>),
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
