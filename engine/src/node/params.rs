//! What the system of a node takes from its shard: its own lanes, the queues of all other nodes, and the resources.

use bevy_ecs::component::{ComponentId, Mutable};
use bevy_ecs::prelude::*;
use bevy_ecs::system::{QueryParamBuilder, SystemParam, SystemParamBuilder};

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::media::block::BlockPool;
use crate::media::queue::{Lane, Queue};
use crate::node::mark;
use crate::node::place::NodePlace;
use crate::record::counts::Counts;
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::service::api::{Inbox, Outbox};
use crate::session::table::SessionTable;
use crate::speech::cancellation::Cancellations;
use crate::speech::playout::Playouts;

/// Everything of a shard that a node's system may use.
#[derive(SystemParam)]
pub struct NodeParams<'w> {
    /// Time of the tick.
    pub now: Res<'w, Now>,
    /// Sample memory.
    pub pool: ResMut<'w, BlockPool>,
    /// Event log.
    pub log: ResMut<'w, EventLog>,
    /// Frame accounting.
    pub counts: ResMut<'w, Counts>,
    /// What was taken back in this tick.
    pub cancellations: ResMut<'w, Cancellations>,
    /// Requests to services.
    pub outbox: ResMut<'w, Outbox>,
    /// Answers of services.
    pub inbox: ResMut<'w, Inbox>,
    /// Sessions by id.
    pub sessions: Res<'w, SessionTable>,
    /// What is heard of the answers.
    pub playouts: ResMut<'w, Playouts>,
    pub(crate) stage_times: ResMut<'w, StageTimes>,
}

impl NodeParams<'_> {
    /// The work since the last call was this node's; every system of a node ends with it.
    pub fn lap(&mut self, node: NodeId) {
        self.stage_times.lap(node.index());
    }
}

/// The lanes of one node: its own queues and state, and everybody else's queues to send to.
#[derive(SystemParam)]
#[system_param(builder)]
pub struct Lanes<'w, 's, S: Component<Mutability = Mutable>> {
    /// One row per session.
    pub ins: Query<'w, 's, (&'static mut Lane, &'static mut Queue, &'static mut S)>,
    /// The queues of all other nodes.
    pub outs: Query<'w, 's, &'static mut Queue>,
}

impl<S: Component<Mutability = Mutable>> Lanes<'static, 'static, S> {
    /// The lanes marked with `id`, and all other queues.
    pub(crate) fn of(id: ComponentId) -> impl SystemParamBuilder<Self> {
        LanesBuilder {
            ins: QueryParamBuilder::new(move |b| {
                b.with_id(id);
            }),
            outs: QueryParamBuilder::new(move |b| {
                b.without_id(id);
            }),
        }
    }
}

/// The parameters of a node's system, restricted to that node's lanes. Use it to build a system of your own:
/// `(lane_params::<S>(place, world), ParamBuilder).build_state(world).build_system(...)`.
pub fn lane_params<S: Component<Mutability = Mutable>>(
    place: NodePlace,
    world: &mut World,
) -> impl SystemParamBuilder<Lanes<'static, 'static, S>> + use<S> {
    Lanes::of(mark::component(place.node, world))
}
