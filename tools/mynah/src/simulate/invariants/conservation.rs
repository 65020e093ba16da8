//! Nothing is lost silently: every frame that entered a node's queues has ended there in exactly one way or waits, and
//! what was sent along the edges into a node has arrived at it.

use std::sync::Arc;

use mynah_engine::ScenePlan;

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "conservation";

pub(super) struct Conservation {
    plan: Arc<ScenePlan>,
    /// Frames sent to each node, counted anew every tick.
    sent: Vec<u64>,
    /// Nodes whose books were wrong before: each is reported when it goes wrong.
    wrong: Vec<i128>,
}

impl Conservation {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let nodes = plan.nodes.len() + 1;
        Self { plan: Arc::clone(plan), sent: vec![0; nodes], wrong: vec![0; nodes * 2] }
    }

    fn sent(&mut self, moment: &Moment<'_>) {
        let Self { plan, sent, .. } = self;
        sent.fill(0);
        let edge = &moment.books.edge;
        for target in &plan.input_targets {
            sent[plan.position(target.node).index()] += edge.blocks + edge.concealed_blocks;
        }
        for (node, book) in plan.nodes.iter().zip(&moment.books.nodes) {
            for target in &node.targets {
                sent[plan.position(target.node).index()] += book.created[usize::from(target.port)];
            }
        }
    }
}

impl Checker for Conservation {
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        self.sent(moment);
        for (at, book) in moment.books.nodes.iter().enumerate() {
            let name = || self.plan.nodes.get(at).map_or("output", |node| &*node.id);
            let lost = i128::from(book.arrived) - i128::from(book.accounted());
            if std::mem::replace(&mut self.wrong[at * 2], lost) != lost && lost != 0 {
                findings.add(NAME, None, || {
                    format!("node {}: {} frames in, {} accounted for", name(), book.arrived, book.accounted())
                });
            }
            let astray = i128::from(self.sent[at]) - i128::from(book.arrived);
            if std::mem::replace(&mut self.wrong[at * 2 + 1], astray) != astray && astray != 0 {
                findings.add(NAME, None, || {
                    format!("node {}: {} frames sent to it, {} arrived", name(), self.sent[at], book.arrived)
                });
            }
        }
    }
}
