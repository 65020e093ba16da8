//! What conversations remember and no event tells.

use std::sync::Arc;

/// How much of sessions is remembered in a scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// Nothing in the scene answers.
    #[default]
    Nothing,
    /// Conversations whose answers are spoken.
    Speech,
    /// Conversations whose answers leave as text.
    Texts,
}

/// Something that is part of a conversation; origins are segment and revision.
#[derive(Debug)]
pub(crate) enum Aside {
    /// The user typed it.
    Typed { segment: u32, turn: u32, text: Arc<str> },
    /// The host says what came of a tool call.
    ToolResult { call_id: Arc<str>, result: Arc<str> },
    /// Text has left that answers, or is to be shown.
    Written { origin: (u32, u32), text: Arc<str> },
    /// What is being spoken was cut: `made_us` of its sound are known, and whether that is all of it.
    Cut { origin: (u32, u32), made_us: u64, is_all: bool },
}
