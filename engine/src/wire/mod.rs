//! Control messages between programs: their forms, and their delivery with effect exactly once.

pub mod delivery;
pub mod message;
