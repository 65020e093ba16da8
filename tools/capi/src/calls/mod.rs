//! The calls of the header, by whose they are.

#![expect(
    clippy::missing_safety_doc,
    reason = "what pointers must be is said once for all calls, at the head of the header"
)]

mod settings;

// In this order the header tells of them.
mod library;

mod engine;

mod session;

mod step;

mod audio;

mod control;

pub use audio::{
    MYNAH_BEGAN, MYNAH_CUT, MYNAH_ENDED_HERE, Pulled, mynah_available, mynah_pull, mynah_push,
    mynah_push_i16, mynah_room,
};
pub use control::{
    mynah_discard, mynah_end_turn, mynah_gate, mynah_heard, mynah_interrupt, mynah_reply, mynah_respond,
    mynah_say, mynah_say_clip, mynah_send_text, mynah_set, mynah_tool_result,
};
pub use engine::{
    mynah_close, mynah_close_all, mynah_config_init, mynah_events, mynah_now_us, mynah_open, mynah_tick,
};
pub use library::{
    mynah_abi, mynah_error, mynah_features, mynah_status_text, mynah_version, mynah_viseme_name,
};
pub use session::{
    Formats, mynah_finish, mynah_hang_up, mynah_history, mynah_is_closed, mynah_say_config_init,
    mynah_session_close, mynah_session_config_init, mynah_session_formats, mynah_session_id,
    mynah_session_open,
};
pub use step::mynah_step;
