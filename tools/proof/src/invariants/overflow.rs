//! A full queue follows the policy of its scene. `Block` never drops. `DropOldest` drops the frames that came first:
//! as many of those that waited before a tick have gone as the tick dropped. `DropNewest` drops arriving frames:
//! waiting ones leave only by being taken. The remaining frames keep their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::record::NodeCounts;
use mynah_engine::scene::OverflowPolicy;
use mynah_engine::{DropReason, Event, Frame, NodeId, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "overflow";

/// What tells frames of one queue apart.
type Key = (u32, u32, u32, u64);

/// Counts of a node by which frames leave its queues other than by overflow.
type Gone = (u64, u64, u64);

pub(super) struct Overflow {
    plan: Arc<ScenePlan>,
    /// What waited at the end of the last tick, by session, its opening, and node.
    before: BTreeMap<(SessionId, u8), (u32, Vec<Key>)>,
    /// Drops of this tick.
    drops: BTreeMap<(SessionId, u8), usize>,
    /// Of each node at the end of the last tick.
    gone: Vec<Gone>,
    /// Scratch: frames that have gone in this tick, by node.
    left: Vec<u64>,
    spare: Vec<Vec<Key>>,
}

impl Overflow {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let nodes = plan.nodes.len();
        Self {
            plan: Arc::clone(plan),
            before: BTreeMap::new(),
            drops: BTreeMap::new(),
            gone: vec![(0, 0, 0); nodes],
            left: vec![0; nodes],
            spare: Vec::new(),
        }
    }

    fn policy(&self, node: u8) -> Option<OverflowPolicy> {
        self.plan.nodes.get(usize::from(node)).map(|node| node.capabilities.overflow_policy)
    }

    /// Compares a queue with what waited there before; how much of that has gone. A cancellation takes frames from
    /// anywhere in a queue.
    fn compare(&self, at: (SessionId, u8), old: &[Key], new: &[Key], findings: &mut Findings) -> usize {
        let mut stays = new.iter().peekable();
        let gone = old.iter().filter(|key| stays.next_if_eq(key).is_none()).count();
        let dropped = self.drops.get(&at).copied().unwrap_or(0);
        if self.policy(at.1) == Some(OverflowPolicy::DropOldest) && gone < dropped.min(old.len()) {
            let name = &self.plan.nodes[usize::from(at.1)].id;
            findings.add(NAME, Some(at.0), || {
                let waited = old.len();
                format!(
                    "node {name}: {dropped} dropped, and only {gone} of the {waited} that waited are gone"
                )
            });
        }
        gone
    }
}

fn key(frame: &Frame) -> Key {
    (frame.segment.serial, frame.revision, frame.seq, frame.pts_us)
}

/// Frames that have left the queues of a node by other ways than being taken: merged, taken back, dropped otherwise.
fn gone(counts: &NodeCounts) -> Gone {
    let overflow = counts.dropped[DropReason::Overflow as usize];
    (counts.taken, counts.merged + counts.cancelled, counts.dropped_all() - overflow)
}

impl Checker for Overflow {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let Event::FrameDropped { node, reason: DropReason::Overflow, .. } = record.event else { return };
        *self.drops.entry((record.session, node.0)).or_default() += 1;
        if self.policy(node.0) == Some(OverflowPolicy::Block) {
            let name = &self.plan.nodes[node.index()].id;
            findings
                .add(NAME, Some(record.session), || format!("node {name}: dropped, and its senders wait"));
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let mut before = std::mem::take(&mut self.before);
        self.left.fill(0);
        for session in moment.engine.sessions() {
            for node in 0..self.plan.nodes.len() as u8 {
                let policy = self.policy(node);
                if !matches!(policy, Some(OverflowPolicy::DropOldest | OverflowPolicy::DropNewest)) {
                    continue;
                }
                let at = (session.id(), node);
                let Some(queue) = session.queue(NodeId(node)) else { continue };
                let old = before.remove(&at).filter(|(opening, _)| *opening == session.generation());
                if queue.is_empty() && old.is_none() {
                    continue;
                }
                let mut new = self.spare.pop().unwrap_or_default();
                new.clear();
                new.extend(queue.iter().filter(|frame| frame.is_content()).map(key));
                if let Some((_, old)) = old {
                    self.left[usize::from(node)] += self.compare(at, &old, &new, findings) as u64;
                    self.spare.push(old);
                }
                if new.is_empty() {
                    self.spare.push(new);
                } else {
                    self.before.insert(at, (session.generation(), new));
                }
            }
        }
        self.drops.clear();
        for (at, node) in self.plan.nodes.iter().enumerate() {
            let now = gone(&moment.census.nodes[at]);
            let was = std::mem::replace(&mut self.gone[at], now);
            let otherwise = now.1.saturating_sub(was.1) + now.2.saturating_sub(was.2);
            let allowed = now.0.saturating_sub(was.0) + otherwise;
            let newest = node.capabilities.overflow_policy == OverflowPolicy::DropNewest;
            if newest && self.left[at] > allowed {
                let left = self.left[at];
                findings.add(NAME, None, || {
                    format!("node {}: {left} that waited are gone, {allowed} were taken", node.id)
                });
            }
        }
    }
}
