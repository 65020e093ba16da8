//! Simulated callers, recordings and networks: what is put into an engine.

pub mod chunk;
pub mod link;
pub mod load;
pub mod network;
pub mod wav;
