//! The engine: shards, hub and the tick that runs them.
//!
//! A tick is a function of (world, arrivals, now, seed). Nothing here reads a clock; the host says what time it is.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use rayon::prelude::*;

use crate::batch::{BatchPolicy, Merge};
use crate::block::BlockPool;
use crate::desk::{Beside, Laps, Now, Stopwatch};
use crate::door::{EngineHandle, Shared};
use crate::event::{EventLog, Record};
use crate::hub::Hub;
use crate::ids::NodeId;
use crate::ingress::EdgeFigures;
use crate::inward::ControlFigures;
use crate::ledger::{Ledger, NodeLedger};
use crate::metrics::MetricsBook;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::placement::Placement;
use crate::queue::{Lane, Queue};
use crate::scene::{Buffering, Format, MergeStrategy, NodeRef, Plan, PlanNode};
use crate::segment::SegmentPool;
use crate::service::{Inbox, Outbox, ServiceKind, ServiceSite, TimeMode};
use crate::session::SessionTable;
use crate::shard::{Admissions, Shard, ShardSpec, deadline_rule};
use crate::workers::{self, NoThreads};

/// A compiled scene whose nodes the engine can run.
pub type ScenePlan = Plan<dyn Node, dyn ServiceKind>;

impl ScenePlan {
    /// Format of the audio that enters and leaves each node (the last entry: the output) for a session whose own
    /// audio arrives as `input`.
    pub fn formats(&self, input: Format) -> Vec<(Option<Format>, Option<Format>)> {
        let mut arriving: Vec<Option<Format>> = vec![None; self.nodes.len() + 1];
        for target in &self.input_targets {
            arriving[self.position(target.node).index()] = Some(input);
        }
        let mut formats = Vec::with_capacity(arriving.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let leaving = node.spec.check(arriving[at], &self.scene.tick, &mut Vec::new());
            for target in &node.targets {
                let to = self.position(target.node).index();
                let audio = node.spec.outputs().get(usize::from(target.port));
                if audio.is_some_and(|port| port.kind == crate::scene::PortType::Audio) {
                    arriving[to] = leaving;
                }
            }
            formats.push((arriving[at], leaving));
        }
        formats.push((arriving[self.nodes.len()], None));
        formats
    }

    /// Place of a target in per-node tables; the output comes after the last node.
    pub fn position(&self, node: NodeRef) -> NodeId {
        match node {
            NodeRef::Node(n) => NodeId(n as u8),
            NodeRef::Output => NodeId(self.nodes.len() as u8),
        }
    }
}

/// How an engine is made. The scene says the rest.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Worker threads for the shards; 1 = the calling thread alone. Never changes a result.
    pub threads: usize,
    /// Number of shards, which sessions then go to in turn: right where few sessions are much work; no more than
    /// `sessions_max` are made. `None`: one per 32 sessions up to four a thread, then one per 256, per 512 beyond 16,384
    /// sessions; 32 neighbours are together. Never changes a result.
    pub shards: Option<u32>,
    /// Most sessions open at once.
    pub sessions_max: u32,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Whose time services take.
    pub time: TimeMode,
}

/// More sessions than this do not all speak at once.
const CROWD: u32 = 16_384;

impl Default for EngineConfig {
    fn default() -> Self {
        Self { threads: 1, shards: None, sessions_max: 256, seed: 1, time: TimeMode::Virtual }
    }
}

impl EngineConfig {
    /// The number of shards this configuration means.
    pub fn shard_count(&self) -> u32 {
        let sessions = self.sessions_max;
        // A shard costs memory of its own, and time in every tick: it finds the detector's weights driven out of the cache.
        let large = if sessions > CROWD { 512 } else { 256 };
        let shared_out = sessions.div_ceil(Placement::RUN).min(4 * self.threads.clamp(1, 256) as u32);
        // Ids stay below the number of sessions: shards beyond it would be built, and stay empty.
        let given = self.shards.map(|shards| shards.min(sessions));
        given.unwrap_or_else(|| sessions.div_ceil(large).max(shared_out)).max(1)
    }

    pub(crate) fn placement(&self) -> Placement {
        Placement::new(self.shard_count(), if self.shards.is_some() { 1 } else { Placement::RUN })
    }
}

/// What an engine looks like from outside at one moment.
#[derive(Clone, Debug)]
pub struct Census {
    /// Ledger of every node; the last one is the output.
    pub nodes: Vec<NodeLedger>,
    /// Frames waiting in the queues of each node.
    pub queued: Vec<u64>,
    /// Segments that exist.
    pub segments_active: usize,
    /// Sessions open.
    pub sessions_open: u32,
    /// Entities of all worlds: flat once warm, whoever comes and goes.
    pub entities: u64,
    /// Blocks ever made by the pools: flat once warm.
    pub blocks_created: u64,
    /// What happened at the edge.
    pub edge: EdgeFigures,
    /// What hosts said.
    pub controls: ControlFigures,
}

/// A running scene. When it is dropped every session ends where it stands: its host is woken and finds it
/// [closed](crate::SessionHandle::is_closed), and no session is opened any more.
pub struct Engine {
    pub(crate) shards: Vec<Shard>,
    hub: Hub,
    pub(crate) shared: Arc<Shared>,
    /// Times the steps that no shard does.
    pub(crate) serial: Laps,
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
        let hub = start_services(&plan, &config);
        let wants_audio = hub.wants_audio();
        let seed = config.seed;
        let shards = (0..shared.ports.len())
            .map(|shard| Shard::new(&ShardSpec { door: &shared, shard, seed, wants_audio: &wants_audio }))
            .collect();
        let places = vec![0; config.sessions_max as usize + 1];
        let (now, records, serial) = (Now::default(), Vec::new(), Laps::default());
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
            *shard.world.resource_mut::<Laps>() = Laps::lent(make(), nodes);
        }
        self.serial = Laps::lent(make(), nodes);
    }

    /// Nanoseconds of work by node (the last entry: the output), over all shards.
    pub fn work_ns(&self) -> Vec<u64> {
        let mut totals = vec![0; self.shared.plan.nodes.len() + 1];
        for shard in &self.shards {
            if let Some(watch) = &shard.world.resource::<Laps>().watch {
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
        self.serial.lap_beside(Beside::Hub);
        self.each_shard(Shard::is_awake, |shard| shard.first_half(now));
        self.serial.start();
        for shard in self.shards.iter_mut().filter(|shard| shard.ran) {
            self.hub.gather(&mut shard.world.resource_mut::<Outbox>());
        }
        self.hub.submit(now);
        self.deliver_notices();
        self.serial.lap_beside(Beside::Hub);
        self.each_shard(|shard| shard.ran, |shard| shard.second_half(now));
        self.serial.start();
        self.collect_records();
        self.hear_answers();
        self.serial.lap_beside(Beside::Account);
    }

    fn each_shard(&mut self, busy: impl Fn(&Shard) -> bool, work: impl Fn(&mut Shard) + Send + Sync) {
        let busy = self.shards.iter().filter(|shard| busy(shard));
        let (shards, sessions) =
            busy.fold((0, 0), |(shards, sessions), shard| (shards + 1, sessions + shard.open));
        let worth = sessions >= SHARED_MIN || self.shared.placement.in_turn();
        let pool = self.threads.as_ref().filter(|_| shards > 1 && worth);
        let Some(pool) = pool else { return self.shards.iter_mut().for_each(work) };
        let shards = &mut self.shards;
        let run = || shards.par_iter_mut().with_max_len(1).for_each(work);
        if rayon::current_thread_index().is_some() { run() } else { pool.install(run) }
    }

    fn admit(&mut self) {
        for port in self.shared.admissions() {
            let shard = self.shared.placement.shard(port.id);
            self.shards[shard].asleep = false;
            self.shards[shard].world.resource_mut::<Admissions>().0.push(port);
        }
    }

    fn deliver_replies(&mut self) {
        let (shards, placement) = (&mut self.shards, self.shared.placement);
        self.hub.poll(self.now.us, |reply| {
            let shard = placement.shard(reply.key.session);
            shards[shard].asleep = false;
            shards[shard].world.resource_mut::<Inbox>().replies.push(Some(reply));
        });
    }

    /// What happened in the hub goes into the logs of the sessions it happened to.
    fn deliver_notices(&mut self) {
        let (shards, now_us, placement) = (&mut self.shards, self.now.us, self.shared.placement);
        for notice in self.hub.notices() {
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
    /// [`NodeLedger::depths`] counts it.
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
        let nodes = self.shared.plan.nodes.len() + 1;
        let mut census = Census {
            nodes: vec![NodeLedger::default(); nodes],
            queued: vec![0; nodes],
            segments_active: 0,
            sessions_open: 0,
            entities: 0,
            blocks_created: 0,
            edge: EdgeFigures::default(),
            controls: ControlFigures::default(),
        };
        for shard in &self.shards {
            let world = &shard.world;
            for (sum, ledger) in census.nodes.iter_mut().zip(world.resource::<Ledger>().nodes()) {
                sum.merge(ledger);
            }
            census.segments_active += world.resource::<SegmentPool>().active();
            census.sessions_open += world.resource::<SessionTable>().open();
            census.entities += u64::from(world.entities().count_spawned());
            census.blocks_created += world.resource::<BlockPool>().created();
            let edge = *world.resource::<EdgeFigures>();
            census.edge.add(&edge);
            let controls = *world.resource::<ControlFigures>();
            census.controls.arrived += controls.arrived;
            census.controls.without_effect += controls.without_effect;
            let lanes: Vec<Entity> = world
                .resource::<SessionTable>()
                .rows
                .iter()
                .flatten()
                .flat_map(|r| r.lanes.to_vec())
                .collect();
            for (at, lane) in lanes.iter().enumerate() {
                if let Some(queue) = world.get::<Queue>(*lane) {
                    census.queued[at % nodes] += queue.iter().filter(|f| Ledger::counts(f)).count() as u64;
                }
                // What stands outside a full queue has arrived there.
                if let Some(lane) = world.get::<Lane>(*lane) {
                    for (to, _) in lane.unsent.iter().filter(|(_, frame)| Ledger::counts(frame)) {
                        census.queued[to.node.index()] += 1;
                    }
                }
            }
        }
        census
    }
}

pub(crate) fn start_services(plan: &ScenePlan, config: &EngineConfig) -> Hub {
    let start = |service: &crate::scene::PlanService<dyn ServiceKind>| {
        let site = ServiceSite {
            name: &service.name,
            timing: &service.timing,
            seed: config.seed,
            time: config.time,
            faults: None,
        };
        (service.name.as_str().into(), service.output.start(site))
    };
    let times: Vec<u32> = plan.nodes.iter().map(|node| node.capabilities.avg_processing_us).collect();
    let mut hub = Hub::new(plan.services.iter().map(start).collect(), &times);
    for (at, node) in plan.nodes.iter().enumerate() {
        if let (Some(service), Some(buffering)) = (node.service, &node.buffering) {
            hub.add_station(NodeId(at as u8), service, batch_policy(node, buffering));
        }
    }
    hub
}

/// The policy of a node behind the hub, as the batch queue needs it.
fn batch_policy(node: &PlanNode<dyn Node>, buffering: &Buffering) -> BatchPolicy {
    let merge = match (&buffering.merge, &node.joins) {
        (_, Some(joins)) => Merge::Custom(Arc::clone(joins)),
        (MergeStrategy::ConcatenateText { separator }, _) => {
            Merge::Texts { separator: separator.as_str().into() }
        }
        (&MergeStrategy::ConcatenateAudio { ensure_continuity, max_gap_ms }, _) => {
            Merge::Audio { ensure_continuity, max_gap_us: (max_gap_ms * 1_000.0) as u64 }
        }
        _ => Merge::Separate,
    };
    BatchPolicy {
        min: buffering.min_batch_size,
        max: buffering.max_batch_size,
        max_wait_us: (buffering.max_wait_ms * 1_000.0) as u64,
        bound: buffering.max_buffer_size,
        merge,
        overflow: node.capabilities.overflow_policy,
        rule: node.deadline.map(|deadline| deadline_rule(&deadline)),
    }
}
