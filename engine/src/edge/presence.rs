//! Whether anybody of a session's host is still there.

use std::sync::Arc;

use crate::edge::session_port::SessionPort;

/// Hangs up the session when the last handle or end is dropped.
#[derive(Debug)]
pub(crate) struct Presence(Arc<SessionPort>);

impl Presence {
    pub(crate) fn of(port: &Arc<SessionPort>) -> Self {
        Self(Arc::clone(port))
    }

    /// The session.
    pub(crate) fn port(&self) -> &Arc<SessionPort> {
        &self.0
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}
