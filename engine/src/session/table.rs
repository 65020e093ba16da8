//! Sessions inside a shard: the table by slot, and how a session is opened and goes.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::base::placement::Placement;
use crate::edge::control::Control;
use crate::edge::exchange::block_samples;
use crate::edge::open_sessions::OpenSessions;
use crate::edge::sender_clock::SenderClock;
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::Arrival;
use crate::media::queue::Target;
use crate::scene::Format;

/// How far a session's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Takes audio.
    Open,
    /// Its input has ended; what is under way is still finished.
    Finishing,
    /// Nothing is left of it but its entities.
    Gone,
}

/// One session as its shard knows it.
#[derive(Debug)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Which opening of that id.
    pub generation: u32,
    /// The session's entity.
    pub entity: Entity,
    /// Its name.
    pub name: Arc<str>,
    /// Format of the arriving audio.
    pub input: Format,
    /// Sample frames that have arrived.
    pub frames_in: u64,
    /// Those of them that are silence in place of lost audio.
    pub(crate) concealed: u64,
    /// Life phase.
    pub phase: Phase,
    /// Its host wants to be told of corrections and confirmations.
    pub(crate) wants_control: bool,
    pub(crate) port: Arc<SessionPort>,
    /// Queue entity of each node; the last one is the output.
    pub(crate) lanes: Box<[Entity]>,
    pub(crate) input_targets: Box<[Target]>,
    pub(crate) seq: u32,
    /// What the sender's times say is missing.
    pub(crate) clock: SenderClock,
    pub(crate) controls: VecDeque<Control>,
    /// A queue that the input feeds makes its senders wait.
    pub(crate) waits: bool,
    /// Arrivals that wait outside such a queue; bounded by the session's credits, which they keep.
    pub(crate) backlog: VecDeque<Arrival>,
    /// Engine time at which something last arrived; before that, of its opening.
    pub(crate) arrived_us: u64,
}

/// The sessions of one shard by slot. With it they end: an engine that is dropped, or a world, tells their hosts.
#[derive(Resource, Debug)]
pub struct SessionTable {
    pub(crate) rows: Vec<Option<SessionRow>>,
    placement: Placement,
    /// Number of this shard, and the sessions that are open in the whole engine, by name and id.
    shard: usize,
    pub(crate) open_sessions: Arc<OpenSessions>,
    pub(crate) open: u32,
    /// Sessions that blocks are made ready for at the edge.
    pub(crate) active_peak: usize,
    /// Samples of the longest block that may arrive.
    longest: usize,
    /// The latest opening of each slot's id that came in here.
    admitted: Vec<u32>,
    /// Arrivals of sessions that the next tick admits, as they came; bounded by the sessions' credits, which they keep.
    pub(crate) ahead: Vec<Arrival>,
}

impl SessionTable {
    pub(crate) fn new(open_sessions: &Arc<OpenSessions>, shard: usize) -> Self {
        Self {
            rows: Vec::new(),
            placement: open_sessions.placement,
            shard,
            open_sessions: Arc::clone(open_sessions),
            open: 0,
            active_peak: 0,
            longest: 0,
            admitted: Vec::new(),
            ahead: Vec::new(),
        }
    }

    fn slot(&self, id: SessionId) -> usize {
        self.placement.slot(id)
    }

    /// The session with this id, if it is open.
    pub fn get(&self, id: SessionId) -> Option<&SessionRow> {
        self.rows.get(self.slot(id))?.as_ref().filter(|row| row.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut SessionRow> {
        let slot = self.slot(id);
        self.rows.get_mut(slot)?.as_mut().filter(|row| row.id == id)
    }

    /// Engine time at which something last arrived for this session, and `now_us` while arrivals wait outside a queue.
    pub fn arrived_us(&self, id: SessionId, now_us: u64) -> u64 {
        let Some(row) = self.get(id) else { return now_us };
        if row.backlog.is_empty() { row.arrived_us } else { now_us }
    }

    /// The queue entity of `node` for this session.
    pub fn lane(&self, id: SessionId, node: NodeId) -> Option<Entity> {
        self.get(id)?.lanes.get(node.index()).copied()
    }

    /// Samples of the longest block that may arrive at one of the sessions; 0 without any.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Sessions open in this shard.
    pub fn open(&self) -> u32 {
        self.open
    }

    /// Whether something came for a session that was opened after this tick had begun: the next one admits it.
    pub(crate) fn is_ahead(&self, arrival: &Arrival) -> bool {
        self.admitted
            .get(self.slot(arrival.session))
            .is_none_or(|admitted| is_later(arrival.generation, *admitted))
    }

    pub(crate) fn insert(&mut self, row: SessionRow) {
        let slot = self.slot(row.id);
        if self.rows.len() <= slot {
            self.rows.resize_with(slot + 1, || None);
            self.admitted.resize(slot + 1, 0);
        }
        self.admitted[slot] = row.generation;
        self.longest = self.longest.max(block_samples(row.input));
        self.rows[slot] = Some(row);
        self.open += 1;
        self.active_peak += 1;
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<SessionRow> {
        let slot = self.slot(id);
        let row = self.rows.get_mut(slot)?.take()?;
        self.open -= 1;
        if block_samples(row.input) == self.longest {
            let rest = self.rows.iter().flatten();
            self.longest = rest.map(|row| block_samples(row.input)).max().unwrap_or(0);
        }
        Some(row)
    }
}

impl Drop for SessionTable {
    fn drop(&mut self) {
        self.open_sessions.shut();
        for row in self.rows.iter_mut().flatten() {
            row.port.end_with_engine(&mut row.controls);
        }
        // No tick has admitted the others.
        for port in self.open_sessions.ports_of(self.shard) {
            port.end_with_engine(&mut VecDeque::new());
        }
    }
}

/// Whether one opening of an id came after another. They count in a circle, and never half of it is under way.
fn is_later(generation: u32, than: u32) -> bool {
    generation != than && generation.wrapping_sub(than) < u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::open_sessions::next_generation;

    #[test]
    fn openings_of_an_id_follow_each_other_beyond_the_last_number() {
        for generation in [0, 1, 2, u32::MAX / 2, u32::MAX / 2 + 1, u32::MAX - 1, u32::MAX] {
            let next = next_generation(generation);
            assert!(next > 0, "0: none was admitted yet");
            assert!(is_later(next, generation) && !is_later(generation, next), "{generation}, {next}");
            assert!(!is_later(generation, generation), "{generation}");
        }
    }
}
