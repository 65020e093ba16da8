//! The edge between the threads of hosts and the tick: rings with credits, and the handle of a session.

pub(crate) mod control;
pub(crate) mod exchange;
pub(crate) mod open_sessions;
pub(crate) mod output_ring;
pub(crate) mod sender_clock;
pub(crate) mod session_handle;
pub(crate) mod session_port;
pub(crate) mod shard_inbox;

pub use control::{CONTROLS_MAX, Control, ControlError, ControlIn};
pub use exchange::{
    ARRIVAL_COST_MS_MIN, BLOCK_MS_MAX, CREDIT_MS, Full, MEDIA_US_MAX, Out, OutAudio, PushError, STAGING_US,
    Stamp, Tag,
};
pub use open_sessions::OpenError;
pub use session_handle::{SessionHandle, SessionSpec};
pub use shard_inbox::Bell;
