//! Lines: what a host has a session say, beside the answers of the scene.

use std::sync::Arc;

use crate::media::clip::Clip;

/// Longest text of a line, bytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// Lines of one session that may wait to be spoken; more are refused.
pub const LINES_MAX: usize = 32;

/// What a line says: words for the scene's voice, or a recording in place of the voice.
#[derive(Clone, Debug, PartialEq)]
pub enum Words {
    /// Text to speak.
    Text(Arc<str>),
    /// A recording to play.
    Clip(Arc<Clip>),
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Clip> for Words {
    fn from(clip: Clip) -> Self {
        Self::Clip(Arc::new(clip))
    }
}

impl From<Arc<Clip>> for Words {
    fn from(clip: Arc<Clip>) -> Self {
        Self::Clip(clip)
    }
}

impl Words {
    /// The text that is spoken.
    pub fn text(&self) -> &Arc<str> {
        match self {
            Self::Text(text) => text,
            Self::Clip(clip) => &clip.subtitle,
        }
    }
}

/// How a line is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Say {
    /// Whether the user's speech may pause and withdraw the line. `false`: the user is talked over.
    pub interruptible: bool,
    /// Rank among lines; answers of the scene have 0. What sounds or is to be answered gives way to a line of the same or
    /// a higher rank that does not [wait](Self::wait); a line of a lower rank is dropped.
    pub priority: i8,
    /// Whether the line waits until nobody speaks and nothing else is to be answered; among lines that wait the rank
    /// decides, then the order. `false`: the line begins at once, or not at all.
    pub wait: bool,
}

impl Default for Say {
    /// A line that waits for its turn and may be interrupted, as an answer may.
    fn default() -> Self {
        Self { interruptible: true, priority: 0, wait: true }
    }
}

/// A line with the manner in which it is spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it says.
    pub words: Words,
    /// How.
    pub say: Say,
}
