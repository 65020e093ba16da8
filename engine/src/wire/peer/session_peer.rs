//! The end of a connection beside a session: what arrives goes into the session as far as that takes it, and what the
//! session tells goes out.

use std::sync::Arc;

use uuid::Uuid;

use crate::edge::control::{Control, ControlError};
use crate::edge::exchange::{Out, OutAudio, PushError, Stamp};
use crate::edge::session_event::{CloseReason, SessionEvent};
use crate::edge::session_handle::SessionHandle;
use crate::wire::delivery::{DeliveryEvent, SendError};
use crate::wire::message::{Arrival, MessageError};

use super::arrivals::Arrived;
use super::held_audio::HeldAudio;
use super::{Input, Output, Peer, PeerConfig, PeerError, Step};

/// What a [`SessionPeer`] wants done, or has to tell.
#[derive(Debug)]
pub enum SessionPeerOutput<'a> {
    /// Send this to the other end: one message in the form of [`PeerConfig::form`].
    Transmit(&'a [u8]),
    /// Send this audio, in order with the messages; then [give the block back](SessionHandle::give_back).
    Audio(OutAudio),
    /// Send this text, in order with the messages.
    Text {
        /// What leaves at the output, such as captions.
        text: Arc<str>,
        /// Its segment; 0: none.
        segment: u32,
        /// The revision that it was derived from.
        revision: u32,
        /// Its turn.
        turn: u32,
    },
    /// What has become of a message that was sent.
    Delivery(DeliveryEvent),
    /// The session is over, and the other end was told: close the connection. Comes once, and nothing but
    /// [`SessionPeerOutput::Wait`] follows.
    Closed {
        /// Why; `None`: the session tells no events.
        reason: Option<CloseReason>,
    },
    /// Nothing to do until then, later than now; `None`: until something is handed to the peer, or the session's waker
    /// rings.
    Wait {
        /// On the clock of this end, microseconds.
        until_us: Option<u64>,
    },
}

/// A [`Peer`] joined with a session.
///
/// What finds no room in the session waits here, within bounds. Control messages: as many as in the session itself
/// ([`CONTROLS_MAX`](crate::edge::CONTROLS_MAX)); one more closes the session with `control_overflow`. Audio: the rest of
/// one push; while there is a rest, [`push`](Self::push) is refused, and who reads from a socket stops reading.
///
/// While there is no connection, what the session puts out stays in the engine, within the bounds that hold there.
#[derive(Debug)]
pub struct SessionPeer {
    peer: Peer,
    session: SessionHandle,
    held: HeldAudio,
    /// The input ends behind the audio that is held.
    ending: bool,
    /// The session is over, for this reason if it tells one.
    closing: Option<Option<CloseReason>>,
    /// [`SessionPeerOutput::Closed`] was polled.
    closed: bool,
    figures: SessionPeerFigures,
}

/// Counts of the audio and the events of a [`SessionPeer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionPeerFigures {
    /// Sample frames that the session has taken.
    pub frames_pushed: u64,
    /// Sample frames that were held when the session was over.
    pub frames_dropped: u64,
    /// Messages of the other end that a session takes from nobody: events, and what is out of range.
    pub refused: u64,
    /// Events that fit into no message.
    pub unsendable: u64,
}

impl SessionPeer {
    /// The end of a session's connection. The session tells everything if it was opened with
    /// [`SessionSpec::events`](crate::SessionSpec::events), else what is said of speech.
    ///
    /// # Errors
    /// As [`Peer::new`].
    pub fn new(session: SessionHandle, config: PeerConfig) -> Result<Self, MessageError> {
        Ok(Self {
            peer: Peer::new(config)?,
            session,
            held: HeldAudio::default(),
            ending: false,
            closing: None,
            closed: false,
            figures: SessionPeerFigures::default(),
        })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionHandle {
        &self.session
    }

    /// What is under way on the connection, and counts.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Counts so far, beside those of the [`Peer`].
    #[must_use]
    pub fn figures(&self) -> SessionPeerFigures {
        self.figures
    }

    /// Takes a message that has come from the other end.
    ///
    /// # Errors
    /// As [`Peer::handle`]; [`PeerError::Overflow`] has closed the session.
    pub fn handle(&mut self, now_us: u64, input: Input<'_>) -> Result<(), PeerError> {
        let taken = self.peer.handle(now_us, input);
        self.handled(now_us, taken)
    }

    /// As [`Peer::handle_decoded`].
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn handle_decoded(
        &mut self,
        now_us: u64,
        arrival: Result<Arrival, MessageError>,
    ) -> Result<(), PeerError> {
        let taken = self.peer.handle_decoded(now_us, arrival);
        self.handled(now_us, taken)
    }

    fn handled(&mut self, now_us: u64, taken: Result<(), PeerError>) -> Result<(), PeerError> {
        if taken == Err(PeerError::Overflow) {
            self.overflow(now_us);
        }
        self.hand_over_controls(now_us);
        taken
    }

    /// Takes audio that has come from the other end: whole sample frames, at most one second. Without an arrival time in
    /// `stamp` it arrives now, or when it finds room.
    ///
    /// # Errors
    /// [`PushError::Full`] while some of the audio before waits for room, see
    /// [`SessionHandle::wake_on_credit`]; nothing is taken then.
    pub fn push(&mut self, now_us: u64, samples: &[f32], stamp: Stamp) -> Result<(), PushError> {
        let format = self.session.input();
        let channels = usize::from(format.channels);
        if !samples.len().is_multiple_of(channels) || samples.len() / channels > format.rate_hz as usize {
            return Err(PushError::BadLength { samples: samples.len() });
        }
        if self.ending || self.session.is_closed() {
            return Err(PushError::Ended);
        }
        self.hand_over(now_us);
        if !self.held.is_empty() {
            return Err(PushError::Full);
        }
        self.peer.heard_of(stamp.tag.segment);
        let pushed = self.held.take(now_us, &self.session, samples, stamp);
        self.count(pushed);
        Ok(())
    }

    /// As [`Peer::serial`], for the [`Stamp`] of audio that follows.
    pub fn serial(&mut self, id: Uuid) -> Option<u32> {
        self.peer.serial(id)
    }

    /// The other end has ended the input, behind the audio that was pushed.
    pub fn finish(&mut self, now_us: u64) {
        self.ending = true;
        self.hand_over(now_us);
    }

    /// Whether the next [`push`](Self::push) is taken, if the session has no more room than now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.held.is_empty()
    }

    /// Hands the session what waits for room, as far as there is any. Polling does that, too.
    pub fn hand_over(&mut self, now_us: u64) {
        self.hand_over_controls(now_us);
        if self.session.is_closed() {
            let channels = usize::from(self.session.input().channels);
            self.figures.frames_dropped += (self.held.clear() / channels) as u64;
            return;
        }
        let pushed = self.held.hand_over(now_us, &self.session);
        self.count(pushed);
        if self.ending && self.held.is_empty() {
            self.session.finish();
        }
    }

    fn count(&mut self, samples: usize) {
        self.figures.frames_pushed += (samples / usize::from(self.session.input().channels)) as u64;
    }

    fn hand_over_controls(&mut self, now_us: u64) {
        while let Some(arrived) = self.peer.arrivals.front() {
            let (message_id, taken) = match arrived {
                Arrived::Control(message) => (message.message_id, self.session.control(message.clone())),
                // A session is told nothing.
                Arrived::Event { message, .. } => (message.message_id, Err(ControlError::NoVoice)),
            };
            match taken {
                Ok(()) => {}
                Err(ControlError::Overflow) => return,
                // With the session everything that the message stops has stopped.
                Err(ControlError::Ended) => drop(self.peer.applied(now_us, message_id)),
                // Never taken: nothing that it could stop is under way.
                Err(ControlError::TooLong { .. } | ControlError::BadClip { .. } | ControlError::NoVoice) => {
                    self.figures.refused += 1;
                    self.peer.applied(now_us, message_id);
                }
            }
            self.peer.arrivals.pop();
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self, now_us: u64) -> SessionPeerOutput<'_> {
        if self.closed {
            return SessionPeerOutput::Wait { until_us: None };
        }
        self.hand_over(now_us);
        loop {
            let until_us = match self.peer.step(now_us) {
                Step::Transmit => return SessionPeerOutput::Transmit(self.peer.encoded()),
                Step::Fate(event) => return SessionPeerOutput::Delivery(event),
                Step::Wait(until_us) => until_us,
            };
            if !self.peer.is_connected() {
                return SessionPeerOutput::Wait { until_us };
            }
            // Asked first: what was put out before the session closed is there by then.
            let closed = self.session.is_closed();
            match self.session.poll() {
                Some(out) => {
                    if let Some(output) = self.take(now_us, out).and_then(|out| self.sound(out)) {
                        return output;
                    }
                }
                None => {
                    if closed {
                        self.closing.get_or_insert(None);
                    }
                    return self.over().unwrap_or(SessionPeerOutput::Wait { until_us });
                }
            }
        }
    }

    /// What is to be done next for the connection alone: for hosts that poll the session themselves, see
    /// [`take`](Self::take). Nothing that has arrived is among it.
    pub fn poll_connection(&mut self, now_us: u64) -> Output<'_> {
        self.peer.poll_connection(now_us)
    }

    /// Takes what the session has put out, and gives back what is no message: audio and text.
    pub fn take(&mut self, now_us: u64, out: Out) -> Option<Out> {
        let sent = match out {
            Out::Control(Control::Applied { message_id })
            | Out::Event(SessionEvent::Applied { message_id }) => {
                self.peer.applied(now_us, message_id);
                return None;
            }
            Out::Control(Control::Closed) => {
                self.closing.get_or_insert(None);
                return None;
            }
            Out::Event(SessionEvent::Closed { reason }) => {
                self.close(now_us, reason);
                return None;
            }
            Out::Event(SessionEvent::Text { segment, revision, turn, text }) => {
                return Some(Out::Text { text, segment, revision, turn });
            }
            Out::Audio(_) | Out::Text { .. } => return Some(out),
            Out::Control(control) => self.peer.send_control(now_us, &control).map(|_| ()),
            Out::Event(event) => self.peer.send_event(now_us, &event).map(|_| ()),
        };
        match sent {
            Ok(()) | Err(SendError::Closed) => {}
            Err(SendError::Invalid(_)) => self.figures.unsendable += 1,
            Err(SendError::Overflow) => self.overflow(now_us),
        }
        None
    }

    /// Audio or text for the other end, which hears nothing more once it was told of the end.
    fn sound(&self, out: Out) -> Option<SessionPeerOutput<'static>> {
        match out {
            Out::Audio(audio) if self.closing.is_some() => self.session.give_back(audio.block),
            Out::Audio(audio) => return Some(SessionPeerOutput::Audio(audio)),
            Out::Text { text, segment, revision, turn } if self.closing.is_none() => {
                return Some(SessionPeerOutput::Text { text, segment, revision, turn });
            }
            _ => {}
        }
        None
    }

    /// Tells the end, once everything that comes before it was told.
    fn over(&mut self) -> Option<SessionPeerOutput<'static>> {
        let reason = self.closing.as_ref()?;
        let told = if reason.is_some() { self.peer.is_settled() } else { self.peer.unacknowledged() == 0 };
        (told && !std::mem::replace(&mut self.closed, true))
            .then(|| SessionPeerOutput::Closed { reason: reason.clone() })
    }

    /// The end of the session, once, when everything that comes before it was told: for hosts that poll the session
    /// themselves, see [`take`](Self::take), when that has nothing more. The reason; `None` in it: the session tells no
    /// events.
    pub fn poll_end(&mut self) -> Option<Option<CloseReason>> {
        match self.over()? {
            SessionPeerOutput::Closed { reason } => Some(reason),
            _ => None,
        }
    }

    /// The other end does not listen, or floods the session.
    fn overflow(&mut self, now_us: u64) {
        self.session.close();
        self.close(now_us, CloseReason::ControlOverflow);
    }

    fn close(&mut self, now_us: u64, reason: CloseReason) {
        if self.closing.is_none() {
            let told = self.peer.send_event(now_us, &SessionEvent::Closed { reason: reason.clone() });
            debug_assert_eq!(told, Ok(true), "there is always room for the last event");
            self.closing = Some(Some(reason));
        }
    }

    /// What a message of the other end stops has stopped, for hosts that poll the session themselves.
    pub fn applied(&mut self, now_us: u64, message_id: u64) {
        self.peer.applied(now_us, message_id);
    }

    /// As [`Peer::disconnected`].
    pub fn disconnected(&mut self) {
        self.peer.disconnected();
    }

    /// As [`Peer::reconnected`].
    pub fn reconnected(&mut self, now_us: u64) {
        self.peer.reconnected(now_us);
    }
}
