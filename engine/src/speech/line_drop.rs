//! Why a line is not spoken.

use serde::Serialize;

/// Why a line was not spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineDrop {
    /// Something of a higher rank sounded or was to be answered, and the line did not wait.
    Outranked,
    /// The host interrupted everything while the line waited.
    Interrupted,
    /// As many lines of the session wait as may; or there is no room where it enters the scene, or the input has ended.
    Full,
    /// The session ended while the line waited.
    Ended,
    /// The scene has no edge from `said`, or the node behind the edge takes no clips.
    NoVoice,
}

impl LineDrop {
    /// The name of the reason in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outranked => "outranked",
            Self::Interrupted => "interrupted",
            Self::Full => "full",
            Self::Ended => "ended",
            Self::NoVoice => "no_voice",
        }
    }
}
