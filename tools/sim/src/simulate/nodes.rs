//! The report's part about nodes: their queues, and the batches of those behind the hub.

use std::collections::BTreeMap;

use mynah_engine::node::Node;
use mynah_engine::observe::Census;
use mynah_engine::record::{FlushReason, NodeCounts, NodeHistograms};
use mynah_engine::scene::{Latency, PlanNode, PortType, Timing};
use mynah_engine::service::BatchFigures;
use mynah_engine::{DropReason, NodeId};
use mynah_systems::speech::flite::RATE_HZ;

use super::side::Side;
use crate::report::quantiles::Quantiles;
use crate::report::{BatchReport, Capacity, NodeFigures, QueueFigures};

/// 99 % of a normal distribution lie below this many standard deviations.
const Z99: f64 = 2.326_348;

impl Side {
    pub(super) fn nodes(&self, census: &Census) -> Vec<NodeFigures> {
        let mut histograms = NodeHistograms::default();
        let node = |(at, node): (usize, &PlanNode<dyn Node>)| {
            let (counts, id) = (&census.nodes[at], NodeId(at as u8));
            let histograms = self.engine.histograms(id, &mut histograms);
            let latency = if node.service.is_some() { &histograms.latency } else { &histograms.wait };
            NodeFigures {
                id: node.id.clone(),
                kind: node.spec.kind(),
                taken_in: counts.arrived,
                out: counts.created_all(),
                latency_ms: Quantiles::of(latency),
                work_us: census.work_ns[at] / 1_000,
                avg_processing_us: node.service.map(|_| self.engine.hub().avg_processing_us(id)),
                deadlines_near: self.run.deadlines_near.get(&id.0).copied().unwrap_or(0),
                deadlines_missed: counts.deadlines_missed,
                queue: queue(node, counts, histograms),
                batch: self.engine.hub().batches(id).map(|figures| self.batch(at, node, counts, figures)),
            }
        };
        self.plan.nodes.iter().enumerate().map(node).collect()
    }

    fn batch(
        &self,
        at: usize,
        node: &PlanNode<dyn Node>,
        counts: &NodeCounts,
        figures: &BatchFigures,
    ) -> BatchReport {
        let seconds = self.options.duration_us as f64 / 1e6;
        let done = self.run.done.get(&(at as u8)).copied().unwrap_or_default();
        let size_mean = figures.items as f64 / figures.count.max(1) as f64;
        let reasons = [FlushReason::Count, FlushReason::Timer, FlushReason::Full, FlushReason::Deadline];
        let reasons: BTreeMap<_, _> = reasons
            .into_iter()
            .map(|reason| (reason.name(), figures.reasons[reason as usize]))
            .filter(|(_, count)| *count > 0)
            .collect();
        let hears = node.spec.inputs().iter().any(|port| port.kind == PortType::Audio);
        let service = node.service.and_then(|service| self.plan.services.get(service));
        let speech_s = done.samples as f64 / f64::from(RATE_HZ) / done.items.max(1) as f64;
        BatchReport {
            count: figures.count,
            size_mean,
            size_max: figures.size_max,
            wait_ms: Quantiles::of(&figures.wait),
            reasons,
            merged: figures.merged,
            waiting_max: figures.waiting_max,
            items_per_s: done.items as f64 / seconds,
            // Of a recogniser in pieces it is not frames that are items.
            offered_per_s: if hears { figures.asked as f64 } else { counts.arrived as f64 } / seconds,
            capacity_per_s: service
                .and_then(|service| service.timing.as_ref())
                .map(|timing| capacity(timing, speech_s, size_mean)),
        }
    }
}

fn queue(node: &PlanNode<dyn Node>, counts: &NodeCounts, histograms: &NodeHistograms) -> QueueFigures {
    let dropped_by = DropReason::ALL.into_iter().zip(counts.dropped).filter(|(_, count)| *count > 0);
    QueueFigures {
        bound: node.capabilities.queue_capacity,
        depth_max: counts.depth_max,
        depth_p99: histograms.depth_at(0.99),
        wait_ms: Quantiles::of(&histograms.wait),
        overflow: format!("{:?}", node.capabilities.overflow_policy),
        dropped: counts.dropped_all(),
        dropped_by: dropped_by.map(|(reason, count)| (reason.name(), count)).collect(),
        merged: counts.merged,
    }
}

/// What the model of a service carries when each item asks for `speech_s` of speech.
fn capacity(timing: &Timing, speech_s: f64, batch: f64) -> Capacity {
    let latency_s = timing.scale / 1_000.0
        * match timing.latency {
            Latency::Fixed { ms } => ms,
            Latency::LogNormal { p50_ms, p99_ms } => {
                let sigma = (p99_ms / p50_ms).ln() / Z99;
                p50_ms * (sigma * sigma / 2.0).exp()
            }
        };
    let rate = |n: f64| {
        let first_s = latency_s * (1.0 + (n - 1.0) * timing.batch_item_cost);
        n * f64::from(timing.workers()) / (first_s + speech_s / timing.speed)
    };
    let (one_by_one, batched) = (rate(1.0), rate(batch.max(1.0)));
    Capacity { one_by_one, batched, gain: batched / one_by_one, curve: "modelled curve" }
}
