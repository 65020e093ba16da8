//! Starts the services of a scene, with the stations before them.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::NodeId;
use crate::node::kind::Node;
use crate::node::plan::{ScenePlan, deadline_rule};
use crate::scene::{Buffering, MergeStrategy, PlanNode};
use crate::service::api::{ServiceSite, TimeMode};
use crate::service::batch::{BatchPolicy, BatchQueue, Merge};
use crate::service::calls::{Calls, ServiceOrder};
use crate::service::ema::Ema;
use crate::service::slot::{ServiceFigures, ServiceInstance, ServiceName};
use crate::service::station::{BatchFigures, ProcessingTime, Station};

/// Spawns the services of a scene, its nodes, and the stations of those behind the hub.
pub(crate) fn start_services(world: &mut World, plan: &ScenePlan, seed: u64, time: TimeMode) {
    let mut order = ServiceOrder::default();
    for service in &plan.services {
        let site = ServiceSite { name: &service.name, timing: &service.timing, seed, time };
        let name = ServiceName(service.name.as_str().into());
        let instance = ServiceInstance(service.output.start(site));
        order.services.push(world.spawn((name, instance, ServiceFigures::default())).id());
    }
    for (at, node) in plan.nodes.iter().enumerate() {
        let believed_us = u64::from(node.capabilities.avg_processing_us);
        let mut entity = world.spawn(ProcessingTime { believed_us, measured: Ema::default() });
        if let (Some(service), Some(buffering)) = (node.service, &node.buffering) {
            let station = Station { node: NodeId(at as u8), service: order.services[service] };
            let queue = BatchQueue::new(batch_policy(node, buffering));
            entity.insert((station, queue, BatchFigures::default()));
            order.stations.push(entity.id());
        }
        order.nodes.push(entity.id());
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
