//! The engine: shards, hub and the tick that runs them.
//!
//! A tick is a function of (world, arrivals, now, seed). Nothing here reads a clock; the host says what time it is.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use rayon::prelude::*;

use crate::base::ids::NodeId;
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::config::EngineConfig;
use crate::engine_handle::{EngineHandle, Shared};
use crate::node::plan::ScenePlan;
use crate::observe::books::{Books, SessionView};
use crate::observe::census::Census;
use crate::observe::glance::Glance;
use crate::observe::metrics::{MetricsBook, Snapshot};
use crate::observe::{books, metrics};
use crate::record::counts::Ledger;
use crate::record::event::{EventLog, Record};
use crate::record::stage_times::{EngineStage, StageTimes, Stopwatch};
use crate::service::api::{Inbox, Outbox};
use crate::service::hub::Hub;
use crate::speech::segment::Segment;
use crate::tick::resources::Admissions;
use crate::tick::services::start_services;
use crate::tick::shard::{Shard, ShardSpec};
use crate::workers;
use crate::workers::NoThreads;

/// A running scene. When it is dropped every session ends where it stands: its host is woken and finds it
/// [closed](crate::SessionHandle::is_closed), and no session is opened any more.
pub struct Engine {
    pub(crate) shards: Vec<Shard>,
    hub: Hub,
    pub(crate) shared: Arc<Shared>,
    /// Times the steps that no shard does.
    pub(crate) serial: StageTimes,
    threads: Option<Arc<rayon::ThreadPool>>,
    pub(crate) now: Now,
    records: Vec<Record>,
    /// Where the next record of each session goes, while they are joined.
    places: Vec<u32>,
    pub(crate) metrics: Option<Box<MetricsBook>>,
}

/// With fewer sessions in busy shards, handing work to other threads takes longer than the work, unless a scene's nodes are
/// heavy: who knows that gives the number of shards.
const SHARED_MIN: u32 = 64;

/// With as many records for each session as this, they are counted into place and not sorted.
const RECORDS_SPARSE: usize = 8;

impl Engine {
    /// Builds the shards of a compiled scene and starts its services.
    ///
    /// # Panics
    /// When the operating system refuses the worker threads; [`Self::try_new`] says so. With one thread it never does.
    pub fn new(plan: Arc<ScenePlan>, config: EngineConfig) -> Self {
        Self::try_new(plan, config).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Builds the shards of a compiled scene and starts its services.
    ///
    /// # Errors
    /// The operating system refuses the worker threads.
    pub fn try_new(plan: Arc<ScenePlan>, config: EngineConfig) -> Result<Self, NoThreads> {
        let threads = workers::start(config.threads)?;
        let shared = Shared::new(Arc::clone(&plan), &config);
        let hub = start_services(&plan, config.seed, config.time);
        let wants_audio = hub.wants_audio();
        let shards = (0..shared.open.ports.len())
            .map(|shard| {
                Shard::new(&ShardSpec {
                    plan: &plan,
                    open: &shared.open,
                    shard,
                    seed: config.seed,
                    wants_audio: &wants_audio,
                })
            })
            .collect();
        let places = vec![0; config.sessions_max as usize + 1];
        let (now, records, serial) = (Now::default(), Vec::new(), StageTimes::default());
        Ok(Self { shards, hub, shared, serial, threads, now, records, places, metrics: None })
    }

    /// The way in for hosts.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle { shared: Arc::clone(&self.shared) }
    }

    /// The compiled scene.
    pub fn plan(&self) -> &Arc<ScenePlan> {
        &self.shared.plan
    }

    /// Engine time of the last tick in microseconds.
    pub fn now_us(&self) -> u64 {
        self.now.us
    }

    /// Lends each shard a stopwatch, and one to what no shard does.
    pub fn lend_stopwatches(&mut self, mut make: impl FnMut() -> Box<dyn Stopwatch>) {
        let nodes = self.shared.plan.nodes.len();
        for shard in &mut self.shards {
            *shard.world.resource_mut::<StageTimes>() = StageTimes::lent(make(), nodes);
        }
        self.serial = StageTimes::lent(make(), nodes);
    }

    /// Nanoseconds of work by node (the last entry: the output), over all shards.
    pub fn work_ns(&self) -> Vec<u64> {
        let mut totals = vec![0; self.shared.plan.nodes.len() + 1];
        for shard in &self.shards {
            if let Some(watch) = &shard.world.resource::<StageTimes>().watch {
                for (total, ns) in totals.iter_mut().zip(watch.totals_ns()) {
                    *total += ns;
                }
            }
        }
        totals
    }

    /// Runs `work` inside the engine's own thread pool, so that ticks need not cross into it one by one.
    pub fn within<R: Send>(&mut self, work: impl FnOnce(&mut Self) -> R + Send) -> R {
        match self.threads.clone() {
            Some(pool) => pool.install(|| work(self)),
            None => work(self),
        }
    }

    /// Runs one tick at engine time `now_us`; a time before the last tick counts as that tick's.
    pub fn tick(&mut self, now_us: u64) {
        let open = self.shards.iter().map(|shard| shard.open).sum();
        let now = self.now.next(now_us, open);
        self.now = now;
        self.rotate_metrics();
        self.serial.start();
        self.admit();
        self.deliver_replies();
        self.serial.end_stage(EngineStage::Hub);
        self.each_shard(Shard::is_awake, |shard| shard.first_half(now));
        self.serial.start();
        for shard in self.shards.iter_mut().filter(|shard| shard.ran) {
            self.hub.gather(&mut shard.world.resource_mut::<Outbox>());
        }
        self.hub.submit(now);
        self.log_hub_events();
        self.serial.end_stage(EngineStage::Hub);
        self.each_shard(|shard| shard.ran, |shard| shard.second_half(now));
        self.serial.start();
        self.collect_records();
        self.hear_answers();
        self.serial.end_stage(EngineStage::Account);
    }

    fn each_shard(&mut self, busy: impl Fn(&Shard) -> bool, work: impl Fn(&mut Shard) + Send + Sync) {
        let busy = self.shards.iter().filter(|shard| busy(shard));
        let (shards, sessions) =
            busy.fold((0, 0), |(shards, sessions), shard| (shards + 1, sessions + shard.open));
        let worth = sessions >= SHARED_MIN || self.shared.open.placement.in_turn();
        let pool = self.threads.as_ref().filter(|_| shards > 1 && worth);
        let Some(pool) = pool else { return self.shards.iter_mut().for_each(work) };
        let shards = &mut self.shards;
        let run = || shards.par_iter_mut().with_max_len(1).for_each(work);
        if rayon::current_thread_index().is_some() { run() } else { pool.install(run) }
    }

    fn admit(&mut self) {
        for port in self.shared.open.admissions() {
            let shard = self.shared.open.placement.shard(port.id);
            self.shards[shard].asleep = false;
            self.shards[shard].world.resource_mut::<Admissions>().0.push(port);
        }
    }

    fn deliver_replies(&mut self) {
        let (shards, placement) = (&mut self.shards, self.shared.open.placement);
        self.hub.poll(self.now.us, |reply| {
            let shard = placement.shard(reply.key.session);
            shards[shard].asleep = false;
            shards[shard].world.resource_mut::<Inbox>().replies.push(Some(reply));
        });
    }

    /// What happened in the hub goes into the logs of the sessions it happened to.
    fn log_hub_events(&mut self) {
        let (shards, now_us, placement) = (&mut self.shards, self.now.us, self.shared.open.placement);
        for notice in self.hub.events() {
            let shard = &mut shards[placement.shard(notice.session)];
            // Its hosts are told in this tick.
            shard.ran = true;
            let world = &mut shard.world;
            let broken = world.resource::<Now>().is_broken(Mutation::Backdate);
            let now_us = now_us.saturating_sub(if broken { 1_000_000 } else { 0 });
            world.resource_mut::<EventLog>().push(now_us, notice.session, notice.turn, notice.event);
        }
    }

    /// Joins the shards' events: by session, within a session as they happened.
    fn collect_records(&mut self) {
        self.records.clear();
        for shard in self.shards.iter().filter(|shard| shard.ran) {
            // Room for a tick in which all shards fill theirs, made when sessions come and not when they speak.
            let room = shard.world.resource::<EventLog>().room();
            self.records.reserve(room);
        }
        let ran = self.shards.iter().filter(|shard| shard.ran);
        let total: usize = ran.map(|shard| shard.world.resource::<EventLog>().records.len()).sum();
        if total * RECORDS_SPARSE < self.places.len() {
            for shard in self.shards.iter_mut().filter(|shard| shard.ran) {
                self.records.append(&mut shard.world.resource_mut::<EventLog>().records);
            }
            self.records.sort_unstable_by_key(|record| (record.session, record.order));
        } else {
            self.place_records(total);
        }
    }

    /// Puts `total` records where they belong: all of a session are in one shard, in order.
    fn place_records(&mut self, total: usize) {
        self.places.fill(0);
        for shard in &self.shards {
            for record in &shard.world.resource::<EventLog>().records {
                self.places[record.session.0 as usize + 1] += 1;
            }
        }
        let mut before = 0;
        for place in &mut self.places {
            before += *place;
            *place = before;
        }
        self.records.resize_with(total, Record::blank);
        for shard in &mut self.shards {
            for record in shard.world.resource_mut::<EventLog>().records.drain(..) {
                let place = &mut self.places[record.session.0 as usize];
                self.records[*place as usize] = record;
                *place += 1;
            }
        }
    }

    /// What happened in the last tick: by session id, within a session in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The hub, for the figures of the services.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// How often a frame that entered `node`'s queue made it how deep, since the start and over all shards, as
    /// [`NodeLedger::depths`](crate::record::NodeLedger::depths) counts it.
    pub fn depths(&self, node: NodeId, counts: &mut Vec<u64>) {
        counts.clear();
        for shard in &self.shards {
            let Some(ledger) = shard.world.resource::<Ledger>().nodes().get(node.index()) else { continue };
            counts.resize(counts.len().max(ledger.depths.len()), 0);
            counts.iter_mut().zip(&ledger.depths).for_each(|(sum, count)| *sum += count);
        }
    }

    /// Sums over all shards; not for every tick.
    pub fn census(&self) -> Census {
        Census::of(self.shared.plan.nodes.len(), self.worlds())
    }

    /// Takes a look.
    pub fn glance(&self, glance: &mut Glance) {
        glance.fill(self.shared.plan.nodes.len(), self.worlds(), &self.serial, &self.hub);
    }

    /// The sessions whose entities exist, in id order within each shard.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView<'_>> {
        self.worlds().flat_map(books::sessions)
    }

    /// The segments that are not forgotten, by shard.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.worlds().flat_map(books::segments)
    }

    /// Fills in the counts as they are after the tick. Looks at every queue: cheap beside a tick, not free.
    pub fn books(&self, books: &mut Books) {
        books.fill(self.shared.plan.nodes.len(), self.worlds());
    }

    /// From now on metrics are kept: windows that rotate every 5 s of engine time. Takes its memory here, 0.3 MB a node.
    pub fn keep_metrics(&mut self) {
        let nodes = &self.shared.plan.nodes;
        let calls = nodes.iter().map(|node| node.service.is_some()).chain([false]);
        let book = MetricsBook::new(self.now.us, calls, self.shared.open.sessions_max as usize);
        self.metrics = Some(Box::new(book));
    }

    /// Fills in what can be seen of the engine now, and says whether metrics are kept; without them `out` stays as it
    /// is. Changes nothing; with the `out` of an earlier call it takes no memory. Costs some microseconds a shard and
    /// node: for once a second, not for every tick.
    pub fn metrics(&self, out: &mut Snapshot) -> bool {
        let Some(book) = &self.metrics else { return false };
        book.fill(self.now.us, self.worlds(), &self.hub, out);
        true
    }

    /// Breaks the engine from the next tick on.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: Mutation) {
        self.now.mutation = Some(mutation);
    }

    /// The worlds of the shards.
    fn worlds(&self) -> impl Iterator<Item = &World> + Clone {
        self.shards.iter().map(|shard| &shard.world)
    }

    /// Before a tick counts anything.
    fn rotate_metrics(&mut self) {
        if let Some(book) = &mut self.metrics {
            book.rotate(self.now.us, metrics::ledgers(self.shards.iter().map(|shard| &shard.world)));
        }
    }

    /// After a tick: answers that began in it.
    fn hear_answers(&mut self) {
        let Some(book) = &mut self.metrics else { return };
        let (shards, placement) = (&self.shards, self.shared.open.placement);
        book.hear(&self.records, |record| {
            metrics::media_us(&shards[placement.shard(record.session)].world, record.session)
        });
    }
}
