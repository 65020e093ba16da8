//! What was said in one turn: its segments, their ends, and what was recognised of them.

use std::sync::Arc;

/// Most bytes of a turn's transcript; words beyond are left out.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most segments of a turn; of more, the first ones' words stay and their ends are forgotten.
const SEGMENTS_MAX: usize = 64;

/// Where a segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Somebody speaks.
    Open,
    /// So it seems, from there on.
    Seems { revision: u32, at_us: u64 },
    /// For certain.
    Final { revision: u32, at_us: u64 },
    /// It was too long: the next segment goes on.
    Split,
}

/// A segment of a turn.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) segment: u32,
    pub(super) end: End,
    /// The revision that the words are of, and whether they are all.
    words_of: u32,
    complete: bool,
    text: String,
    partial: Arc<str>,
}

impl Said {
    pub(super) fn new(segment: u32) -> Self {
        let (end, words_of, complete) = (End::Open, 0, false);
        Self { segment, end, words_of, complete, text: String::new(), partial: "".into() }
    }

    /// Takes words of a revision; `last`: there are no more.
    pub(super) fn words(&mut self, revision: u32, text: &str, last: bool) {
        if revision != self.words_of {
            self.words_of = revision;
            self.complete = false;
            self.text.clear();
        }
        append(&mut self.text, text);
        self.complete |= last;
        if last {
            // When the speaker goes on, this is what is known until more is.
            self.partial = self.text.as_str().into();
        }
    }

    /// Takes what is recognised so far.
    pub(super) fn partial(&mut self, text: &Arc<str>) {
        self.partial = Arc::clone(text);
    }

    /// No words of the current end will come: what there is of it is all.
    pub(super) fn give_up(&mut self) {
        let Some(revision) = self.revision() else { return };
        if revision != self.words_of {
            self.words_of = revision;
            self.text = self.partial.to_string();
        }
        self.complete = true;
    }

    fn revision(&self) -> Option<u32> {
        match self.end {
            End::Seems { revision, .. } | End::Final { revision, .. } => Some(revision),
            End::Open | End::Split => None,
        }
    }

    /// Whether everything was recognised up to the end that holds now.
    pub(super) fn is_complete(&self) -> bool {
        self.complete && self.revision() == Some(self.words_of)
    }

    /// The best that is known of its words.
    fn best(&self) -> &str {
        let known = self.is_complete() || self.end == End::Split && !self.text.is_empty();
        if known { &self.text } else { &self.partial }
    }
}

/// Adds words behind a space, as far as there is room.
fn append(to: &mut String, words: &str) {
    let words = words.trim();
    let room = TEXT_BYTES_MAX.saturating_sub(to.len() + 1);
    let words = &words[..words.floor_char_boundary(room.min(words.len()))];
    if !words.is_empty() {
        if !to.is_empty() {
            to.push(' ');
        }
        to.push_str(words);
    }
}

/// The segments of a turn in order.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    pub(super) said: Vec<Said>,
    /// Words of segments before these.
    before: String,
}

impl Transcript {
    pub(super) fn push(&mut self, segment: u32) {
        if self.said.len() >= SEGMENTS_MAX {
            let first = self.said.remove(0);
            append(&mut self.before, first.best());
        }
        self.said.push(Said::new(segment));
    }

    pub(super) fn find(&mut self, segment: u32) -> Option<&mut Said> {
        self.said.iter_mut().find(|said| said.segment == segment)
    }

    pub(super) fn last(&self) -> Option<&Said> {
        self.said.last()
    }

    /// The best that is known of all words.
    pub(super) fn text(&self) -> String {
        let mut text = self.before.clone();
        self.said.iter().for_each(|said| append(&mut text, said.best()));
        text
    }
}
