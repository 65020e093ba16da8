//! Control messages between programs: their forms, and their delivery, exactly once in effect.

pub mod delivery;
pub mod message;
