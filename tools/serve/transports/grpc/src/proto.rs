//! The messages and the service of `proto/mynah/v1/voice.proto`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "made by the build; the definition describes them"
)]

tonic::include_proto!("mynah.v1");

/// The definition, as clients get it that ask what there is.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/voice.descriptors"));
