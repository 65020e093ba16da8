//! The audio that a gate has sent is what its log says was forwarded: the ranges of all segments, cancelled or ended,
//! add up to its samples. Where a full queue lost frames before the gate or at the edge, segments have holes, and the
//! gate has sent no more than that. A law of `conservation`, judged when all sessions are over.

use std::sync::Arc;

use mynah_engine::base::us_to_frames;
use mynah_engine::{DropReason, Event, Record, ScenePlan};

use super::checker::{Checker, Findings, Moment};
use super::conservation::NAME;

pub(super) struct Forwarded {
    plan: Arc<ScenePlan>,
    /// The scene's gate by its place in the plan.
    gate: Option<usize>,
    rate_hz: u32,
    /// Sample frames, and of how many segments: the ends of each are rounded.
    frames: u64,
    segments: u64,
    /// Some session came in another format than the scene's.
    foreign: bool,
    /// Frames were lost on their way to the gate.
    holes: bool,
}

impl Forwarded {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let gate = plan.nodes.iter().position(|node| node.spec.decides_speech() && node.spec.keeps_length());
        let rate_hz = gate.and_then(|at| plan.nodes[at].output).map_or(1, |format| format.rate_hz);
        Self { plan: Arc::clone(plan), gate, rate_hz, frames: 0, segments: 0, foreign: false, holes: false }
    }
}

impl Checker for Forwarded {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        if let Event::SegmentCancelled { from_us, to_us, .. } | Event::SegmentEnded { from_us, to_us, .. } =
            record.event
        {
            let frames = |us| us_to_frames(us, self.rate_hz);
            self.frames += frames(to_us) - frames(from_us);
            self.segments += 1;
        }
        if let Event::FrameDropped { node, reason: DropReason::Overflow, .. } = record.event {
            self.holes |= self.gate.is_some_and(|gate| node.index() <= gate);
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, _: &mut Findings) {
        self.foreign |= moment.engine.sessions().any(|session| session.input() != self.plan.input);
    }

    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let Some(gate) = self.gate.filter(|_| !self.foreign && moment.sessions_live == 0) else {
            return;
        };
        let channels = self.plan.nodes[gate].output.map_or(1, |format| format.channels);
        let sent = moment.census.nodes[gate].samples_out / u64::from(channels);
        let missing = if self.holes { 0 } else { self.frames.saturating_sub(sent) };
        if missing.max(sent.saturating_sub(self.frames)) > self.segments {
            findings.add(NAME, None, || {
                let (name, told, count) = (&self.plan.nodes[gate].id, self.frames, self.segments);
                format!("node {name}: {sent} sample frames sent, {told} in {count} segments of the log")
            });
        }
    }
}
