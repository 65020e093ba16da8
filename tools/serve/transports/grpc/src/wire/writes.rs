//! What a control message says, as an arm of `Control`.

use mynah_dialects::pcm::Encoding;
use mynah_engine::edge::{Line, Words};
use mynah_engine::media::Clip;
use mynah_engine::serde::Serialize;
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::wire::message::{AckStage, MessageType};

use crate::proto::{self, control::What, say};

/// JSON of what can always be written.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and values can always be written")
}

/// The arm of a message type.
pub(super) fn control(message_type: &MessageType) -> proto::Control {
    let what = speech(message_type).or_else(|| wish(message_type)).or_else(|| event(message_type));
    proto::Control { what }
}

/// What is said of speech, advice, and receipts.
fn speech(message_type: &MessageType) -> Option<What> {
    Some(match *message_type {
        MessageType::CancelSpeculation { from_timestamp, to_timestamp, late } => {
            What::Cancel(proto::CancelSpeculation { from_timestamp, to_timestamp, late })
        }
        MessageType::ConfirmSpeculation { from_timestamp, to_timestamp } => {
            What::Confirm(proto::ConfirmSpeculation { from_timestamp, to_timestamp })
        }
        MessageType::EndOfSpeech { at_timestamp, last } => {
            What::EndOfSpeech(proto::EndOfSpeech { at_timestamp, r#final: last })
        }
        MessageType::RetractEndOfSpeech { at_timestamp } => {
            What::Retract(proto::RetractEndOfSpeech { at_timestamp })
        }
        MessageType::CancelAnswer {} => What::CancelAnswer(proto::CancelAnswer {}),
        MessageType::BatchHint { suggested_batch_size } => {
            What::BatchHint(proto::BatchHint { suggested_batch_size })
        }
        MessageType::DeadlineWarning { deadline_us } => {
            What::Deadline(proto::DeadlineWarning { deadline_us })
        }
        MessageType::Ack { message_id, stage } => {
            let stage = match stage {
                AckStage::Delivered => proto::AckStage::Delivered,
                AckStage::Applied => proto::AckStage::Applied,
            };
            What::Ack(proto::Ack { message_id, stage: stage.into() })
        }
        _ => return None,
    })
}

/// What a host wants.
fn wish(message_type: &MessageType) -> Option<What> {
    Some(match message_type {
        MessageType::Say(line) => What::Say(said(line)),
        MessageType::Interrupt { mode } => {
            let mode = match mode {
                InterruptMode::Soft => proto::InterruptMode::Soft,
                InterruptMode::Now => proto::InterruptMode::Now,
            };
            What::Interrupt(proto::Interrupt { mode: mode.into() })
        }
        MessageType::Gate { mode } => {
            let mode = match mode {
                GateMode::Auto => proto::GateMode::Auto,
                GateMode::Open => proto::GateMode::Open,
                GateMode::Shut => proto::GateMode::Shut,
            };
            What::Gate(proto::Gate { mode: mode.into() })
        }
        MessageType::EndTurn {} => What::EndTurn(proto::EndTurn {}),
        MessageType::Discard {} => What::Discard(proto::Discard {}),
        MessageType::Respond {} => What::Respond(proto::Respond {}),
        MessageType::Heard { us } => What::Heard(proto::Heard { us: *us }),
        MessageType::SendText { text } => What::SendText(proto::SendText { text: text.to_string() }),
        MessageType::Set { params } => What::Set(proto::Set { params_json: json(&**params) }),
        MessageType::ToolResult { call_id, result } => {
            let (call_id, result) = (call_id.to_string(), result.to_string());
            What::ToolResult(proto::ToolResult { call_id, result })
        }
        MessageType::ReplyTo { request, text, last } => {
            What::ReplyTo(proto::ReplyTo { request: *request, text: text.to_string(), last: *last })
        }
        _ => return None,
    })
}

/// What an engine tells. Every other type stands here as well, so that a new one is not forgotten.
fn event(message_type: &MessageType) -> Option<What> {
    Some(match message_type {
        MessageType::Transcript { text, last } => {
            What::Transcript(proto::Transcript { text: text.to_string(), last: *last })
        }
        MessageType::Line { text, from_us, until_us } => {
            What::Line(proto::Line { text: text.to_string(), from_us: *from_us, until_us: *until_us })
        }
        MessageType::AnswerStarted { line } => What::AnswerStarted(proto::AnswerStarted { line: *line }),
        MessageType::AnswerPaused {} => What::AnswerPaused(proto::AnswerPaused {}),
        MessageType::AnswerResumed {} => What::AnswerResumed(proto::AnswerResumed {}),
        MessageType::AnswerInterrupted { heard_us } => {
            What::AnswerInterrupted(proto::AnswerInterrupted { heard_us: *heard_us })
        }
        MessageType::AnswerEnded { heard_us } => {
            What::AnswerEnded(proto::AnswerEnded { heard_us: *heard_us })
        }
        MessageType::LineDropped { line, reason } => {
            What::LineDropped(proto::LineDropped { line: *line, reason: reason.to_string() })
        }
        MessageType::ToolCall { call_id, name, arguments } => What::ToolCall(proto::ToolCall {
            call_id: call_id.to_string(),
            name: name.to_string(),
            arguments: arguments.to_string(),
        }),
        MessageType::ReplyRequested { request, text } => {
            What::ReplyRequested(proto::ReplyRequested { request: *request, text: text.to_string() })
        }
        MessageType::ReplyCancelled { request } => {
            What::ReplyCancelled(proto::ReplyCancelled { request: *request })
        }
        MessageType::ServiceFailed { service, reason } => What::ServiceFailed(proto::ServiceFailed {
            service: service.to_string(),
            reason: reason.to_string(),
        }),
        MessageType::Closed { reason } => What::Closed(proto::Closed { reason: reason.to_string() }),
        MessageType::CancelSpeculation { .. }
        | MessageType::ConfirmSpeculation { .. }
        | MessageType::EndOfSpeech { .. }
        | MessageType::RetractEndOfSpeech { .. }
        | MessageType::CancelAnswer {}
        | MessageType::BatchHint { .. }
        | MessageType::DeadlineWarning { .. }
        | MessageType::Ack { .. }
        | MessageType::Say(_)
        | MessageType::Interrupt { .. }
        | MessageType::Gate { .. }
        | MessageType::EndTurn {}
        | MessageType::Discard {}
        | MessageType::Respond {}
        | MessageType::Heard { .. }
        | MessageType::SendText { .. }
        | MessageType::Set { .. }
        | MessageType::ToolResult { .. }
        | MessageType::ReplyTo { .. } => return None,
    })
}

fn said(line: &Line) -> proto::Say {
    let words = match &line.words {
        Words::Text(text) => say::Words::Text(text.to_string()),
        Words::Clip(recording) => say::Words::Clip(clip(recording)),
    };
    proto::Say {
        words: Some(words),
        interruptible: Some(line.say.interruptible),
        priority: Some(line.say.priority.into()),
        wait: Some(line.say.wait),
    }
}

/// A recording in the shortest encoding that loses nothing.
fn clip(clip: &Clip) -> proto::Clip {
    let exact = |sample: &f32| {
        let whole = (sample * 32_768.0) as i16;
        (f32::from(whole) / 32_768.0).to_bits() == sample.to_bits()
    };
    let (encoding, stands) = if clip.samples.iter().all(exact) {
        (Encoding::S16, proto::Encoding::S16)
    } else {
        (Encoding::F32, proto::Encoding::F32)
    };
    let mut samples = Vec::with_capacity(clip.samples.len() * encoding.sample_bytes());
    encoding.encode(&clip.samples, &mut samples);
    proto::Clip {
        subtitle: clip.subtitle.to_string(),
        rate_hz: clip.format.rate_hz,
        channels: clip.format.channels.into(),
        encoding: stands.into(),
        samples: samples.into(),
    }
}
