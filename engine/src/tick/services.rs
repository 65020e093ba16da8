//! Starts the services of a scene and the hub in front of them.

use std::sync::Arc;

use crate::base::ids::NodeId;
use crate::node::kind::Node;
use crate::node::plan::{ScenePlan, deadline_rule};
use crate::scene::{Buffering, MergeStrategy, PlanNode};
use crate::service::api::{ServiceKind, ServiceSite, TimeMode};
use crate::service::batch::{BatchPolicy, Merge};
use crate::service::hub::Hub;

pub(crate) fn start_services(plan: &ScenePlan, seed: u64, time: TimeMode) -> Hub {
    let start = |service: &crate::scene::PlanService<dyn ServiceKind>| {
        let site = ServiceSite { name: &service.name, timing: &service.timing, seed, time };
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
