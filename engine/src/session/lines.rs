//! Lines that hosts have sessions say and that wait for their turn.

use std::cmp::Reverse;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::edge::line::{LINES_MAX, Line};
use crate::speech::line_drop::LineDrop;

/// A line that waits for its turn.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) session: SessionId,
    pub(crate) owner: Entity,
    pub(crate) message_id: u64,
    pub(crate) line: Arc<Line>,
}

/// The lines of a shard that wait to be spoken, by session; within one by rank, then in order.
#[derive(Resource, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) waiting: Vec<Waiting>,
}

impl Lines {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Lines of `session` that wait.
    pub(crate) fn of(&self, session: SessionId) -> usize {
        self.waiting.iter().filter(|waiting| waiting.session == session).count()
    }

    /// Takes out the lines of `session`; `out` gets their numbers.
    pub(crate) fn take_out(&mut self, session: SessionId, mut out: impl FnMut(u64)) {
        self.waiting.retain(|waiting| {
            let stays = waiting.session != session;
            if !stays {
                out(waiting.message_id);
            }
            stays
        });
    }

    pub(crate) fn add(&mut self, waiting: Waiting) -> Result<(), LineDrop> {
        if self.of(waiting.session) >= LINES_MAX {
            return Err(LineDrop::Full);
        }
        let key = |line: &Waiting| (line.session, Reverse(line.line.say.priority));
        let at = self.waiting.partition_point(|other| key(other) <= key(&waiting));
        self.waiting.insert(at, waiting);
        Ok(())
    }
}
