//! Resources of the engine's world: the calls of all sessions, and the order in which services and stations are
//! visited.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::service::batch::Settled;
use crate::service::call::{Call, CallKey, SessionKey, SessionRef};
use crate::service::flights::Flights;
use crate::service::requests::{Commit, FromHost, Outbox, Request, SizeHint};
use crate::service::told::{Ending, ToldTable};
use crate::speech::cancellation::CancelScope;

/// Why an entity of [`ServiceOrder`] exists.
pub(crate) const LIVES: &str = "services and stations live as long as their engine";

/// A node that calls a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) node: NodeId,
    /// The service's number in the scene.
    pub(crate) service: u8,
    /// The node is told of what is taken back.
    pub(crate) hears: bool,
    /// Its answers are words of the scene: what is said in their place may be, too.
    pub(crate) replies: bool,
}

/// The entities of services, nodes and stations in scene order. Systems visit them in this order, never in that of
/// the ECS.
#[derive(Resource, Default)]
pub(crate) struct ServiceOrder {
    pub(crate) services: Vec<Entity>,
    /// By node.
    pub(crate) nodes: Vec<Entity>,
    /// The entities of the nodes behind the hub.
    pub(crate) stations: Vec<Entity>,
    /// The nodes that call services.
    pub(crate) callers: Vec<Caller>,
}

impl ServiceOrder {
    /// The entity of a node; the output has none.
    pub(crate) fn node(&self, node: NodeId) -> Option<Entity> {
        self.nodes.get(node.index()).copied()
    }

    /// What is known of a node that calls a service.
    pub(crate) fn caller(&self, node: NodeId) -> Option<&Caller> {
        self.callers.iter().find(|caller| caller.node == node)
    }
}

/// One thing that a session wants of services, or has taken back.
#[derive(Debug)]
pub(crate) enum Step {
    /// What a cancellation covers, of the session of this generation.
    Cancel(u32, CancelScope),
    /// A request to a service.
    Ask(u8, Request),
}

/// The calls of all sessions: requested in this tick, under way, or settled without a service.
#[derive(Resource, Default)]
pub(crate) struct Calls {
    /// What the sessions want in this tick: session, position, step.
    pub(crate) steps: Vec<(SessionId, u32, Step)>,
    /// Batch sizes that hosts suggest for the items of their sessions.
    pub(crate) hints: Vec<SizeHint>,
    pub(crate) from_hosts: Vec<(SessionId, FromHost)>,
    pub(crate) opened: Vec<(u8, SessionRef)>,
    pub(crate) closed: Vec<(u8, SessionKey)>,
    /// Segments that are settled, each with its position; until the next tick.
    pub(crate) commits: Vec<(u32, Commit)>,
    pub(crate) flights: Flights,
    pub(crate) told: ToldTable,
    /// Ends of segments that services are still to be told of in this tick.
    pub(crate) endings: Vec<(u8, Ending)>,
    /// Calls that wait for another attempt.
    pub(crate) again: Vec<Call>,
    /// Calls that have failed and of which the scene's fallback is said once it is their turn.
    pub(crate) fallen: Vec<(CallKey, Arc<str>)>,
    /// Replies before which a filler may be said, and when.
    pub(crate) unfilled: Vec<(CallKey, u64)>,
    /// Calls whose end was handed out in this tick: their nodes may have had them taken back in the same tick.
    pub(crate) ended_now: Vec<CallKey>,
    /// Of them, those that were: their nodes are told in the next tick that they have stopped.
    pub(crate) crossed: Vec<CallKey>,
    /// Calls that were merged or dropped while they waited; their nodes are told in the next tick.
    pub(crate) untold: Vec<Settled>,
}

impl Calls {
    /// Takes one shard's requests.
    pub(crate) fn gather(&mut self, outbox: &mut Outbox) {
        for (service, request) in outbox.requests.drain(..) {
            let session = request.session();
            self.steps.push((session, self.steps.len() as u32, Step::Ask(service, request)));
        }
        self.hints.append(&mut outbox.hints);
        self.from_hosts.append(&mut outbox.from_hosts);
        for commit in outbox.commits.drain(..) {
            self.commits.push((self.commits.len() as u32, commit));
        }
        self.opened.append(&mut outbox.opened);
        self.closed.append(&mut outbox.closed);
    }

    /// A cancellation that came up before the requests of its session.
    pub(crate) fn cancelled(&mut self, session: SessionId, generation: u32, scope: CancelScope) {
        self.steps.push((session, self.steps.len() as u32, Step::Cancel(generation, scope)));
    }

    /// Sorts what the sessions want by session; within a session the order is kept.
    pub(crate) fn sort(&mut self) {
        // With the position in the key an unstable sort keeps the order, and it needs no memory.
        self.steps.sort_unstable_by_key(|(session, order, _)| (*session, *order));
        self.commits.sort_unstable_by_key(|(order, commit)| (commit.session, *order));
        self.opened.sort_unstable_by_key(|(service, session)| (session.key, *service));
        self.closed.sort_unstable_by_key(|(service, session)| (*session, *service));
        // A stable sort of an empty list takes no memory.
        self.from_hosts.sort_by_key(|(session, _)| *session);
    }

    /// Takes out the calls that were merged or dropped while they waited, from `untold[before..]`. Returns how many were
    /// merged.
    pub(crate) fn settle(&mut self, service: u8, before: usize) -> u64 {
        let mut merged = 0;
        for settled in &self.untold[before..] {
            merged += u64::from(matches!(settled, Settled::Merged(_)));
            let call = settled.key();
            self.flights.end(&call);
            self.endings.extend(self.told.ends(service, &call).map(|ending| (service, ending)));
        }
        merged
    }
}
