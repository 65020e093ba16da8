//! Resources of a shard that the systems of a tick share.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::ShardPort;
use crate::node::plan::ScenePlan;

/// The settings with which a shard opens sessions.
#[derive(Resource)]
pub(crate) struct ShardConfig {
    pub(crate) plan: Arc<ScenePlan>,
    pub(crate) seed: u64,
}

/// Sessions to open in this tick.
#[derive(Resource, Default)]
pub(crate) struct Admissions(pub(crate) Vec<Arc<SessionPort>>);

/// The shard's end of its rings.
#[derive(Resource)]
pub(crate) struct Edge(pub(crate) Arc<ShardPort>);

/// The ids of sessions that are over: Egress and Account add them, the next tick's Admit removes their entities.
#[derive(Resource, Debug, Default)]
pub(crate) struct Closing(pub(crate) Vec<SessionId>);

/// Whether some session of the shard may be ending, keep arrivals outside a queue, or have control messages for its
/// host. Only then does a tick look at every session, as that means to fetch it from memory. Set by the system that
/// makes one so; [`Stage::Account`](crate::tick::stage::Stage) checks whether this still holds.
#[derive(Resource, Debug, Default)]
pub(crate) struct NeedsSweep(pub(crate) bool);
