//! Reads fields of a JSON object: each may come once, and some must.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads the value of `key`, which may come once; an error says which key it was.
pub(super) fn once<'de, A, T>(slot: &mut Option<T>, key: &'static str, map: &mut A) -> Result<(), A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    if slot.is_some() {
        return Err(A::Error::duplicate_field(key));
    }
    *slot = Some(map.next_value().map_err(|error| A::Error::custom(format_args!("{key}: {error}")))?);
    Ok(())
}

/// The value of `key`, which must have come.
pub(super) fn needed<T, E: Error>(slot: Option<T>, key: &'static str) -> Result<T, E> {
    slot.ok_or_else(|| E::missing_field(key))
}

/// A shared text, in one allocation.
pub(super) struct Shared(pub(super) Arc<str>);

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SharedVisitor;
        impl Visitor<'_> for SharedVisitor {
            type Value = Shared;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Shared, E> {
                Ok(Shared(Arc::from(text)))
            }
        }
        deserializer.deserialize_str(SharedVisitor)
    }
}

/// A struct of optional fields that is read from a JSON object. Unknown keys are ignored; keys that repeat are refused.
macro_rules! fields {
    ($(#[$doc:meta])* $body:ident, $what:literal { $($field:ident: $type:ty = $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $body {
            $($field: Option<$type>,)*
        }

        impl<'de> serde::Deserialize<'de> for $body {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(field_identifier)]
                #[expect(non_camel_case_types, reason = "keys are called as the fields are")]
                enum Key {
                    $(#[serde(rename = $key)] $field,)*
                    #[serde(other)]
                    Unknown,
                }

                struct BodyVisitor;

                impl<'de> serde::de::Visitor<'de> for BodyVisitor {
                    type Value = $body;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$body, A::Error> {
                        let mut body = $body::default();
                        while let Some(key) = map.next_key()? {
                            match key {
                                $(Key::$field => once(&mut body.$field, $key, &mut map)?,)*
                                Key::Unknown => drop(map.next_value::<serde::de::IgnoredAny>()?),
                            }
                        }
                        Ok(body)
                    }
                }

                deserializer.deserialize_map(BodyVisitor)
            }
        }
    };
}

pub(super) use fields;
