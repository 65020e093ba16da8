//! One end of a connection: whatever the other end sends, and whenever, it goes on, within its bounds, and in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use mynah_engine::edge::{CloseReason, SessionEvent};
use mynah_engine::speech::InterruptMode;
use mynah_engine::wire::delivery::{DeliveryEvent, UNACKNOWLEDGED_MAX};
use mynah_engine::wire::message::{Arrival, MESSAGE_BYTES_MAX, MessageType, Overruled, binary, json};
use mynah_engine::wire::peer::{
    ARRIVED_MAX, EventReceipts, Input, MessageForm, Output, Peer, PeerConfig, PeerError,
};
use mynah_engine::{Control, ControlIn};

use crate::bytes::Bytes;
use crate::control::made_of;

/// Most steps of one input.
const STEPS_MAX: usize = 400;

/// A peer and what is known of it.
struct Held {
    peer: Peer,
    form: MessageForm,
    now_us: u64,
    /// Messages handed over that were well-formed.
    handed: u64,
    refused: u64,
    /// Ids of what took effect; of the last event among it.
    effects: BTreeSet<u64>,
    last_event: u64,
    closed: bool,
    /// Ids of what was transmitted and is no receipt, and of that what has its fate.
    sent: BTreeSet<u64>,
    settled: BTreeSet<u64>,
}

/// How the peer is made, then steps: bytes from outside, messages made of bytes, time, connections lost and found,
/// and what is sent.
///
/// # Panics
/// When wrong input panics, a message takes effect twice, events go back, something follows the end, a driver would spin,
/// what is transmitted is no message, or counts do not add up.
pub fn peer(data: &[u8]) {
    let mut bytes = Bytes(data);
    let form =
        bytes.pick(&[MessageForm::Binary, MessageForm::Json, MessageForm::LabelledJson, MessageForm::Own]);
    let receipts = bytes.pick(&[EventReceipts::None, EventReceipts::Each]);
    let config = PeerConfig { form, receipts, ids_before: bytes.u64(), ..PeerConfig::new("a".into(), 1) };
    let Ok(peer) = Peer::new(config) else { return };
    let (effects, sent, settled) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut held = Held {
        peer,
        form,
        now_us: 0,
        handed: 0,
        refused: 0,
        effects,
        last_event: 0,
        closed: false,
        sent,
        settled,
    };
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        held.step(&mut bytes);
    }
    held.conclude();
}

impl Held {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let kind = bytes.u8();
        match kind % 16 {
            0 => self.hand(&whole(bytes), true),
            1 => self.hand(&whole(bytes), false),
            2..=5 => self.hand_made(kind, bytes),
            6 => self.now_us = self.now_us.saturating_add(u64::from(bytes.u16())),
            7 => self.now_us = self.now_us.saturating_add(u64::from(bytes.u16()) * 1_000),
            8 => self.peer.disconnected(),
            9 => self.peer.reconnected(self.now_us),
            10 => self.peer.heard_of(bytes.u32()),
            11 => {
                self.peer.applied(self.now_us, u64::from(bytes.u16()));
            }
            _ => self.send(kind, bytes),
        }
        // Every other step polls: the rest of the time nobody does.
        if kind & 0x80 == 0 {
            self.poll();
        }
    }

    fn hand(&mut self, message: &[u8], is_binary: bool) {
        let input = if is_binary { Input::Binary(message) } else { Input::Json(message) };
        match self.peer.handle(self.now_us, input) {
            Ok(()) => {}
            Err(PeerError::Rejected { error, .. }) => {
                assert!(!error.to_string().contains(char::is_control), "{error}");
                self.refused += 1;
            }
            Err(error @ PeerError::Overflow) => drop(error.to_string()),
        }
        self.handed += 1;
    }

    /// A message that nobody's encoder refuses, of any type.
    fn hand_made(&mut self, kind: u8, bytes: &mut Bytes<'_>) {
        let length = usize::from(bytes.u8());
        let mut message = made_of(&mut Bytes(&bytes.take(length)));
        // Small ids and one session, or most would be as good as strange.
        message.message_id %= 700;
        if kind & 0x40 == 0 {
            message.session_id = "a".into();
        }
        let mut encoded = Vec::new();
        let is_binary = kind & 0x20 == 0;
        let result = match is_binary {
            true => binary::encode_into(&message, &mut encoded),
            false => json::encode_into(&message, &mut encoded),
        };
        if result.is_ok() {
            self.hand(&encoded, is_binary);
        }
    }

    fn send(&mut self, kind: u8, bytes: &mut Bytes<'_>) {
        let length = usize::from(bytes.u8());
        let text: Arc<str> = String::from_utf8_lossy(&bytes.take(length)).into_owned().into();
        let now_us = self.now_us;
        // Refusals are what the bounds are for.
        match kind % 4 {
            0 => drop(self.peer.send_control(now_us, &Control::SendText { text })),
            1 => drop(self.peer.send_control(now_us, &Control::Interrupt { mode: InterruptMode::Now })),
            2 => {
                let event = SessionEvent::Transcript { segment: 1, revision: 1, turn: 1, text, last: true };
                drop(self.peer.send_event(now_us, &event));
            }
            _ if text.is_empty() => {
                let event = SessionEvent::Closed { reason: CloseReason::Finished };
                drop(self.peer.send_event(now_us, &event));
            }
            _ => drop(self.peer.send(now_us, made_of(&mut Bytes(text.as_bytes())))),
        }
        assert!(self.peer.unacknowledged() <= UNACKNOWLEDGED_MAX);
    }

    fn poll(&mut self) {
        let connected = self.peer.is_connected();
        let mut outputs = 0;
        loop {
            outputs += 1;
            // Everything that may wait, and its fates.
            assert!(outputs <= 8 * (ARRIVED_MAX + UNACKNOWLEDGED_MAX), "it never comes to rest");
            match self.peer.poll(self.now_us) {
                Output::Transmit(message) => {
                    assert!(connected, "sent without a connection");
                    let message = message.to_vec();
                    self.transmitted(&message);
                }
                Output::Control(ControlIn { message_id, .. }) => {
                    assert!(self.effects.insert(message_id), "{message_id} took effect twice");
                    assert!(!self.closed, "{message_id} comes behind the end");
                }
                Output::Event { message, .. } => {
                    let id = message.message_id;
                    assert!(self.effects.insert(id), "{id} took effect twice");
                    assert!(id > self.last_event || self.last_event == 0, "{id} behind {}", self.last_event);
                    assert!(!self.closed, "{id} comes behind the end");
                    self.closed = matches!(message.message_type, MessageType::Closed { .. });
                    self.last_event = id;
                }
                Output::Delivery(event) => self.fate(event),
                Output::Wait { until_us } => {
                    assert!(
                        until_us.is_none_or(|us| us > self.now_us),
                        "a driver would spin at {until_us:?}"
                    );
                    return;
                }
            }
        }
    }

    fn transmitted(&mut self, bytes: &[u8]) {
        let arrival = match self.form {
            MessageForm::Binary => binary::decode(bytes).map(|(arrival, _)| arrival),
            MessageForm::Json | MessageForm::LabelledJson => {
                assert!(bytes.len() <= MESSAGE_BYTES_MAX);
                json::decode(bytes)
            }
            MessageForm::Own => {
                assert!(bytes.is_empty(), "who writes the message has it from the peer");
                let message = self.peer.transmitted().cloned().expect("one was transmitted");
                Ok(Arrival::Message { message, overruled: Overruled::default() })
            }
        };
        let Ok(Arrival::Message { message, overruled }) = arrival else { panic!("{arrival:?}") };
        assert!(!overruled.any());
        if !matches!(message.message_type, MessageType::Ack { .. }) {
            assert!(!self.settled.contains(&message.message_id), "sent after its fate");
            self.sent.insert(message.message_id);
        }
    }

    fn fate(&mut self, event: DeliveryEvent) {
        match event {
            DeliveryEvent::Delivered { message_id } | DeliveryEvent::Failed { message_id } => {
                assert!(self.sent.contains(&message_id), "{message_id} was never sent");
                assert!(self.settled.insert(message_id), "{message_id} has two fates");
            }
            DeliveryEvent::Applied { message_id } => {
                assert!(self.settled.contains(&message_id), "{message_id} is applied before it is delivered");
            }
        }
    }

    /// With a connection and time, everything has its fate and the counts add up.
    fn conclude(mut self) {
        self.peer.reconnected(self.now_us);
        for _ in 0..3 * UNACKNOWLEDGED_MAX {
            self.poll();
            if self.peer.unacknowledged() == 0 {
                break;
            }
            self.now_us = self.now_us.saturating_add(250_000);
        }
        let figures = self.peer.figures();
        let (intake, incoming) = (figures.intake, figures.incoming);
        assert_eq!(intake.accepted + intake.rejected + intake.unknown_type, self.handed);
        assert_eq!(intake.rejected, self.refused);
        let known = incoming.processed + incoming.repeated + incoming.too_old;
        let dropped = figures.overtaken + figures.after_closed + figures.overflowed;
        assert_eq!(intake.accepted, figures.receipts + known + dropped);
        assert_eq!(incoming.processed, self.effects.len() as u64 + figures.unknown);
    }
}

/// Bytes as they are, with their length before them.
fn whole(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let length = usize::from(bytes.u16());
    bytes.take(length)
}
