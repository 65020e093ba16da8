//! Joins the events of all shards: by session, within a session in order.

use bevy_ecs::prelude::*;

use crate::record::event::{EventLog, Record};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::tick::shards::Shards;

/// When there are this many places for each record, records are sorted and not counted into place.
const PLACES_MANY: usize = 8;

/// The events of the last tick.
#[derive(Resource)]
pub(crate) struct Records {
    /// By session id, within a session in order.
    pub(crate) list: Vec<Record>,
    /// Index of the next record of each session, while records are joined.
    places: Vec<u32>,
}

impl Records {
    /// Records of an engine for at most `sessions_max` sessions.
    pub(crate) fn new(sessions_max: u32) -> Self {
        Self { list: Vec::new(), places: vec![0; sessions_max as usize + 1] }
    }

    /// Puts `total` records in place: all records of a session are in one shard, in order.
    fn place(&mut self, shards: &mut Shards, total: usize) {
        self.places.fill(0);
        for world in shards.worlds() {
            for record in &world.resource::<EventLog>().records {
                self.places[record.session.0 as usize + 1] += 1;
            }
        }
        let mut before = 0;
        for place in &mut self.places {
            before += *place;
            *place = before;
        }
        self.list.resize_with(total, Record::blank);
        for shard in &mut shards.list {
            for record in shard.world.resource_mut::<EventLog>().records.drain(..) {
                let place = &mut self.places[record.session.0 as usize];
                self.list[*place as usize] = record;
                *place += 1;
            }
        }
    }
}

/// Takes the records out of the shards' logs.
pub(crate) fn join_records(
    mut shards: ResMut<'_, Shards>,
    mut records: ResMut<'_, Records>,
    mut stage_times: ResMut<'_, StageTimes>,
) {
    stage_times.start();
    let (shards, records) = (&mut *shards, &mut *records);
    records.list.clear();
    let mut total = 0;
    for shard in shards.running() {
        // Room for a tick in which all shards fill their logs, made when sessions come and not when they speak.
        let log = shard.world.resource::<EventLog>();
        records.list.reserve(log.room());
        total += log.records.len();
    }
    if total * PLACES_MANY < records.places.len() {
        for shard in shards.running() {
            records.list.append(&mut shard.world.resource_mut::<EventLog>().records);
        }
        records.list.sort_unstable_by_key(|record| (record.session, record.order));
    } else {
        records.place(shards, total);
    }
    stage_times.end_stage(EngineStage::Account);
}
