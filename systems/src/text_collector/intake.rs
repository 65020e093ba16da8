//! Limits how much of the text that came is read in one tick.

use std::sync::Arc;

use super::sentences::stands_alone;

/// Most work of one tick, in bytes looked at ([`work`](super::sentences::Sentences::work)): some thousand characters
/// of prose, a hundred of the oddest text. Releasing everything held may come on top.
pub(super) const WORK_MAX: u64 = 40_000;

/// Most characters after which the work is checked; a slice also ends with a word.
const SLICE_CHARS: usize = 16;

/// The unread text of one frame, and the work of the current tick.
#[derive(Debug, Default)]
pub(super) struct Intake {
    text: Option<Arc<str>>,
    /// Bytes of it that have been read.
    at: usize,
    /// Number of the present tick.
    tick: u64,
    /// Work done before the present tick.
    before: u64,
    /// Work beside that of the sentences.
    own: u64,
}

impl Intake {
    /// True if everything has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_none()
    }

    /// Takes the text of a frame; the one before has been read.
    pub(super) fn put(&mut self, text: &Arc<str>) {
        (self.text, self.at) = (Some(Arc::clone(text)), 0);
    }

    /// Forgets the unread text.
    pub(super) fn clear(&mut self) {
        self.text = None;
    }

    /// Begins the work of tick number `tick`, or goes on with it. `work`: that of the sentences so far.
    pub(super) fn begin(&mut self, tick: u64, work: u64) {
        if self.tick != tick {
            (self.tick, self.before) = (tick, work + self.own);
        }
    }

    /// True if the tick that began last has done enough.
    pub(super) fn is_spent(&self, work: u64) -> bool {
        work + self.own - self.before >= WORK_MAX
    }

    /// The next characters to read, unless the tick has done enough.
    pub(super) fn next(&mut self, work: u64) -> Option<Slice> {
        if self.is_spent(work) {
            return None;
        }
        let whole = self.text.as_ref()?;
        let rest = &whole[self.at..];
        let len = slice_len(rest);
        let slice = Slice { whole: Arc::clone(whole), at: self.at, len };
        self.at += len;
        if self.at == whole.len() {
            self.text = None;
        }
        Some(slice)
    }

    /// Counts further bytes that were looked at to read a slice.
    pub(super) fn costs(&mut self, work: usize) {
        self.own += work as u64;
    }
}

/// Length of the first word of `text`, or of the part of it that a slice takes, in bytes.
fn slice_len(text: &str) -> usize {
    let mut has_word = false;
    for (n, (at, c)) in text.char_indices().enumerate() {
        if n == SLICE_CHARS || has_word && (c.is_whitespace() || stands_alone(c)) {
            return at;
        }
        has_word |= !c.is_whitespace();
    }
    text.len()
}

/// Characters to read.
pub(super) struct Slice {
    whole: Arc<str>,
    at: usize,
    len: usize,
}

impl std::ops::Deref for Slice {
    type Target = str;
    fn deref(&self) -> &str {
        &self.whole[self.at..self.at + self.len]
    }
}
