//! The serial step between the two halves of a tick, where the calls of all sessions meet on their way to services.
//!
//! Calls of a node that is not parallelizable wait at a station, where batches are formed by the node's policy; all
//! others go to their service at once.

use bevy_ecs::prelude::*;

use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::record::event::EventLog;
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::service::api::Outbox;
use crate::service::submissions::Submissions;
use crate::tick::shards::Shards;

/// Gathers the shards' requests, forms the batches that are due, hands all to the services, and logs events with the
/// shards of their sessions.
pub(crate) fn batch(
    now: Res<'_, Now>,
    mut submissions: Submissions<'_, '_>,
    mut shards: ResMut<'_, Shards>,
    mut stage_times: ResMut<'_, StageTimes>,
) {
    stage_times.start();
    submissions.calls.commits.clear();
    for shard in shards.running() {
        submissions.calls.gather(&mut shard.world.resource_mut::<Outbox>());
    }
    submissions.submit(*now);
    let early_us = if now.is_broken(Mutation::Backdate) { 1_000_000 } else { 0 };
    let now_us = now.us.saturating_sub(early_us);
    for event in submissions.events() {
        let shard = shards.of_mut(event.session);
        if !shard.state.takes_part {
            // Hosts of this shard are told in this tick.
            shard.begin(*now);
        }
        shard.world.resource_mut::<EventLog>().push(now_us, event.session, event.turn, event.event);
    }
    stage_times.end_stage(EngineStage::Hub);
}
