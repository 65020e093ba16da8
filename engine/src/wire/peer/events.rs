//! Events of an engine on their way out, in order.

use std::collections::VecDeque;

use crate::wire::delivery::{Delivery, DeliveryEvent, SendError, UNACKNOWLEDGED_MAX};
use crate::wire::message::ControlMessage;

use super::config::EventReceipts;

/// Events that wait for their turn, and the last one of all.
#[derive(Debug)]
pub(super) struct EventQueue {
    receipts: EventReceipts,
    /// With receipts: events behind the one under way.
    waiting: VecDeque<ControlMessage>,
    /// With receipts: the id of the event that is not acknowledged yet.
    under_way: Option<u64>,
    last: Last,
}

/// How far the event behind which nothing follows has come.
#[derive(Debug)]
enum Last {
    NotYet,
    /// The last event waits for everything before it.
    Waits(Box<ControlMessage>),
    Sent,
}

impl EventQueue {
    pub(super) fn new(receipts: EventReceipts) -> Self {
        Self { receipts, waiting: VecDeque::new(), under_way: None, last: Last::NotYet }
    }

    /// Whether the last event was taken: nothing may follow.
    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.last, Last::NotYet)
    }

    /// Whether the last event has left, and nobody waits for its acknowledgement.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.last, Last::Sent) && self.under_way.is_none()
    }

    /// Takes an event; its id where it has one already.
    pub(super) fn take(
        &mut self,
        now_us: u64,
        message: ControlMessage,
        delivery: &mut Delivery,
    ) -> Result<Option<u64>, SendError> {
        if self.receipts == EventReceipts::None {
            return delivery.send_once(now_us, message).map(Some);
        }
        if self.waiting.len() + delivery.outgoing().unacknowledged() >= UNACKNOWLEDGED_MAX {
            return Err(SendError::Overflow);
        }
        self.waiting.push_back(message);
        Ok(None)
    }

    /// Takes the event behind which nothing follows. There is always room for it.
    pub(super) fn close(&mut self, message: ControlMessage) {
        self.last = Last::Waits(Box::new(message));
    }

    /// Notes what has become of a message.
    pub(super) fn fate(&mut self, event: DeliveryEvent) {
        if let DeliveryEvent::Delivered { message_id } | DeliveryEvent::Failed { message_id } = event
            && self.under_way == Some(message_id)
        {
            self.under_way = None;
        }
    }

    /// Hands over the event whose turn it is: with receipts one at a time, and the last one once nothing is under way.
    /// `delivery` has no fates to tell.
    pub(super) fn proceed(&mut self, now_us: u64, delivery: &mut Delivery) {
        let busy = delivery.outgoing().unacknowledged();
        // Where corrections have taken all the room, the event waits for the first of them to be settled.
        if self.under_way.is_some() || busy >= UNACKNOWLEDGED_MAX {
            return;
        }
        let Some(message) = self.next(busy == 0) else { return };
        self.under_way = match self.receipts {
            EventReceipts::None => delivery.send_once(now_us, message).map(|_| None),
            EventReceipts::Each => delivery.send(now_us, message).map(Some),
        }
        .expect("there is room, and the message was checked when it was taken");
    }

    fn next(&mut self, idle: bool) -> Option<ControlMessage> {
        if let Some(message) = self.waiting.pop_front() {
            return Some(message);
        }
        if !idle || !matches!(self.last, Last::Waits(_)) {
            return None;
        }
        let Last::Waits(message) = std::mem::replace(&mut self.last, Last::Sent) else { return None };
        Some(*message)
    }
}
