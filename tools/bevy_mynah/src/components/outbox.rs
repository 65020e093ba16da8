//! What waits until a session is open.

use std::sync::Arc;

use bevy_ecs::component::Component;
use mynah_engine::Control;
use mynah_engine::speech::History;

/// Most messages that wait for a session.
const WAITING_MAX: usize = 32;

/// What the game wants of a voice whose session is not open yet, in order.
#[derive(Component, Debug, Default)]
pub(crate) struct Outbox {
    waiting: Vec<Control>,
    /// Frames in which the session's name was still in use.
    pub(crate) tries: u32,
    /// Of the session before, to go on with.
    pub(crate) history: Option<Arc<History>>,
}

impl Outbox {
    /// Keeps a message; false: as many wait as may.
    pub(crate) fn keep(&mut self, control: Control) -> bool {
        let room = self.waiting.len() < WAITING_MAX;
        if room {
            self.waiting.push(control);
        }
        room
    }

    /// All that waits.
    pub(crate) fn take(&mut self) -> Vec<Control> {
        std::mem::take(&mut self.waiting)
    }
}

/// The session could not be opened, or has ended: it is not opened again before the voice or its scene changes.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Closed;
