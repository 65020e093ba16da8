//! Resources of the engine's world: the calls of all sessions, and the order in which services and stations are
//! visited.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::service::api::{CallKey, Commit, Outbox, Request, SizeHint};
use crate::service::batch::Settled;

/// Why an entity of [`ServiceOrder`] exists.
pub(crate) const LIVES: &str = "services and stations live as long as their engine";

/// The entities of services, nodes and stations in scene order. Systems visit them in this order, never in that of
/// the ECS.
#[derive(Resource, Default)]
pub(crate) struct ServiceOrder {
    pub(crate) services: Vec<Entity>,
    /// By node.
    pub(crate) nodes: Vec<Entity>,
    /// The entities of the nodes behind the hub.
    pub(crate) stations: Vec<Entity>,
}

impl ServiceOrder {
    /// The entity of a node; the output has none.
    pub(crate) fn node(&self, node: NodeId) -> Option<Entity> {
        self.nodes.get(node.index()).copied()
    }
}

/// The calls of all sessions: requested in this tick, under way, or settled without a service.
#[derive(Resource, Default)]
pub(crate) struct Calls {
    /// The requests of the shards in this tick, each with its position and service.
    pub(crate) requests: Vec<(u32, u8, Request)>,
    /// Batch sizes that hosts suggest for the items of their sessions.
    pub(crate) hints: Vec<SizeHint>,
    /// Results of tools, from hosts.
    pub(crate) results: Vec<(SessionId, Arc<str>, Arc<str>)>,
    /// Segments that are settled, each with its position.
    pub(crate) commits: Vec<(u32, Commit)>,
    /// Calls that services have not answered yet, with the time of their submission. Only looked up, never iterated.
    pub(crate) flights: HashMap<CallKey, u64, BuildHasherDefault<DefaultHasher>>,
    /// Calls that were merged or dropped while they waited; their nodes are told in the next tick.
    pub(crate) untold: Vec<Settled>,
    /// Those of which their nodes are told in this tick.
    pub(crate) told_now: HashSet<CallKey, BuildHasherDefault<DefaultHasher>>,
}

impl Calls {
    /// Takes one shard's requests.
    pub(crate) fn gather(&mut self, outbox: &mut Outbox) {
        for (service, request) in outbox.requests.drain(..) {
            self.requests.push((self.requests.len() as u32, service, request));
        }
        self.hints.append(&mut outbox.hints);
        self.results.append(&mut outbox.results);
        for commit in outbox.commits.drain(..) {
            self.commits.push((self.commits.len() as u32, commit));
        }
    }

    /// Sorts requests and commits by session; within a session the order is kept.
    pub(crate) fn sort(&mut self) {
        // With the position in the key an unstable sort keeps the order, and it needs no memory.
        self.requests.sort_unstable_by_key(|(order, _, request)| (request.key().session, *order));
        self.commits.sort_unstable_by_key(|(order, commit)| (commit.session, *order));
        // A stable sort of an empty list takes no memory.
        self.results.sort_by_key(|(session, ..)| *session);
    }
}
