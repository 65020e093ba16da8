//! Control messages between programs: their forms, their delivery with effect exactly once, and one end of a session's
//! connection.

pub mod delivery;
pub mod message;
pub mod peer;
