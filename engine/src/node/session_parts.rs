//! What nodes read of sessions.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::SegmentKey;
use crate::edge::params::Params;
use crate::session::components::{HostLink, Session, SessionParams};
use crate::session::conversation::Conversation;
use crate::speech::history::History;
use crate::speech::playout::Playout;

/// What a node's context needs of session entities.
pub(crate) trait Sessions {
    fn session(&self, entity: Entity) -> Option<&Session>;
    fn playout(&self, entity: Entity) -> Option<&Playout>;
    /// The playout, with what still waits in the host's ring at `now_us`.
    fn playout_at(&self, entity: Entity, now_us: u64) -> Option<Playout>;
    fn params(&self, entity: Entity) -> Option<&Arc<Params>>;
    fn wants_events(&self, entity: Entity) -> bool;
    fn history(&self, entity: Entity, segment: SegmentKey) -> Option<Arc<History>>;
}

/// The components of a session that nodes read.
pub(crate) type SessionParts = (
    &'static Session,
    &'static Playout,
    &'static SessionParams,
    &'static HostLink,
    Option<&'static Conversation>,
);

impl Sessions for Query<'_, '_, SessionParts> {
    fn session(&self, entity: Entity) -> Option<&Session> {
        self.get(entity).ok().map(|(session, ..)| session)
    }
    fn playout(&self, entity: Entity) -> Option<&Playout> {
        self.get(entity).ok().map(|(_, playout, ..)| playout)
    }
    fn playout_at(&self, entity: Entity, now_us: u64) -> Option<Playout> {
        let (_, playout, _, link, _) = self.get(entity).ok()?;
        let mut playout = *playout;
        if let Some(ring) = &link.output {
            playout.still_sounds(now_us, ring.unread_us());
        }
        Some(playout)
    }
    fn params(&self, entity: Entity) -> Option<&Arc<Params>> {
        self.get(entity).ok().map(|(_, _, params, ..)| &params.0)
    }
    fn wants_events(&self, entity: Entity) -> bool {
        self.get(entity).is_ok_and(|(.., link, _)| link.wants_events())
    }
    fn history(&self, entity: Entity, segment: SegmentKey) -> Option<Arc<History>> {
        let (.., conversation) = self.get(entity).ok()?;
        Some(conversation?.before(segment.serial))
    }
}
