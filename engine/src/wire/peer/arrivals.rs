//! What has come from the other end: which of it is new, in order, and means something.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::edge::control::{Control, ControlIn};
use crate::wire::delivery::{Delivery, Receipt};
use crate::wire::message::{ControlMessage, MessageType, SegmentNames};

use super::config::{ARRIVED_MAX, EventReceipts};
use super::error::PeerError;
use super::figures::PeerFigures;

/// A message that is new.
#[derive(Debug)]
pub(super) enum Arrived {
    Control(ControlIn),
    Event { message: Box<ControlMessage>, segment: Option<u32> },
}

/// Messages of the other end.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) names: SegmentNames,
    receipts: EventReceipts,
    waiting: VecDeque<Arrived>,
    /// Id of the last event: earlier ones are too late.
    last_event: u64,
    closed: bool,
    /// Only what is counted here.
    figures: PeerFigures,
}

impl Arrivals {
    pub(super) fn new(session: Arc<str>, generation: u32, receipts: EventReceipts) -> Self {
        Self {
            names: SegmentNames::new(session, generation),
            receipts,
            waiting: VecDeque::new(),
            last_event: 0,
            closed: false,
            figures: PeerFigures::default(),
        }
    }

    pub(super) fn figures(&self) -> PeerFigures {
        self.figures
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn pop(&mut self) -> Option<Arrived> {
        self.waiting.pop_front()
    }

    pub(super) fn front(&self) -> Option<&Arrived> {
        self.waiting.front()
    }

    /// Takes a well-formed message. What is dropped here is not acknowledged, so its sender does not take it for done.
    pub(super) fn take(
        &mut self,
        now_us: u64,
        message: ControlMessage,
        delivery: &mut Delivery,
    ) -> Result<(), PeerError> {
        if let MessageType::Ack { .. } = message.message_type {
            self.figures.receipts += 1;
            delivery.received(now_us, &message);
            return Ok(());
        }
        let is_event = message.message_type.is_event();
        if !delivery.incoming().has_seen(message.message_id) {
            if self.closed {
                self.figures.after_closed += 1;
                return Ok(());
            }
            if is_event && message.message_id < self.last_event {
                self.figures.overtaken += 1;
                return Ok(());
            }
            if self.waiting.len() >= ARRIVED_MAX {
                self.figures.overflowed += 1;
                return Err(PeerError::Overflow);
            }
        }
        let receipt = match self.receipts {
            EventReceipts::None if is_event => delivery.received_once(&message),
            _ => delivery.received(now_us, &message),
        };
        if receipt == Receipt::Process {
            self.understand(now_us, message, delivery);
        }
        Ok(())
    }

    fn understand(&mut self, now_us: u64, message: ControlMessage, delivery: &mut Delivery) {
        let message_id = message.message_id;
        if message.message_type.is_event() {
            self.last_event = message_id;
            self.closed = matches!(message.message_type, MessageType::Closed { .. });
            let segment = message.target_segment_id.and_then(|id| self.names.serial(id));
            self.waiting.push_back(Arrived::Event { message: Box::new(message), segment });
            return;
        }
        match Control::from_message(&message, &mut self.names) {
            Some(control) => self.waiting.push_back(Arrived::Control(ControlIn { message_id, control })),
            // What has no effect stops nothing: so much has stopped.
            None => {
                self.figures.unknown += 1;
                delivery.applied(now_us, message_id);
            }
        }
    }
}
