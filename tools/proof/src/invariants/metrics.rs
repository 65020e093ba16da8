//! Figures about the same thing agree: a histogram of waiting times has as many values as frames were taken, one of
//! latencies as many as calls were answered, one of batches as many as items were submitted; what is counted as out
//! has come out.

use std::sync::Arc;

use mynah_engine::service::NOT_STARTED;
use mynah_engine::session::Phase;
use mynah_engine::{Event, NodeId, OutAudio, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "metrics";

/// What the log says of one node.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    submitted: u64,
    /// Calls that were answered, done or failed.
    answered: u64,
    /// Of these, failed before their service had room for them.
    unstarted: u64,
    batches: u64,
    items: u64,
}

pub(super) struct Metrics {
    plan: Arc<ScenePlan>,
    told: Vec<Told>,
    /// Blocks that came out.
    blocks: u64,
    /// Outputs that hosts had not taken when their sessions were over.
    unread: u64,
    /// Some session was split: blocks of its own went into a ring, and nobody has seen them.
    rings: bool,
    /// What disagrees, as it was last reported.
    wrong: Vec<Option<String>>,
}

impl Metrics {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let nodes = plan.nodes.len();
        let (told, wrong) = (vec![Told::default(); nodes], vec![None; nodes + 1]);
        Self { plan: Arc::clone(plan), told, blocks: 0, unread: 0, rings: false, wrong }
    }

    /// What disagrees at the node at `at`.
    fn disagreement(&self, at: usize, moment: &Moment<'_>) -> Option<String> {
        let (counts, waits) = (&moment.census.nodes[at], moment.census.waits[at]);
        if waits != counts.taken {
            return Some(format!("{} frames taken, {waits} waiting times", counts.taken));
        }
        let Some(told) = self.told.get(at) else {
            // What stands in the hosts' rings is out and has not been seen.
            let out = counts.created[0];
            return (self.blocks > out).then(|| format!("{out} blocks out, {} came", self.blocks));
        };
        let latencies = moment.census.latencies[at];
        if latencies < told.answered || latencies > told.submitted + told.unstarted {
            let Told { answered, submitted, .. } = told;
            return Some(format!("{submitted} calls, {answered} answered, {latencies} latencies"));
        }
        let figures = moment.engine.hub().batches(NodeId(at as u8))?;
        let counts = (figures.count, figures.items, figures.wait.len());
        let wanted = (told.batches, told.items, told.submitted);
        (counts != wanted || told.items != told.submitted)
            .then(|| format!("batches, items, waits are {counts:?}; the log says {wanted:?}"))
    }
}

impl Checker for Metrics {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        let told = &mut self.told;
        let mut at = |node: NodeId, count: fn(&mut Told)| told.get_mut(node.index()).map_or((), count);
        match record.event {
            Event::ServiceSubmitted { node, .. } => at(node, |told| told.submitted += 1),
            Event::ServiceDone { node, .. } => at(node, |told| told.answered += 1),
            Event::ServiceFailed { node, ref reason, .. } => {
                at(node, |told| told.answered += 1);
                if reason.starts_with(NOT_STARTED) {
                    at(node, |told| told.unstarted += 1);
                }
            }
            Event::Batch { node, size, .. } => {
                at(node, |told| told.batches += 1);
                if let Some(told) = self.told.get_mut(node.index()) {
                    told.items += u64::from(size);
                }
            }
            _ => {}
        }
    }

    fn audio(&mut self, _: SessionId, _: &OutAudio, _: &mut Findings) {
        self.blocks += 1;
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if moment.sessions_live < moment.census.sessions_open as usize {
            // A session that is over is seen so once.
            let over = moment.engine.sessions().filter(|session| session.phase() == Phase::Gone);
            for session in over {
                self.unread += session.unread() as u64;
                self.rings |= session.is_split();
            }
        }
        for at in 0..self.wrong.len() {
            let wrong = self.disagreement(at, moment);
            if let Some(what) = wrong.clone().filter(|_| self.wrong[at].is_none()) {
                let name = self.plan.nodes.get(at).map_or("output", |node| &node.id);
                findings.add(NAME, None, || format!("node {name}: {what}"));
            }
            self.wrong[at] = wrong;
        }
    }

    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let out = moment.census.nodes.last().map_or(0, |output| output.created[0]);
        if out > self.blocks + self.unread && !self.rings && moment.sessions_live == 0 {
            findings.add(NAME, None, || format!("{out} blocks counted as out, {} came", self.blocks));
        }
    }
}
