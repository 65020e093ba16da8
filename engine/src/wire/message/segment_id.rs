//! Names segments on the wire.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::base::ids::NAME_BYTES_MAX;

/// Namespace of segment ids: the UUIDv5 of `urn:mynah:segment` in the URL namespace of RFC 9562.
pub const SEGMENT_NAMESPACE: Uuid = Uuid::from_u128(0x8c25_8128_353a_5363_8dc2_c225_ffaf_8f10);

/// The name of segment `serial` of the `generation`-th session with this id: a UUIDv5 (RFC 9562, section 5.5) in
/// [`SEGMENT_NAMESPACE`] of the UTF-8 text `<session id>/<generation>/<serial>`, both numbers decimal without leading
/// zeros. The last two slashes are always these, so no two segments share a text.
///
/// Anybody who knows the three can compute the name: `uuid.uuid5(namespace, f"{session}/{generation}/{serial}")` in
/// Python. Allocates once: meant for the edge of a tick.
#[must_use]
pub fn segment_id(session: &str, generation: u32, serial: u32) -> Uuid {
    // Two slashes and two numbers of at most ten digits.
    let mut name = String::with_capacity(session.len().max(NAME_BYTES_MAX) + 22);
    write!(name, "{session}/{generation}/{serial}").expect("a string takes everything");
    Uuid::new_v5(&SEGMENT_NAMESPACE, name.as_bytes())
}
