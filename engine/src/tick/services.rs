//! Starts the services of a scene, with the stations before them.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::node::kind::Node;
use crate::node::plan::{ScenePlan, deadline_rule};
use crate::scene::{Buffering, MergeStrategy, PlanNode, PlanService, PortType};
use crate::service::api::{ServiceKind, ServiceWaker, TimeMode};
use crate::service::batch::{BatchPolicy, BatchQueue, Merge};
use crate::service::call::SessionRef;
use crate::service::calls::{Caller, Calls, ServiceOrder};
use crate::service::ema::Ema;
use crate::service::flights::Bounds;
use crate::service::slot::{Maker, ServiceFigures, ServiceInstance, ServiceName};
use crate::service::station::{BatchFigures, ProcessingTime, Station};
use crate::session::index::SessionIndex;
use crate::tick::open::session_ref;
use crate::tick::resources::ShardConfig;
use crate::tick::shards::Shards;

/// Spawns the services of a scene, its nodes, and the stations of those behind the hub. `waker` is that of the engine's
/// driver.
pub(crate) fn start_services(
    world: &mut World,
    plan: &ScenePlan,
    seed: u64,
    time: TimeMode,
    waker: &ServiceWaker,
) {
    let mut order = ServiceOrder::default();
    for service in &plan.services {
        let name: Arc<str> = service.name.as_str().into();
        let maker = Maker {
            name: Arc::clone(&name),
            kind: Arc::clone(&service.output),
            timing: service.timing,
            seed,
            time,
            waker: waker.clone(),
        };
        let instance = ServiceInstance::new(maker, bounds(service));
        order.services.push(world.spawn((ServiceName(name), instance, ServiceFigures::default())).id());
    }
    for (at, node) in plan.nodes.iter().enumerate() {
        let believed_us = u64::from(node.capabilities.avg_processing_us);
        let mut entity = world.spawn(ProcessingTime { believed_us, measured: Ema::default() });
        if let (Some(service), Some(buffering)) = (node.service, &node.buffering) {
            let station = Station { node: NodeId(at as u8), service: service as u8 };
            let queue = BatchQueue::new(batch_policy(node, buffering));
            entity.insert((station, queue, BatchFigures::default()));
            order.stations.push(entity.id());
        }
        order.nodes.push(entity.id());
        if let Some(service) = node.service {
            order.callers.push(caller(node, at, service));
        }
    }
    world.insert_resource(order);
    world.insert_resource(Calls::default());
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

/// A line that is a paragraph of its own, so that nothing that follows joins its last sentence, or keeps it waiting.
fn spoken_apart(text: &str) -> Arc<str> {
    format!("{}\n\n", text.trim()).into()
}

/// What bounds the calls of a service.
fn bounds(service: &PlanService<dyn ServiceKind>) -> Bounds {
    Bounds {
        timeout_us: u64::from(service.timeout_ms) * 1_000,
        retries: service.retries,
        fallback: service.fallback.clone(),
        filler: service.filler.as_ref().map(|(text, ms)| (spoken_apart(text), u64::from(*ms) * 1_000)),
    }
}

/// What is known of node number `at`, which calls service number `service`.
fn caller(node: &PlanNode<dyn Node>, at: usize, service: usize) -> Caller {
    let in_text = node.spec.outputs().first().is_some_and(|port| port.kind == PortType::Text);
    Caller {
        node: NodeId(at as u8),
        service: service as u8,
        hears: node.capabilities.supports_control_messages,
        replies: in_text && !node.spec.transcribes(),
    }
}

/// The sessions that are open, as service number `service` is told of them.
pub(crate) fn sessions_of(service: u8, shards: &Shards) -> Vec<SessionRef> {
    let mut sessions = Vec::new();
    for world in shards.worlds() {
        for owner in world.resource::<SessionIndex>().entities() {
            let plan = &world.resource::<ShardConfig>().plan;
            let calling =
                plan.nodes.iter().enumerate().filter(|(_, node)| node.service == Some(usize::from(service)));
            sessions.extend(calling.filter_map(|(at, _)| session_ref(world, owner, NodeId(at as u8))));
        }
    }
    sessions.sort_unstable_by_key(|session| session.key);
    sessions
}
