//! Reads the fields of a message type, and makes the type of them once its name is known.

use std::sync::Arc;

use serde::de::Error;

use crate::edge::line::{Line, Say, Words};
use crate::edge::params::Params;
use crate::speech::overrides::{GateMode, InterruptMode};

use super::fields::{Shared, fields, needed, once};
use super::modes::Mode;
use super::name::Name;
use super::say::ClipBody;
use super::{AckStage, MessageType};

fields! {
    /// The fields that any type may have; which of them a type needs is checked once its name is known.
    Body, "an object with the type's fields" {
        from_timestamp: u64 = "from_timestamp",
        to_timestamp: u64 = "to_timestamp",
        late: bool = "late",
        at_timestamp: u64 = "at_timestamp",
        is_final: bool = "final",
        suggested_batch_size: u32 = "suggested_batch_size",
        deadline_us: u64 = "deadline_us",
        message_id: u64 = "message_id",
        stage: AckStage = "stage",
        text: Shared = "text",
        clip: ClipBody = "clip",
        interruptible: bool = "interruptible",
        priority: i8 = "priority",
        wait: bool = "wait",
        mode: Mode = "mode",
        us: u64 = "us",
        params: Params = "params",
        call_id: Shared = "call_id",
        result: Shared = "result",
        last: bool = "last",
        from_us: u64 = "from_us",
        until_us: Option<u64> = "until_us",
        line: u64 = "line",
        heard_us: u64 = "heard_us",
        reason: Shared = "reason",
        name: Shared = "name",
        arguments: Shared = "arguments",
        service: Shared = "service",
        request: u64 = "request",
    }
}

impl Body {
    /// The type with this name.
    pub(super) fn of_type<E: Error>(self, name: Name) -> Result<MessageType, E> {
        macro_rules! need {
            ($field:ident) => {
                needed(self.$field, stringify!($field))?
            };
        }
        macro_rules! text {
            ($field:ident) => {
                need!($field).0
            };
        }
        Ok(match name {
            Name::CancelSpeculation => MessageType::CancelSpeculation {
                from_timestamp: need!(from_timestamp),
                to_timestamp: need!(to_timestamp),
                late: self.late.unwrap_or(false),
            },
            Name::ConfirmSpeculation => MessageType::ConfirmSpeculation {
                from_timestamp: need!(from_timestamp),
                to_timestamp: need!(to_timestamp),
            },
            Name::EndOfSpeech => MessageType::EndOfSpeech {
                at_timestamp: need!(at_timestamp),
                last: needed(self.is_final, "final")?,
            },
            Name::RetractEndOfSpeech => MessageType::RetractEndOfSpeech { at_timestamp: need!(at_timestamp) },
            Name::CancelAnswer => MessageType::CancelAnswer {},
            Name::BatchHint => MessageType::BatchHint { suggested_batch_size: need!(suggested_batch_size) },
            Name::DeadlineWarning => MessageType::DeadlineWarning { deadline_us: need!(deadline_us) },
            Name::Ack => MessageType::Ack { message_id: need!(message_id), stage: need!(stage) },
            Name::Say => MessageType::Say(self.line()?),
            Name::Interrupt => MessageType::Interrupt { mode: interrupt_mode(need!(mode))? },
            Name::Gate => MessageType::Gate { mode: gate_mode(need!(mode))? },
            Name::EndTurn => MessageType::EndTurn {},
            Name::Discard => MessageType::Discard {},
            Name::Respond => MessageType::Respond {},
            Name::Heard => MessageType::Heard { us: need!(us) },
            Name::SendText => MessageType::SendText { text: text!(text) },
            Name::Set => MessageType::Set { params: Arc::new(need!(params)) },
            Name::ToolResult => MessageType::ToolResult { call_id: text!(call_id), result: text!(result) },
            Name::ReplyTo => {
                MessageType::ReplyTo { request: need!(request), text: text!(text), last: need!(last) }
            }
            Name::Transcript => MessageType::Transcript { text: text!(text), last: need!(last) },
            Name::Line => MessageType::Line {
                text: text!(text),
                from_us: need!(from_us),
                until_us: self.until_us.flatten(),
            },
            Name::AnswerStarted => MessageType::AnswerStarted { line: self.line.unwrap_or(0) },
            Name::AnswerPaused => MessageType::AnswerPaused {},
            Name::AnswerResumed => MessageType::AnswerResumed {},
            Name::AnswerInterrupted => MessageType::AnswerInterrupted { heard_us: need!(heard_us) },
            Name::AnswerEnded => MessageType::AnswerEnded { heard_us: need!(heard_us) },
            Name::LineDropped => MessageType::LineDropped { line: need!(line), reason: text!(reason) },
            Name::ToolCall => MessageType::ToolCall {
                call_id: text!(call_id),
                name: text!(name),
                arguments: text!(arguments),
            },
            Name::ReplyRequested => {
                MessageType::ReplyRequested { request: need!(request), text: text!(text) }
            }
            Name::ReplyCancelled => MessageType::ReplyCancelled { request: need!(request) },
            Name::ServiceFailed => {
                MessageType::ServiceFailed { service: text!(service), reason: text!(reason) }
            }
            Name::Closed => MessageType::Closed { reason: text!(reason) },
        })
    }

    /// The line of a `Say`.
    fn line<E: Error>(self) -> Result<Arc<Line>, E> {
        let words = match (self.text, self.clip) {
            (Some(Shared(text)), None) => Words::Text(text),
            (None, Some(clip)) => {
                let clip: Result<_, E> = clip.clip();
                Words::Clip(clip.map_err(|error| E::custom(format_args!("clip: {error}")))?)
            }
            (None, None) => return Err(E::custom("Say has neither text nor clip: expected one of them")),
            (Some(_), Some(_)) => return Err(E::custom("Say has both text and clip: expected one of them")),
        };
        let default = Say::default();
        let say = Say {
            interruptible: self.interruptible.unwrap_or(default.interruptible),
            priority: self.priority.unwrap_or(default.priority),
            wait: self.wait.unwrap_or(default.wait),
        };
        Ok(Arc::new(Line { words, say }))
    }
}

fn interrupt_mode<E: Error>(mode: Mode) -> Result<InterruptMode, E> {
    mode_of(mode, Mode::of_interrupt, "`Soft` or `Now`")
}

fn gate_mode<E: Error>(mode: Mode) -> Result<GateMode, E> {
    mode_of(mode, Mode::of_gate, "`Auto`, `Open` or `Shut`")
}

/// The mode as the type knows it; `expected`: its modes.
fn mode_of<T, E: Error>(mode: Mode, of: fn(Mode) -> Option<T>, expected: &str) -> Result<T, E> {
    of(mode).ok_or_else(|| E::custom(format_args!("mode: {mode:?}, expected {expected}")))
}
