//! Stops the calls of lanes whose node cannot do so itself any more.

use crate::base::ids::{NodeId, SegmentKey, SessionId};
use crate::service::api::{CallKey, Request};
use crate::service::submissions::Submissions;

/// A lane of a node that calls a service.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) session: SessionId,
    /// Which session of that id.
    pub(crate) generation: u32,
    pub(crate) node: NodeId,
    /// Number of the service in the scene.
    pub(crate) service: u8,
    /// The session's segments in use: of each the service may have heard audio.
    pub(crate) segments: Vec<SegmentKey>,
}

impl Submissions<'_, '_> {
    /// Stops what `caller` has asked for: calls that wait, calls under way, and what its service has heard without a
    /// question. Replies that come for them all the same find no lane.
    pub(crate) fn abandon(&mut self, caller: &Caller, now_us: u64) {
        let theirs = |key: &CallKey| {
            (key.session, key.generation, key.node) == (caller.session, caller.generation, caller.node)
        };
        let mut keys: Vec<CallKey> = self.calls.flights.keys().filter(|key| theirs(key)).copied().collect();
        let station = self.order.node(caller.node).and_then(|node| self.stations.get(node).ok());
        if let Some((.., queue, _)) = station {
            keys.extend(queue.keys().filter(theirs));
        }
        keys.sort_unstable_by_key(|key| (key.segment.serial, key.revision, key.part));
        let service = self.order.services[usize::from(caller.service)];
        if self.services.get(service).is_ok_and(|(instance, _)| instance.0.wants_audio()) {
            let silent =
                caller.segments.iter().filter(|segment| keys.iter().all(|key| key.segment != **segment));
            let &Caller { session, generation, node, .. } = caller;
            let heard = silent.map(|&segment| CallKey {
                session,
                generation,
                node,
                segment,
                revision: 0,
                turn: 0,
                part: 0,
            });
            keys.extend(heard.collect::<Vec<_>>());
        }
        for key in keys {
            self.hand_over(service, Request::Cancel(key), now_us);
        }
    }
}
