//! Reads fields of a JSON object: each may come once, and some must.

use serde::Deserialize;
use serde::de::{Error, MapAccess};

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
