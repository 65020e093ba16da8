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

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::edge::shard_inbox::ShardPort;
use crate::media::block::BlockPool;
use crate::media::queue::Queue;
use crate::node::kind::IdleCheck;
use crate::node::place::NodePlace;
use crate::node::plan::{ScenePlan, deadline_rule};
use crate::record::counts::Ledger;
use crate::record::edge_figures::{ControlFigures, EdgeFigures};
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::scene::DeadlinePolicy;
use crate::service::api::{Inbox, Outbox};
use crate::session::table::SessionTable;
use crate::speech::cancellation::Cancellations;
use crate::speech::playout::Playouts;
use crate::speech::segment::SegmentPool;
use crate::tick::account::account;
use crate::tick::admit::{BLOCKS_HOME, admit, at_once};
use crate::tick::control::{Messages, inward};
use crate::tick::egress::{Policy, answering_branches, egress_idle_check, egress_system, has_several};
use crate::tick::ingress::ingress;
use crate::tick::resources::{Admissions, Closing, Edge, NeedsSweep, ShardConfig};
use crate::tick::stage::Stage;
use crate::tick::turn_taking::barge_in;

/// How a shard is made.
pub(crate) struct ShardSpec<'a> {
    pub(crate) plan: &'a Arc<ScenePlan>,
    pub(crate) open: &'a Arc<OpenSessions>,
    /// Which one it is.
    pub(crate) shard: usize,
    pub(crate) seed: u64,
    pub(crate) wants_audio: &'a [bool],
}

/// Puts the resources of a shard into `world` and its systems into the two schedules.
pub(crate) fn install(spec: &ShardSpec<'_>, world: &mut World, a: &mut Schedule, b: &mut Schedule) {
    let (open, plan) = (spec.open, spec.plan);
    world.insert_resource(Now::default());
    world.insert_resource(BlockPool::default());
    world.insert_resource(EventLog::default());
    world.insert_resource(Ledger::new(plan.nodes.len()));
    world.insert_resource(Cancellations::new(open.placement));
    world.insert_resource(Outbox::default());
    world.insert_resource(Inbox::default());
    world.insert_resource(SessionTable::new(open, spec.shard));
    world.insert_resource(NeedsSweep::default());
    world.insert_resource(Playouts::new(open.placement));
    world.insert_resource(SegmentPool::default());
    world.insert_resource(StageTimes::default());
    world.insert_resource(Edge(Arc::clone(&open.ports[spec.shard])));
    world.insert_resource(EdgeFigures::default());
    world.insert_resource(Messages::default());
    world.insert_resource(ControlFigures::default());
    world.insert_resource(Closing::default());
    world.insert_resource(Admissions::default());
    world.insert_resource(ShardConfig { plan: Arc::clone(plan), seed: spec.seed });

    a.add_systems(admit.in_set(Stage::Admit));
    a.add_systems(inward(plan).in_set(Stage::Control));
    a.add_systems(ingress.in_set(Stage::Ingress));
    a.configure_sets((Stage::Admit, Stage::Control, Stage::Ingress, Stage::BargeIn).chain());
    if let Some(min_ms) = plan.scene.session.output.interrupt_min_ms {
        a.add_systems(barge_in(u64::from(min_ms) * 1_000).in_set(Stage::BargeIn));
    }
    let mut before = Stage::BargeIn;
    for (at, node) in plan.nodes.iter().enumerate() {
        let place = place(plan, at, spec.wants_audio);
        a.add_systems(node.spec.install(place, world).in_set(Stage::Node(place.node)));
        a.configure_sets(Stage::Node(place.node).after(before));
        before = Stage::Node(place.node);
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

fn place(plan: &ScenePlan, at: usize, wants_audio: &[bool]) -> NodePlace {
    let node = &plan.nodes[at];
    NodePlace {
        node: NodeId(at as u8),
        service: node.service.map(|s| s as u8),
        wants_audio: node.service.is_some_and(|s| wants_audio[s]),
        rule: node.deadline.map(|deadline| deadline_rule(&deadline)),
        skips: node.deadline.is_some_and(|d| d.policy == DeadlinePolicy::SkipOptional),
    }
}

/// One shard: its world and its two half ticks.
pub(crate) struct Shard {
    pub(crate) world: World,
    a: Schedule,
    b: Schedule,
    port: Arc<ShardPort>,
    /// One for each node and one for the output: whether all its lanes rest.
    rests: Vec<IdleCheck>,
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
    /// It has been asleep for [`IDLE_US`], and keeps no memory for what may come.
    is_trimmed: bool,
    /// It will be so after this tick.
    trims: bool,
    /// Engine time at which its sessions were last looked at for those that pause.
    looked_us: u64,
    /// The queues of those that do.
    resting: Vec<Entity>,
    /// Most sessions to which audio flowed at a look since fewer than half as many were left.
    active_peak: usize,
}

/// A session to which nothing has come for this long, and a shard in which nothing has happened for it, give back the
/// memory that they would not need while that goes on.
const IDLE_US: u64 = 1_000_000;

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
        let nodes = spec.plan.nodes.iter().enumerate();
        let mut rests: Vec<IdleCheck> = nodes
            .map(|(at, node)| node.spec.idle_check(place(spec.plan, at, spec.wants_audio), &mut world))
            .collect();
        rests.push(egress_idle_check(NodeId(spec.plan.nodes.len() as u8), &mut world));
        let port = Arc::clone(&spec.open.ports[spec.shard]);
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
            is_trimmed: false,
            trims: false,
            looked_us: 0,
            resting: Vec::new(),
            active_peak: 0,
        }
    }

    /// Whether there is anything to do in this tick.
    pub(crate) fn is_awake(&self) -> bool {
        !self.asleep || self.port.is_stirred()
    }

    pub(crate) fn first_half(&mut self, now: Now) {
        let awake = self.is_awake();
        self.is_trimmed &= !awake;
        // One tick more before it sleeps on, so that nodes see how long nothing has come.
        self.trims = !awake && !self.is_trimmed && now.us >= self.world.resource::<Now>().us + IDLE_US;
        self.ran = awake || self.trims;
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
        if self.trims && self.asleep {
            self.is_trimmed = true;
            self.trim_idle_memory(now.us, true);
        } else if now.us >= self.looked_us + IDLE_US {
            self.looked_us = now.us;
            self.trim_idle_memory(now.us, false);
        }
    }

    /// Sessions to which nothing has come for a second give back the storage of their queues and their hosts' rings, once
    /// nothing goes through these either. When fewer than half of those there were are left, or the shard is asleep, the
    /// free blocks of the others go, too. Whoever goes on pays for new ones: a few allocations once.
    fn trim_idle_memory(&mut self, now_us: u64, asleep: bool) {
        let Self { world, port, resting, .. } = self;
        let table = world.resource::<SessionTable>();
        resting.clear();
        for row in table.rows.iter().flatten().filter(|row| now_us >= row.arrived_us + IDLE_US) {
            row.port.outputs.trim_idle_memory(asleep);
            resting.extend(&row.lanes);
        }
        for lane in resting.iter() {
            if let Some(mut queue) = world.get_mut::<Queue>(*lane) {
                queue.trim_idle_memory(asleep);
            }
        }
        let lanes = self.rests.len();
        let flowing = self.open as usize - (resting.len() / lanes).min(self.open as usize);
        if asleep || 2 * flowing < self.active_peak {
            let kept = if asleep { 0 } else { at_once(flowing) * BLOCKS_HOME };
            world.resource_mut::<BlockPool>().shrink(kept);
            port.shrink(4 * flowing);
            self.active_peak = flowing;
        }
        self.active_peak = self.active_peak.max(flowing);
        world.resource_mut::<SessionTable>().active_peak = self.active_peak;
    }

    /// Whether nothing would happen in the next tick if nothing came. What is cheap to ask comes first.
    fn rests(&mut self) -> bool {
        // Messages of a host that was just putting another one in wait for the next tick.
        let busy = self.port.controls.load(Ordering::Acquire) > 0
            || self.world.resource::<SegmentPool>().active() > 0
            || !self.world.resource::<SessionTable>().ahead.is_empty()
            || !self.world.resource::<EventLog>().records.is_empty()
            || !self.world.resource::<Cancellations>().all().is_empty()
            || std::mem::replace(&mut self.blocks_seen, self.world.resource::<EdgeFigures>().blocks)
                != self.world.resource::<EdgeFigures>().blocks;
        if busy {
            return false;
        }
        if self.look_in > 0 {
            self.look_in -= 1;
            return false;
        }
        let rests = !self.world.resource::<NeedsSweep>().0 && self.lanes_rest();
        self.look_wait = if rests { 0 } else { (self.look_wait * 2 + 1).min(LOOK_MAX) };
        self.look_in = self.look_wait;
        rests
    }

    fn lanes_rest(&mut self) -> bool {
        let Self { rests, world, .. } = self;
        rests.iter_mut().all(|rest| rest.run((), world).expect("its parameters are always there"))
    }
}
