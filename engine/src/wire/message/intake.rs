//! Sorts received messages, in the same way on every transport.
//!
//! | received | done |
//! |---|---|
//! | malformed, too long, out of range | rejected, counted, logged once a second at most; the stream goes on |
//! | another session than its path's, or older than 1 s | processed, warning counted |
//! | header and payload disagree | processed with the header's values, warning counted |
//! | unknown type | ignored, counted, not acknowledged |
//!
//! [`crate::wire::delivery`], which comes next, recognises messages that were seen before.

use super::{Arrival, ControlMessage, MessageError};

/// Age from which a message counts as stale, microseconds.
pub const STALE_US: u64 = 1_000_000;
/// Shortest time between two log lines about rejected messages, microseconds.
const LOG_GAP_US: u64 = 1_000_000;

/// Counts what a transport receives; one for each transport, however many sessions it carries.
#[derive(Clone, Debug, Default)]
pub struct MessageIntake {
    figures: IntakeFigures,
    logged_us: Option<u64>,
    unlogged: u64,
}

/// Counts of a transport. Every message is one of the first three; the others are warnings about accepted ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeFigures {
    /// Handed on to be processed.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
    /// Ignored for their type.
    pub unknown_type: u64,
    /// Accepted, about another session than their path's.
    pub session_mismatch: u64,
    /// Accepted, more than [`STALE_US`] old.
    pub stale: u64,
    /// Accepted with a header that contradicted its payload.
    pub overruled: u64,
}

/// What to do with a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// Process it. The session is not compared with the path's: the transport decides what a path may speak about.
    Message(ControlMessage),
    /// Nothing.
    Ignored,
    /// Nothing, except to log the line, if there is one.
    Rejected {
        /// Why.
        error: MessageError,
        /// The log line that is due now.
        log: Option<String>,
    },
}

impl MessageIntake {
    /// Sorts the result of a decoder. `unix_us`: now, on the clock of the messages' timestamps. `session`: the
    /// session of the path; `None` where one path carries many sessions.
    pub fn take(
        &mut self,
        unix_us: u64,
        session: Option<&str>,
        arrival: Result<Arrival, MessageError>,
    ) -> Taken {
        match arrival {
            Ok(Arrival::Message { message, overruled }) => {
                let figures = &mut self.figures;
                figures.accepted += 1;
                figures.session_mismatch += u64::from(session.is_some_and(|id| *id != *message.session_id));
                figures.stale += u64::from(unix_us.saturating_sub(message.timestamp) > STALE_US);
                figures.overruled += u64::from(overruled.any());
                Taken::Message(message)
            }
            Ok(Arrival::UnknownType(_)) => {
                self.figures.unknown_type += 1;
                Taken::Ignored
            }
            Err(error) => {
                self.figures.rejected += 1;
                let log = self.log_line(unix_us, &error);
                Taken::Rejected { error, log }
            }
        }
    }

    fn log_line(&mut self, unix_us: u64, error: &MessageError) -> Option<String> {
        // Compared by distance: a wall clock that was set back must not silence the log until it has caught up.
        if self.logged_us.is_some_and(|last| last.abs_diff(unix_us) < LOG_GAP_US) {
            self.unlogged += 1;
            return None;
        }
        self.logged_us = Some(unix_us);
        Some(match std::mem::take(&mut self.unlogged) {
            0 => format!("control message rejected: {error}"),
            more => format!("control message rejected: {error} ({more} more since the last line)"),
        })
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> IntakeFigures {
        self.figures
    }
}
