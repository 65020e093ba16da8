//! One small world with its sessions, and the two schedules that make its half ticks.
//!
//! ```text
//! A  Admit      open sessions and let go of those that are gone, in id order
//!    Control    messages of hosts: answers to stop, advice, what is said about segments
//!    Ingress    scatter arrivals to the input queues
//!    BargeIn    answers wait or are withdrawn because the user speaks
//!    Rank       the scene's nodes, one system each; corrections and service replies come before frames
//! -- hub        join requests in session order, form batches, hand them to the services
//! B  Egress     release what may leave; drop what was taken back
//!    Account    control messages, segments and sessions that are over, blocks on their way back
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;

use crate::barge_in::barge_in;
use crate::batch::{DeadlineRule, Gives};
use crate::block::BlockPool;
use crate::control::Control;
use crate::correction::{Correction, Corrections, Void};
use crate::desk::{Beside, Laps, Now};
use crate::door::Shared;
use crate::egress::{Policy, answering_branches, egress_rest, egress_system, has_several};
use crate::engine::ScenePlan;
use crate::event::{Event, EventLog};
use crate::handle::SessionPort;
use crate::ids::{NodeId, SessionId};
use crate::ingress::{Edge, EdgeFigures, Leaving, ingress};
use crate::inward::{ControlFigures, Messages, inward};
use crate::ledger::Ledger;
use crate::mutation::Mutation;
use crate::node::{RestSystem, Site};
use crate::opening;
use crate::playout::Playouts;
use crate::port::ShardPort;
use crate::queue::Queue;
use crate::scene::{Deadline, DeadlinePolicy, Format};
use crate::segment::{SegmentPool, Segments};
use crate::service::{Inbox, Outbox};
use crate::session::{CONTROLS_MAX, Phase, SessionRow, SessionTable, Watch};

/// Segments kept ready per session, so that no rank ever has to spawn one: the one it is in, and one whose answer is
/// under way.
const SEGMENTS_SPARE: usize = 2;
/// With fewer than one free segment per session and this many more, new ones are made.
const SEGMENTS_LOW: usize = 16;

/// Most free blocks of one size per session that are expected to come home: what a gate holds back, what stands in
/// queues, and what the host has in hand.
const BLOCKS_HOME: usize = 24;
/// Sessions of a shard that are taken to want all of this in the same tick; of those beyond, every fourth.
const AT_ONCE: usize = 32;
/// Events of one session in one tick, at most, on average over a shard.
const RECORDS_PER_TICK: usize = 4;

/// The stages of a tick, in order.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Sessions come and go.
    Admit,
    /// Messages of hosts arrive.
    Control,
    /// Audio arrives.
    Ingress,
    /// Answers wait or are withdrawn because the user speaks.
    BargeIn,
    /// One node of the scene.
    Node(NodeId),
    /// The serial step between the halves; only in a foreign world is it a system.
    Hub,
    /// Audio and text leave.
    Egress,
    /// The books are closed.
    Account,
}

/// What a shard needs to open sessions.
#[derive(Resource)]
pub(crate) struct Blueprint {
    pub(crate) plan: Arc<ScenePlan>,
    pub(crate) seed: u64,
}

/// Sessions to open in this tick.
#[derive(Resource, Default)]
pub(crate) struct Admissions(pub(crate) Vec<Arc<SessionPort>>);

/// How a shard is made.
pub(crate) struct ShardSpec<'a> {
    pub(crate) door: &'a Arc<Shared>,
    /// Which one it is.
    pub(crate) shard: usize,
    pub(crate) seed: u64,
    pub(crate) wants_audio: &'a [bool],
}

/// Puts the resources of a shard into `world` and its systems into the two schedules.
pub(crate) fn install(spec: &ShardSpec<'_>, world: &mut World, a: &mut Schedule, b: &mut Schedule) {
    let (door, plan) = (spec.door, &spec.door.plan);
    world.insert_resource(Now::default());
    world.insert_resource(BlockPool::default());
    world.insert_resource(EventLog::default());
    world.insert_resource(Ledger::new(plan.nodes.len()));
    world.insert_resource(Corrections::new(door.placement));
    world.insert_resource(Outbox::default());
    world.insert_resource(Inbox::default());
    world.insert_resource(SessionTable::new(door, spec.shard));
    world.insert_resource(Watch::default());
    world.insert_resource(Playouts::new(door.placement));
    world.insert_resource(SegmentPool::default());
    world.insert_resource(Laps::default());
    world.insert_resource(Edge(Arc::clone(&door.ports[spec.shard])));
    world.insert_resource(EdgeFigures::default());
    world.insert_resource(Messages::default());
    world.insert_resource(ControlFigures::default());
    world.insert_resource(Leaving::default());
    world.insert_resource(Admissions::default());
    world.insert_resource(Blueprint { plan: Arc::clone(plan), seed: spec.seed });

    a.add_systems(admit.in_set(Stage::Admit));
    a.add_systems(inward(plan).in_set(Stage::Control));
    a.add_systems(ingress.in_set(Stage::Ingress));
    a.configure_sets((Stage::Admit, Stage::Control, Stage::Ingress, Stage::BargeIn).chain());
    if let Some(min_ms) = plan.scene.session.output.interrupt_min_ms {
        a.add_systems(barge_in(u64::from(min_ms) * 1_000).in_set(Stage::BargeIn));
    }
    let mut before = Stage::BargeIn;
    for (at, node) in plan.nodes.iter().enumerate() {
        let site = site(plan, at, spec.wants_audio);
        a.add_systems(node.spec.install(site, world).in_set(Stage::Node(site.node)));
        a.configure_sets(Stage::Node(site.node).after(before));
        before = Stage::Node(site.node);
    }
    let session = &plan.scene.session.output;
    let branches = answering_branches(plan);
    let several = has_several(plan);
    let policy = Policy { release: session.release, pace: session.pace, branches, several };
    let output = NodeId(plan.nodes.len() as u8);
    b.add_systems(egress_system(policy, output, world).in_set(Stage::Egress));
    b.add_systems(account.in_set(Stage::Account));
    b.configure_sets((Stage::Egress, Stage::Account).chain());
}

fn site(plan: &ScenePlan, at: usize, wants_audio: &[bool]) -> Site {
    let node = &plan.nodes[at];
    Site {
        node: NodeId(at as u8),
        service: node.service.map(|s| s as u8),
        wants_audio: node.service.is_some_and(|s| wants_audio[s]),
        rule: node.deadline.map(|deadline| deadline_rule(&deadline)),
        skips: node.deadline.is_some_and(|d| d.policy == DeadlinePolicy::SkipOptional),
    }
}

/// A node's deadline as the systems need it.
pub(crate) fn deadline_rule(deadline: &Deadline) -> DeadlineRule {
    let gives = match deadline.policy {
        DeadlinePolicy::FlushEarly => Gives::FlushEarly,
        DeadlinePolicy::GrowBatch { max } => Gives::GrowBatch { max },
        DeadlinePolicy::LowerQuality => Gives::LowerQuality,
        DeadlinePolicy::Warn | DeadlinePolicy::SkipOptional => Gives::Nothing,
    };
    DeadlineRule { margin_us: (deadline.margin_ms * 1_000.0) as u64, gives }
}

/// Starts the stopwatch, lets go of sessions that are gone and opens the admitted ones. Exclusive.
fn admit(world: &mut World) {
    world.resource_mut::<Laps>().start();
    let mut leaving = std::mem::take(&mut world.resource_mut::<Leaving>().0);
    for id in leaving.drain(..) {
        if let Some(row) = world.resource_mut::<SessionTable>().remove(id) {
            for lane in &row.lanes {
                world.despawn(*lane);
            }
            if !world.resource::<Now>().is_broken(Mutation::LeakEntity) {
                world.despawn(row.entity);
            }
        }
    }
    world.resource_mut::<Leaving>().0 = leaving;
    let open_now = world.resource::<SessionTable>().open() as usize;
    if world.resource::<SegmentPool>().free() < open_now + SEGMENTS_LOW {
        // Answers that no host takes hold their segments: that must not keep other sessions from being heard.
        SegmentPool::reserve(world, open_now * SEGMENTS_SPARE + 32);
    }
    if world.resource::<Admissions>().0.is_empty() {
        return;
    }
    let admissions = std::mem::take(&mut world.resource_mut::<Admissions>().0);
    for port in admissions {
        opening::open(world, port);
    }
    let open_now = world.resource::<SessionTable>().open() as usize;
    world.resource_mut::<BlockPool>().serve(open_now);
    let spare = open_now * SEGMENTS_SPARE + 32;
    let active = world.resource::<SegmentPool>().active();
    SegmentPool::reserve(world, spare.saturating_sub(active).max(32));
    make_room(world);
}

/// Storage for what all open sessions may have under way, so that no tick has to make any.
fn make_room(world: &mut World) {
    let plan = Arc::clone(&world.resource::<Blueprint>().plan);
    let table = world.resource::<SessionTable>();
    let open = table.open() as usize;
    let mut inputs: Vec<Format> = Vec::new();
    for row in table.rows.iter().flatten() {
        if !inputs.contains(&row.input) {
            inputs.push(row.input);
        }
    }
    let formats = inputs.into_iter().flat_map(|input| {
        let nodes = plan.formats(input).into_iter().flat_map(|(arriving, leaving)| [arriving, leaving]);
        nodes.flatten().chain([input])
    });
    let lengths: BTreeSet<usize> = formats.map(block_samples).collect();
    let mut pool = world.resource_mut::<BlockPool>();
    let at_once = at_once(open);
    for samples in lengths {
        pool.reserve(samples, at_once * BLOCKS_HOME);
    }
    world.resource_mut::<EventLog>().reserve(at_once * RECORDS_PER_TICK + 16);
    let slots = world.resource::<SessionTable>().rows.len();
    world.resource_mut::<Corrections>().reserve(open + 16, slots);
    world.resource_mut::<Leaving>().0.reserve(open);
}

/// Of so many sessions, how many are taken to want all they may in the same tick.
fn at_once(sessions: usize) -> usize {
    sessions.min(AT_ONCE) + sessions.saturating_sub(AT_ONCE) / 4
}

/// Samples of the longest block in this format.
pub(crate) fn block_samples(format: Format) -> usize {
    (format.rate_hz * crate::handle::BLOCK_MS_MAX / 1_000) as usize * usize::from(format.channels)
}

/// Closes the tick's books: what the hosts are told, what may be used again, who is gone.
#[expect(clippy::too_many_arguments, reason = "a system's parameters are its declaration of what it touches")]
fn account(
    now: Res<'_, Now>,
    edge: Res<'_, Edge>,
    mut sessions: ResMut<'_, SessionTable>,
    mut log: ResMut<'_, EventLog>,
    mut corrections: ResMut<'_, Corrections>,
    mut inbox: ResMut<'_, Inbox>,
    mut leaving: ResMut<'_, Leaving>,
    mut pool: ResMut<'_, BlockPool>,
    mut segments: Segments<'_, '_>,
    mut messages: ResMut<'_, Messages>,
    mut controls: ResMut<'_, ControlFigures>,
    mut laps: ResMut<'_, Laps>,
    mut watch: ResMut<'_, Watch>,
) {
    corrections.clear();
    inbox.replies.clear();
    let sessions = &mut *sessions;
    watch.0 |= !leaving.0.is_empty();
    if watch.0 {
        all_gone(sessions, &mut leaving.0);
    }
    for id in &leaving.0 {
        let door = Arc::clone(&sessions.door);
        if let Some(row) = sessions.get_mut(*id) {
            row.phase = Phase::Gone;
            log.push(now.us, *id, 0, Event::SessionClosed);
            // Before its host hears of it: who is told that a session is over may open it again at once.
            door.release(&row.name, *id);
        }
    }
    watch.0 |= messages.applied(sessions, &mut controls);
    log.sort_late();
    watch.0 |= collect_controls(sessions, &log, &mut corrections);
    log.forget_late();
    if watch.0 {
        tell_hosts(sessions);
        hang_up_abandoned(sessions, &mut corrections);
        let calm =
            |row: &SessionRow| row.phase == Phase::Open && row.controls.is_empty() && row.held.is_empty();
        watch.0 = !sessions.rows.iter().flatten().all(calm);
    }
    for id in &leaving.0 {
        if let Some(row) = sessions.get_mut(*id) {
            row.port.close(&mut row.controls);
        }
    }
    segments.recycle(|session, owner| {
        sessions.get(session).is_none_or(|row| row.entity != owner || row.phase == Phase::Gone)
    });
    // No more than are there by now: a host that goes on giving back keeps no tick.
    for _ in 0..edge.0.back.len() {
        let Some(block) = edge.0.back.pop() else { break };
        pool.adopt();
        pool.put(block);
    }
    restock(sessions, &edge, &mut pool);
    laps.lap_beside(Beside::Account);
}

/// Adds all sessions that are gone to those that are leaving, in id order.
fn all_gone(sessions: &SessionTable, leaving: &mut Vec<SessionId>) {
    leaving.extend(sessions.rows.iter().flatten().filter(|row| row.phase == Phase::Gone).map(|row| row.id));
    leaving.sort_unstable();
    leaving.dedup();
}

/// A session whose last handle is gone can neither get audio nor be heard: as if its host had hung up.
fn hang_up_abandoned(sessions: &mut SessionTable, corrections: &mut Corrections) {
    for row in sessions.rows.iter_mut().flatten() {
        // Whose input goes on was hung up on with the handle. What has ended is finished unheard, as far as it fits into
        // the ring that nobody empties.
        let goes = row.phase == Phase::Finishing && row.port.outputs.is_full();
        if goes && Arc::strong_count(&row.port) == 1 {
            row.phase = Phase::Gone;
            corrections.push(Correction { session: row.id, void: Void::Session });
        }
    }
}

/// What this tick's events mean for the hosts; it waits with what did not fit into their rings, up to a bound. True if
/// there is anything.
fn collect_controls(sessions: &mut SessionTable, log: &EventLog, corrections: &mut Corrections) -> bool {
    let mut any = false;
    for record in &log.records {
        let Some(row) = sessions.get_mut(record.session).filter(|row| row.told) else { continue };
        let late = match record.event {
            Event::SegmentCancelled { segment, .. } => log.was_late(record.session, segment),
            _ => false,
        };
        let Some(control) = Control::from_event(&record.event, record.turn, late) else { continue };
        row.controls.push_back(control);
        any = true;
        if row.controls.len() >= CONTROLS_MAX && row.phase != Phase::Gone {
            // A host that reads nothing for this long is gone; corrections must never be dropped silently. The
            // nodes see this in the next tick and let go of what they hold, as after a hang-up.
            row.phase = Phase::Gone;
            corrections.push(Correction { session: row.id, void: Void::Session });
        }
    }
    any
}

/// Puts control messages into the hosts' rings, oldest first.
fn tell_hosts(sessions: &mut SessionTable) {
    for row in sessions.rows.iter_mut().flatten() {
        let mut told = false;
        while !row.controls.is_empty() && !row.port.outputs.is_full() {
            if let Some(control) = row.controls.pop_front() {
                row.port.outputs.push(crate::handle::Out::Control(control));
                told = true;
            }
        }
        if told {
            row.port.wake();
        }
    }
}

/// Sends free blocks of the arriving size to the hosts, so that they need not allocate.
fn restock(sessions: &SessionTable, edge: &Edge, pool: &mut BlockPool) {
    // The largest of the arriving sizes fits every session.
    let samples = sessions.longest();
    if samples == 0 {
        return;
    }
    let wanted = (4 * sessions.served.max(1)).min(edge.0.free.capacity());
    while edge.0.free.len() < wanted {
        let Some(block) = pool.surplus(samples, 4) else { break };
        drop(edge.0.free.push(block));
    }
}

/// One shard: its world and its two half ticks.
pub(crate) struct Shard {
    pub(crate) world: World,
    a: Schedule,
    b: Schedule,
    port: Arc<ShardPort>,
    /// One for each node and one for the output: whether all its lanes rest.
    rests: Vec<RestSystem>,
    /// Nothing would happen in a tick that brings nothing: such ticks are left out.
    pub(crate) asleep: bool,
    /// It takes part in this tick.
    pub(crate) ran: bool,
    /// Sessions open here.
    pub(crate) open: u32,
    /// Blocks that had come from the edge at the last look.
    blocks_seen: u64,
    /// Ticks until the lanes are looked at again.
    look_in: u32,
    /// How many that was after the last look: twice as many after the next one that finds work.
    look_wait: u32,
    /// It has been asleep for [`LEAN_US`], and keeps no memory for what may come.
    lean: bool,
    /// It will be so after this tick.
    slims: bool,
    /// Engine time at which its sessions were last looked at for those that pause.
    looked_us: u64,
    /// The queues of those that do.
    resting: Vec<Entity>,
    /// Most sessions to which audio flowed at a look since fewer than half as many were left.
    served: usize,
}

/// A session to which nothing has come for this long, and a shard in which nothing has happened for it, give back the
/// memory that they would not need while that goes on.
const LEAN_US: u64 = 1_000_000;

/// Longest time between two looks at whether a busy shard rests, in ticks.
const LOOK_MAX: u32 = 63;

impl Shard {
    pub(crate) fn new(spec: &ShardSpec<'_>) -> Self {
        let mut world = World::new();
        let mut a = Schedule::default();
        let mut b = Schedule::default();
        // Explicit: inside a Bevy app feature unification would hand us the multi-threaded one.
        a.set_executor(SingleThreadedExecutor::new());
        b.set_executor(SingleThreadedExecutor::new());
        install(spec, &mut world, &mut a, &mut b);
        let plan = &spec.door.plan;
        let nodes = plan.nodes.iter().enumerate();
        let mut rests: Vec<RestSystem> =
            nodes.map(|(at, node)| node.spec.rest(site(plan, at, spec.wants_audio), &mut world)).collect();
        rests.push(egress_rest(NodeId(plan.nodes.len() as u8), &mut world));
        let port = Arc::clone(&spec.door.ports[spec.shard]);
        Self {
            world,
            a,
            b,
            port,
            rests,
            asleep: false,
            ran: false,
            open: 0,
            blocks_seen: 0,
            look_in: 0,
            look_wait: 0,
            lean: false,
            slims: false,
            looked_us: 0,
            resting: Vec::new(),
            served: 0,
        }
    }

    /// Whether there is anything to do in this tick.
    pub(crate) fn is_awake(&self) -> bool {
        !self.asleep || self.port.is_stirred()
    }

    pub(crate) fn first_half(&mut self, now: Now) {
        let awake = self.is_awake();
        self.lean &= !awake;
        // One tick more before it sleeps on, so that nodes see how long nothing has come.
        self.slims = !awake && !self.lean && now.us >= self.world.resource::<Now>().us + LEAN_US;
        self.ran = awake || self.slims;
        if self.ran {
            self.port.settle();
            *self.world.resource_mut::<Now>() = now;
            self.a.run(&mut self.world);
        }
    }

    pub(crate) fn second_half(&mut self, now: Now) {
        if !self.ran {
            return;
        }
        *self.world.resource_mut::<Now>() = now;
        self.b.run(&mut self.world);
        self.world.clear_trackers();
        self.open = self.world.resource::<SessionTable>().open();
        self.asleep = self.rests();
        if self.slims && self.asleep {
            self.lean = true;
            self.slim(now.us, true);
        } else if now.us >= self.looked_us + LEAN_US {
            self.looked_us = now.us;
            self.slim(now.us, false);
        }
    }

    /// Sessions to which nothing has come for a second give back the storage of their queues and their hosts' rings, once
    /// nothing goes through these either. When fewer than half of those there were are left, or the shard is asleep, the
    /// free blocks of the others go, too. Whoever goes on pays for new ones: a few allocations once.
    fn slim(&mut self, now_us: u64, asleep: bool) {
        let Self { world, port, resting, .. } = self;
        let table = world.resource::<SessionTable>();
        resting.clear();
        for row in table.rows.iter().flatten().filter(|row| now_us >= row.arrived_us + LEAN_US) {
            row.port.outputs.rest(asleep);
            resting.extend(&row.lanes);
        }
        for lane in resting.iter() {
            if let Some(mut queue) = world.get_mut::<Queue>(*lane) {
                queue.rest(asleep);
            }
        }
        let lanes = self.rests.len();
        let flowing = self.open as usize - (resting.len() / lanes).min(self.open as usize);
        if asleep || 2 * flowing < self.served {
            let kept = if asleep { 0 } else { at_once(flowing) * BLOCKS_HOME };
            world.resource_mut::<BlockPool>().shrink(kept);
            port.shrink(4 * flowing);
            self.served = flowing;
        }
        self.served = self.served.max(flowing);
        world.resource_mut::<SessionTable>().served = self.served;
    }

    /// Whether nothing would happen in the next tick if nothing came. What is cheap to ask comes first.
    fn rests(&mut self) -> bool {
        // Messages of a host that was just putting another one in wait for the next tick.
        let busy = self.port.controls.load(Ordering::Acquire) > 0
            || self.world.resource::<SegmentPool>().active() > 0
            || !self.world.resource::<SessionTable>().ahead.is_empty()
            || !self.world.resource::<EventLog>().records.is_empty()
            || !self.world.resource::<Corrections>().all().is_empty()
            || std::mem::replace(&mut self.blocks_seen, self.world.resource::<EdgeFigures>().blocks)
                != self.world.resource::<EdgeFigures>().blocks;
        if busy {
            return false;
        }
        if self.look_in > 0 {
            self.look_in -= 1;
            return false;
        }
        let rests = !self.world.resource::<Watch>().0 && self.lanes_rest();
        self.look_wait = if rests { 0 } else { (self.look_wait * 2 + 1).min(LOOK_MAX) };
        self.look_in = self.look_wait;
        rests
    }

    fn lanes_rest(&mut self) -> bool {
        let Self { rests, world, .. } = self;
        rests.iter_mut().all(|rest| rest.run((), world).expect("its parameters are always there"))
    }
}
