//! The foundations of every other folder: ids, placement of sessions, engine time, seeded randomness.

pub(crate) mod ids;
pub(crate) mod mutation;
pub(crate) mod placement;
pub mod rng;
pub(crate) mod strikes;
pub(crate) mod sync;
pub(crate) mod time;
pub(crate) mod unwind;

pub use ids::{NAME_BYTES_MAX, NodeId, SegmentKey, SessionId};

#[doc(hidden)]
pub use mutation::Mutation;
#[doc(hidden)]
pub use strikes::NodeStrikes;
pub use time::{Now, frames_to_us, us_to_frames};
