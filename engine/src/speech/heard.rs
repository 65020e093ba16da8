//! How much of an answer reached its listener.

use std::sync::Arc;

/// What was heard of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Length of the sound heard, microseconds of the answer from its first sample; 0 where nothing sounds.
    pub us: u64,
    /// The words heard.
    pub text: Arc<str>,
    /// Whether that is the whole answer. An answer without a word or a sound is whole.
    pub whole: bool,
}
