//! Answers on their way to being settled: how much of each has left, and how much of that was heard.

use bevy_ecs::prelude::*;

use crate::base::ids::{SegmentKey, SessionId};
use crate::session::components::HostLink;
use crate::speech::playout::Playout;

/// Answers of one session that have left and wait to be heard; of more, the oldest counts as heard as far as is known.
const UNHEARD_MAX: usize = 8;
/// By how much a host's report may fall short of an answer's length.
const ROUNDING_US: u64 = 1_000;

/// An answer, or a part of one, that has left and goes on no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sounded {
    pub(crate) owner: Entity,
    pub(crate) segment: u32,
    pub(crate) revision: u32,
    /// What has left of it if it is complete, what was heard of it if it was stopped; microseconds.
    pub(crate) us: u64,
    /// Where it ends: see [`Unheard::at`].
    pub(crate) at: u64,
}

/// A segment whose end holds and whose answer is complete, until that was heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unheard {
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
    pub(crate) owner: Entity,
    pub(crate) segment: SegmentKey,
    pub(crate) revision: u32,
    pub(crate) turn: u32,
    /// Length of the answer, microseconds; 0 = nothing of it sounded.
    pub(crate) us: u64,
    /// Position in the ring of an audio callback behind its last sample; without a ring the engine time at which that
    /// sounds.
    pub(crate) at: u64,
    /// The answer was not withdrawn, and its session lives.
    pub(crate) complete: bool,
    /// What the host reports as heard of it.
    pub(crate) reported_us: u64,
    /// Engine time at which an audio callback was first seen to have read all of it.
    pub(crate) read_us: Option<u64>,
    /// Nothing but a report says when it was heard.
    pub(crate) by_report: bool,
}

/// Whether the session of an answer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The session goes on.
    Listens,
    /// The session's input has ended: what has left is heard to its end.
    Finishes,
    /// The host has hung up.
    Left,
}

/// The answers of a shard that are not settled. Empty in scenes that call no services.
#[derive(Resource, Debug, Default)]
pub(crate) struct Settling {
    pub(crate) is_kept: bool,
    pub(crate) sounded: Vec<Sounded>,
    /// In order within each session.
    pub(crate) unheard: Vec<Unheard>,
}

impl Settling {
    /// Notes that nothing more of an answer leaves.
    pub(crate) fn sounded(&mut self, sounded: Sounded) {
        if self.is_kept && sounded.us > 0 {
            self.sounded.push(sounded);
        }
    }

    /// Takes out what has left of the answer to a revision, and forgets other revisions of its segment.
    pub(crate) fn take(&mut self, owner: Entity, segment: u32, revision: u32) -> Option<Sounded> {
        let mut taken: Option<Sounded> = None;
        self.sounded.retain(|sounded| {
            let mine = sounded.owner == owner && sounded.segment == segment;
            if mine && sounded.revision == revision {
                taken = Some(*sounded);
            }
            !mine
        });
        taken
    }

    /// The host of `owner` reports what was heard of the answer to `turn`.
    pub(crate) fn report(&mut self, owner: Entity, turn: u32, us: u64) {
        for unheard in self.unheard.iter_mut().filter(|u| u.owner == owner && u.turn == turn) {
            unheard.reported_us = unheard.reported_us.max(us);
        }
    }

    /// Whether time alone will settle an answer.
    pub(crate) fn waits_for_time(&self) -> bool {
        self.unheard.iter().any(|unheard| !unheard.by_report)
    }

    /// Whether so many answers of a session come after the one at `at` that it waits no longer.
    pub(crate) fn is_crowded_out(&self, at: usize) -> bool {
        let owner = self.unheard[at].owner;
        self.unheard[at..].iter().filter(|unheard| unheard.owner == owner).count() > UNHEARD_MAX
    }
}

impl Unheard {
    /// How much of the answer was heard, in microseconds; `None`: the rest may still be heard.
    pub(crate) fn heard_us(
        &mut self,
        now_us: u64,
        listener: Listener,
        link: &HostLink,
        playout: &Playout,
    ) -> Option<u64> {
        if !self.complete || self.us == 0 {
            return Some(self.us);
        }
        let latency_us = u64::from(playout.latency_us);
        let over = listener != Listener::Listens;
        let left_us = match (playout.reported, &link.output) {
            (Some((turn, us)), _) => {
                self.by_report = true;
                if turn == self.turn {
                    self.reported_us = self.reported_us.max(us);
                }
                let left_us = self.us.saturating_sub(self.reported_us);
                // A later answer is heard already: no more will be reported of this one.
                let is_last = over || turn > self.turn;
                let heard_us = if left_us <= ROUNDING_US { self.us } else { self.reported_us };
                return (is_last || left_us <= ROUNDING_US).then_some(heard_us);
            }
            (None, Some(ring)) => match ring.unread_before_us(self.at) {
                0 => (*self.read_us.get_or_insert(now_us) + latency_us).saturating_sub(now_us),
                unread_us => unread_us + latency_us,
            },
            (None, None) => (self.at + latency_us).saturating_sub(now_us),
        };
        match listener {
            Listener::Listens => (left_us == 0).then_some(self.us),
            Listener::Finishes => Some(self.us),
            Listener::Left => Some(self.us.saturating_sub(left_us)),
        }
    }
}
