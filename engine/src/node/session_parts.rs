//! What nodes read of sessions.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::edge::params::Params;
use crate::session::components::{HostLink, Session, SessionParams};
use crate::speech::playout::Playout;

/// What a node's context needs of session entities.
pub(crate) trait Sessions {
    fn session(&self, entity: Entity) -> Option<&Session>;
    fn playout(&self, entity: Entity) -> Option<&Playout>;
    /// The playout, with what still waits in the host's ring at `now_us`.
    fn playout_at(&self, entity: Entity, now_us: u64) -> Option<Playout>;
    fn params(&self, entity: Entity) -> Option<&Arc<Params>>;
    fn wants_events(&self, entity: Entity) -> bool;
}

/// The components of a session that nodes read.
pub(crate) type SessionParts =
    (&'static Session, &'static Playout, &'static SessionParams, &'static HostLink);

impl Sessions for Query<'_, '_, SessionParts> {
    fn session(&self, entity: Entity) -> Option<&Session> {
        self.get(entity).ok().map(|(session, ..)| session)
    }
    fn playout(&self, entity: Entity) -> Option<&Playout> {
        self.get(entity).ok().map(|(_, playout, ..)| playout)
    }
    fn playout_at(&self, entity: Entity, now_us: u64) -> Option<Playout> {
        let (_, playout, _, link) = self.get(entity).ok()?;
        let mut playout = *playout;
        if let Some(ring) = &link.output {
            playout.still_sounds(now_us, ring.unread_us());
        }
        Some(playout)
    }
    fn params(&self, entity: Entity) -> Option<&Arc<Params>> {
        self.get(entity).ok().map(|(.., params, _)| &params.0)
    }
    fn wants_events(&self, entity: Entity) -> bool {
        self.get(entity).is_ok_and(|(.., link)| link.wants_events())
    }
}
