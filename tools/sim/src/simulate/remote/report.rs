//! The report's part about the engine behind the link.

use mynah_engine::record::ControlFigures;
use serde::Serialize;

use super::Remote;
use super::books::Findings;
use crate::report::{Frames, LatencyMs, NodeFigures, Quantiles, Segments, ServiceFiguresReport, TurnFigures};
use crate::simulate::balance::{HostSide, imbalances};
use crate::simulate::callers::Line;
use crate::simulate::conclude::{segments, turn_figures};
use crate::simulate::turns::Stretches;
use crate::transport::LinkedScene;

/// The second engine, and what went over the link.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct RemoteReport {
    pub scene: String,
    pub link: LinkedScene,
    pub messages: Messages,
    pub cancels: Cancels,
    /// Segments that got no verdict at the far end in time, and so were none.
    pub no_verdict: u64,
    /// On the wall clock: from the start of the first engine's tick that decided to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_in_process_ms: Option<Quantiles>,
    /// Blocks of cancelled segments that were released at the far end, and of revisions that did not hold.
    pub cancelled_released: u64,
    pub void_released: u64,
    pub latency_ms: LatencyMs,
    pub segments: Segments,
    pub turns: TurnFigures,
    pub frames: Frames,
    pub nodes: Vec<NodeFigures>,
    pub services: Vec<ServiceFiguresReport>,
    /// What must hold and does not, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
}

/// Control messages, over all sessions.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Messages {
    pub sent: u64,
    pub delivered: u64,
    pub applied: u64,
    pub retried: u64,
    pub failed: u64,
    /// Arrivals at the far end that had been seen before, and changed nothing.
    pub repeated: u64,
    /// Messages about segments that nobody at the far end can know.
    pub unknown: u64,
    /// Messages that the engine at the far end has worked off, and those of them that changed nothing.
    pub worked_off: u64,
    pub without_effect: u64,
}

/// Cancelled segments, at the far end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the report's contract")]
pub struct Cancels {
    pub sent: u64,
    pub delivered: u64,
    pub failed: u64,
    pub effects_max: u64,
}

impl Remote {
    /// What came of it; `lines` are the first engine's sessions, whose truth is the callers'.
    pub(in crate::simulate) fn conclude(&mut self, lines: &[Line]) -> RemoteReport {
        let turns = self.far.run.over(lines, Stretches::default());
        let census = self.far.engine.census();
        let host: Vec<HostSide> =
            self.wires.iter().map(|wire| HostSide { frames_pushed: wire.far.frames_pushed }).collect();
        let wrong = imbalances(&self.far.plan, &census, &self.far.run, &host);
        let mut findings = Findings::default();
        findings.broken.append(&mut self.refused);
        for (account, wire) in self.accounts.iter().zip(&self.wires) {
            account.conclude(wire.far.handle.name(), &mut findings);
        }
        let segments = segments(&self.far.run.counts);
        if segments.open_at_end > 0 {
            findings.broken.push(format!("{} segments left open at the far end", segments.open_at_end));
        }
        findings.broken.extend(wrong.iter().map(|wrong| format!("far end: {wrong}")));
        RemoteReport {
            scene: self.far.plan.scene.name.clone(),
            link: self.link.clone(),
            messages: self.messages(census.controls),
            cancels: Cancels {
                sent: findings.cancels,
                delivered: findings.cancels_delivered,
                failed: findings.cancels_failed,
                effects_max: findings.effects_per_cancel_max,
            },
            no_verdict: findings.no_verdict,
            control_in_process_ms: Quantiles::of(&self.in_process),
            cancelled_released: findings.cancelled_released,
            void_released: findings.void_released,
            latency_ms: self.far.latencies(&turns, true, false),
            segments,
            turns: turn_figures(&turns, &self.far.run.counts, true),
            nodes: self.far.nodes(&census),
            frames: self.far.frames(&census, wrong),
            services: self.far.services(),
            broken: findings.broken,
        }
    }

    /// From a decision to the far tick that applied it: of all messages, and of those that take something back.
    pub(in crate::simulate) fn latencies(&self) -> [Option<Quantiles>; 2] {
        [Quantiles::of(&self.to_last_consumer), Quantiles::of(&self.to_quiet)]
    }

    fn messages(&self, far: ControlFigures) -> Messages {
        let ControlFigures { arrived: worked_off, without_effect } = far;
        let mut sum = Messages { worked_off, without_effect, ..Messages::default() };
        for wire in &self.wires {
            let (out, incoming) = (wire.near.figures(), wire.far.figures());
            sum.sent += out.sent;
            sum.delivered += out.acked;
            sum.applied += out.applied;
            sum.retried += out.retried;
            sum.failed += out.failed;
            sum.repeated += incoming.repeated;
            sum.unknown += wire.far.unknown;
        }
        sum
    }
}
