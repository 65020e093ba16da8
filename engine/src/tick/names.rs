//! Names of the engine's components and resources.

use std::any::TypeId;

use bevy_ecs::component::ComponentId;
use bevy_ecs::prelude::*;

use crate::base::time::Now;
use crate::media::block::BlockPool;
use crate::media::queue::{Lane, Queue};
use crate::node::mark::is_mark;
use crate::record::counts::Counts;
use crate::record::edge_figures::{ControlFigures, EdgeFigures};
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::service::batch::BatchQueue;
use crate::service::calls::{Calls, ServiceOrder};
use crate::service::requests::{Inbox, Outbox};
use crate::service::slot::{ServiceFigures, ServiceInstance, ServiceName};
use crate::service::station::{BatchFigures, ProcessingTime, Station};
use crate::session::components::{HostLink, Intake, Phase, Session, SessionParams, Wiring};
use crate::session::conversation::Conversation;
use crate::session::index::SessionIndex;
use crate::session::lines::Lines;
use crate::session::settling::Settling;
use crate::speech::cancellation::Cancellations;
use crate::speech::playout::Playout;
use crate::speech::segment::{Segment, SegmentPool, Turn};
use crate::tick::control::Messages;
use crate::tick::egress::Egress;
use crate::tick::failures::Torn;
use crate::tick::join::Records;
use crate::tick::metrics::Metrics;
use crate::tick::resources::{Admissions, Closing, Edge, NeedsSweep, ShardConfig};
use crate::tick::shards::Shards;

/// The components of an entity by name, in alphabetical order; empty if there is no such entity. `NodeMark` says
/// which node a queue belongs to; `State` stands for a node's own state for a session, or for a component of the
/// owner of a foreign world.
pub fn component_names(world: &World, entity: Entity) -> Vec<&'static str> {
    let Ok(entity) = world.get_entity(entity) else { return Vec::new() };
    let components = entity.archetype().components().iter();
    let mut names: Vec<&'static str> = components.map(|id| name(*id, world)).collect();
    names.sort_unstable();
    names
}

/// The name of a type of the engine; any other type is the state of a node.
pub(super) fn name(id: ComponentId, world: &World) -> &'static str {
    macro_rules! known {
        ($($type:ty),* $(,)?) => { [$((TypeId::of::<$type>(), stringify!($type))),*] };
    }
    let known = known![
        Admissions,
        BatchFigures,
        BatchQueue,
        BlockPool,
        Calls,
        Cancellations,
        Closing,
        ControlFigures,
        Conversation,
        Counts,
        Edge,
        EdgeFigures,
        Egress,
        EventLog,
        HostLink,
        Inbox,
        Intake,
        Lane,
        Lines,
        Messages,
        Metrics,
        NeedsSweep,
        Now,
        Outbox,
        Phase,
        Playout,
        ProcessingTime,
        Queue,
        Records,
        Segment,
        SegmentPool,
        ServiceFigures,
        ServiceInstance,
        ServiceName,
        ServiceOrder,
        Session,
        SessionParams,
        SessionIndex,
        Settling,
        ShardConfig,
        Shards,
        StageTimes,
        Station,
        Torn,
        Turn,
        Wiring,
    ];
    let Some(type_id) = world.components().get_info(id).and_then(|info| info.type_id()) else {
        return "State";
    };
    if is_mark(type_id) {
        return "NodeMark";
    }
    known.iter().find(|(known, _)| *known == type_id).map_or("State", |(_, name)| name)
}
