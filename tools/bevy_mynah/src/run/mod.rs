//! The engines of the scenes, and where they tick.

pub(crate) mod embedded;
pub(crate) mod engines;
pub(crate) mod in_frame;
pub(crate) mod open;
pub(crate) mod own_thread;
pub(crate) mod upkeep;

pub use engines::VoiceEngines;
