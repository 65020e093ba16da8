//! The end of a session's control path at the engine that gates: turns the engine's controls into messages, and
//! tracks their fate.

use std::sync::Arc;

use mynah_engine::Control;
use mynah_engine::wire::delivery::{Delivery, DeliveryEvent, OutgoingFigures, SendError};
use mynah_engine::wire::message::{ControlMessage, MessageIntake, Taken, binary};

/// A control message as it goes over the wire.
pub type Datagram = Arc<[u8]>;

/// The end of a session's control path at the engine that gates.
#[derive(Debug)]
pub struct NearEnd {
    name: Arc<str>,
    opening: u32,
    delivery: Delivery,
    intake: MessageIntake,
    bytes: Vec<u8>,
}

impl NearEnd {
    /// For the `opening`-th session of that name.
    pub fn new(name: Arc<str>, opening: u32) -> Self {
        let delivery = Delivery::new(Arc::clone(&name), 0);
        Self { name, opening, delivery, intake: MessageIntake::default(), bytes: Vec::new() }
    }

    /// Takes what the engine says; the id of its message, `None` if it is none.
    ///
    /// # Errors
    /// As [`Delivery::send`].
    pub fn tell(&mut self, now_us: u64, control: &Control) -> Result<Option<u64>, SendError> {
        match control.to_message(&self.name, self.opening, now_us) {
            Some(message) => self.delivery.send(now_us, message).map(Some),
            None => Ok(None),
        }
    }

    /// Hands what is to be sent by `now_us` to `send`.
    pub fn transmit(&mut self, now_us: u64, mut send: impl FnMut(Datagram)) {
        while let Some(message) = self.delivery.poll_transmit(now_us) {
            send(encoded(message, &mut self.bytes));
        }
    }

    /// Takes a datagram of the other end: receipts.
    pub fn receive(&mut self, now_us: u64, datagram: &[u8]) {
        if let Some(message) = decoded(&mut self.intake, now_us, &self.name, datagram) {
            self.delivery.received(now_us, &message);
        }
    }

    /// What has become of a message.
    pub fn poll_event(&mut self) -> Option<DeliveryEvent> {
        self.delivery.poll_event()
    }

    /// Messages of which nobody knows yet whether they have arrived.
    pub fn unacknowledged(&self) -> usize {
        self.delivery.outgoing().unacknowledged()
    }

    /// Counts so far.
    pub fn figures(&self) -> OutgoingFigures {
        self.delivery.outgoing().figures()
    }
}

/// The binary form of a message that was checked when it was made.
pub(super) fn encoded(message: &ControlMessage, bytes: &mut Vec<u8>) -> Datagram {
    bytes.clear();
    binary::encode_into(message, bytes).expect("delivery takes only messages that can be encoded");
    Arc::from(bytes.as_slice())
}

/// A message, if it can be used.
pub(super) fn decoded(
    intake: &mut MessageIntake,
    now_us: u64,
    session: &str,
    datagram: &[u8],
) -> Option<ControlMessage> {
    let arrival = binary::decode(datagram).map(|(arrival, _)| arrival);
    match intake.take(now_us, Some(session), arrival) {
        Taken::Message(message) => Some(message),
        Taken::Ignored | Taken::Rejected { .. } => None,
    }
}
