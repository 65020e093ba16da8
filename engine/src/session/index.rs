//! Finds the entity of a session by its id.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::ids::{NodeId, SessionId};
use crate::base::placement::Placement;
use crate::edge::exchange::block_samples;
use crate::edge::open_sessions::OpenSessions;
use crate::edge::shard_inbox::Arrival;
use crate::scene::Format;
use crate::session::components::Wiring;

/// The session entities of one shard, by slot. Dropping it means that the engine or its world ends: sessions that no
/// tick has admitted are told so here, the others when `HostLink` is dropped.
#[derive(Resource, Debug)]
pub struct SessionIndex {
    /// By slot: the entity, and the latest generation of the slot's id that was admitted.
    slots: Vec<(Option<Entity>, u32)>,
    placement: Placement,
    /// Number of this shard, and the open sessions of the whole engine, by name and id.
    shard: usize,
    pub(crate) open_sessions: Arc<OpenSessions>,
    open: u32,
    /// Sessions for which blocks are kept ready at the edge.
    pub(crate) active_peak: usize,
    /// Samples of the longest block that may arrive.
    longest: usize,
    /// Arrivals of sessions that the next tick admits, in order; bounded by the sessions' credits, which they keep.
    pub(crate) ahead: Vec<Arrival>,
    /// The sessions that were split, by id: their audio comes through rings of their own.
    pub(crate) split: Vec<(SessionId, Entity)>,
}

impl SessionIndex {
    pub(crate) fn new(open_sessions: &Arc<OpenSessions>, shard: usize) -> Self {
        Self {
            slots: Vec::new(),
            placement: open_sessions.placement,
            shard,
            open_sessions: Arc::clone(open_sessions),
            open: 0,
            active_peak: 0,
            longest: 0,
            ahead: Vec::new(),
            split: Vec::new(),
        }
    }

    /// The entity of the session with this id, if it is open.
    pub fn entity(&self, id: SessionId) -> Option<Entity> {
        self.slots.get(self.placement.slot(id))?.0
    }

    /// The entity of this generation of the id, if it is open.
    pub fn current(&self, id: SessionId, generation: u32) -> Option<Entity> {
        let (entity, admitted) = *self.slots.get(self.placement.slot(id))?;
        entity.filter(|_| admitted == generation)
    }

    /// The session entities, in id order.
    pub fn entities(&self) -> impl Iterator<Item = Entity> + '_ {
        self.slots.iter().filter_map(|(entity, _)| *entity)
    }

    /// Sessions open in this shard.
    pub fn open(&self) -> u32 {
        self.open
    }

    /// Most sessions that were ever open at once.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Samples of the longest block that may arrive at one of the sessions; 0 without any.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// True if the arrival is for a session opened after this tick began: the next tick admits it.
    pub(crate) fn is_ahead(&self, arrival: &Arrival) -> bool {
        self.slots
            .get(self.placement.slot(arrival.session))
            .is_none_or(|(_, admitted)| is_later(arrival.generation, *admitted))
    }

    pub(crate) fn insert(&mut self, id: SessionId, generation: u32, entity: Entity, input: Format) {
        let slot = self.placement.slot(id);
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, (None, 0));
        }
        self.slots[slot] = (Some(entity), generation);
        self.longest = self.longest.max(block_samples(input));
        self.open += 1;
        self.active_peak += 1;
    }

    /// Removes a session.
    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Entity> {
        let slot = self.placement.slot(id);
        let entity = self.slots.get_mut(slot)?.0.take()?;
        self.open -= 1;
        self.split.retain(|(other, _)| *other != id);
        Some(entity)
    }

    /// Adds a session that was split.
    pub(crate) fn add_split(&mut self, id: SessionId, entity: Entity) {
        if let Err(at) = self.split.binary_search_by_key(&id, |(other, _)| *other) {
            self.split.insert(at, (id, entity));
        }
    }

    /// Measures the longest block anew, over the formats of all sessions.
    pub(crate) fn measure(&mut self, inputs: impl Iterator<Item = Format>) {
        self.longest = inputs.map(block_samples).max().unwrap_or(0);
    }
}

impl Drop for SessionIndex {
    fn drop(&mut self) {
        self.open_sessions.shut();
        for port in self.open_sessions.ports_of(self.shard) {
            if self.current(port.id, port.generation).is_none() {
                port.end_with_engine(&mut VecDeque::new());
            }
        }
    }
}

/// Finds the queue entities of sessions by id.
#[derive(SystemParam)]
pub struct SessionLanes<'w, 's> {
    index: Res<'w, SessionIndex>,
    wirings: Query<'w, 's, &'static Wiring>,
}

impl SessionLanes<'_, '_> {
    /// The queue entity of `node` for the session with this id, if it is open.
    pub fn lane(&self, id: SessionId, node: NodeId) -> Option<Entity> {
        self.wirings.get(self.index.entity(id)?).ok()?.lane(node)
    }

    /// The queue entity of `node` for this generation of the id, if it is open.
    pub(crate) fn current(&self, id: SessionId, generation: u32, node: NodeId) -> Option<Entity> {
        self.wirings.get(self.index.current(id, generation)?).ok()?.lane(node)
    }

    /// Sessions open in this shard.
    pub fn open(&self) -> u32 {
        self.index.open()
    }
}

/// Whether one generation of an id is later than another. Generations wrap, and fewer than half of them are ever
/// under way.
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
