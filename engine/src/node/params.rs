//! The system parameters of a node: its own lanes, the queues of all other nodes, and what frames touch on their way.
//! Also the one function that builds every such system.

use bevy_ecs::component::{ComponentId, Mutable};
use bevy_ecs::prelude::*;
use bevy_ecs::system::{
    BoxedSystem, ParamBuilder, QueryParamBuilder, StaticSystemParam, SystemParam, SystemParamBuilder,
    SystemParamItem, SystemState,
};

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::media::block::BlockPool;
use crate::media::queue::{Lane, Queue};
use crate::node::mark;
use crate::node::place::NodePlace;
use crate::node::session_parts::SessionParts;
use crate::record::counts::Counts;
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;

/// What frames touch on their way through any node.
#[derive(SystemParam)]
pub struct NodeParams<'w, 's> {
    /// Time of the tick.
    pub now: Res<'w, Now>,
    /// Sample memory.
    pub pool: ResMut<'w, BlockPool>,
    /// Event log.
    pub log: ResMut<'w, EventLog>,
    /// Frame accounting.
    pub counts: ResMut<'w, Counts>,
    /// Names of sessions, and their playouts.
    pub(crate) sessions: Query<'w, 's, SessionParts>,
    pub(crate) stage_times: ResMut<'w, StageTimes>,
}

/// The lanes of one node: its own queues and state, and the queues of all other nodes to send to.
#[derive(SystemParam)]
#[system_param(builder)]
pub struct Lanes<'w, 's, S: Component<Mutability = Mutable>> {
    /// One row per session: the queue entity with its components.
    pub ins: Query<'w, 's, (Entity, &'static mut Lane, &'static mut Queue, &'static mut S)>,
    /// The queues of all other nodes.
    pub outs: Query<'w, 's, &'static mut Queue>,
}

impl<S: Component<Mutability = Mutable>> Lanes<'static, 'static, S> {
    /// Builds the parameter for the lanes marked with `id`, with all other queues as `outs`.
    fn of(id: ComponentId) -> impl SystemParamBuilder<Self> {
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

/// Builds the system of a node that catches the panics of its node itself. The time of `work` counts as the node's.
pub(crate) fn timed_lane_system<S, E>(
    place: NodePlace,
    world: &mut World,
    mut work: impl FnMut(&mut Lanes<'_, '_, S>, &mut NodeParams<'_, '_>, &mut SystemParamItem<'_, '_, E>)
    + Send
    + Sync
    + 'static,
) -> BoxedSystem
where
    S: Component<Mutability = Mutable>,
    E: SystemParam + 'static,
{
    lane_system_of::<S, NodeParams<'static, 'static>, E>(place.node, world, move |lanes, params, more| {
        work(lanes, params, more);
        params.stage_times.lap(place.node.index());
    })
}

/// Builds a system with parameters of another kind, for systems that work on the lanes of a node and are not the
/// node.
pub(crate) fn lane_system_of<S, P, E>(
    node: NodeId,
    world: &mut World,
    mut work: impl FnMut(&mut Lanes<'_, '_, S>, &mut SystemParamItem<'_, '_, P>, &mut SystemParamItem<'_, '_, E>)
    + Send
    + Sync
    + 'static,
) -> BoxedSystem
where
    S: Component<Mutability = Mutable>,
    P: SystemParam + 'static,
    E: SystemParam + 'static,
{
    type Params<S, P, E> = (
        Lanes<'static, 'static, S>,
        StaticSystemParam<'static, 'static, P>,
        StaticSystemParam<'static, 'static, E>,
    );
    let lanes = Lanes::of(mark::component(node, world));
    let state: SystemState<Params<S, P, E>> = (lanes, ParamBuilder, ParamBuilder).build_state(world);
    let system = state.build_system(
        move |mut lanes: Lanes<'_, '_, S>,
              params: StaticSystemParam<'_, '_, P>,
              more: StaticSystemParam<'_, '_, E>| {
            work(&mut lanes, &mut params.into_inner(), &mut more.into_inner());
        },
    );
    Box::new(IntoSystem::into_system(system))
}
