//! Keeps the metrics: closes windows before anything is counted, and counts answers after everything happened.

use bevy_ecs::prelude::*;

use crate::base::time::Now;
use crate::observe::metrics::{MetricsWindows, media_us, shard_counts};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::tick::join::Records;
use crate::tick::shards::Shards;

/// The metrics. The systems of this file are in the schedule only if this resource exists.
#[derive(Resource)]
pub(crate) struct Metrics(pub(crate) Box<MetricsWindows>);

/// Closes the windows that are over, before a tick counts anything.
pub(crate) fn rotate_metrics(now: Res<'_, Now>, shards: Res<'_, Shards>, mut metrics: ResMut<'_, Metrics>) {
    metrics.0.rotate(now.us, shard_counts(shards.worlds()));
}

/// Counts the answers that began in this tick.
pub(crate) fn hear_answers(
    shards: Res<'_, Shards>,
    records: Res<'_, Records>,
    mut metrics: ResMut<'_, Metrics>,
    mut stage_times: ResMut<'_, StageTimes>,
) {
    stage_times.start();
    metrics.0.hear(&records.list, |record| media_us(&shards.of(record.session).world, record.session));
    stage_times.end_stage(EngineStage::Account);
}
