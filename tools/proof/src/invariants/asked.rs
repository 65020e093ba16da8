//! Notes when calls were first seen to wait before a service: from the keys of the calls that wait after each tick,
//! and the log of submissions. The engine's own times of these calls are not used.

use std::collections::BTreeMap;

use mynah_engine::service::Hub;
use mynah_engine::{Event, NodeId, Record, SessionId};

/// Which call of a node: session, segment, revision, part.
type Which = (SessionId, u32, u32, u32);

/// What waits before the service of one node.
#[derive(Debug)]
pub(super) struct Asked {
    node: NodeId,
    /// Engine time of the tick after which each was first there.
    since_us: BTreeMap<Which, u64>,
}

impl Asked {
    pub(super) fn new(node: NodeId) -> Self {
        Self { node, since_us: BTreeMap::new() }
    }

    /// For how long the call had waited that `record` submits to this node's service; `None`: it submits none.
    pub(super) fn waited_us(&self, record: &Record) -> Option<u64> {
        let Event::ServiceSubmitted { node, segment, revision, part } = record.event else { return None };
        let since_us = self.since_us.get(&(record.session, segment, revision, part));
        (node == self.node).then(|| since_us.map_or(0, |us| record.t_us.saturating_sub(*us)))
    }

    /// For how long the one that came first has waited; 0 when nothing does.
    pub(super) fn longest_us(&self, now_us: u64) -> u64 {
        self.since_us.values().min().map_or(0, |us| now_us.saturating_sub(*us))
    }

    pub(super) fn count(&self) -> usize {
        self.since_us.len()
    }

    /// Looks at who waits after the tick at `now_us`.
    pub(super) fn look(&mut self, hub: Hub<'_>, now_us: u64) {
        let before = std::mem::take(&mut self.since_us);
        for key in hub.calls_waiting(self.node) {
            let which = (key.session, key.segment.serial, key.revision, key.part);
            self.since_us.insert(which, before.get(&which).copied().unwrap_or(now_us));
        }
    }
}
