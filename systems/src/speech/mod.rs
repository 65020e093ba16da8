//! Speech made in the process, for synthesis services and simulated callers.

#[cfg(feature = "flite")]
pub mod flite;
#[cfg(not(feature = "flite"))]
#[path = "no_voice.rs"]
pub mod flite;
#[cfg(feature = "flite")]
mod pieces;
pub(crate) mod style;
#[cfg(feature = "flite")]
mod times;
