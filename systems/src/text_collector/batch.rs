//! Complete sentences of one reply that wait to leave together.

use super::origin::Origin;
use super::sentences::CHARS_MAX;

/// Most sentences that leave in one text.
pub(super) const SENTENCES_MAX: u32 = 5;

/// Sentences that leave as one text.
#[derive(Debug, Default)]
pub(super) struct Batch {
    text: String,
    chars: usize,
    sentences: u32,
    origin: Option<Origin>,
    due_us: u64,
    taken: u32,
}

impl Batch {
    /// Latest engine time at which the batch leaves; `u64::MAX` while it is empty.
    pub(super) fn due_us(&self) -> u64 {
        self.origin.map_or(u64::MAX, |_| self.due_us)
    }

    /// The origin of its first sentence; `None` while it is empty.
    pub(super) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// True if no further sentence may join.
    pub(super) fn is_full(&self) -> bool {
        self.sentences >= SENTENCES_MAX
    }

    /// True if `sentence` would make the text too long.
    pub(super) fn has_no_room(&self, sentence: &str) -> bool {
        self.origin.is_some() && self.chars + 1 + sentence.chars().count() > CHARS_MAX
    }

    /// The sentences, joined by spaces.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Adds a sentence that began at `origin` and used up `taken` frames. The first one may wait until `due_us`.
    pub(super) fn add(&mut self, sentence: &str, origin: Origin, taken: u32, due_us: u64) {
        if self.origin.is_none() {
            self.origin = Some(origin);
            self.due_us = due_us;
        } else {
            self.text.push(' ');
            self.chars += 1;
        }
        self.chars += sentence.chars().count();
        self.text.push_str(sentence);
        self.sentences += 1;
        self.taken += taken;
    }

    /// Counts one frame less as used up; false if none was.
    pub(super) fn give_up(&mut self) -> bool {
        let has_one = self.taken > 0;
        self.taken -= u32::from(has_one);
        has_one
    }

    /// Empties the batch, keeping its memory, and returns how many frames it had used up.
    pub(super) fn clear(&mut self) -> u32 {
        self.text.clear();
        (self.chars, self.sentences) = (0, 0);
        self.origin = None;
        std::mem::take(&mut self.taken)
    }
}
