//! When the words and phones of speech sound.

use std::sync::Arc;

/// A part of speech.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// The word, with what is written to it, at these bytes of the text.
    Word {
        /// Its first byte.
        from: u32,
        /// The byte after its last.
        to: u32,
    },
    /// A phone, by the name that the voice gives to it.
    Phone(Arc<str>),
}

/// A part of speech and when it sounds, microseconds from the first sample of its call's audio. The ends of words ascend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenTime {
    /// What sounds.
    pub what: Spoken,
    /// When it begins.
    pub from_us: u64,
    /// When it ends.
    pub until_us: u64,
}
