//! Batches keep to their policy: none is larger than it allows, and while a service is free nothing waits before it
//! longer than the policy says and one tick.

use std::sync::Arc;

use mynah_engine::scene::DeadlinePolicy;
use mynah_engine::{Event, NodeId, Record, ScenePlan};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "batches";

/// One node behind the hub.
struct Policy {
    node: u8,
    name: String,
    size_max: u32,
    worth: usize,
    wait_us: u64,
}

pub(super) struct Batches {
    policies: Vec<Policy>,
}

impl Batches {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let policy = |(at, node): (usize, &mynah_engine::scene::PlanNode<dyn mynah_engine::Node>)| {
            let buffering = node.buffering.as_ref().filter(|_| node.service.is_some())?;
            let grown = match node.deadline.map(|deadline| deadline.policy) {
                Some(DeadlinePolicy::GrowBatch { max }) => max,
                _ => 0,
            };
            Some(Policy {
                node: at as u8,
                name: node.id.clone(),
                size_max: buffering.max_batch_size.max(grown).max(1),
                // Hints move it up to the largest batch, never further.
                worth: buffering.max_batch_size.max(1) as usize,
                wait_us: (buffering.max_wait_ms * 1_000.0) as u64,
            })
        };
        Self { policies: plan.nodes.iter().enumerate().filter_map(policy).collect() }
    }
}

impl Checker for Batches {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let Event::Batch { node, size, .. } = record.event else { return };
        let Some(policy) = self.policies.iter().find(|policy| policy.node == node.0) else {
            return findings.add(NAME, None, || format!("a batch of node {}, which forms none", node.0));
        };
        if size == 0 || size > policy.size_max {
            let (name, most) = (&policy.name, policy.size_max);
            findings.add(NAME, Some(record.session), || {
                format!("node {name}: a batch of {size}, at most {most}")
            });
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let now_us = moment.engine.now_us();
        for policy in &self.policies {
            let Some(station) = moment.engine.hub().station(NodeId(policy.node)) else { continue };
            let Some(oldest_us) = station.oldest_us.filter(|_| station.free) else { continue };
            let waited_us = now_us.saturating_sub(oldest_us);
            if waited_us >= policy.wait_us.max(1) || station.waiting >= policy.worth {
                findings.add(NAME, None, || {
                    let (name, most_us, waiting) = (&policy.name, policy.wait_us, station.waiting);
                    format!("node {name}: {waiting} wait, one for {waited_us} us of {most_us}, and the service is free")
                });
            }
        }
    }
}
