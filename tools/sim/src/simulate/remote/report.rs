//! The report's part about the engine behind the link.

use mynah_engine::observe::Census;
use mynah_engine::record::ControlFigures;

use super::Remote;
use super::accounts::Findings;
use crate::report::quantiles::Quantiles;
use crate::report::{Cancels, Messages, RemoteReport};
use crate::simulate::balance::{HostSide, imbalances};
use crate::simulate::callers::Line;
use crate::simulate::figures::{segments, turn_figures};
use crate::simulate::turns::Stretches;

impl Remote {
    /// What came of it; `lines` are the first engine's sessions, whose truth is the callers'.
    pub(in crate::simulate) fn conclude(&mut self, lines: &[Line]) -> RemoteReport {
        let turns = self.far.run.over(lines.iter().map(|line| &line.stream), Stretches::default());
        let mut census = Census::default();
        let census = self.far.engine.census(&mut census);
        let host: Vec<HostSide> = self
            .wires
            .iter()
            .map(|wire| HostSide { frames_pushed: wire.far.figures().frames_pushed })
            .collect();
        let wrong = imbalances(&self.far.engine, &self.far.run, &host);
        let mut findings = Findings::default();
        findings.broken.append(&mut self.refused);
        for wire in &self.wires {
            wire.account.conclude(wire.far.session().name(), &mut findings);
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
            nodes: self.far.nodes(census),
            frames: self.far.frames(census, (0, 0), wrong),
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
            let (out, far) = (wire.near.figures().outgoing, wire.far.peer().figures());
            sum.sent += out.sent;
            sum.delivered += out.acked;
            sum.applied += out.applied;
            sum.retried += out.retried;
            sum.failed += out.failed;
            sum.repeated += far.incoming.repeated;
            sum.unknown += far.unknown + wire.far.figures().refused;
        }
        sum
    }
}
