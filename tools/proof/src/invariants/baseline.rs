//! Sessions leave nothing behind: every entity belongs to a session that exists, to the pool of segments or to the
//! engine itself, and a tick after all sessions are over no block is under way, no frame waits, no segment exists
//! and, a moment later, no call.

use std::sync::Arc;

use mynah_engine::{NodeId, ScenePlan};

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "baseline";

/// A service that was told to stop has this long to say that it has.
const CALLS_US: u64 = 1_000_000;

pub(super) struct Baseline {
    plan: Arc<ScenePlan>,
    /// Entities that are there without any session; known after the first tick.
    own: Option<i128>,
    /// Entities too many, at the last look.
    strays: i128,
    /// Since when no session has been open.
    quiet_since_us: Option<u64>,
    /// What was found in this quiet was reported.
    reported: bool,
    /// Something was left after the tick before.
    suspected: bool,
}

impl Baseline {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            own: None,
            strays: 0,
            quiet_since_us: None,
            suspected: false,
            reported: false,
        }
    }

    fn entities(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        // A session's own, and one for each node and the output.
        let each = self.plan.nodes.len() as i128 + 2;
        let census = moment.census;
        let theirs = i128::from(census.sessions_open) * each + census.segment_places as i128;
        let own = i128::from(census.entities) - theirs;
        let strays = own - *self.own.get_or_insert(own);
        if std::mem::replace(&mut self.strays, strays) != strays && strays != 0 {
            findings.add(NAME, None, || format!("{strays} entities belong to no session"));
        }
    }

    /// What is left although nobody is there, in words.
    fn left(&self, moment: &Moment<'_>, quiet_us: u64) -> Option<String> {
        let queued: u64 = moment.queued.iter().sum();
        let mut left = Vec::new();
        for (what, count) in [
            ("blocks under way", i128::from(moment.census.blocks_out)),
            ("frames in queues", i128::from(queued)),
            ("segments", moment.census.segments_active as i128),
        ] {
            if count != 0 {
                left.push(format!("{count} {what}"));
            }
        }
        if quiet_us >= CALLS_US {
            let hub = moment.engine.hub();
            let waiting: usize = (0..self.plan.nodes.len()).map(|at| hub.waiting(NodeId(at as u8))).sum();
            if hub.under_way() + waiting > 0 {
                left.push(format!("{} calls under way, {waiting} waiting", hub.under_way()));
            }
        }
        (!left.is_empty()).then(|| format!("no session is open, and there are {}", left.join(", ")))
    }
}

impl Checker for Baseline {
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        self.entities(moment, findings);
        let blocks_out = moment.census.blocks_out;
        if blocks_out < 0 {
            findings.add(NAME, None, || format!("{} blocks more came back than went out", -blocks_out));
        }
        if moment.sessions_live > 0 {
            (self.quiet_since_us, self.suspected, self.reported) = (None, false, false);
            return;
        }
        let now_us = moment.engine.now_us();
        let Some(since_us) = self.quiet_since_us else {
            // Who is hung up on at the end of a tick is let go of by the nodes in the next one.
            self.quiet_since_us = Some(now_us);
            return;
        };
        if self.reported {
            return;
        }
        let left = self.left(moment, now_us - since_us);
        // What comes for a session that is opened in the middle of a tick is kept for the next, which admits it.
        if std::mem::replace(&mut self.suspected, left.is_some())
            && let Some(left) = left
        {
            self.reported = true;
            findings.add(NAME, None, || left);
        }
    }

    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        // Runs end in the tick in which the last session is closed, or later.
        if !self.reported
            && let Some(since_us) = self.quiet_since_us
            && let Some(left) = self.left(moment, moment.engine.now_us() - since_us)
        {
            findings.add(NAME, None, || left);
        }
    }
}
