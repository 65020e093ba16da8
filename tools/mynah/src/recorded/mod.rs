//! The output of `run` about recordings: a table and a page.

pub mod labels;
pub mod page;
pub mod summary;
