//! Remembers which ids have been seen, in bounded memory.
//!
//! The window holds the [`WINDOW_MAX`] greatest ids. One id more pushes the smallest out, and from then on every id
//! up to that one counts as older than the window, seen or not: an id that may have taken effect can never look new.
//! Senders count upwards, so a message is lost to this only when 512 later ones overtake it.

use std::collections::VecDeque;

use crate::wire::message::MESSAGE_ID_MAX;

/// Ids remembered: twice as many as one end may have unacknowledged. 8 bytes each, allocated as needed.
pub const WINDOW_MAX: usize = 512;

/// What is known of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    New,
    Before { applied: bool },
    TooOld,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// In ascending order: twice the id, plus one once the message is applied. [`MESSAGE_ID_MAX`] leaves room for
    /// that.
    marks: VecDeque<u64>,
    /// Ids below this are older than the window.
    floor: u64,
}

impl Window {
    fn place(&self, id: u64) -> Result<usize, usize> {
        self.marks.binary_search_by_key(&id, |mark| mark >> 1)
    }

    /// Whether `id` counts as seen.
    pub(super) fn has_seen(&self, id: u64) -> bool {
        id < self.floor || self.place(id).is_ok()
    }

    /// Notes `id` as seen, and returns what was known of it before.
    pub(super) fn note(&mut self, id: u64) -> Seen {
        match self.place(id) {
            Ok(at) => Seen::Before { applied: self.marks[at] & 1 == 1 },
            Err(_) if id < self.floor || id > MESSAGE_ID_MAX => Seen::TooOld,
            Err(at) => {
                self.marks.insert(at, id << 1);
                if self.marks.len() > WINDOW_MAX {
                    let smallest = self.marks.pop_front().map_or(0, |mark| mark >> 1);
                    self.floor = smallest + 1;
                }
                Seen::New
            }
        }
    }

    /// Marks `id` as applied; false when it was applied before, or never seen. An id older than the window counts as
    /// seen, as its receiver speaks of it.
    pub(super) fn note_applied(&mut self, id: u64) -> bool {
        match self.place(id) {
            Ok(at) => {
                let first = self.marks[at] & 1 == 0;
                self.marks[at] |= 1;
                first
            }
            Err(_) => id < self.floor,
        }
    }
}
