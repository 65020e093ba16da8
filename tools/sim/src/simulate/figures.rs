//! Makes the parts of a report that both ends of a link have, from the measurements of one engine.

use std::collections::BTreeMap;

use mynah_engine::DropReason;
use mynah_engine::node::Node;
use mynah_engine::observe::Census;
use mynah_engine::record::NodeCounts;
use mynah_engine::scene::{Latency, PlanNode, PortType, Timing};

use super::breakdown::stage_figures;
use super::measure::{Counts, Turns};
use super::options::RunClock;
use super::side::Side;
use crate::report::quantiles::Quantiles;
use crate::report::{Frames, LatencyMs, Response, Segments, ServiceFiguresReport, TurnFigures};

impl Side {
    pub(super) fn latencies(&self, turns: &Turns, answers: bool, has_gate: bool) -> LatencyMs {
        let l = &self.run.latencies;
        LatencyMs {
            speech_end_to_response: Quantiles::of(&l.end_to_response)
                .filter(|_| answers)
                .map(|quantiles| Response { quantiles, reference: "truth", excluded: turns.premature }),
            breakdown: if answers {
                stage_figures(&self.run.ways, self.run.answered.turns())
            } else {
                Vec::new()
            },
            speech_start_to_forward: Quantiles::of(&l.start_to_forward).filter(|_| has_gate),
            silence_to_processing: Quantiles::of(&l.silence_to_processing),
            frame_in_to_out: Quantiles::of(&l.frame_in_to_out),
            onset_hold: Quantiles::of(&l.onset_hold),
            speech_to_silence: Quantiles::of(&l.speech_to_silence),
            control_to_last_consumer: None,
            cancel_to_quiet: None,
        }
    }

    /// `refused`, `waited`: chunks that the edge refused for good, and for a while.
    pub(super) fn frames(
        &self,
        census: &Census,
        (refused, waited): (u64, u64),
        imbalances: Vec<String>,
    ) -> Frames {
        let sum = |of: fn(&NodeCounts) -> u64| census.nodes.iter().map(of).sum::<u64>();
        let mut dropped = BTreeMap::new();
        for (at, reason) in DropReason::ALL.into_iter().enumerate() {
            let lost: u64 = census.nodes.iter().map(|n| n.dropped[at]).sum();
            if lost > 0 {
                dropped.insert(reason.name(), lost);
            }
        }
        Frames {
            taken_in: census.edge.blocks,
            out: census.nodes.last().map_or(0, NodeCounts::created_all),
            cancelled: sum(|n| n.cancelled),
            gated: sum(|n| n.gated),
            merged: sum(|n| n.merged),
            created: sum(NodeCounts::created_all),
            refused,
            waited,
            non_finite_samples: census.edge.non_finite,
            dropped,
            queued_at_end: self.engine.queued(&mut Vec::new()).iter().sum(),
            balanced: imbalances.is_empty(),
            imbalances,
        }
    }

    /// What a service makes, by the nodes that call it.
    fn makes(&self, service: &str) -> &'static str {
        let mut callers = self.plan.nodes.iter().filter(|node| node.spec.service() == Some(service));
        let speaks =
            |node: &PlanNode<dyn Node>| node.spec.outputs().iter().any(|port| port.kind == PortType::Audio);
        if callers.any(speaks) { "audio" } else { "words" }
    }

    pub(super) fn services(&self) -> Vec<ServiceFiguresReport> {
        let figures: BTreeMap<&str, _> = self.engine.hub().figures().collect();
        let service = |s: &mynah_engine::scene::PlanService<dyn mynah_engine::service::ServiceKind>| {
            let f = figures.get(s.name.as_str()).copied().unwrap_or_default();
            let capacity_us =
                self.options.duration_us as f64 * f64::from(s.timing.map_or(1, |timing| timing.workers()));
            ServiceFiguresReport {
                id: s.name.clone(),
                kind: s.output_name.clone(),
                really_makes: (!s.output.modelled()).then(|| self.makes(&s.name)),
                modelled: s.output.modelled() || self.options.clock == RunClock::Virtual,
                timing: s.timing.as_ref().map(timing_name).unwrap_or_default(),
                calls: f.calls,
                items: f.items,
                failed: f.failed,
                timed_out: f.timed_out,
                retried: f.retried,
                fallbacks: f.fallbacks,
                fillers: f.fillers,
                panics: f.panics,
                cancelled: f.cancelled,
                // Calls that wait for threads of the service's own count as busy on the wall clock.
                busy_ratio: ((f.busy_us + f.wasted_us) as f64 / capacity_us.max(1.0)).min(1.0),
            }
        };
        self.plan.services.iter().map(service).collect()
    }
}

fn timing_name(timing: &Timing) -> String {
    let scaled = |ms: f64| ms * timing.scale;
    match timing.latency {
        Latency::Fixed { ms } => format!("{} ms", scaled(ms)),
        Latency::LogNormal { p50_ms, p99_ms } => {
            format!("P50 {} / P99 {} ms", scaled(p50_ms), scaled(p99_ms))
        }
    }
}

pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

pub(super) fn segments(counts: &Counts) -> Segments {
    let cancelled: u64 = counts.cancelled.values().sum();
    Segments {
        opened: counts.opened,
        confirmed: counts.confirmed,
        cancelled: counts.cancelled.clone(),
        open_at_end: counts.opened.saturating_sub(cancelled + counts.ended),
        retracted: counts.retracted,
        acceptance_ratio: ratio(counts.confirmed, counts.opened).unwrap_or(1.0),
        late_cancelled: counts.late_cancelled,
        wasted_service_ms: counts.wasted_us as f64 / 1_000.0,
    }
}

pub(super) fn turn_figures(turns: &Turns, counts: &Counts, answers: bool) -> TurnFigures {
    let (answered, premature) = if answers { (turns.answered, turns.premature) } else { (0, 0) };
    TurnFigures {
        utterances: turns.utterances,
        answered,
        missed: turns.missed,
        premature,
        premature_ratio: ratio(premature, turns.utterances).unwrap_or(0.0),
        interrupted: counts.interrupted,
        interrupted_by_noise: turns.interrupted_by_noise,
        paused: counts.paused,
        resumed: counts.resumed,
    }
}
