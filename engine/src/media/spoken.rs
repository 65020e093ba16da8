//! When the words and phones of speech sound.

use std::sync::Arc;

use crate::media::viseme::Viseme;

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
    /// A phone, by the name that the voice gives to it: of English voices one of ARPAbet.
    Phone(Arc<str>),
    /// Nothing: the mouth rests.
    Pause,
}

impl Spoken {
    /// The shape of the mouth that is seen meanwhile; `None` for words, and for a phone that is not of ARPAbet.
    pub fn viseme(&self) -> Option<Viseme> {
        match self {
            Self::Word { .. } => None,
            Self::Phone(name) => Viseme::of_arpabet(name),
            Self::Pause => Some(Viseme::Rest),
        }
    }
}

/// A part of speech and when it sounds, microseconds from the first sample of its call's audio. The ends of words ascend;
/// phones and pauses follow each other without gaps, and last as long as the audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenTime {
    /// What sounds.
    pub what: Spoken,
    /// When it begins.
    pub from_us: u64,
    /// When it ends.
    pub until_us: u64,
}
