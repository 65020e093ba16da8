//! What an arm of `Control` says, as a control message does.

use std::sync::Arc;

use mynah_dialects::pcm::Encoding;
use mynah_engine::edge::{Line, Say, Words};
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::serde::de::DeserializeOwned;
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::wire::message::{AckStage, MessageError, MessageType};

use crate::proto::{self, control::What, say};

use super::field;

/// The message type of a `Control`; `None`: its arm is not known here, or it has none.
pub(super) fn message_type(control: proto::Control) -> Result<Option<MessageType>, MessageError> {
    let Some(what) = control.what else { return Ok(None) };
    let what = match speech(what)? {
        Ok(message_type) => return Ok(Some(message_type)),
        Err(what) => what,
    };
    let what = match wish(what)? {
        Ok(message_type) => return Ok(Some(message_type)),
        Err(what) => what,
    };
    Ok(event(what))
}

/// A JSON object; of nothing its default.
pub(super) fn object<T: DeserializeOwned + Default>(
    name: &'static str,
    text: &str,
    remedy: &'static str,
) -> Result<T, MessageError> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| field(name, &error.to_string(), remedy))
}

/// What is said of speech, advice, and receipts; the arm again where it is none of it.
fn speech(what: What) -> Result<Result<MessageType, What>, MessageError> {
    Ok(Ok(match what {
        What::Cancel(proto::CancelSpeculation { from_timestamp, to_timestamp, late }) => {
            MessageType::CancelSpeculation { from_timestamp, to_timestamp, late }
        }
        What::Confirm(proto::ConfirmSpeculation { from_timestamp, to_timestamp }) => {
            MessageType::ConfirmSpeculation { from_timestamp, to_timestamp }
        }
        What::EndOfSpeech(proto::EndOfSpeech { at_timestamp, r#final }) => {
            MessageType::EndOfSpeech { at_timestamp, last: r#final }
        }
        What::Retract(proto::RetractEndOfSpeech { at_timestamp }) => {
            MessageType::RetractEndOfSpeech { at_timestamp }
        }
        What::CancelAnswer(proto::CancelAnswer {}) => MessageType::CancelAnswer {},
        What::BatchHint(proto::BatchHint { suggested_batch_size }) => {
            MessageType::BatchHint { suggested_batch_size }
        }
        What::Deadline(proto::DeadlineWarning { deadline_us }) => {
            MessageType::DeadlineWarning { deadline_us }
        }
        What::Ack(proto::Ack { message_id, stage }) => {
            let stage = match proto::AckStage::try_from(stage) {
                Ok(proto::AckStage::Delivered) => AckStage::Delivered,
                Ok(proto::AckStage::Applied) => AckStage::Applied,
                Ok(proto::AckStage::Unspecified) | Err(_) => {
                    return Err(field("Ack.stage", &stage.to_string(), "send 1 (delivered) or 2 (applied)"));
                }
            };
            MessageType::Ack { message_id, stage }
        }
        other => return Ok(Err(other)),
    }))
}

/// What a host wants; the arm again where it is none of it.
fn wish(what: What) -> Result<Result<MessageType, What>, MessageError> {
    Ok(Ok(match what {
        What::Say(say) => MessageType::Say(Arc::new(line(say)?)),
        What::Interrupt(proto::Interrupt { mode }) => {
            let mode = match proto::InterruptMode::try_from(mode) {
                Ok(proto::InterruptMode::Soft) => InterruptMode::Soft,
                Ok(proto::InterruptMode::Now) => InterruptMode::Now,
                Ok(proto::InterruptMode::Unspecified) | Err(_) => {
                    return Err(field("Interrupt.mode", &mode.to_string(), "send 1 (soft) or 2 (now)"));
                }
            };
            MessageType::Interrupt { mode }
        }
        What::Gate(proto::Gate { mode }) => {
            let mode = match proto::GateMode::try_from(mode) {
                Ok(proto::GateMode::Auto) => GateMode::Auto,
                Ok(proto::GateMode::Open) => GateMode::Open,
                Ok(proto::GateMode::Shut) => GateMode::Shut,
                Ok(proto::GateMode::Unspecified) | Err(_) => {
                    let remedy = "send 1 (auto), 2 (open) or 3 (shut)";
                    return Err(field("Gate.mode", &mode.to_string(), remedy));
                }
            };
            MessageType::Gate { mode }
        }
        What::EndTurn(proto::EndTurn {}) => MessageType::EndTurn {},
        What::Discard(proto::Discard {}) => MessageType::Discard {},
        What::Respond(proto::Respond {}) => MessageType::Respond {},
        What::Heard(proto::Heard { us }) => MessageType::Heard { us },
        What::SendText(proto::SendText { text }) => MessageType::SendText { text: text.into() },
        What::Set(proto::Set { params_json }) => {
            let params = object("Set.params_json", &params_json, "send a JSON object")?;
            MessageType::Set { params: Arc::new(params) }
        }
        What::ToolResult(proto::ToolResult { call_id, result }) => {
            MessageType::ToolResult { call_id: call_id.into(), result: result.into() }
        }
        What::ReplyTo(proto::ReplyTo { request, text, last }) => {
            MessageType::ReplyTo { request, text: text.into(), last }
        }
        other => return Ok(Err(other)),
    }))
}

/// What an engine tells.
fn event(what: What) -> Option<MessageType> {
    Some(match what {
        What::Transcript(proto::Transcript { text, last }) => {
            MessageType::Transcript { text: text.into(), last }
        }
        What::Line(proto::Line { text, from_us, until_us }) => {
            MessageType::Line { text: text.into(), from_us, until_us }
        }
        What::AnswerStarted(proto::AnswerStarted { line }) => MessageType::AnswerStarted { line },
        What::AnswerPaused(proto::AnswerPaused {}) => MessageType::AnswerPaused {},
        What::AnswerResumed(proto::AnswerResumed {}) => MessageType::AnswerResumed {},
        What::AnswerInterrupted(proto::AnswerInterrupted { heard_us }) => {
            MessageType::AnswerInterrupted { heard_us }
        }
        What::AnswerEnded(proto::AnswerEnded { heard_us }) => MessageType::AnswerEnded { heard_us },
        What::LineDropped(proto::LineDropped { line, reason }) => {
            MessageType::LineDropped { line, reason: reason.into() }
        }
        What::ToolCall(proto::ToolCall { call_id, name, arguments }) => {
            MessageType::ToolCall { call_id: call_id.into(), name: name.into(), arguments: arguments.into() }
        }
        What::ReplyRequested(proto::ReplyRequested { request, text }) => {
            MessageType::ReplyRequested { request, text: text.into() }
        }
        What::ReplyCancelled(proto::ReplyCancelled { request }) => MessageType::ReplyCancelled { request },
        What::ServiceFailed(proto::ServiceFailed { service, reason }) => {
            MessageType::ServiceFailed { service: service.into(), reason: reason.into() }
        }
        What::Closed(proto::Closed { reason }) => MessageType::Closed { reason: reason.into() },
        // Judge, which engines of this version do not know.
        _ => return None,
    })
}

/// The line of a `Say`; what is left out is as everywhere.
fn line(say: proto::Say) -> Result<Line, MessageError> {
    let words = match say.words {
        Some(say::Words::Text(text)) => Words::Text(text.into()),
        Some(say::Words::Clip(recording)) => Words::Clip(Arc::new(clip(&recording)?)),
        None => return Err(field("Say.words", "neither text nor clip", "send one of them")),
    };
    let default = Say::default();
    let priority = match say.priority {
        Some(priority) => i8::try_from(priority)
            .map_err(|_| field("Say.priority", &priority.to_string(), "send -128 to 127"))?,
        None => default.priority,
    };
    let say = Say {
        interruptible: say.interruptible.unwrap_or(default.interruptible),
        priority,
        wait: say.wait.unwrap_or(default.wait),
    };
    Ok(Line { words, say })
}

fn clip(clip: &proto::Clip) -> Result<Clip, MessageError> {
    let encoding = match proto::Encoding::try_from(clip.encoding) {
        Ok(proto::Encoding::S16) => Encoding::S16,
        Ok(proto::Encoding::F32) => Encoding::F32,
        Err(_) => {
            let remedy = "send 0 (s16) or 1 (f32)";
            return Err(field("Say.clip.encoding", &clip.encoding.to_string(), remedy));
        }
    };
    if !clip.samples.len().is_multiple_of(encoding.sample_bytes()) {
        let value = format!("{} bytes", clip.samples.len());
        return Err(field("Say.clip.samples", &value, "send whole samples: 2 bytes for s16, 4 for f32"));
    }
    let channels = u8::try_from(clip.channels)
        .map_err(|_| field("Say.clip.channels", &clip.channels.to_string(), "record 1 to 8 channels"))?;
    let mut samples = Vec::new();
    encoding.decode(&clip.samples, &mut samples);
    Ok(Clip {
        subtitle: clip.subtitle.as_str().into(),
        format: Format { rate_hz: clip.rate_hz, channels },
        samples: samples.into(),
    })
}
