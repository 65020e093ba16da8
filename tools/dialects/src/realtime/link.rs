//! The session, what it is to be told, and the client's audio on its way in.

use std::collections::VecDeque;

use mynah_engine::edge::{ControlError, PushError};
use mynah_engine::{Control, ControlIn, Out, OutAudio, Params, SessionHandle};

use crate::dialect::{Opened, Tap};
use crate::realtime::intake::{Intake, Mark, Next};

/// Most messages to the session that wait for room; with fewer, more of the client is read.
const WANTED_MAX: usize = 64;
const WANTED_ROOM: usize = 16;

/// An open session.
pub(super) struct Link {
    session: SessionHandle,
    tap: Option<Box<dyn Tap>>,
    messages: u64,
    wanted: VecDeque<ControlIn>,
    /// The message behind whose receipt the turn that the client has ended is over: all audio before it has come.
    barrier: Option<(u64, Mark)>,
    /// Whether the gate was opened for audio of a turn that the client ends itself.
    pub(super) held_open: bool,
}

/// What came of an attempt to hand audio in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// Everything.
    All,
    /// The session has no room.
    Full,
    /// The session's receipt is awaited.
    Waits,
}

impl Link {
    pub(super) fn new(opened: Opened) -> Self {
        let Opened { session, tap, .. } = opened;
        Self { session, tap, messages: 0, wanted: VecDeque::new(), barrier: None, held_open: false }
    }

    pub(super) fn session(&self) -> &SessionHandle {
        &self.session
    }

    /// Sends the session a message, at once or as soon as there is room; its number, or `None` if too many wait.
    pub(super) fn want(&mut self, control: Control) -> Option<u64> {
        (self.wanted.len() < WANTED_MAX).then(|| self.must(control))
    }

    /// The same whatever waits: for what follows from something that was taken, at most one each.
    pub(super) fn must(&mut self, control: Control) -> u64 {
        self.messages += 1;
        self.wanted.push_back(ControlIn { message_id: self.messages, control });
        self.hand_over();
        self.messages
    }

    pub(super) fn has_room(&self) -> bool {
        self.wanted.len() < WANTED_ROOM
    }

    fn hand_over(&mut self) {
        while let Some(message) = self.wanted.front() {
            match self.session.control(message.clone()) {
                Err(ControlError::Overflow) => return,
                // What is too long was refused before; what is said to a session that has ended is of no use.
                Ok(()) | Err(_) => _ = self.wanted.pop_front(),
            }
        }
    }

    /// Hands in what waits. `manual`: the client ends its turns itself.
    pub(super) fn push(&mut self, now_us: u64, intake: &mut Intake, manual: bool) -> Handed {
        loop {
            self.hand_over();
            // A message has its effect before audio that comes with it: none may overtake.
            if self.barrier.is_some() {
                return Handed::Waits;
            }
            if !self.wanted.is_empty() {
                return Handed::Full;
            }
            match intake.next() {
                Next::Nothing => return Handed::All,
                Next::Mark(mark) => {
                    intake.pass();
                    let nothing = Params::new();
                    self.barrier = Some((self.must(Control::Set { params: nothing.into() }), mark));
                }
                Next::Samples(_) if manual && !self.held_open => {
                    self.held_open = true;
                    self.must(Control::Gate { mode: mynah_engine::speech::GateMode::Open });
                }
                Next::Samples(samples) => match self.session.try_push(samples) {
                    Ok(()) => {
                        self.tap.iter_mut().for_each(|tap| tap.heard(now_us, samples));
                        let count = samples.len();
                        intake.take(count);
                    }
                    Err(PushError::Full) => return Handed::Full,
                    Err(_) => {
                        intake.drop_all();
                        return Handed::All;
                    }
                },
            }
        }
    }

    /// Whether something waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Takes the receipt of a message; true if the end of the client's turn was behind it, which is ended now.
    pub(super) fn applied(&mut self, message_id: u64) {
        let Some((_, mark)) = self.barrier.take_if(|(id, _)| *id == message_id) else { return };
        match mark {
            Mark::EndTurn => _ = self.must(Control::EndTurn),
            Mark::Release => self.release(),
        }
    }

    /// Nothing is heard until audio comes again.
    pub(super) fn release(&mut self) {
        self.held_open = false;
        self.must(Control::Gate { mode: mynah_engine::speech::GateMode::Shut });
    }

    /// Forgets the end of a turn that has not come yet.
    pub(super) fn forget_barrier(&mut self) {
        self.barrier = None;
    }

    pub(super) fn poll(&mut self, now_us: u64) -> Option<Out> {
        let out = self.session.poll()?;
        if let (Some(tap), Out::Event(event)) = (&mut self.tap, &out) {
            tap.told(now_us, event);
        }
        Some(out)
    }

    /// Notes that audio is sent, and gives its block back.
    pub(super) fn sent(&mut self, now_us: u64, audio: OutAudio) {
        self.tap.iter_mut().for_each(|tap| tap.said(now_us, &audio));
        self.session.give_back(audio.block);
    }

    /// Audio that is not sent.
    pub(super) fn dropped(&self, audio: OutAudio) {
        self.session.give_back(audio.block);
    }
}
