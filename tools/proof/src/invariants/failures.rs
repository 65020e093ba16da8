//! A panic in a node costs the session whose frame it was: a session fails only if one of its nodes was to panic, it is over
//! from then on, and nobody else's is.

use mynah_engine::{Event, NodeId, Record, SessionId};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "failures";

/// A session that has failed is over after so many ticks: one to hear of it, one to close.
const TICKS: u64 = 3;

/// A session that has failed and is not closed yet.
struct Failed {
    session: SessionId,
    node: Option<NodeId>,
    /// Ticks since; 0: in this one.
    ticks: u64,
    closed: bool,
}

#[derive(Default)]
pub(super) struct Failures {
    failed: Vec<Failed>,
}

impl Checker for Failures {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        let session = record.session;
        match record.event {
            Event::SessionFailed { node, .. } => {
                self.failed.push(Failed { session, node, ticks: 0, closed: false })
            }
            Event::SessionClosed => {
                let closed = self.failed.iter_mut().filter(|failed| failed.session == session);
                closed.for_each(|failed| failed.closed = true);
            }
            _ => {}
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let strikes = moment.engine.node_strikes();
        for failed in &mut self.failed {
            let &mut Failed { session, node, ticks, closed } = failed;
            failed.ticks += 1;
            if ticks == TICKS && !closed {
                findings.add(NAME, Some(session), || "it has failed, and is not closed".into());
            }
            if ticks > 0 {
                continue;
            }
            let view = moment.engine.sessions().find(|view| view.id() == session);
            let due = strikes.zip(view).zip(node).is_some_and(|((strikes, view), node)| {
                strikes.at(session, view.generation(), node).is_some()
            });
            if !due {
                findings
                    .add(NAME, Some(session), || format!("failed at {node:?}, and none of its nodes was to"));
            }
        }
        self.failed.retain(|failed| !failed.closed && failed.ticks <= TICKS);
    }
}
