//! Installs a shard into a world: its resources, and the two schedules that make its half ticks.
//!
//! ```text
//! A  Admit      open sessions and remove those that are gone, in id order
//!    Control    messages of hosts: answers to stop, advice, verdicts on segments gated elsewhere
//!    Ingress    scatter arrivals to the input queues
//!    TurnTaking answers wait or are withdrawn because the user speaks
//!    Node(0..N) the scene's nodes by rank; before each a system that cancels, then replies of services, then frames
//! -- Batch      join requests by session, form batches, hand them to the services
//! B  Egress     release what may leave; drop what was cancelled
//!    Settle     what was heard of the answers that are over
//!    Account    control messages, segments and sessions that are over, blocks on their way back
//! ```

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::base::time::Now;
use crate::edge::open_sessions::OpenSessions;
use crate::media::block::BlockPool;
use crate::node::kind::IdleCheck;
use crate::node::place::NodePlace;
use crate::node::plan::{ScenePlan, deadline_rule};
use crate::record::aside::Remembered;
use crate::record::counts::Counts;
use crate::record::edge_figures::{ControlFigures, EdgeFigures};
use crate::record::event::EventLog;
use crate::record::stage_times::StageTimes;
use crate::scene::DeadlinePolicy;
use crate::service::requests::{Inbox, Outbox};
use crate::session::index::SessionIndex;
use crate::session::lines::Lines;
use crate::session::settling::Settling;
use crate::speech::cancellation::Cancellations;
use crate::speech::segment::SegmentPool;
use crate::tick::account::account;
use crate::tick::admit::admit;
use crate::tick::control::{Messages, inward};
use crate::tick::egress::{
    Policy, answering_branches, cancel_output, egress_idle_check, egress_system, has_several, line_branches,
};
use crate::tick::failures::Torn;
use crate::tick::ingress::ingress;
use crate::tick::order::{Ordered, PlacedSystem, boxed};
use crate::tick::resources::{Admissions, Closing, Edge, NeedsSweep, ShardConfig};
use crate::tick::settle::settle;
use crate::tick::stage::Stage;
use crate::tick::turn_taking::barge_in;

/// The settings of a new shard.
pub(crate) struct ShardSpec<'a> {
    pub(crate) plan: &'a Arc<ScenePlan>,
    pub(crate) open: &'a Arc<OpenSessions>,
    /// Number of the shard.
    pub(crate) shard: usize,
    pub(crate) seed: u64,
    pub(crate) wants_audio: &'a [bool],
}

/// Puts the resources of a shard into `world` and its systems into the two schedules.
pub(crate) fn install(spec: &ShardSpec<'_>, world: &mut World, a: &mut Schedule, b: &mut Schedule) {
    insert_resources(spec, world);
    let (first, second) = halves(spec, world);
    first.install(a, None);
    second.install(b, None);
}

/// The systems of the two halves in the order of their stages.
pub(crate) fn halves(spec: &ShardSpec<'_>, world: &mut World) -> (Ordered, Ordered) {
    // Always present: an owner's system may run after a stage in which this scene has no system.
    let fixed = [Stage::Admit, Stage::Control, Stage::Ingress, Stage::TurnTaking];
    let first = Ordered::new(&fixed, first_half(spec, world));
    (first, Ordered::new(&[], second_half(spec, world)))
}

pub(crate) fn insert_resources(spec: &ShardSpec<'_>, world: &mut World) {
    let (open, plan) = (spec.open, spec.plan);
    world.insert_resource(Now::default());
    world.insert_resource(BlockPool::default());
    let remembered = match (plan.remembers(), plan.speaks()) {
        (false, _) => Remembered::Nothing,
        (true, false) => Remembered::Texts,
        (true, true) => Remembered::Speech,
    };
    world.insert_resource(EventLog::remembering(remembered));
    world.insert_resource(Counts::new(plan.nodes.len()));
    world.insert_resource(Cancellations::new(open.placement));
    world.insert_resource(Outbox::default());
    world.insert_resource(Inbox::default());
    world.insert_resource(SessionIndex::new(open, spec.shard));
    world.insert_resource(NeedsSweep::default());
    world.insert_resource(SegmentPool::default());
    world.insert_resource(StageTimes::default());
    world.insert_resource(Edge(Arc::clone(&open.ports[spec.shard])));
    world.insert_resource(EdgeFigures::default());
    world.insert_resource(Lines::default());
    world.insert_resource(Settling { is_kept: calls_services(plan), ..Settling::default() });
    world.insert_resource(Messages::default());
    world.insert_resource(ControlFigures::default());
    world.insert_resource(Closing::default());
    world.insert_resource(Torn::default());
    world.insert_resource(Admissions::default());
    world.insert_resource(ShardConfig { plan: Arc::clone(plan), seed: spec.seed });
}

/// The systems of the first half, in order.
fn first_half(spec: &ShardSpec<'_>, world: &mut World) -> Vec<PlacedSystem> {
    let plan = spec.plan;
    let mut systems = vec![
        PlacedSystem::new(Stage::Admit, "admit", boxed(admit)),
        PlacedSystem::new(Stage::Control, "control", inward(plan)),
        PlacedSystem::new(Stage::Ingress, "ingress", boxed(ingress)),
    ];
    if plan.scene.session.output.interrupt_min_ms.is_some() {
        systems.push(PlacedSystem::new(Stage::TurnTaking, "turn_taking", barge_in()));
    }
    for (at, node) in plan.nodes.iter().enumerate() {
        let place = place(plan, at, spec.wants_audio);
        let cancel = node.spec.cancel_system(place, world);
        systems.push(PlacedSystem::new(Stage::Cancel(place.node), format!("cancel {}", node.id), cancel));
        let name = format!("{} ({})", node.id, node.spec.kind());
        systems.push(PlacedSystem::new(Stage::Node(place.node), name, node.spec.install(place, world)));
    }
    systems
}

/// The systems of the second half, in order.
fn second_half(spec: &ShardSpec<'_>, world: &mut World) -> Vec<PlacedSystem> {
    let plan = spec.plan;
    let session = &plan.scene.session.output;
    let branches = answering_branches(plan);
    let policy = Policy {
        release: session.release,
        branches,
        said: line_branches(plan, &plan.said_targets),
        typed: line_branches(plan, plan.typed_targets()),
        several: has_several(plan),
    };
    let output = NodeId(plan.nodes.len() as u8);
    let mut systems = vec![
        PlacedSystem::new(Stage::Cancel(output), "cancel output", cancel_output(output, world)),
        PlacedSystem::new(Stage::Egress, "egress", egress_system(policy, output, world)),
    ];
    if calls_services(plan) {
        systems.push(PlacedSystem::new(Stage::Settle, "settle", boxed(settle)));
    }
    systems.push(PlacedSystem::new(Stage::Account, "account", boxed(account)));
    systems
}

/// Whether some node of the scene calls a service.
fn calls_services(plan: &ScenePlan) -> bool {
    plan.nodes.iter().any(|node| node.service.is_some())
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
pub(crate) fn idle_checks(spec: &ShardSpec<'_>, world: &mut World) -> Vec<IdleCheck> {
    let nodes = spec.plan.nodes.iter().enumerate();
    let mut checks: Vec<IdleCheck> =
        nodes.map(|(at, node)| node.spec.idle_check(place(spec.plan, at, spec.wants_audio), world)).collect();
    checks.push(egress_idle_check(NodeId(spec.plan.nodes.len() as u8), world));
    checks
}
