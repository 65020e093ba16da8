//! One small world with its sessions, and the two schedules that make its half ticks.
//!
//! ```text
//! A  Admit      open sessions and let go of those that are gone, in id order
//!    Control    messages of hosts: answers to stop, advice, what is said about segments
//!    Ingress    scatter arrivals to the input queues
//!    BargeIn    answers wait or are withdrawn because the user speaks
//!    Rank       the scene's nodes, one system each; cancellations and service replies come before frames
//! -- hub        join requests in session order, form batches, hand them to the services
//! B  Egress     release what may leave; drop what was taken back
//!    Account    control messages, segments and sessions that are over, blocks on their way back
//! ```

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::SingleThreadedExecutor;

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::edge::shard_inbox::ShardPort;
use crate::media::block::BlockPool;
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
use crate::tick::admit::admit;
use crate::tick::control::{Messages, inward};
use crate::tick::egress::{Policy, answering_branches, egress_idle_check, egress_system, has_several};
use crate::tick::idle::Idle;
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
        controls: node.capabilities.supports_control_messages,
    }
}

/// The checks of all nodes and of the output.
fn idle_checks(spec: &ShardSpec<'_>, world: &mut World) -> Vec<IdleCheck> {
    let nodes = spec.plan.nodes.iter().enumerate();
    let mut checks: Vec<IdleCheck> =
        nodes.map(|(at, node)| node.spec.idle_check(place(spec.plan, at, spec.wants_audio), world)).collect();
    checks.push(egress_idle_check(NodeId(spec.plan.nodes.len() as u8), world));
    checks
}

/// One shard: its world and its two half ticks.
pub(crate) struct Shard {
    pub(crate) world: World,
    a: Schedule,
    b: Schedule,
    port: Arc<ShardPort>,
    pub(crate) idle: Idle,
    /// It takes part in this tick.
    pub(crate) ran: bool,
    /// Sessions open here.
    pub(crate) open: u32,
}

impl Shard {
    pub(crate) fn new(spec: &ShardSpec<'_>) -> Self {
        let mut world = World::new();
        let mut a = Schedule::default();
        let mut b = Schedule::default();
        // Explicit: inside a Bevy app feature unification would hand us the multi-threaded one.
        a.set_executor(SingleThreadedExecutor::new());
        b.set_executor(SingleThreadedExecutor::new());
        install(spec, &mut world, &mut a, &mut b);
        let idle = Idle::new(idle_checks(spec, &mut world));
        let port = Arc::clone(&spec.open.ports[spec.shard]);
        Self { world, a, b, port, idle, ran: false, open: 0 }
    }

    /// Whether there is anything to do in this tick.
    pub(crate) fn is_awake(&self) -> bool {
        !self.idle.asleep || self.port.is_stirred()
    }

    pub(crate) fn first_half(&mut self, now: Now) {
        let (awake, last_us) = (self.is_awake(), self.world.resource::<Now>().us);
        self.ran = self.idle.takes_part(awake, last_us, now.us);
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
        self.idle.end_tick(&mut self.world, &self.port, now);
    }
}
