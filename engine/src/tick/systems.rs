//! The systems of a tick as they can be shown: in which stage each runs, what it reads and what it writes.
//!
//! The list is the one that the schedules are built from, and what a system touches is what it declares to the ECS.

use std::any::TypeId;
use std::sync::Arc;

use bevy_ecs::component::ComponentId;
use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemAccess;

use crate::base::placement::Placement;
use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::media::block::BlockPool;
use crate::media::queue::{Lane, Queue};
use crate::node::plan::ScenePlan;
use crate::record::counts::Counts;
use crate::record::edge_figures::{ControlFigures, EdgeFigures};
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::service::api::{Inbox, Outbox};
use crate::session::components::{HostLink, Intake, Phase, Session, Wiring};
use crate::session::index::SessionIndex;
use crate::speech::cancellation::Cancellations;
use crate::speech::playout::Playout;
use crate::speech::segment::{Segment, SegmentPool, Turn};
use crate::tick::control::Messages;
use crate::tick::install::{ShardSpec, first_half, insert_resources, second_half};
use crate::tick::resources::{Closing, Edge, NeedsSweep};
use crate::tick::stage::Stage;

/// One system of a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemView {
    /// When it runs.
    pub stage: Stage,
    /// The function, or a node's id and kind.
    pub name: String,
    /// Components and resources that it reads and does not write, in alphabetical order.
    pub reads: Vec<&'static str>,
    /// Components and resources that it writes, in alphabetical order. A node's own state is `State`.
    pub writes: Vec<&'static str>,
    /// It has the world to itself: it makes and removes entities, and declares nothing.
    pub is_exclusive: bool,
}

/// The systems of a scene's tick in one shard, in the order in which they run.
pub fn systems(plan: &Arc<ScenePlan>) -> Vec<SystemView> {
    let mut world = World::new();
    let open = OpenSessions::new(Placement::new(1, 1), 1);
    let wants_audio = vec![false; plan.services.len()];
    let spec = ShardSpec { plan, open: &open, shard: 0, seed: 0, wants_audio: &wants_audio };
    insert_resources(&spec, &mut world);
    let first = first_half(&spec, &mut world);
    let second = second_half(&spec, &mut world);
    let mut views = Vec::new();
    for mut placed in first.into_iter().chain(second) {
        let access = placed.system.initialize(&mut world);
        let (reads, writes) = touched(&access, &world);
        let is_exclusive = access.is_exclusive();
        views.push(SystemView { stage: placed.stage, name: placed.name, reads, writes, is_exclusive });
    }
    views
}

/// What a system reads only, and what it writes.
fn touched(access: &SystemAccess, world: &World) -> (Vec<&'static str>, Vec<&'static str>) {
    let SystemAccess::Shared(access) = access else { return (Vec::new(), Vec::new()) };
    let access = access.combined_access();
    let (all, written) = (access.reads().as_finite_set(), access.writes().as_finite_set());
    let (Some(all), Some(written)) = (all, written) else { return (Vec::new(), Vec::new()) };
    let named = |ids: Vec<ComponentId>| {
        let mut names: Vec<&'static str> = ids.into_iter().map(|id| name(id, world)).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let reads = named(all.iter().filter(|id| !written.contains(*id)).collect());
    (reads, named(written.iter().collect()))
}

/// A type of the engine by its name; any other is the state of a node.
fn name(id: ComponentId, world: &World) -> &'static str {
    macro_rules! known {
        ($($type:ty),* $(,)?) => { [$((TypeId::of::<$type>(), stringify!($type))),*] };
    }
    let known = known![
        BlockPool,
        Cancellations,
        Closing,
        ControlFigures,
        Edge,
        EdgeFigures,
        EventLog,
        Inbox,
        Lane,
        Counts,
        Messages,
        NeedsSweep,
        Now,
        Outbox,
        Playout,
        Phase,
        Session,
        HostLink,
        Intake,
        Wiring,
        Queue,
        Segment,
        SegmentPool,
        SessionIndex,
        StageTimes,
        Turn,
    ];
    let of = |type_id: &TypeId| world.components().get_id(*type_id) == Some(id);
    known.iter().find(|(type_id, _)| of(type_id)).map_or("State", |(_, name)| name)
}
