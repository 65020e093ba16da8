//! What people look at: HTML pages with charts, tables on a terminal.

pub mod picture;
pub mod table;
