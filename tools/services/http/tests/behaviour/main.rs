//! Services behind HTTP, against a server that does what servers do.

mod chat;
mod desk;
mod engine;
mod mock;
mod probe;
mod real;
mod retries;
mod speech;
#[cfg(feature = "tls")]
mod tls;
mod transcription;
