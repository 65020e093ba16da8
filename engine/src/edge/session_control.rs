//! The end of a session for everybody but the audio callbacks: what happens, and what the host wants.

use std::sync::Arc;

use crate::base::ids::SessionId;
use crate::edge::control::{Control, ControlError, ControlIn};
use crate::edge::exchange::Out;
use crate::edge::line::{Line, Say, Words};
use crate::edge::params::Params;
use crate::edge::presence::Presence;
use crate::edge::session_event::SessionEvent;
use crate::edge::session_port::SessionPort;
use crate::edge::session_spec::Waker;
use crate::scene::Format;
use crate::speech::history::History;
use crate::speech::overrides::{GateMode, InterruptMode};

/// Tells what happens in a session, and takes what its host wants. Every call returns at once.
///
/// One of the ends of [`SessionHandle::split`](crate::SessionHandle::split). Each command is a message: the call returns
/// its number, and [`SessionEvent::Applied`] with that number comes back when the message has taken effect.
#[derive(Debug)]
pub struct SessionControl {
    pub(super) presence: Arc<Presence>,
    pub(super) sent: u64,
}

impl SessionControl {
    fn port(&self) -> &Arc<SessionPort> {
        self.presence.port()
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.port().id
    }

    /// Which session of this id it is, counted from 1.
    pub fn generation(&self) -> u32 {
        self.port().generation
    }

    /// The session's name.
    pub fn name(&self) -> &str {
        &self.port().name
    }

    /// Format of the audio that arrives.
    pub fn input(&self) -> Format {
        self.port().input
    }

    /// Format of the audio that leaves; `None` = the scene puts out no audio.
    pub fn output(&self) -> Option<Format> {
        self.port().output
    }

    /// Whether the session is closed: nothing more will come than [`poll`](Self::poll) has now.
    pub fn is_closed(&self) -> bool {
        self.port().is_closed()
    }

    /// What was said and what was heard: see [`SessionHandle::history`](crate::SessionHandle::history).
    pub fn history(&self) -> Arc<History> {
        self.port().history()
    }

    /// Takes the next event, if there is one.
    pub fn poll(&mut self) -> Option<SessionEvent> {
        loop {
            return Some(match self.port().poll()? {
                Out::Event(event) => event,
                Out::Text { text, segment, revision, turn } => {
                    SessionEvent::Text { segment, revision, turn, text }
                }
                // What left before the session was split.
                Out::Audio(_) | Out::Control(_) => continue,
            });
        }
    }

    /// Sets whom to wake when an event is ready or the session has closed.
    pub fn wake_on_events(&self, waker: Option<Waker>) {
        self.port().wakers.output.set(waker);
    }

    /// Sets whom to wake when there is room again after a push was refused.
    pub fn wake_on_credit(&self, waker: Option<Waker>) {
        self.port().wakers.credit.set(waker);
    }

    /// Speaks a line, which is a turn of its own: text by the scene's voice, or a recording.
    ///
    /// # Errors
    /// [`ControlError::TooLong`] and [`ControlError::BadClip`] for what cannot be spoken, [`ControlError::NoVoice`]
    /// where the scene has no edge from `said`; [`ControlError::Overflow`] and [`ControlError::Ended`] as for every
    /// message.
    pub fn say(&mut self, words: impl Into<Words>, say: Say) -> Result<u64, ControlError> {
        let words = self.port().voice.prepare(words.into())?;
        self.send(Control::Say(Arc::new(Line { words, say })))
    }

    /// Withdraws what sounds or is to be answered.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn interrupt(&mut self, mode: InterruptMode) -> Result<u64, ControlError> {
        self.send(Control::Interrupt { mode })
    }

    /// Sets who decides what is speech. For push to talk: [`GateMode::Shut`] at rest, [`GateMode::Open`] while the key is
    /// down. The mode holds from the next tick on, for what that tick takes in: audio pushed since the last tick belongs to
    /// the new mode.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn gate(&mut self, mode: GateMode) -> Result<u64, ControlError> {
        self.send(Control::Gate { mode })
    }

    /// Ends the user's turn: what is open ends here, without waiting for silence.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn end_turn(&mut self) -> Result<u64, ControlError> {
        self.send(Control::EndTurn)
    }

    /// Forgets what the user has said and was not answered yet.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn discard(&mut self) -> Result<u64, ControlError> {
        self.send(Control::Discard)
    }

    /// Has the scene answer now: what is open ends, and where nothing is, the reply is asked for without words.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn respond(&mut self) -> Result<u64, ControlError> {
        self.send(Control::Respond)
    }

    /// Says that the listener has heard `us` microseconds of the answer of `turn`. From then on the engine counts as heard
    /// only what was reported.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn heard(&mut self, turn: u32, us: u64) -> Result<u64, ControlError> {
        self.send(Control::Heard { turn, us })
    }

    /// Sends what the user typed: answered like a transcript, a turn by itself.
    ///
    /// # Errors
    /// [`ControlError::TooLong`]; [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn send_text(&mut self, text: impl Into<Arc<str>>) -> Result<u64, ControlError> {
        self.send(Control::SendText { text: text.into() })
    }

    /// Changes parameters of the session; a value of `null` removes one. Services see them from the next call on.
    ///
    /// # Errors
    /// [`ControlError::TooLong`]; [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn set(&mut self, params: Params) -> Result<u64, ControlError> {
        self.send(Control::Set { params: Arc::new(params) })
    }

    /// Answers a [`SessionEvent::ToolCall`].
    ///
    /// # Errors
    /// [`ControlError::TooLong`]; [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn tool_result(
        &mut self,
        call_id: impl Into<Arc<str>>,
        result: impl Into<Arc<str>>,
    ) -> Result<u64, ControlError> {
        self.send(Control::ToolResult { call_id: call_id.into(), result: result.into() })
    }

    /// Answers a [`SessionEvent::ReplyRequested`], in one part or in many; `last`: nothing follows. What is said to a
    /// request that is over has no effect.
    ///
    /// # Errors
    /// [`ControlError::TooLong`]; [`ControlError::Overflow`] and [`ControlError::Ended`].
    pub fn reply_to(
        &mut self,
        request: u64,
        text: impl Into<Arc<str>>,
        last: bool,
    ) -> Result<u64, ControlError> {
        self.send(Control::ReplyTo { request, text: text.into(), last })
    }

    /// Sends any message.
    ///
    /// # Errors
    /// As for the message.
    pub fn send(&mut self, control: Control) -> Result<u64, ControlError> {
        let message_id = self.sent + 1;
        self.port().control(ControlIn { message_id, control })?;
        self.sent = message_id;
        Ok(message_id)
    }

    /// Sends a message that has its number already, such as one that came over a connection: what is told of it bears that
    /// number. The calls that number messages themselves go on behind it.
    ///
    /// # Errors
    /// As for the message.
    pub fn control(&mut self, message: ControlIn) -> Result<(), ControlError> {
        let message_id = message.message_id;
        self.port().control(message)?;
        self.sent = self.sent.max(message_id);
        Ok(())
    }

    /// Ends the input: the engine finishes what was pushed and still answers, then the session closes.
    pub fn finish(&self) {
        self.port().finish();
    }

    /// Hangs up: everything under way is cancelled, and the session closes at the next tick.
    pub fn close(&self) {
        self.port().hang_up();
    }
}
