//! A recording that is played in place of text.

use std::sync::Arc;

use crate::scene::Format;

/// Longest clip: 30 seconds, as much as may wait at a session's output.
pub const CLIP_S_MAX: u32 = 30;

/// A recorded line.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The words in it, for subtitles.
    pub subtitle: Arc<str>,
    /// Format of the samples.
    pub format: Format,
    /// Interleaved, whole sample frames, at most [`CLIP_S_MAX`].
    pub samples: Arc<[f32]>,
}
