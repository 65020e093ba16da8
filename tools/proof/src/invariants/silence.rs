//! A microphone that delivers nothing ends the open segment: if nothing arrived for as long as the gate says
//! (`silence_us`), and no frame was on its way to the gate or waited before a full queue behind it, no segment is
//! open, unless the host holds the gate open.

use std::sync::Arc;

use mynah_engine::observe::SessionView;
use mynah_engine::scene::OverflowPolicy;
use mynah_engine::session::Phase;
use mynah_engine::speech::GateMode;
use mynah_engine::{Event, NodeId, Record, ScenePlan};
use mynah_systems::vad_gate::GateLane;

use super::checker::{Checker, Findings, Moment, Sessions};

pub(super) const NAME: &str = "silence";

/// So many ticks must have ended with nothing under way as well: a block holds three hops, and where the queue behind the
/// gate was full when it asked, it hears one of them a tick, which nobody sees from outside. Of ticks that come in time
/// more than these pass anyway.
const TICKS: u32 = 4;

/// A gate by its place in the plan.
#[derive(Clone, Copy)]
struct Gate {
    at: usize,
    timeout_us: u64,
}

#[derive(Debug, Default)]
struct Story {
    open: Option<u32>,
    /// Sample frames that had arrived.
    frames_in: u64,
    /// Engine time of the first tick after which nothing was under way, and how many there were since: what stood somewhere
    /// after the tick before that, moved in it, however late it came.
    since_us: u64,
    ticks: u32,
}

pub(super) struct Silence {
    plan: Arc<ScenePlan>,
    /// The last one, which everything on the way to the others stands before; with the longest time of all.
    gate: Option<Gate>,
    sessions: Sessions<Story>,
}

impl Silence {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let gates = plan
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(at, node)| Some(Gate { at, timeout_us: node.spec.silence_us()? }));
        let gate =
            gates.reduce(|a, b| Gate { at: a.at.max(b.at), timeout_us: a.timeout_us.max(b.timeout_us) });
        Self { plan: Arc::clone(plan), gate, sessions: Sessions::default() }
    }

    /// Whether something waits before the gate, or the gate for what is behind it.
    fn moves(&self, session: &SessionView<'_>, gate: usize) -> bool {
        let waits = (0..=gate).map(|at| NodeId(at as u8)).any(|node| {
            session.queue(node).is_some_and(|queue| !queue.is_empty())
                || session.stalled(node).next().is_some()
        });
        let blocks = self.plan.nodes[gate].targets.iter().any(|target| {
            let queue = session.queue(self.plan.position(target.node));
            queue.is_some_and(|queue| queue.overflow() == OverflowPolicy::Block && !queue.is_empty())
        });
        waits || blocks || session.backlog() > 0
    }
}

impl Checker for Silence {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        let Some(story) = self.sessions.of(record) else { return };
        match record.event {
            Event::SegmentOpened { segment, .. } => story.open = Some(segment),
            Event::SegmentCancelled { .. } | Event::SegmentEnded { .. } => story.open = None,
            _ => {}
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let Some(Gate { at, timeout_us }) = self.gate else { return };
        let now_us = moment.engine.now_us();
        for session in moment.engine.sessions().filter(|session| session.phase() != Phase::Gone) {
            // What the host holds open stays open, whatever comes.
            let node = NodeId(at as u8);
            let is_held = session.state::<GateLane>(node).is_some_and(|gate| gate.mode() == GateMode::Open);
            let moves = is_held || self.moves(&session, at);
            let Some(story) = self.sessions.at(session.id()) else { continue };
            if moves || session.frames_in() != story.frames_in {
                (story.frames_in, story.ticks) = (session.frames_in(), 0);
                continue;
            }
            if story.ticks == 0 {
                story.since_us = now_us;
            }
            story.ticks += 1;
            if story.ticks > TICKS
                && now_us >= story.since_us + timeout_us
                && let Some(segment) = story.open.take()
            {
                let since_us = now_us - story.since_us;
                findings.add(NAME, Some(session.id()), || {
                    format!("segment {segment} is open, and nothing has come for {since_us} us")
                });
            }
        }
    }
}
