//! Resources of the engine's world about calls: what is asked in this tick, what is under way, what was settled without a
//! service; and in which order the entities of services and stations are gone through.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::service::api::{CallKey, Outbox, Request};
use crate::service::batch::Settled;

/// Why an entity of [`ServiceOrder`] is there.
pub(crate) const LIVES: &str = "services and stations live as long as their engine";

/// The entities of services, nodes and stations in scene order. Systems go through them in this order and never in that
/// of the ECS.
#[derive(Resource, Default)]
pub(crate) struct ServiceOrder {
    pub(crate) services: Vec<Entity>,
    /// By node.
    pub(crate) nodes: Vec<Entity>,
    /// Those of the nodes behind the hub.
    pub(crate) stations: Vec<Entity>,
}

impl ServiceOrder {
    /// The entity of a node; the output has none.
    pub(crate) fn node(&self, node: NodeId) -> Option<Entity> {
        self.nodes.get(node.index()).copied()
    }
}

/// Calls that services have and have not answered, with the time of their submission. They are only looked up, never gone
/// through.
#[derive(Resource, Default)]
pub(crate) struct Flights(pub(crate) HashMap<CallKey, u64, BuildHasherDefault<DefaultHasher>>);

/// What the shards ask in this tick.
#[derive(Resource, Default)]
pub(crate) struct Requests {
    /// With their position and their service.
    pub(crate) requests: Vec<(u32, u8, Request)>,
    /// Sizes that hosts suggest for batches, with their position.
    pub(crate) hints: Vec<(SessionId, u32, u32)>,
}

impl Requests {
    /// Takes one shard's requests.
    pub(crate) fn gather(&mut self, outbox: &mut Outbox) {
        for (service, request) in outbox.requests.drain(..) {
            self.requests.push((self.requests.len() as u32, service, request));
        }
        for (session, size) in outbox.hints.drain(..) {
            self.hints.push((session, self.hints.len() as u32, size));
        }
    }

    /// By session; within a session the order is kept.
    pub(crate) fn sort(&mut self) {
        // With the position in the key an unstable sort keeps the order, and it needs no memory.
        self.requests.sort_unstable_by_key(|(order, _, request)| (request.key().session, *order));
        self.hints.sort_unstable();
    }
}

/// Calls that were merged or dropped while they waited.
#[derive(Resource, Default)]
pub(crate) struct SettledCalls {
    /// Those of which the nodes hear in the next tick.
    pub(crate) untold: Vec<Settled>,
    /// Those of which the nodes hear in this tick.
    pub(crate) told: HashSet<CallKey, BuildHasherDefault<DefaultHasher>>,
}
