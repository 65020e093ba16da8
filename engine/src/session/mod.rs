//! Sessions: the components of their entities, and the index by id.

pub(crate) mod components;
pub(crate) mod conversation;
pub(crate) mod index;
pub(crate) mod lines;
pub(crate) mod settling;

pub use components::{Intake, Phase, Session, SessionParams, Wiring};
pub use index::{SessionIndex, SessionLanes};
