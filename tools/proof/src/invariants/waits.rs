//! Nothing waits longer than its timeout: a call that a service does not answer is over by the time that the scene gives
//! it, unless nobody waits for it, as its consumers are full or calls before it are not done.

use mynah_engine::ScenePlan;

use super::checker::{Checker, Findings, Moment};

pub(super) const NAME: &str = "waits";

/// A call that was released late has this much more, and the hub looks at it this much later, microseconds.
const GRACE_US: u64 = 200_000;
/// Ticks in a row after which a call was there beyond its time: in a tick that comes late much is late.
const TICKS: u32 = 3;

pub(super) struct Waits {
    names: Vec<String>,
    ticks: u32,
}

impl Waits {
    pub(super) fn new(plan: &ScenePlan) -> Self {
        Self { names: plan.nodes.iter().map(|node| node.id.clone()).collect(), ticks: 0 }
    }
}

impl Checker for Waits {
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let now_us = moment.engine.now_us();
        let longest = moment.engine.hub().most_overdue(now_us).filter(|(_, late_us)| *late_us > GRACE_US);
        let Some((call, late_us)) = longest else {
            self.ticks = 0;
            return;
        };
        self.ticks += 1;
        if self.ticks > TICKS {
            let name = &self.names[call.node.index()];
            findings.add(NAME, Some(call.session), || {
                format!(
                    "node {name}: a call about segment {} waits {late_us} us too long",
                    call.segment.serial
                )
            });
        }
    }
}
