//! Hands the shards sessions to open and the replies of services.

use bevy_ecs::prelude::*;

use crate::record::stage_times::{EngineStage, StageTimes};
use crate::service::answers::Answers;
use crate::service::requests::Inbox;
use crate::tick::resources::Admissions;
use crate::tick::services::sessions_of;
use crate::tick::shards::Shards;

/// Hands sessions to their shards in id order, and replies in the order of the services.
pub(crate) fn deliver(
    mut answers: Answers<'_, '_>,
    mut shards: ResMut<'_, Shards>,
    mut stage_times: ResMut<'_, StageTimes>,
) {
    stage_times.start();
    for port in shards.open.admissions() {
        let shard = shards.of_mut(port.id);
        shard.state.idle.asleep = false;
        shard.world.resource_mut::<Admissions>().0.push(port);
    }
    answers.poll(|reply| {
        let shard = shards.of_mut(reply.key.session);
        shard.state.idle.asleep = false;
        shard.world.resource_mut::<Inbox>().replies.push(Some(reply));
    });
    answers.revive(|service, instance| {
        for session in sessions_of(service, &shards) {
            instance.with(|service| service.open(session));
        }
    });
    stage_times.end_stage(EngineStage::Hub);
}
