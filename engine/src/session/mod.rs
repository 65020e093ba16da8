//! The sessions of a shard, by id.

pub(crate) mod table;

pub use table::{Phase, SessionRow, SessionTable};
