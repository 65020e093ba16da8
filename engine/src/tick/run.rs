//! The one tick. An [`Engine`](crate::Engine) runs it over its shards, a foreign world over the scene that is embedded there.

use std::sync::Arc;

use rayon::prelude::*;

use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::node::plan::ScenePlan;
use crate::observe::metrics::{self, MetricsWindows};
use crate::record::event::{EventLog, Record};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::service::api::{Inbox, Outbox, TimeMode};
use crate::service::hub::Hub;
use crate::tick::resources::Admissions;
use crate::tick::services::start_services;
use crate::tick::shard::ShardWorld;

/// With fewer sessions in busy shards, handing work to other threads takes longer than the work, unless a scene's nodes are
/// heavy: who knows that gives the number of shards.
const SHARED_MIN: u32 = 64;

/// With as many records for each session as this, they are counted into place and not sorted.
const RECORDS_SPARSE: usize = 8;

/// What a tick needs beside the shards: the services, the time, and what is joined over all shards.
pub(crate) struct EngineCore {
    pub(crate) plan: Arc<ScenePlan>,
    pub(crate) open: Arc<OpenSessions>,
    pub(crate) hub: Hub,
    /// Times the steps that no shard does.
    pub(crate) serial: StageTimes,
    pub(crate) now: Now,
    /// What happened in the last tick: by session id, within a session in order.
    pub(crate) records: Vec<Record>,
    /// Where the next record of each session goes, while they are joined.
    places: Vec<u32>,
    pub(crate) metrics: Option<Box<MetricsWindows>>,
}

impl EngineCore {
    /// Starts the services of a scene.
    pub(crate) fn new(plan: &Arc<ScenePlan>, open: &Arc<OpenSessions>, seed: u64, time: TimeMode) -> Self {
        Self {
            plan: Arc::clone(plan),
            open: Arc::clone(open),
            hub: start_services(plan, seed, time),
            serial: StageTimes::default(),
            now: Now::default(),
            records: Vec::new(),
            places: vec![0; open.sessions_max as usize + 1],
            metrics: None,
        }
    }

    /// Runs one tick at engine time `now_us` over `shards`, on the threads of `pool` where that is worth it; a time before
    /// the last tick counts as that tick's.
    pub(crate) fn run<S: ShardWorld>(
        &mut self,
        shards: &mut [S],
        pool: Option<&rayon::ThreadPool>,
        now_us: u64,
    ) {
        let sessions_open = shards.iter().map(|shard| shard.state().open).sum();
        let now = self.now.next(now_us, sessions_open);
        self.now = now;
        self.rotate_metrics(shards);
        self.serial.start();
        self.admit(shards);
        self.deliver_replies(shards);
        self.serial.end_stage(EngineStage::Hub);
        self.each_shard(shards, pool, S::is_awake, |shard| shard.first_half(now));
        self.serial.start();
        for shard in shards.iter_mut().filter(|shard| shard.state().ran) {
            self.hub.gather(&mut shard.world_mut().resource_mut::<Outbox>());
        }
        self.hub.submit(now);
        self.log_hub_events(shards);
        self.serial.end_stage(EngineStage::Hub);
        self.each_shard(shards, pool, |shard| shard.state().ran, |shard| shard.second_half(now));
        self.serial.start();
        self.join_records(shards);
        self.hear_answers(shards);
        self.serial.end_stage(EngineStage::Account);
    }

    fn each_shard<S: ShardWorld>(
        &self,
        shards: &mut [S],
        pool: Option<&rayon::ThreadPool>,
        busy: impl Fn(&S) -> bool,
        work: impl Fn(&mut S) + Send + Sync,
    ) {
        let busy = shards.iter().filter(|shard| busy(shard));
        let (count, sessions) =
            busy.fold((0, 0), |(count, sessions), shard| (count + 1, sessions + shard.state().open));
        let worth = sessions >= SHARED_MIN || self.open.placement.in_turn();
        let pool = pool.filter(|_| count > 1 && worth);
        let Some(pool) = pool else { return shards.iter_mut().for_each(work) };
        let run = || shards.par_iter_mut().with_max_len(1).for_each(work);
        if rayon::current_thread_index().is_some() { run() } else { pool.install(run) }
    }

    fn admit<S: ShardWorld>(&mut self, shards: &mut [S]) {
        for port in self.open.admissions() {
            let shard = &mut shards[self.open.placement.shard(port.id)];
            shard.state_mut().idle.asleep = false;
            shard.world_mut().resource_mut::<Admissions>().0.push(port);
        }
    }

    fn deliver_replies<S: ShardWorld>(&mut self, shards: &mut [S]) {
        let placement = self.open.placement;
        self.hub.poll(self.now.us, |reply| {
            let shard = &mut shards[placement.shard(reply.key.session)];
            shard.state_mut().idle.asleep = false;
            shard.world_mut().resource_mut::<Inbox>().replies.push(Some(reply));
        });
    }

    /// What happened in the hub goes into the logs of the sessions it happened to.
    fn log_hub_events<S: ShardWorld>(&mut self, shards: &mut [S]) {
        let placement = self.open.placement;
        for event in self.hub.events() {
            let shard = &mut shards[placement.shard(event.session)];
            // Its hosts are told in this tick.
            shard.state_mut().ran = true;
            let world = shard.world_mut();
            let broken = world.resource::<Now>().is_broken(Mutation::Backdate);
            let now_us = self.now.us.saturating_sub(if broken { 1_000_000 } else { 0 });
            world.resource_mut::<EventLog>().push(now_us, event.session, event.turn, event.event);
        }
    }

    /// Joins the shards' events: by session, within a session as they happened.
    fn join_records<S: ShardWorld>(&mut self, shards: &mut [S]) {
        self.records.clear();
        let mut total = 0;
        for shard in shards.iter().filter(|shard| shard.state().ran) {
            // Room for a tick in which all shards fill theirs, made when sessions come and not when they speak.
            let log = shard.world().resource::<EventLog>();
            self.records.reserve(log.room());
            total += log.records.len();
        }
        if total * RECORDS_SPARSE < self.places.len() {
            for shard in shards.iter_mut().filter(|shard| shard.state().ran) {
                self.records.append(&mut shard.world_mut().resource_mut::<EventLog>().records);
            }
            self.records.sort_unstable_by_key(|record| (record.session, record.order));
        } else {
            self.place_records(shards, total);
        }
    }

    /// Puts `total` records where they belong: all of a session are in one shard, in order.
    fn place_records<S: ShardWorld>(&mut self, shards: &mut [S], total: usize) {
        self.places.fill(0);
        for shard in shards.iter() {
            for record in &shard.world().resource::<EventLog>().records {
                self.places[record.session.0 as usize + 1] += 1;
            }
        }
        let mut before = 0;
        for place in &mut self.places {
            before += *place;
            *place = before;
        }
        self.records.resize_with(total, Record::blank);
        for shard in shards {
            for record in shard.world_mut().resource_mut::<EventLog>().records.drain(..) {
                let place = &mut self.places[record.session.0 as usize];
                self.records[*place as usize] = record;
                *place += 1;
            }
        }
    }

    /// From now on metrics are kept: windows that rotate every 5 s of engine time.
    pub(crate) fn keep_metrics(&mut self) {
        let calls = self.plan.nodes.iter().map(|node| node.service.is_some()).chain([false]);
        let windows = MetricsWindows::new(self.now.us, calls, self.open.sessions_max as usize);
        self.metrics = Some(Box::new(windows));
    }

    /// Before a tick counts anything.
    fn rotate_metrics<S: ShardWorld>(&mut self, shards: &[S]) {
        if let Some(windows) = &mut self.metrics {
            windows.rotate(self.now.us, metrics::shard_counts(shards.iter().map(S::world)));
        }
    }

    /// After a tick: answers that began in it.
    fn hear_answers<S: ShardWorld>(&mut self, shards: &[S]) {
        let Some(windows) = &mut self.metrics else { return };
        let placement = self.open.placement;
        windows.hear(&self.records, |record| {
            metrics::media_us(shards[placement.shard(record.session)].world(), record.session)
        });
    }
}
