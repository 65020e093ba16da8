//! Everything is bounded: queues hold no more frames than their scene allows, and neither do the lists beside them:
//! stalled frames, arrivals that wait outside, messages for the host, calls at a hub. No host may push more than a
//! second, and where nothing waits any more it may push all of that.

use std::sync::Arc;

use mynah_engine::edge::{ARRIVAL_COST_MS_MIN, CONTROLS_MAX, CREDIT_MS};
use mynah_engine::media::Queue;
use mynah_engine::observe::SessionView;
use mynah_engine::service::PARTS_PER_TICK;
use mynah_engine::session::Phase;
use mynah_engine::{NodeId, ScenePlan};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "bounds";

/// Arrivals of one session that may wait outside: its credits, the ends of its input, and the silence put in place of a
/// second of lost audio.
const HELD_MAX: usize = (CREDIT_MS / ARRIVAL_COST_MS_MIN) as usize + 3 + 51;

pub(super) struct Bounds {
    plan: Arc<ScenePlan>,
    /// Of each node's queues; the output's comes last and has the queue's own.
    bounds: Vec<Option<usize>>,
}

impl Bounds {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let capacity = |at: usize| plan.nodes.get(at).map(|node| node.capabilities.queue_capacity as usize);
        let bounds = (0..=plan.nodes.len()).map(capacity).collect();
        Self { plan: Arc::clone(plan), bounds }
    }

    fn name(&self, at: usize) -> &str {
        self.plan.nodes.get(at).map_or("output", |node| &node.id)
    }

    fn queues(&self, session: &SessionView<'_>, findings: &mut Findings) {
        for (at, bound) in self.bounds.iter().enumerate() {
            let node = NodeId(at as u8);
            let Some(queue) = session.queue(node) else { continue };
            let bound = bound.unwrap_or(queue.bound() as usize).max(1);
            if queue.len() > bound && content(queue) > bound {
                findings.add(NAME, Some(session.id()), || {
                    format!("node {}: {} frames wait, the bound is {bound}", self.name(at), content(queue))
                });
            }
            let Some(sender) = self.plan.nodes.get(at) else { continue };
            let stalled = session.stalled(node).filter(|(_, frame)| frame.is_content()).count();
            // What a service gives out at once comes in one step, too.
            let gives = if sender.service.is_some() { PARTS_PER_TICK as usize } else { 0 };
            let sends = (sender.spec.max_out(sender.input) as usize).max(gives) * sender.targets.len().max(1);
            if stalled > sends {
                findings.add(NAME, Some(session.id()), || {
                    format!("node {}: {stalled} frames stand outside, one step sends {sends}", self.name(at))
                });
            }
        }
    }
}

fn content(queue: &Queue) -> usize {
    queue.iter().filter(|frame| frame.is_content()).count()
}

impl Checker for Bounds {
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        for session in moment.engine.sessions() {
            self.queues(&session, findings);
            let (credit, whole) = (session.credit(), session.input().rate_hz * CREDIT_MS / 1_000);
            if credit > whole || (credit < whole && session.has_ended()) {
                findings.add(NAME, Some(session.id()), || {
                    format!("its host may push {credit} sample frames, {whole} are all there is")
                });
            }
            // Who has let too many gather is hung up on, and still gets all that was decided in that tick.
            let controls = if session.phase() == Phase::Gone { 0 } else { session.controls() };
            for (what, count, most) in [
                ("arrivals wait outside", session.backlog(), HELD_MAX),
                ("messages wait for the host", controls, CONTROLS_MAX),
            ] {
                if count > most {
                    findings.add(NAME, Some(session.id()), || format!("{count} {what}, at most {most} may"));
                }
            }
        }
        for (at, node) in self.plan.nodes.iter().enumerate() {
            let station = moment.engine.hub().station(NodeId(at as u8));
            let (Some(station), Some(buffering)) = (station, &node.buffering) else { continue };
            let bound = (buffering.max_buffer_size as usize).max(1);
            if station.waiting > bound || (station.waiting < bound && station.at_door > 0) {
                findings.add(NAME, None, || {
                    format!("node {}: {station:?} at the hub, whose bound is {bound}", node.id)
                });
            }
        }
    }
}
