//! One end of a session's connection, sans-IO: what every transport needs beside its socket.
//!
//! One invariant: **whatever was handed to a [`Peer`], poll it until it says [`Output::Wait`]; until that time, or the
//! next thing handed to it, there is nothing to do.** Time is an argument (microseconds of this end's clock, never less
//! than before), bytes come in and go out, and nothing here touches a socket, a clock or a session.
//!
//! ```
//! use mynah_engine::Control;
//! use mynah_engine::wire::peer::{Input, Output, Peer, PeerConfig};
//!
//! /// Carries what `from` has to send, and says what came of it at `to`.
//! fn carry(now_us: u64, from: &mut Peer, to: &mut Peer) -> Vec<String> {
//!     let mut told = Vec::new();
//!     loop {
//!         match from.poll(now_us) {
//!             Output::Transmit(bytes) => to.handle(now_us, Input::Binary(bytes)).expect("it is a message"),
//!             Output::Wait { .. } => return told,
//!             other => told.push(format!("{other:?}")),
//!         }
//!     }
//! }
//!
//! let config = PeerConfig::new("caller".into(), 1);
//! let (mut engine, mut host) = (Peer::new(config.clone())?, Peer::new(config)?);
//! engine.send_control(0, &Control::CancelAnswer { turn: 2 })?;
//! carry(0, &mut engine, &mut host);
//! // The host's end first says what has arrived, and then acknowledges it.
//! let told = carry(700, &mut host, &mut engine);
//! assert_eq!(told, ["Control(ControlIn { message_id: 1, control: CancelAnswer { turn: 2 } })"]);
//! assert_eq!(carry(1_400, &mut engine, &mut host), ["Delivery(Delivered { message_id: 1 })"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A peer owns what belongs to one session's connection: ids and receipts of messages, their resending and its end
//! ([`crate::wire::delivery`]), the names of segments, and the translation of [`Control`] and
//! [`SessionEvent`] both ways. The same type serves both ends: an engine's, beside a session ([`SessionPeer`] joins the
//! two; a host with the ends of a split session hands [`Output::Control`] to
//! [`SessionControl::control`](crate::edge::SessionControl::control) itself), and that of a client, or of an engine that
//! follows.
//!
//! What is promised, over paths that lose, repeat and reorder:
//! - A message takes effect at most once; one that its sender saw acknowledged took effect exactly once.
//! - Messages that a host sends, and what is said of speech, are acknowledged and promise no order: they say themselves
//!   which segment, revision or turn they are about.
//! - Events of an engine come out in the order in which they were sent, whatever [`EventReceipts`] say about those that
//!   are lost.
//! - `Closed` comes behind everything that was sent before it, or is given up first; nothing follows.
//!
//! A peer lives as long as its session, not as long as a connection: [`Peer::disconnected`] and [`Peer::reconnected`]. A
//! client that has lost its peer as well makes one that goes on with its ids: [`PeerConfig::ids_before`].

mod arrivals;
mod config;
mod error;
mod events;
mod figures;
mod held_audio;
mod session_peer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use uuid::Uuid;

pub use config::{ARRIVED_MAX, EventReceipts, IDS_BEFORE_MAX, MessageForm, PeerConfig};
pub use error::PeerError;
pub use figures::PeerFigures;
pub use session_peer::{SessionPeer, SessionPeerFigures, SessionPeerOutput};

use crate::edge::control::{Control, ControlIn};
use crate::edge::session_event::SessionEvent;
use crate::wire::delivery::{Delivery, DeliveryEvent, SendError};
use crate::wire::message::{
    Arrival, ControlMessage, MESSAGE_ID_MAX, MessageError, MessageIntake, MessageType, Taken, binary, json,
};

use self::arrivals::{Arrivals, Arrived};
use self::events::EventQueue;

/// What comes from the other end.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A message in the binary form. What follows it is counted and not read: streams are cut with
    /// [`binary::length`].
    Binary(&'a [u8]),
    /// A message as JSON, labelled or not.
    Json(&'a [u8]),
}

/// What a peer wants done, or has to tell.
#[derive(Debug, PartialEq)]
pub enum Output<'a> {
    /// Send this to the other end: one message in the form of [`PeerConfig::form`]; empty for [`MessageForm::Own`].
    Transmit(&'a [u8]),
    /// The other end wants this, or says it of speech. Takes effect before the next poll, which may acknowledge it;
    /// [`Peer::applied`] says when what it stops has stopped.
    Control(ControlIn),
    /// The engine at the other end tells this, in order.
    Event {
        /// The event, as [`MessageType::is_event`] has it.
        message: Box<ControlMessage>,
        /// Serial of the segment that it is about, if it is about one that is known.
        segment: Option<u32>,
    },
    /// What has become of a message that was sent.
    Delivery(DeliveryEvent),
    /// Nothing to do until then, later than now; `None`: until something is handed to the peer.
    Wait {
        /// On the clock of this end, microseconds.
        until_us: Option<u64>,
    },
}

/// What is to be done next for a connection.
enum Step {
    /// Send what was encoded.
    Transmit,
    Fate(DeliveryEvent),
    Wait(Option<u64>),
}

/// One end of one session's connection.
#[derive(Debug)]
pub struct Peer {
    session: Arc<str>,
    generation: u32,
    epoch_us: u64,
    form: MessageForm,
    delivery: Delivery,
    intake: MessageIntake,
    arrivals: Arrivals,
    events: EventQueue,
    connected: bool,
    surplus: u64,
    /// The message of the last poll, encoded.
    bytes: Vec<u8>,
    /// The message of the last poll, where its bytes are not written here.
    unwritten: Option<ControlMessage>,
}

impl Peer {
    /// A peer with a connection.
    ///
    /// # Errors
    /// [`MessageError::Field`] for a session id that is empty or too long, and for ids beyond [`IDS_BEFORE_MAX`].
    pub fn new(config: PeerConfig) -> Result<Self, MessageError> {
        config.check()?;
        let PeerConfig { session, generation, epoch_us, form, receipts, ids_before } = config;
        let mut delivery = Delivery::new(Arc::clone(&session), epoch_us);
        delivery.continue_after(ids_before);
        Ok(Self {
            arrivals: Arrivals::new(Arc::clone(&session), generation, receipts),
            session,
            generation,
            epoch_us,
            form,
            delivery,
            intake: MessageIntake::default(),
            events: EventQueue::new(receipts),
            connected: true,
            surplus: 0,
            bytes: Vec::new(),
            unwritten: None,
        })
    }

    /// Takes what has come from the other end. Wrong input changes nothing but counts.
    ///
    /// # Errors
    /// [`PeerError::Rejected`] for what is no message; [`PeerError::Overflow`] when [`ARRIVED_MAX`] messages were not
    /// polled: this one is not taken, nor acknowledged.
    pub fn handle(&mut self, now_us: u64, input: Input<'_>) -> Result<(), PeerError> {
        let arrival = match input {
            Input::Binary(bytes) => binary::decode(bytes).map(|(arrival, used)| {
                self.surplus += u64::from(used < bytes.len());
                arrival
            }),
            Input::Json(text) => json::decode(text),
        };
        self.arrived(now_us, arrival)
    }

    /// Takes what has come from the other end in a form that its carrier reads itself, or why that could not be read. Values
    /// out of range are refused here, as in the other forms.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn handle_decoded(
        &mut self,
        now_us: u64,
        arrival: Result<Arrival, MessageError>,
    ) -> Result<(), PeerError> {
        let arrival = arrival.and_then(|arrival| match &arrival {
            Arrival::Message { message, .. } => message.check().map(|()| arrival),
            Arrival::UnknownType(_) => Ok(arrival),
        });
        self.arrived(now_us, arrival)
    }

    fn arrived(&mut self, now_us: u64, arrival: Result<Arrival, MessageError>) -> Result<(), PeerError> {
        let unix_us = self.epoch_us.saturating_add(now_us);
        match self.intake.take(unix_us, Some(&self.session), arrival) {
            Taken::Message(message) => self.arrivals.take(now_us, message, &mut self.delivery),
            Taken::Ignored => Ok(()),
            Taken::Rejected { error, log } => Err(PeerError::Rejected { error, log }),
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self, now_us: u64) -> Output<'_> {
        match self.arrivals.pop() {
            Some(Arrived::Control(message)) => Output::Control(message),
            Some(Arrived::Event { message, segment }) => Output::Event { message, segment },
            None => self.poll_connection(now_us),
        }
    }

    /// What is to be done next for the connection; what has arrived stays.
    pub(super) fn poll_connection(&mut self, now_us: u64) -> Output<'_> {
        match self.step(now_us) {
            Step::Transmit => Output::Transmit(&self.bytes),
            Step::Fate(event) => Output::Delivery(event),
            Step::Wait(until_us) => Output::Wait { until_us },
        }
    }

    fn step(&mut self, now_us: u64) -> Step {
        if let Some(event) = self.poll_fate() {
            return Step::Fate(event);
        }
        if !self.connected {
            return Step::Wait(None);
        }
        self.events.proceed(now_us, &mut self.delivery);
        if let Some(message) = self.delivery.poll_transmit(now_us) {
            self.bytes.clear();
            let encoded = self.form.encode_into(message, &mut self.bytes);
            encoded.expect("what was taken fits into a message");
            self.unwritten = (self.form == MessageForm::Own).then(|| message.clone());
            return Step::Transmit;
        }
        // A message that was transmitted often enough fails when it would be due again.
        self.poll_fate().map_or_else(|| Step::Wait(self.delivery.next_due_us()), Step::Fate)
    }

    /// The message of the last [`Output::Transmit`] in [`MessageForm::Own`]; `None` in the other forms, whose bytes are all.
    #[must_use]
    pub fn transmitted(&self) -> Option<&ControlMessage> {
        self.unwritten.as_ref()
    }

    /// The message of the last step that was [`Step::Transmit`].
    fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    fn poll_fate(&mut self) -> Option<DeliveryEvent> {
        let event = self.delivery.poll_event()?;
        self.events.fate(event);
        Some(event)
    }

    /// Sends what a host wants of a session, or what is said of its speech; the id of the message, `None` for controls
    /// that are no messages, see [`Control::to_message`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_control(&mut self, now_us: u64, control: &Control) -> Result<Option<u64>, SendError> {
        let timestamp_us = self.epoch_us.saturating_add(now_us);
        match control.to_message(&self.session, self.generation, timestamp_us) {
            Some(message) => self.send(now_us, message),
            None => Ok(None),
        }
    }

    /// Sends what happens in a session. Returns whether it is a message, see [`SessionEvent::to_message`]. `Closed` waits
    /// for what was sent before it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_event(&mut self, now_us: u64, event: &SessionEvent) -> Result<bool, SendError> {
        let timestamp_us = self.epoch_us.saturating_add(now_us);
        match event.to_message(&self.session, self.generation, timestamp_us) {
            Some(message) => self.send(now_us, message).map(|_| true),
            None => Ok(false),
        }
    }

    /// Sends a message; the id it gets, `None` if that is given later.
    ///
    /// # Errors
    /// [`SendError::Overflow`] when [`UNACKNOWLEDGED_MAX`](crate::wire::delivery::UNACKNOWLEDGED_MAX) messages are under
    /// way: the other end does not listen, and the session is to be closed. [`SendError::Invalid`] for an acknowledgement
    /// and for what does not fit into a message, [`SendError::Closed`] behind `Closed`.
    pub fn send(&mut self, now_us: u64, message: ControlMessage) -> Result<Option<u64>, SendError> {
        if self.events.is_closed() {
            return Err(SendError::Closed);
        }
        let message = self.fitting(message)?;
        if !message.message_type.is_event() {
            return self.delivery.send(now_us, message).map(Some);
        }
        if matches!(message.message_type, MessageType::Closed { .. }) {
            self.events.close(message);
            return Ok(None);
        }
        self.events.take(now_us, message, &mut self.delivery)
    }

    /// The message, if it can be encoded whatever its id: a text within its limit may be longer in JSON.
    fn fitting(&mut self, mut message: ControlMessage) -> Result<ControlMessage, SendError> {
        message.message_id = MESSAGE_ID_MAX;
        self.bytes.clear();
        self.form.encode_into(&message, &mut self.bytes).map_err(SendError::Invalid)?;
        Ok(message)
    }

    /// What a message of the other end stops has stopped: says so, once. Returns whether that will be said.
    pub fn applied(&mut self, now_us: u64, message_id: u64) -> bool {
        self.delivery.applied(now_us, message_id)
    }

    /// Notes that audio of segment `serial` has come: messages about it, and about later ones, are to be expected.
    pub fn heard_of(&mut self, serial: u32) {
        self.arrivals.names.heard_of(serial);
    }

    /// The serial of a segment that audio of the other end names; `None`: it is not of this session, or too far from the
    /// known ones.
    pub fn serial(&mut self, id: Uuid) -> Option<u32> {
        self.arrivals.names.serial(id)
    }

    /// The connection is lost: nothing is sent, and nothing is given up, until there is another.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// There is a connection again, maybe another one: what is not acknowledged is sent on it. Events that were sent once
    /// and are lost with the old connection stay lost.
    pub fn reconnected(&mut self, now_us: u64) {
        self.connected = true;
        self.delivery.reconnected(now_us);
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the other end has said that the session is over: nothing more comes of it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.arrivals.is_closed()
    }

    /// Whether this end has said that the session is over, and need not repeat it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.events.is_settled()
    }

    /// The greatest id that has come from the other end, for one that comes back without its state:
    /// [`PeerConfig::ids_before`].
    #[must_use]
    pub fn newest_id(&self) -> u64 {
        self.delivery.newest_id()
    }

    /// Messages of which nobody knows yet whether they have arrived.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.delivery.outgoing().unacknowledged()
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> PeerFigures {
        PeerFigures {
            intake: self.intake.figures(),
            outgoing: self.delivery.outgoing().figures(),
            incoming: self.delivery.incoming().figures(),
            surplus: self.surplus,
            ..self.arrivals.figures()
        }
    }
}
