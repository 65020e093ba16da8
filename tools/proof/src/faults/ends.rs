//! A host's side of its session: one handle, or the three ends that it was split into.

use mynah_engine::scene::Format;
use mynah_engine::{Control, ControlError, ControlIn, SessionHandle, SessionId};

use super::pushed::Pushed;
use super::split::Split;

/// How a host has its session.
#[derive(Debug)]
pub(super) enum Ends {
    /// With one handle.
    Whole(SessionHandle),
    /// By its ends.
    Split(Box<Split>),
}

impl Ends {
    /// The session's id, and which session of that id it is.
    pub(super) fn id(&self) -> (SessionId, u32) {
        match self {
            Self::Whole(handle) => (handle.id(), handle.generation()),
            Self::Split(split) => (split.control.id(), split.control.generation()),
        }
    }

    /// The session's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Whole(handle) => handle.name(),
            Self::Split(split) => split.control.name(),
        }
    }

    /// Format of the audio to push.
    pub(super) fn input(&self) -> Format {
        match self {
            Self::Whole(handle) => handle.input(),
            Self::Split(split) => split.control.input(),
        }
    }

    /// Whether the session is over.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Whole(handle) => handle.is_closed(),
            Self::Split(split) => split.control.is_closed(),
        }
    }

    /// Sends the message of this number, the next one.
    pub(super) fn send(&mut self, message_id: u64, control: Control) -> Result<(), ControlError> {
        match self {
            Self::Whole(handle) => handle.control(ControlIn { message_id, control }),
            Self::Split(split) => split.control.send(control).map(|number| {
                debug_assert_eq!(number, message_id, "the ends count as their host does");
            }),
        }
    }

    /// Ends the input; what is pushed with that is added to `pushed`.
    pub(super) fn finish(&mut self, pushed: &mut Pushed) {
        match self {
            Self::Whole(handle) => handle.finish(),
            Self::Split(split) => split.finish(pushed),
        }
    }

    /// Hangs up.
    pub(super) fn close(&self) {
        match self {
            Self::Whole(handle) => handle.close(),
            Self::Split(split) => split.control.close(),
        }
    }
}
