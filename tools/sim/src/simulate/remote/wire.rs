//! Both ends of a session and what lies between them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use mynah_engine::edge::Tag;
use mynah_engine::wire::delivery::{DeliveryEvent, SendError};
use mynah_engine::wire::message::MessageError;
use mynah_engine::wire::peer::{Input, Output, Peer, PeerConfig, SessionPeer};
use mynah_engine::{Control, Event, Out, OutAudio, SessionHandle, Stamp};

use super::accounts::{Account, fate, sent};
use mynah_load::link::{LinkFaults, SimulatedLink};
use mynah_load::network::Carriage;

/// A control message as it goes over the wire.
pub type Datagram = Arc<[u8]>;

/// What goes over the ordered way.
#[derive(Clone, Debug)]
pub enum Carried {
    /// A block of audio with its place at the sender.
    Audio {
        /// Samples, interleaved.
        samples: Arc<[f32]>,
        /// Media time there.
        pts_us: u64,
        /// Where it belongs there.
        tag: Tag,
    },
    /// The stream has ended.
    End,
}

impl Carried {
    /// A block as the first engine put it out.
    pub fn of(audio: &OutAudio) -> Self {
        let OutAudio { pts_us, segment, revision, turn, .. } = *audio;
        Self::Audio {
            samples: Arc::from(audio.block.samples()),
            pts_us,
            tag: Tag { segment, revision, turn },
        }
    }
}

/// What lies between two ends: the ordered way for audio, and the datagrams out and back.
pub struct Link {
    /// Audio, in order.
    pub audio: SimulatedLink<Carried>,
    /// Control messages to the engine that follows.
    pub out: SimulatedLink<Datagram>,
    /// The link for receipts.
    pub back: SimulatedLink<Datagram>,
}

impl Link {
    /// A link with `faults`, drawn for number `session`.
    ///
    /// # Errors
    /// The faults are out of range.
    pub fn new(faults: LinkFaults, seed: u64, session: u64) -> Result<Self, String> {
        Ok(Self {
            audio: SimulatedLink::new(faults, Carriage::Stream, seed, session * 3)?,
            out: SimulatedLink::new(faults, Carriage::Datagrams, seed, session * 3 + 1)?,
            back: SimulatedLink::new(faults, Carriage::Datagrams, seed, session * 3 + 2)?,
        })
    }

    /// What has arrived goes into the far session, as far as it takes it: what says that audio is void comes before that
    /// audio.
    pub(super) fn arrive(&mut self, now_us: u64, far: &mut SessionPeer) {
        while let Some(datagram) = self.out.receive(now_us) {
            // What is refused is counted there, and a session that is flooded is closed.
            far.handle(now_us, Input::Binary(&datagram)).ok();
        }
        far.hand_over(now_us);
        while far.has_room()
            && let Some(carried) = self.audio.receive(now_us)
        {
            match carried {
                Carried::Audio { samples, pts_us, tag } => {
                    let stamp = Stamp { pts_us: Some(pts_us), tag, ..Stamp::default() };
                    // There was room: only a session that is over takes nothing.
                    far.push(now_us, &samples, stamp).ok();
                }
                Carried::End => far.finish(now_us),
            }
        }
    }

    /// Receipts go onto the way back.
    pub(super) fn send_receipts(&mut self, now_us: u64, far: &mut SessionPeer) {
        while let Output::Transmit(receipt) = far.poll_connection(now_us) {
            self.back.send(now_us, Arc::from(receipt));
        }
    }
}

/// Hands what the near end sends by `now_us` to `send`, and what it learns of its messages to `told`.
pub(super) fn go_out(
    now_us: u64,
    near: &mut Peer,
    mut send: impl FnMut(Datagram),
    mut told: impl FnMut(DeliveryEvent),
) {
    loop {
        match near.poll(now_us) {
            Output::Transmit(message) => send(Arc::from(message)),
            Output::Delivery(event) => told(event),
            // An engine that follows says nothing but receipts.
            Output::Control(_) | Output::Event { .. } => {}
            Output::Wait { .. } => return,
        }
    }
}

/// Both ends of a session and what lies between them.
pub struct Wire {
    /// The session of the engine that gates.
    pub near: Peer,
    /// Its session at the engine that follows.
    pub far: SessionPeer,
    /// What lies between.
    pub link: Link,
    /// What must hold between the two.
    pub account: Account,
    /// The near session is over, and the far one was told.
    pub over: bool,
    pub(super) told: bool,
    /// What has become of messages, and was not asked for yet.
    fates: VecDeque<DeliveryEvent>,
}

/// A message that cannot be sent.
#[derive(Debug)]
pub struct Unsent {
    /// What it says.
    pub control: Control,
    /// Why the message was not sent.
    pub error: SendError,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.control, self.error)
    }
}

impl Wire {
    /// Joins the session `near` of the first engine with its session there.
    ///
    /// # Errors
    /// The session's name is too long for messages.
    pub fn new(near: &SessionHandle, far: SessionHandle, link: Link) -> Result<Self, MessageError> {
        let config = PeerConfig::new(near.name().into(), near.generation());
        Ok(Self::of(Peer::new(config.clone())?, SessionPeer::new(far, config)?, link, Account::default()))
    }

    /// Two ends, joined.
    pub(super) fn of(near: Peer, far: SessionPeer, link: Link, account: Account) -> Self {
        Self { near, far, link, account, over: false, told: false, fates: VecDeque::new() }
    }

    /// Takes what the near engine put out; the event of a message that goes to the far one.
    ///
    /// # Errors
    /// The message cannot be sent.
    pub fn take(&mut self, now_us: u64, out: &Out) -> Result<Option<Event>, Unsent> {
        match out {
            Out::Audio(audio) => self.link.audio.send(now_us, Carried::of(audio)),
            Out::Control(Control::Closed) => self.over = true,
            Out::Control(control) => {
                let told = self.near.send_control(now_us, control);
                let message_id = told.map_err(|error| Unsent { control: control.clone(), error })?;
                if let Some(message_id) = message_id {
                    self.account.sent(message_id, now_us, control.clone());
                    return Ok(Some(sent(message_id, control)));
                }
            }
            Out::Text { .. } | Out::Event(_) => {}
        }
        Ok(None)
    }

    /// Takes what the far engine put out: `heard` gets its audio, `applied` when a message that was worked off had been
    /// sent, microseconds, and whether it takes something back.
    pub fn listen(
        &mut self,
        now_us: u64,
        mut heard: impl FnMut(&OutAudio),
        mut applied: impl FnMut(u64, bool),
    ) {
        let Self { far, account, .. } = self;
        while let Some(out) = far.session().poll() {
            match out {
                Out::Audio(audio) => {
                    heard(&audio);
                    account.released(&audio);
                    far.session().give_back(audio.block);
                }
                Out::Control(Control::Applied { message_id }) => {
                    far.applied(now_us, message_id);
                    if let Some((sent_us, stops)) = account.applied(message_id) {
                        applied(sent_us, stops);
                    }
                }
                Out::Control(_) | Out::Text { .. } | Out::Event(_) => {}
            }
        }
    }

    /// What has become of a message, if that is known of one more.
    pub fn poll_fate(&mut self) -> Option<Event> {
        let event = self.fates.pop_front()?;
        Some(fate(&mut self.account, event))
    }

    /// What is due goes out, and what has arrived goes into the far session.
    pub fn go_out(&mut self, now_us: u64) {
        let Self { near, far, link, fates, .. } = self;
        go_out(now_us, near, |datagram| link.out.send(now_us, datagram), |event| fates.push_back(event));
        // The far end must know what was said before it hears that nothing follows.
        if self.over && !self.told && near.unacknowledged() == 0 {
            self.told = true;
            link.audio.send(now_us, Carried::End);
        }
        link.arrive(now_us, far);
    }

    /// Receipts go back.
    pub fn come_back(&mut self, now_us: u64) {
        let Self { near, far, link, fates, .. } = self;
        link.send_receipts(now_us, far);
        while let Some(datagram) = link.back.receive(now_us) {
            // What is refused is counted there.
            near.handle(now_us, Input::Binary(&datagram)).ok();
        }
        go_out(now_us, near, |datagram| link.out.send(now_us, datagram), |event| fates.push_back(event));
    }
}
