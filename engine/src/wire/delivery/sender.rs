//! The outgoing side: keeps each message until it is acknowledged, sends it again meanwhile, and reports its fate.

use std::collections::VecDeque;
use std::fmt;

use crate::wire::message::{AckStage, ControlMessage, MESSAGE_ID_MAX, MessageError, MessageType};

/// Time from a transmission without `Delivered` to the next, microseconds.
pub const RESEND_US: u64 = 50_000;
/// Transmissions of a message in all: the first and three more.
pub const TRANSMITS_MAX: u8 = 4;
/// Most unacknowledged messages of one end.
pub const UNACKNOWLEDGED_MAX: usize = 256;
/// Most events that may wait to be polled when a message is sent.
pub const EVENTS_MAX: usize = 1024;

/// The fate of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// The message has arrived and takes effect, once.
    Delivered {
        /// The message that arrived.
        message_id: u64,
    },
    /// The work that the message stops has stopped; always after its `Delivered`. The receiver sends it once, and again
    /// for each repeat of the message. Nobody acknowledges it, so it may be lost.
    Applied {
        /// The message whose work has stopped.
        message_id: u64,
    },
    /// The message is not known to have arrived: transmitted four times without an answer. Final.
    Failed {
        /// The message that is given up.
        message_id: u64,
    },
}

/// Why a message cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// `control_overflow`: [`UNACKNOWLEDGED_MAX`] messages are unacknowledged, or [`EVENTS_MAX`] events unread. The
    /// other end does not listen; the session is closed.
    Overflow,
    /// No receiver would accept the message.
    Invalid(MessageError),
    /// The other end was told that the session is over: nothing may follow.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow => write!(
                f,
                "control_overflow: {UNACKNOWLEDGED_MAX} control messages are unacknowledged or {EVENTS_MAX} events \
                 unread; close the session"
            ),
            Self::Invalid(error) => error.fmt(f),
            Self::Closed => write!(f, "the other end was told that the session is over: send nothing more"),
        }
    }
}

impl std::error::Error for SendError {}

/// Counts of the outgoing side: sent = acked + failed + those transmitted and still waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutgoingFigures {
    /// Messages transmitted at least once.
    pub sent: u64,
    /// Transmissions beyond the first.
    pub retried: u64,
    /// Messages acknowledged as delivered.
    pub acked: u64,
    /// Messages acknowledged as applied.
    pub applied: u64,
    /// Messages given up.
    pub failed: u64,
    /// Messages refused for [`SendError::Overflow`].
    pub overflowed: u64,
    /// Acknowledgements that changed nothing: repeated, too late, or of a message never sent.
    pub acks_stray: u64,
    /// Delivered messages that are no longer watched for `Applied`, as [`UNACKNOWLEDGED_MAX`] later ones are.
    pub unwatched: u64,
    /// Messages transmitted once, of which nobody asks whether they arrived. Not among `sent`.
    pub sent_once: u64,
}

#[derive(Clone, Debug)]
struct Pending {
    message: ControlMessage,
    due_us: u64,
    transmits: u8,
    /// Sent again until it is acknowledged.
    tracked: bool,
}

/// Messages on their way to the other end.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    last_id: u64,
    /// Messages never transmitted, in the order of their ids.
    fresh: VecDeque<Pending>,
    /// Messages transmitted, in the order of their next transmission: the gap is the same for all.
    waiting: VecDeque<Pending>,
    /// Messages delivered and not yet applied.
    watched: VecDeque<u64>,
    events: VecDeque<DeliveryEvent>,
    /// The message of the last poll, if it was not tracked.
    sent_once: Option<ControlMessage>,
    figures: OutgoingFigures,
}

impl Outgoing {
    /// Takes a message to be sent and returns the id it gets. Its clock starts when it is first transmitted.
    /// # Errors
    /// [`SendError::Overflow`] when the other end does not answer; [`SendError::Invalid`] for a value out of range or
    /// an acknowledgement, which nobody would acknowledge.
    pub fn send(&mut self, now_us: u64, message: ControlMessage) -> Result<u64, SendError> {
        self.take(Pending { message, due_us: now_us, transmits: 0, tracked: true })
    }

    /// Like [`Outgoing::send`], for a message that is transmitted once: nobody acknowledges it, and there is no event
    /// about it.
    /// # Errors
    /// As [`Outgoing::send`].
    pub fn send_once(&mut self, now_us: u64, message: ControlMessage) -> Result<u64, SendError> {
        self.take(Pending { message, due_us: now_us, transmits: 0, tracked: false })
    }

    fn take(&mut self, mut pending: Pending) -> Result<u64, SendError> {
        let message = &mut pending.message;
        if let MessageType::Ack { message_id, .. } = message.message_type {
            return Err(SendError::Invalid(MessageError::Field {
                field: "message_type",
                value: format!("Ack of {message_id}"),
                remedy: "delivery acknowledges by itself: call `received` and `applied`",
            }));
        }
        if self.unacknowledged() >= UNACKNOWLEDGED_MAX || self.events.len() >= EVENTS_MAX {
            self.figures.overflowed += 1;
            return Err(SendError::Overflow);
        }
        message.message_id = self.last_id + 1;
        message.check().map_err(SendError::Invalid)?;
        let id = self.take_id();
        self.fresh.push_back(pending);
        Ok(id)
    }

    /// Takes an acknowledgement of the other end.
    pub fn acknowledged(&mut self, message_id: u64, stage: AckStage) {
        if let Some(at) = self.waiting.iter().position(|pending| pending.message.message_id == message_id) {
            self.waiting.remove(at);
            self.figures.acked += 1;
            self.events.push_back(DeliveryEvent::Delivered { message_id });
            match stage {
                AckStage::Delivered => self.watch(message_id),
                AckStage::Applied => self.apply(message_id),
            }
            return;
        }
        let watched = self.watched.iter().position(|id| *id == message_id);
        match (watched, stage) {
            (Some(at), AckStage::Applied) => {
                self.watched.remove(at);
                self.apply(message_id);
            }
            _ => self.figures.acks_stray += 1,
        }
    }

    fn watch(&mut self, message_id: u64) {
        if self.watched.len() >= UNACKNOWLEDGED_MAX {
            self.watched.pop_front();
            self.figures.unwatched += 1;
        }
        self.watched.push_back(message_id);
    }

    fn apply(&mut self, message_id: u64) {
        self.figures.applied += 1;
        self.events.push_back(DeliveryEvent::Applied { message_id });
    }

    /// The next message to be transmitted now: what is due again, then what is new. A message that was transmitted
    /// often enough fails here.
    pub fn poll_transmit(&mut self, now_us: u64) -> Option<&ControlMessage> {
        while self.waiting.front().is_some_and(|pending| pending.due_us <= now_us) {
            let pending = self.waiting.pop_front()?;
            if pending.transmits < TRANSMITS_MAX {
                self.figures.retried += 1;
                return self.transmit(pending, now_us);
            }
            self.figures.failed += 1;
            self.events.push_back(DeliveryEvent::Failed { message_id: pending.message.message_id });
        }
        let pending = self.fresh.pop_front()?;
        if !pending.tracked {
            self.figures.sent_once += 1;
            return Some(self.sent_once.insert(pending.message));
        }
        self.figures.sent += 1;
        self.transmit(pending, now_us)
    }

    /// A new connection takes the place of one that was lost: what is not acknowledged is due now, as often as if it had
    /// never been transmitted.
    pub fn reconnected(&mut self, now_us: u64) {
        for pending in &mut self.waiting {
            (pending.due_us, pending.transmits) = (now_us, 0);
        }
    }

    /// Goes on with the ids of an end that is gone: the next is greater than `last_id`.
    /// # Panics
    /// `last_id` is beyond [`MESSAGE_ID_MAX`].
    pub fn continue_after(&mut self, last_id: u64) {
        assert!(last_id <= MESSAGE_ID_MAX, "no message has the id {last_id}");
        self.last_id = self.last_id.max(last_id);
    }

    fn transmit(&mut self, mut pending: Pending, now_us: u64) -> Option<&ControlMessage> {
        pending.transmits += 1;
        pending.due_us = now_us.saturating_add(RESEND_US);
        self.waiting.push_back(pending);
        self.waiting.back().map(|pending| &pending.message)
    }

    /// The next event about a message.
    pub fn poll_event(&mut self) -> Option<DeliveryEvent> {
        self.events.pop_front()
    }

    /// The time at which [`Outgoing::poll_transmit`] has something to do next.
    #[must_use]
    pub fn next_due_us(&self) -> Option<u64> {
        let first = |queue: &VecDeque<Pending>| queue.front().map(|pending| pending.due_us);
        [first(&self.fresh), first(&self.waiting)].into_iter().flatten().min()
    }

    /// The next id: messages and acknowledgements share one sequence, from 1.
    pub(super) fn take_id(&mut self) -> u64 {
        self.last_id += 1;
        assert!(self.last_id <= MESSAGE_ID_MAX, "a million messages a second for 285 years");
        self.last_id
    }

    /// Messages neither acknowledged nor given up.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.fresh.len() + self.waiting.len()
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> OutgoingFigures {
        self.figures
    }
}
