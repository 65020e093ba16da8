//! Speech made in the process, for synthesis services and simulated callers.

pub mod flite;
mod pieces;
mod times;
