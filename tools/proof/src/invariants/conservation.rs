//! Nothing is lost silently: every frame that entered a node's queues has ended there in exactly one way or waits,
//! frames sent along the edges into a node have arrived at it, and audio that a host pushed before it ended its input
//! has arrived at its session. The last is checked by the hosts' own count.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::{Event, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "conservation";

pub(super) struct Conservation {
    plan: Arc<ScenePlan>,
    /// Frames sent to each node, counted anew every tick.
    sent: Vec<u64>,
    /// Nodes whose counts were wrong before: each is reported when it goes wrong.
    wrong: Vec<i64>,
    /// Sample frames that hosts pushed into sessions whose input has ended, by id and opening.
    fed: BTreeMap<(SessionId, u32), u64>,
    /// Some session was closed in this tick.
    closed: bool,
}

impl Conservation {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let nodes = plan.nodes.len() + 1;
        let (sent, wrong) = (vec![0; nodes], vec![0; nodes * 2]);
        Self { plan: Arc::clone(plan), sent, wrong, fed: BTreeMap::new(), closed: false }
    }

    /// What hosts pushed into the sessions that are over, and what arrived. Who was hung up on is owed nothing.
    fn settle(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        for session in moment.engine.sessions().filter(|session| session.has_ended()) {
            let Some(pushed) = self.fed.remove(&(session.id(), session.generation())) else { continue };
            let arrived = session.frames_in() - session.concealed();
            if arrived != pushed {
                findings.add(NAME, Some(session.id()), || {
                    format!("its host pushed {pushed} sample frames, {arrived} arrived")
                });
            }
        }
    }

    fn sent(&mut self, moment: &Moment<'_>) {
        let Self { plan, sent, .. } = self;
        sent.fill(0);
        let edge = &moment.census.edge;
        for target in &plan.input_targets {
            sent[plan.position(target.node).index()] += edge.blocks + edge.concealed_blocks;
        }
        for (targets, count) in [(&plan.said_targets[..], edge.said), (plan.typed_targets(), edge.typed)] {
            targets.iter().for_each(|target| sent[plan.position(target.node).index()] += count);
        }
        for (node, counts) in plan.nodes.iter().zip(&moment.census.nodes) {
            for target in &node.targets {
                sent[plan.position(target.node).index()] += counts.created[usize::from(target.port)];
            }
        }
    }
}

impl Checker for Conservation {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        self.closed |= record.event == Event::SessionClosed;
    }

    fn fed(&mut self, session: SessionId, opening: u32, frames: u64) {
        self.fed.insert((session, opening), frames);
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if std::mem::take(&mut self.closed) {
            self.settle(moment, findings);
        }
        self.sent(moment);
        for (at, balance) in moment.census.balances(moment.queued).enumerate() {
            let name = || self.plan.nodes.get(at).map_or("output", |node| &*node.id);
            let lost = balance.missing();
            if std::mem::replace(&mut self.wrong[at * 2], lost) != lost && lost != 0 {
                findings.add(NAME, None, || format!("node {}: {balance}", name()));
            }
            let astray = self.sent[at].wrapping_sub(balance.arrived).cast_signed();
            if std::mem::replace(&mut self.wrong[at * 2 + 1], astray) != astray && astray != 0 {
                findings.add(NAME, None, || {
                    format!(
                        "node {}: {} frames sent to it, {} arrived",
                        name(),
                        self.sent[at],
                        balance.arrived
                    )
                });
            }
        }
    }
}
