//! What a modelled service does for a call, whatever its timing says.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::service::Call;

use crate::service::studio::Speech;

/// What comes of a call.
pub enum Work {
    /// Pieces of text, in order.
    Text(VecDeque<Arc<str>>),
    /// Speech that another thread is making.
    Speech(Arc<Speech>),
    /// Nothing, for this reason.
    Failure(Arc<str>),
}

/// Does the work of a service; the timing is not its business.
pub trait Production: Send + Sync {
    /// Whether calls are to bring their audio.
    fn wants_audio(&self) -> bool {
        false
    }
    /// Begins or does the work of one call.
    fn work(&self, call: &Call) -> Work;
}

/// How far a work is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// There is more to come.
    InPart,
    /// All of it: that many samples.
    Whole(usize),
}

/// How far a speech is made, for a job.
pub(super) fn made_by(speech: &Speech, samples: usize, wall: bool) -> Made {
    match speech.length_within(samples, !wall) {
        Some(length) => Made::Whole(length),
        None => Made::InPart,
    }
}

/// The words of a text, each with the white space behind it: what a language model gives out one by one.
pub(crate) fn pieces(text: &str) -> VecDeque<Arc<str>> {
    text.split_inclusive(char::is_whitespace).map(Arc::from).collect()
}
