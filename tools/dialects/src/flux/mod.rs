//! Deepgram Flux v2, the protocol of speech recognition that tells turns: the eager end of one, and that it was none. What
//! a gate decides fits into it one to one; `docs/protocols.md` has the table.
//!
//! [`Flux`] serves a client that has connected with a query; the first thing it wants is a session.

mod messages;
mod settings;
mod socket;
#[cfg(test)]
mod tests;
mod transcript;
mod turns;

pub use socket::{AUDIO_BYTES_MAX, Flux};
