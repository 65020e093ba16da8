//! Delivery of control messages over paths that lose, repeat and reorder.
//!
//! One invariant: **a message takes effect at most once, and a message its sender saw acknowledged took effect
//! exactly once.** A message that was never acknowledged may have taken effect or not; after four transmissions the
//! sender says so.
//!
//! Time is an argument (the engine's clock, microseconds), and nothing here does I/O. A [`Delivery`] is one end of
//! one session's path: outgoing messages go into [`Delivery::send`], incoming ones into [`Delivery::received`], and
//! after either, and whenever [`Delivery::next_due_us`] comes, the driver polls transmits and events until there are
//! none.
//!
//! ```
//! use std::sync::Arc;
//! use mynah_engine::wire::delivery::{Delivery, DeliveryEvent, Receipt};
//! use mynah_engine::wire::message::{ControlMessage, MessageType};
//!
//! let session: Arc<str> = "caller".into();
//! let (mut engine, mut host) = (Delivery::new(session.clone(), 0), Delivery::new(session.clone(), 0));
//! let stop = ControlMessage::new(session, 0, MessageType::CancelAnswer {});
//! let id = engine.send(0, stop)?;
//! while let Some(message) = engine.poll_transmit(0) {
//!     assert_eq!(host.received(700, message), Receipt::Process);
//! }
//! while let Some(ack) = host.poll_transmit(700) {
//!     assert_eq!(engine.received(1_400, ack), Receipt::Ack);
//! }
//! assert_eq!(engine.poll_event(), Some(DeliveryEvent::Delivered { message_id: id }));
//! # Ok::<(), mynah_engine::wire::delivery::SendError>(())
//! ```
//!
//! A delivery lives as long as its session, not as long as a connection: a client that comes back goes on with its
//! ids, and messages that it repeats are recognised.

mod receiver;
mod sender;
mod window;

#[cfg(test)]
mod tests;

pub use receiver::{ACKS_MAX, Incoming, IncomingFigures, Receipt};
pub use sender::{
    DeliveryEvent, EVENTS_MAX, Outgoing, OutgoingFigures, RESEND_US, SendError, TRANSMITS_MAX,
    UNACKNOWLEDGED_MAX,
};
pub use window::WINDOW_MAX;

use std::sync::Arc;

use crate::wire::message::{AckStage, ControlMessage, MessageType};

/// One end of one session's path: its own messages on their way out, and the other end's messages on their way in.
#[derive(Clone, Debug)]
pub struct Delivery {
    outgoing: Outgoing,
    incoming: Incoming,
    epoch_us: u64,
    /// The greatest id of the other end, acknowledgements included.
    newest_id: u64,
    /// The acknowledgement returned by the last poll.
    ack: ControlMessage,
}

impl Delivery {
    /// A delivery for the session with this id (1..=128 bytes). `epoch_us`: the time of the messages' timestamps when
    /// the engine's clock shows 0; microseconds since the Unix epoch, 0 in virtual time.
    #[must_use]
    pub fn new(session_id: Arc<str>, epoch_us: u64) -> Self {
        let receipt = MessageType::Ack { message_id: 0, stage: AckStage::Delivered };
        Self {
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            epoch_us,
            newest_id: 0,
            ack: ControlMessage::new(session_id, 0, receipt),
        }
    }

    /// Takes a message to be sent and returns the id it gets; its other fields stay as they are.
    ///
    /// # Errors
    /// As [`Outgoing::send`].
    pub fn send(&mut self, now_us: u64, message: ControlMessage) -> Result<u64, SendError> {
        self.outgoing.send(now_us, message)
    }

    /// Takes a message to be sent once: its receiver hands it to [`Delivery::received_once`], and nobody acknowledges
    /// it. For paths that lose nothing, and for what may be lost.
    ///
    /// # Errors
    /// As [`Outgoing::send`].
    pub fn send_once(&mut self, now_us: u64, message: ControlMessage) -> Result<u64, SendError> {
        self.outgoing.send_once(now_us, message)
    }

    /// Takes a message that has arrived and says what to do with it. On [`Receipt::Process`] it has to take effect
    /// before the next poll, which may send its acknowledgement.
    pub fn received(&mut self, now_us: u64, message: &ControlMessage) -> Receipt {
        self.newest_id = self.newest_id.max(message.message_id);
        if let MessageType::Ack { message_id, stage } = message.message_type {
            self.outgoing.acknowledged(message_id, stage);
            return Receipt::Ack;
        }
        self.incoming.received(now_us, message.message_id)
    }

    /// Takes a message that has arrived, is no acknowledgement and was sent with [`Delivery::send_once`]: says what to do
    /// with it, and acknowledges nothing.
    pub fn received_once(&mut self, message: &ControlMessage) -> Receipt {
        self.newest_id = self.newest_id.max(message.message_id);
        self.incoming.received_once(message.message_id)
    }

    /// The greatest id that has come from the other end, acknowledgements included; 0: none. An end that comes back
    /// without its state goes on behind it, see [`Delivery::continue_after`].
    #[must_use]
    pub fn newest_id(&self) -> u64 {
        self.newest_id
    }

    /// Goes on with the ids of an end that is gone, as [`Outgoing::continue_after`].
    ///
    /// # Panics
    /// `last_id` is beyond [`MESSAGE_ID_MAX`](crate::wire::message::MESSAGE_ID_MAX).
    pub fn continue_after(&mut self, last_id: u64) {
        self.outgoing.continue_after(last_id);
    }

    /// A new connection takes the place of one that was lost, as [`Outgoing::reconnected`].
    pub fn reconnected(&mut self, now_us: u64) {
        self.outgoing.reconnected(now_us);
    }

    /// Acknowledges a processed message as applied, once, because the work that it stops has stopped. Returns whether
    /// an acknowledgement will be sent, see [`Incoming::applied`].
    pub fn applied(&mut self, now_us: u64, message_id: u64) -> bool {
        self.incoming.applied(now_us, message_id)
    }

    /// The next message to be sent now: acknowledgements, then what is due again, then what is new. Allocates nothing
    /// once warm.
    pub fn poll_transmit(&mut self, now_us: u64) -> Option<&ControlMessage> {
        let Some((message_id, stage)) = self.incoming.poll_ack() else {
            return self.outgoing.poll_transmit(now_us);
        };
        self.ack.message_id = self.outgoing.take_id();
        self.ack.timestamp = self.epoch_us.saturating_add(now_us);
        self.ack.message_type = MessageType::Ack { message_id, stage };
        Some(&self.ack)
    }

    /// The next event about a message that was sent.
    pub fn poll_event(&mut self) -> Option<DeliveryEvent> {
        self.outgoing.poll_event()
    }

    /// When [`Delivery::poll_transmit`] has something to do next; in the past when it has now, `None` when nothing is
    /// under way.
    #[must_use]
    pub fn next_due_us(&self) -> Option<u64> {
        [self.incoming.next_due_us(), self.outgoing.next_due_us()].into_iter().flatten().min()
    }

    /// The outgoing side: counts, and messages that wait.
    #[must_use]
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// The incoming side: counts.
    #[must_use]
    pub fn incoming(&self) -> &Incoming {
        &self.incoming
    }
}
