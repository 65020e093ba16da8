//! Translates between what an engine and its host tell each other ([`Control`], [`SessionEvent`]) and messages on the
//! wire ([`ControlMessage`]): the one place where session, generation and serial become a UUID and back.

use std::sync::Arc;

use crate::edge::control::Control;
use crate::edge::line::LINE_BYTES_MAX;
use crate::edge::session_event::SessionEvent;

use super::{ControlMessage, MessageType, SegmentNames, segment_id};

/// What a message is about; segment 0 is none.
#[derive(Clone, Copy, Default)]
struct About {
    segment: u32,
    revision: Option<u32>,
    turn: Option<u32>,
}

impl About {
    const NOTHING: Self = Self { segment: 0, revision: None, turn: None };

    fn turn(turn: u32) -> Self {
        Self { turn: Some(turn), ..Self::NOTHING }
    }

    fn message(self, session: &Arc<str>, generation: u32, us: u64, what: MessageType) -> ControlMessage {
        let mut message = ControlMessage::new(Arc::clone(session), us, what);
        message.target_segment_id =
            (self.segment != 0).then(|| segment_id(session, generation, self.segment));
        message.revision = self.revision;
        message.turn = self.turn;
        message
    }
}

impl Control {
    /// The message to send; `None` for controls that are no messages: the path itself says that the session is over,
    /// and `Applied` is an acknowledgement, [`crate::wire::delivery::Delivery::applied`]. [`crate::wire::delivery`]
    /// gives the id.
    ///
    /// `generation`: which session of this name, see [`crate::SessionHandle::generation`]; `timestamp_us`: the time
    /// of the control, microseconds since the Unix epoch (in virtual time: the engine's clock).
    #[must_use]
    pub fn to_message(
        &self,
        session: &Arc<str>,
        generation: u32,
        timestamp_us: u64,
    ) -> Option<ControlMessage> {
        let (about, what) = self.of_speech().or_else(|| self.of_a_host())?;
        Some(about.message(session, generation, timestamp_us, what))
    }

    /// What is said of speech, and advice.
    fn of_speech(&self) -> Option<(About, MessageType)> {
        Some(match *self {
            Self::ConfirmSpeculation { segment, turn, from_us, to_us } => {
                let (from_timestamp, to_timestamp) = stretch(from_us, to_us);
                let what = MessageType::ConfirmSpeculation { from_timestamp, to_timestamp };
                (About { segment, ..About::turn(turn) }, what)
            }
            Self::CancelSpeculation { segment, from_us, to_us, late } => {
                let (from_timestamp, to_timestamp) = stretch(from_us, to_us);
                let what = MessageType::CancelSpeculation { from_timestamp, to_timestamp, late };
                (About { segment, ..About::NOTHING }, what)
            }
            Self::EndOfSpeech { segment, revision, at_us, last } => {
                let what = MessageType::EndOfSpeech { at_timestamp: at_us, last };
                (About { segment, revision: Some(revision), turn: None }, what)
            }
            Self::RetractEndOfSpeech { segment, revision, at_us } => {
                let what = MessageType::RetractEndOfSpeech { at_timestamp: at_us };
                (About { segment, revision: Some(revision), turn: None }, what)
            }
            Self::CancelAnswer { turn } => (About::turn(turn), MessageType::CancelAnswer {}),
            Self::BatchHint { size } => {
                (About::NOTHING, MessageType::BatchHint { suggested_batch_size: size.max(1) })
            }
            Self::DeadlineWarning { turn, left_us } => {
                (About::turn(turn), MessageType::DeadlineWarning { deadline_us: left_us.max(1) })
            }
            _ => return None,
        })
    }

    /// What a host wants.
    fn of_a_host(&self) -> Option<(About, MessageType)> {
        let what = match self {
            Self::Say(line) => MessageType::Say(Arc::clone(line)),
            Self::Interrupt { mode } => MessageType::Interrupt { mode: *mode },
            Self::Gate { mode } => MessageType::Gate { mode: *mode },
            Self::EndTurn => MessageType::EndTurn {},
            Self::Discard => MessageType::Discard {},
            Self::Respond => MessageType::Respond {},
            Self::Heard { turn, us } => {
                return Some((About::turn(*turn), MessageType::Heard { us: *us }));
            }
            Self::SendText { text } => MessageType::SendText { text: Arc::clone(text) },
            Self::Set { params } => MessageType::Set { params: Arc::clone(params) },
            Self::ToolResult { call_id, result } => {
                MessageType::ToolResult { call_id: Arc::clone(call_id), result: Arc::clone(result) }
            }
            Self::ReplyTo { request, text, last } => {
                MessageType::ReplyTo { request: *request, text: Arc::clone(text), last: *last }
            }
            Self::ConfirmSpeculation { .. }
            | Self::CancelSpeculation { .. }
            | Self::EndOfSpeech { .. }
            | Self::RetractEndOfSpeech { .. }
            | Self::CancelAnswer { .. }
            | Self::BatchHint { .. }
            | Self::DeadlineWarning { .. }
            | Self::Applied { .. }
            | Self::Closed => return None,
        };
        Some((About::NOTHING, what))
    }

    /// The control that a message means for the receiving engine; `None` for acknowledgements, for what only an engine
    /// tells its host, for a segment that `names` does not know, and if a field is missing that its type needs.
    pub fn from_message(message: &ControlMessage, names: &mut SegmentNames) -> Option<Self> {
        let mut segment = || names.serial(message.target_segment_id?);
        Some(match &message.message_type {
            MessageType::ConfirmSpeculation { from_timestamp, to_timestamp } => Self::ConfirmSpeculation {
                segment: segment()?,
                turn: message.turn.unwrap_or(0),
                from_us: *from_timestamp,
                to_us: *to_timestamp,
            },
            MessageType::CancelSpeculation { from_timestamp, to_timestamp, late } => {
                let (from_us, to_us) = (*from_timestamp, *to_timestamp);
                Self::CancelSpeculation { segment: segment()?, from_us, to_us, late: *late }
            }
            MessageType::EndOfSpeech { at_timestamp, last } => {
                let (revision, at_us) = (message.revision?, *at_timestamp);
                Self::EndOfSpeech { segment: segment()?, revision, at_us, last: *last }
            }
            MessageType::RetractEndOfSpeech { at_timestamp } => {
                let revision = message.revision?;
                Self::RetractEndOfSpeech { segment: segment()?, revision, at_us: *at_timestamp }
            }
            MessageType::CancelAnswer {} => Self::CancelAnswer { turn: message.turn? },
            MessageType::BatchHint { suggested_batch_size } => {
                Self::BatchHint { size: *suggested_batch_size }
            }
            MessageType::DeadlineWarning { deadline_us } => {
                Self::DeadlineWarning { turn: message.turn.unwrap_or(0), left_us: *deadline_us }
            }
            MessageType::Say(line) => Self::Say(Arc::clone(line)),
            MessageType::Interrupt { mode } => Self::Interrupt { mode: *mode },
            MessageType::Gate { mode } => Self::Gate { mode: *mode },
            MessageType::EndTurn {} => Self::EndTurn,
            MessageType::Discard {} => Self::Discard,
            MessageType::Respond {} => Self::Respond,
            MessageType::Heard { us } => Self::Heard { turn: message.turn?, us: *us },
            MessageType::SendText { text } => Self::SendText { text: Arc::clone(text) },
            MessageType::Set { params } => Self::Set { params: Arc::clone(params) },
            MessageType::ToolResult { call_id, result } => {
                Self::ToolResult { call_id: Arc::clone(call_id), result: Arc::clone(result) }
            }
            MessageType::ReplyTo { request, text, last } => {
                Self::ReplyTo { request: *request, text: Arc::clone(text), last: *last }
            }
            MessageType::Ack { .. }
            | MessageType::Transcript { .. }
            | MessageType::Line { .. }
            | MessageType::AnswerStarted { .. }
            | MessageType::AnswerPaused {}
            | MessageType::AnswerResumed {}
            | MessageType::AnswerInterrupted { .. }
            | MessageType::AnswerEnded { .. }
            | MessageType::LineDropped { .. }
            | MessageType::ToolCall { .. }
            | MessageType::ReplyRequested { .. }
            | MessageType::ReplyCancelled { .. }
            | MessageType::ServiceFailed { .. }
            | MessageType::Closed { .. } => return None,
        })
    }
}

impl SessionEvent {
    /// The message to send; `None` for events that are no messages: that speech may have begun is not told, text that
    /// leaves at the output goes as text, and `Applied` is an acknowledgement,
    /// [`crate::wire::delivery::Delivery::applied`]. Parameters as for [`Control::to_message`].
    ///
    /// Words and reasons longer than [`LINE_BYTES_MAX`] are cut, so that the message can be sent. A
    /// [`ToolCall`](crate::edge::ToolCall) is not: one that is too long is refused when it is encoded.
    #[must_use]
    pub fn to_message(
        &self,
        session: &Arc<str>,
        generation: u32,
        timestamp_us: u64,
    ) -> Option<ControlMessage> {
        let (about, what) = match self.as_control() {
            Some(control) => control.of_speech()?,
            None => self.of_an_answer()?,
        };
        Some(about.message(session, generation, timestamp_us, what))
    }

    /// The same as it is told to hosts that want controls, for what is said of speech, and advice.
    fn as_control(&self) -> Option<Control> {
        Some(match *self {
            Self::SpeechConfirmed { segment, turn, from_us, to_us } => {
                Control::ConfirmSpeculation { segment, turn, from_us, to_us }
            }
            Self::SpeechCancelled { segment, from_us, to_us, late, .. } => {
                Control::CancelSpeculation { segment, from_us, to_us, late }
            }
            Self::EndOfSpeech { segment, revision, at_us, last } => {
                Control::EndOfSpeech { segment, revision, at_us, last }
            }
            Self::EndOfSpeechRetracted { segment, revision, at_us } => {
                Control::RetractEndOfSpeech { segment, revision, at_us }
            }
            Self::DeadlineWarning { turn, left_us } => Control::DeadlineWarning { turn, left_us },
            _ => return None,
        })
    }

    /// What is said of transcripts, answers, services and the session.
    fn of_an_answer(&self) -> Option<(About, MessageType)> {
        Some(match self {
            Self::Transcript { segment, revision, turn, text, last } => {
                let revision = (*segment != 0).then_some(*revision);
                let about = About { segment: *segment, revision, turn: Some(*turn) };
                (about, MessageType::Transcript { text: cut(text), last: *last })
            }
            Self::Line { turn, text, from_us, until_us } => {
                let until_us = until_us.map(|until_us| until_us.max(*from_us));
                (About::turn(*turn), MessageType::Line { text: cut(text), from_us: *from_us, until_us })
            }
            Self::AnswerStarted { turn, line } => {
                (About::turn(*turn), MessageType::AnswerStarted { line: *line })
            }
            Self::AnswerPaused { turn } => (About::turn(*turn), MessageType::AnswerPaused {}),
            Self::AnswerResumed { turn } => (About::turn(*turn), MessageType::AnswerResumed {}),
            Self::AnswerInterrupted { turn, heard_us } => {
                (About::turn(*turn), MessageType::AnswerInterrupted { heard_us: *heard_us })
            }
            Self::AnswerEnded { turn, heard_us } => {
                (About::turn(*turn), MessageType::AnswerEnded { heard_us: *heard_us })
            }
            Self::LineDropped { line, reason } => {
                (About::NOTHING, MessageType::LineDropped { line: *line, reason: reason.name().into() })
            }
            Self::ToolCall(call) => {
                let what = MessageType::ToolCall {
                    call_id: Arc::clone(&call.call_id),
                    name: Arc::clone(&call.name),
                    arguments: Arc::clone(&call.arguments),
                };
                (About::turn(call.turn), what)
            }
            Self::ReplyRequested { request, turn, segment, revision, text } => {
                let revision = (*segment != 0).then_some(*revision);
                let about = About { segment: *segment, revision, turn: Some(*turn) };
                (about, MessageType::ReplyRequested { request: *request, text: cut(text) })
            }
            Self::ReplyCancelled { request } => {
                (About::NOTHING, MessageType::ReplyCancelled { request: *request })
            }
            Self::ServiceFailed { turn, service, reason } => {
                let what = MessageType::ServiceFailed { service: cut(service), reason: cut(reason) };
                (About::turn(*turn), what)
            }
            Self::Closed { reason } => {
                (About::NOTHING, MessageType::Closed { reason: cut(&reason.to_string().into()) })
            }
            _ => return None,
        })
    }
}

/// A stretch of audio for a message, which is never empty. A segment of which nothing was forwarded yet gets
/// one microsecond.
fn stretch(from_us: u64, to_us: u64) -> (u64, u64) {
    (from_us, to_us.max(from_us + 1))
}

/// As much of a text as a message may have.
fn cut(text: &Arc<str>) -> Arc<str> {
    if text.len() <= LINE_BYTES_MAX {
        return Arc::clone(text);
    }
    text[..text.floor_char_boundary(LINE_BYTES_MAX)].into()
}

#[cfg(test)]
mod tests;
