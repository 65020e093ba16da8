//! Resources of the engine's world: the calls of all sessions, and the order in which the entities of services and stations
//! are gone through.

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

/// The calls of all sessions: asked for in this tick, under way, or settled without a service.
#[derive(Resource, Default)]
pub(crate) struct Calls {
    /// What the shards ask in this tick, with the position and the service.
    pub(crate) requests: Vec<(u32, u8, Request)>,
    /// Sizes that hosts suggest for batches, with their position.
    pub(crate) hints: Vec<(SessionId, u32, u32)>,
    /// Calls that services have and have not answered, with the time of their submission. They are only looked up, never
    /// gone through.
    pub(crate) flights: HashMap<CallKey, u64, BuildHasherDefault<DefaultHasher>>,
    /// Calls that were merged or dropped while they waited, of which their nodes hear in the next tick.
    pub(crate) untold: Vec<Settled>,
    /// Those of which their nodes hear in this tick.
    pub(crate) told_now: HashSet<CallKey, BuildHasherDefault<DefaultHasher>>,
}

impl Calls {
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
