//! What sessions say is worth a batch.

use crate::base::ids::SessionId;
use crate::service::call::CallKey;

/// A session's hint.
#[derive(Clone, Copy, Debug)]
struct Hint {
    session: SessionId,
    generation: u32,
    worth: u32,
}

/// The last hint of each session: at most one for each id.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// By session.
    list: Vec<Hint>,
}

impl Hints {
    /// In place of every earlier hint of a session with this id.
    pub(super) fn set(&mut self, session: SessionId, generation: u32, worth: u32) {
        let hint = Hint { session, generation, worth };
        match self.position(session) {
            Ok(at) => self.list[at] = hint,
            Err(at) => self.list.insert(at, hint),
        }
    }

    /// What the session of this call says.
    pub(super) fn of(&self, key: &CallKey) -> Option<u32> {
        let hint = self.list[self.position(key.session).ok()?];
        (hint.generation == key.generation).then_some(hint.worth)
    }

    /// Forgets the hint of another session that had the id of this call's; true if there was one.
    pub(super) fn forget_before(&mut self, key: &CallKey) -> bool {
        let found = self.position(key.session).ok();
        let stale = found.filter(|&at| self.list[at].generation != key.generation);
        stale.map(|at| self.list.remove(at)).is_some()
    }

    fn position(&self, session: SessionId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&session, |hint| hint.session)
    }
}
