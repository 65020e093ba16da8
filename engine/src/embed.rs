//! The same systems in a world that somebody else owns: one shard, one chain, no threads.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{InternedScheduleLabel, ScheduleLabel};

use crate::base::time::Now;
use crate::config::EngineConfig;
use crate::engine_handle::{EngineHandle, Shared};
use crate::node::plan::ScenePlan;
use crate::record::event::{EventLog, Record};
use crate::service::api::{Inbox, Outbox};
use crate::service::hub::Hub;
use crate::session::table::SessionTable;
use crate::tick::resources::Admissions;
use crate::tick::services::start_services;
use crate::tick::shard::{ShardSpec, install};

/// The two halves of the tick as schedules of the foreign world.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Half {
    First,
    Second,
}

/// The engine inside a foreign world, as a resource.
#[derive(Resource, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    records: Vec<Record>,
}

impl Embedded {
    /// The way in for hosts.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle { shared: Arc::clone(&self.shared) }
    }

    /// What happened in the last tick, by session id.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Installs a scene into `world`: resources, and two schedules that [`tick`] runs. Sessions, queues and segments
/// become entities of that world, and end with it: when the world is dropped their hosts are told as when an engine is.
///
/// # Panics
/// When the world holds a scene already.
pub fn embed(world: &mut World, plan: &Arc<ScenePlan>, config: EngineConfig) -> EngineHandle {
    assert!(!world.contains_resource::<Embedded>(), "one world holds one scene: it has one already");
    let config = EngineConfig { shards: Some(1), threads: 1, ..config };
    let shared = Shared::new(Arc::clone(plan), &config);
    let hub = start_services(plan, config.seed, config.time);
    let mut halves = [Half::First, Half::Second].map(|half| {
        let mut schedule = Schedule::new(InternedScheduleLabel::from(half.intern()));
        schedule.set_executor(bevy_ecs::schedule::SingleThreadedExecutor::new());
        schedule
    });
    let [a, b] = &mut halves;
    let spec =
        ShardSpec { plan, open: &shared.open, shard: 0, seed: config.seed, wants_audio: &hub.wants_audio() };
    install(&spec, world, a, b);
    for schedule in halves {
        world.add_schedule(schedule);
    }
    world.insert_resource(hub);
    world.insert_resource(Embedded { shared: Arc::clone(&shared), records: Vec::new() });
    EngineHandle { shared }
}

/// Runs one tick of the embedded engine at engine time `now_us`. Call it from an exclusive system or between
/// frames; it touches nothing that [`embed`] did not put there.
pub fn tick(world: &mut World, now_us: u64) {
    let last = *world.resource::<Now>();
    let sessions_open = world.resource::<SessionTable>().open();
    let now = last.next(now_us, sessions_open);
    *world.resource_mut::<Now>() = now;
    let admitted = world.resource::<Embedded>().shared.open.admissions();
    world.resource_mut::<Admissions>().0.extend(admitted);
    world.resource_scope(|world, mut hub: Mut<'_, Hub>| {
        let mut inbox = world.resource_mut::<Inbox>();
        hub.poll(now.us, |reply| inbox.replies.push(Some(reply)));
        world.run_schedule(Half::First);
        hub.gather(&mut world.resource_mut::<Outbox>());
        hub.submit(now);
        let mut log = world.resource_mut::<EventLog>();
        for notice in hub.events() {
            log.push(now.us, notice.session, notice.turn, notice.event);
        }
        world.run_schedule(Half::Second);
    });
    let mut records = std::mem::take(&mut world.resource_mut::<EventLog>().records);
    records.sort_unstable_by_key(|record| (record.session, record.order));
    let spent = std::mem::replace(&mut world.resource_mut::<Embedded>().records, records);
    let mut log = world.resource_mut::<EventLog>();
    log.records = spent;
    log.records.clear();
}
