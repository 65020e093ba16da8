//! Protocols of clients beside a small engine: whatever a client sends, when, and in what pieces.

mod client;
mod flux;
mod native;

pub use flux::dialect_flux;
pub use native::dialect_native;
