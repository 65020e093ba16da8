//! The edge between the threads of hosts and the tick: rings with credits, and the handle of a session.

pub(crate) mod audio_in;
pub(crate) mod audio_out;
pub(crate) mod audio_ring;
pub(crate) mod control;
pub(crate) mod exchange;
pub(crate) mod line;
pub(crate) mod open_sessions;
pub(crate) mod opening;
pub(crate) mod output_ring;
pub(crate) mod params;
pub(crate) mod presence;
pub(crate) mod sender_clock;
pub(crate) mod session_control;
pub(crate) mod session_event;
pub(crate) mod session_handle;
pub(crate) mod session_port;
pub(crate) mod session_spec;
pub(crate) mod shard_inbox;
pub(crate) mod split;
pub(crate) mod voice;
pub(crate) mod wakers;

pub use audio_in::AudioIn;
pub use audio_out::{AudioOut, Read};
pub use audio_ring::RING_MS_MAX;
pub use control::{CONTROLS_MAX, Control, ControlError, ControlIn, RESULT_BYTES_MAX};
pub use exchange::{
    ARRIVAL_COST_MS_MIN, BLOCK_MS_MAX, CREDIT_MS, Full, MEDIA_US_MAX, Out, OutAudio, PushError, STAGING_US,
    Stamp, Tag,
};
pub use line::{LINE_BYTES_MAX, LINES_MAX, Line, Say, Words};
pub use open_sessions::OpenError;
pub use params::{PARAMS_BYTES_MAX, Params, ParamsTooLong};
pub use session_control::SessionControl;
pub use session_event::{CloseReason, SessionEvent, ToolCall};
pub use session_handle::{SessionHandle, SplitError};
pub use session_spec::{SessionSpec, Waker};
pub use shard_inbox::Bell;
