//! Why something that arrived was not taken.

use std::fmt;

use crate::wire::message::MessageError;

use super::config::ARRIVED_MAX;

/// Why something that arrived was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// It is no message. Counted; the stream goes on.
    Rejected {
        /// Why.
        error: MessageError,
        /// The log line that is due now, once a second at most.
        log: Option<String>,
    },
    /// `control_overflow`: [`ARRIVED_MAX`] messages wait. The session is to be closed.
    Overflow,
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { error, .. } => error.fmt(f),
            Self::Overflow => {
                write!(f, "control_overflow: {ARRIVED_MAX} control messages wait; close the session")
            }
        }
    }
}

impl std::error::Error for PeerError {}
