//! What `run` tells of recordings: a table, a page.

pub mod page;
pub mod summary;
