//! An utterance of a caller or a recording, with its true words and times.

use std::sync::Arc;

use super::truth::Stretch;

/// One utterance as it truly was, on the session's media time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// First instant of speech, microseconds.
    pub start_us: u64,
    /// First instant after the last speech, microseconds: a turn that is answered earlier is answered too early.
    pub end_us: u64,
    /// The words of the utterance.
    pub text: Arc<str>,
    /// Whose voice it is; empty: the labels do not say.
    pub voice: Arc<str>,
    /// Gaps of at least 120 ms inside it, in order.
    pub pauses: Vec<Stretch>,
    /// Which clip of the bank it is, or which utterance of the recording, from 0.
    pub clip: u32,
}
