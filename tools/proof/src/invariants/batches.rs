//! Batches keep to their policy: none is larger than it allows, none goes because of the time before something has
//! waited as long as the policy says, and while a service is free nothing waits before it longer than that and one
//! tick. How long something has waited is seen from outside.

use std::sync::Arc;

use mynah_engine::record::FlushReason;
use mynah_engine::scene::DeadlinePolicy;
use mynah_engine::{Event, NodeId, Record, ScenePlan};

use super::asked::Asked;
use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "batches";

/// One node behind the hub.
struct Policy {
    node: NodeId,
    name: String,
    size_max: u32,
    worth: usize,
    wait_us: u64,
    /// What waits, as the last tick left it.
    asked: Asked,
    /// A batch went in this tick because of the time.
    timed: bool,
}

pub(super) struct Batches {
    policies: Vec<Policy>,
}

impl Batches {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let policy = |(at, node): (usize, &mynah_engine::scene::PlanNode<dyn mynah_engine::node::Node>)| {
            let buffering = node.buffering.as_ref().filter(|_| node.service.is_some())?;
            let grown = match node.deadline.map(|deadline| deadline.policy) {
                Some(DeadlinePolicy::GrowBatch { max }) => max,
                _ => 0,
            };
            let at = NodeId(at as u8);
            Some(Policy {
                node: at,
                name: node.id.clone(),
                size_max: buffering.max_batch_size.max(grown).max(1),
                // Hints move it up to the largest batch, never further.
                worth: buffering.max_batch_size.max(1) as usize,
                wait_us: (buffering.max_wait_ms * 1_000.0) as u64,
                asked: Asked::new(at),
                timed: false,
            })
        };
        Self { policies: plan.nodes.iter().enumerate().filter_map(policy).collect() }
    }
}

impl Checker for Batches {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let Event::Batch { node, size, reason } = record.event else { return };
        let Some(policy) = self.policies.iter_mut().find(|policy| policy.node == node) else {
            return findings.add(NAME, None, || format!("a batch of node {}, which forms none", node.0));
        };
        if size == 0 || size > policy.size_max {
            let (name, most) = (&policy.name, policy.size_max);
            findings.add(NAME, Some(record.session), || {
                format!("node {name}: a batch of {size}, at most {most}")
            });
        }
        policy.timed |= reason == FlushReason::Timer;
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let (hub, now_us) = (moment.engine.hub(), moment.engine.now_us());
        for policy in &mut self.policies {
            let (name, wait_us) = (&policy.name, policy.wait_us);
            let waited_us = policy.asked.longest_us(now_us);
            if std::mem::take(&mut policy.timed) && waited_us < wait_us {
                findings.add(NAME, None, || {
                    format!("node {name}: a batch is timed, and nothing has waited longer than {waited_us} us of {wait_us}")
                });
            }
            policy.asked.look(hub, now_us);
            let (waiting, waited_us) = (policy.asked.count(), policy.asked.longest_us(now_us));
            let free = hub.station(policy.node).is_some_and(|station| station.free);
            let is_due = waited_us >= wait_us.max(1) || waiting >= policy.worth;
            if free && waiting > 0 && is_due {
                findings.add(NAME, None, || {
                    format!("node {name}: {waiting} wait, one for {waited_us} us of {wait_us}, and the service is free")
                });
            }
        }
    }
}
