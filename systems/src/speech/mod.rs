//! Speech made in the process: what synthesis services and simulated callers speak with.

pub mod flite;
mod pieces;
