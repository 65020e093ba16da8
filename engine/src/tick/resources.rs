//! Resources of a shard that the systems of a tick share.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::ShardPort;
use crate::node::plan::ScenePlan;

/// What a shard needs to open sessions.
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

/// The id of a session that is leaving, for the Account stage.
#[derive(Resource, Debug, Default)]
pub(crate) struct Closing(pub(crate) Vec<SessionId>);

/// Whether some session of the shard may be ending, keep arrivals outside a queue, or have control messages for its
/// host: only then is every session looked at in a tick, for looking means to fetch it from memory. Set by whoever makes
/// one so; [`Stage::Account`](crate::tick::stage::Stage) looks whether it is still true.
#[derive(Resource, Debug, Default)]
pub(crate) struct NeedsSweep(pub(crate) bool);
