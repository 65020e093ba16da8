//! What the sessions of an engine have told, until the host fetches it.

use std::collections::VecDeque;

use crate::event::Waiting;
use crate::sessions::{ControlEnd, SESSIONS, taken};

/// Events for which there is room from the beginning.
const ROOM: usize = 4_096;

/// The sessions of an engine, and their events that wait.
pub(crate) struct Told {
    /// Handles in the order in which they were opened; `None`: the engine is being closed.
    sessions: Option<Vec<usize>>,
    /// The session with which the next collection begins: the one for whose events there was no room.
    first: usize,
    pub(crate) waiting: VecDeque<Waiting>,
    events_max: usize,
}

impl Told {
    pub(crate) fn new(events_max: usize) -> Self {
        let waiting = VecDeque::with_capacity(events_max.min(ROOM));
        Self { sessions: Some(Vec::new()), first: 0, waiting, events_max }
    }

    /// A session more; false: the engine is being closed.
    pub(crate) fn add(&mut self, session: usize) -> bool {
        self.sessions.as_mut().map(|sessions| sessions.push(session)).is_some()
    }

    /// Forgets a session that is closed, and what it has told.
    pub(crate) fn forget(&mut self, session: usize) {
        if let Some(sessions) = &mut self.sessions {
            sessions.retain(|other| *other != session);
        }
        self.waiting.retain(|waiting| waiting.session != session);
    }

    /// The sessions, of which there are none any more.
    pub(crate) fn end(&mut self) -> Vec<usize> {
        self.sessions.take().unwrap_or_default()
    }

    /// Takes what sessions have to tell, as far as there is room; the rest waits with them. A session to which somebody
    /// speaks at this moment is asked next time: the tick waits for nobody.
    pub(crate) fn collect(&mut self, now_us: u64) {
        let Self { sessions: Some(sessions), first, waiting, events_max } = self else { return };
        let (behind, before) = sessions.split_at((*first).min(sessions.len()));
        *first = 0;
        for (at, &session) in (behind.len()..).zip(before).chain((0..).zip(behind)) {
            let Some((key, place)) = SESSIONS.find(session) else { continue };
            let Ok(mut end) = taken(&place.thing.control) else { continue };
            let Some(ControlEnd { control, user, .. }) = end.as_mut().filter(|_| place.is(key)) else {
                continue;
            };
            let (session_id, user) = (control.id().0, *user);
            while waiting.len() < *events_max
                && let Some(event) = control.poll()
            {
                waiting.push_back(Waiting { t_us: now_us, session, session_id, user, event });
            }
            if waiting.len() == *events_max {
                *first = at;
                return;
            }
        }
    }
}
