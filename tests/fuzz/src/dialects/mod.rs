//! Protocols of clients beside a small engine: whatever a client sends, when, and in what pieces.

mod client;
mod flux;
// The tests of the dialect hold its events to the same.
#[path = "../../../../tools/dialects/tests/support/law.rs"]
mod law;
mod native;
mod realtime;

pub use flux::dialect_flux;
pub use native::dialect_native;
pub use realtime::dialect_realtime;
