//! The output of `run` about recordings: a table and a page.

pub mod page;
pub mod summary;
