//! The ranges of what messages say.

use crate::base::ids::NAME_BYTES_MAX;
use crate::edge::control::RESULT_BYTES_MAX;
use crate::edge::line::{LINE_BYTES_MAX, Words};
use crate::edge::params::PARAMS_BYTES_MAX;
use crate::media::clip::Clip;

use super::say::Encoding;
use super::{ControlMessage, MESSAGE_BYTES_MAX, MESSAGE_ID_MAX, MessageError, MessageType};

/// What ids are.
const ID_REMEDY: &str = "ids are integers from 0 to 9007199254740991 (2^53 - 1)";

/// The error of a value out of range.
fn refused(field: &'static str, value: impl ToString, remedy: &'static str) -> Result<(), MessageError> {
    Err(MessageError::Field { field, value: value.to_string(), remedy })
}

impl ControlMessage {
    /// Checks that every value is within its range; both encoders and both decoders refuse others.
    ///
    /// # Errors
    /// [`MessageError::Field`] for the first value out of range.
    pub fn check(&self) -> Result<(), MessageError> {
        if self.message_id > MESSAGE_ID_MAX {
            return refused("message_id", self.message_id, ID_REMEDY);
        }
        if self.session_id.is_empty() || self.session_id.len() > NAME_BYTES_MAX {
            let found = format_args!("{} bytes", self.session_id.len());
            return refused("session_id", found, "name the session in 1 to 128 bytes of UTF-8");
        }
        self.message_type.check()
    }
}

impl MessageType {
    fn check(&self) -> Result<(), MessageError> {
        match self {
            Self::CancelSpeculation { from_timestamp: from, to_timestamp: to, .. }
            | Self::ConfirmSpeculation { from_timestamp: from, to_timestamp: to }
                if from >= to =>
            {
                let remedy = "from_timestamp must be less than to_timestamp; both are media time in us";
                refused("from_timestamp", format_args!("{from} with to_timestamp {to}"), remedy)
            }
            Self::BatchHint { suggested_batch_size: 0 } => {
                refused("suggested_batch_size", 0, "suggest at least 1 item")
            }
            Self::DeadlineWarning { deadline_us: 0 } => {
                refused("deadline_us", 0, "say how many us are left from now, at least 1")
            }
            Self::Ack { message_id, .. } => id("Ack.message_id", *message_id),
            Self::Say(line) => match &line.words {
                Words::Text(text) => words("Say.text", text),
                Words::Clip(clip) => sound(clip),
            },
            Self::SendText { text } => words("SendText.text", text),
            Self::Set { params } => params.check().or_else(|error| {
                let remedy = "parameters take at most 16384 bytes as JSON: shorten the longest text";
                debug_assert_eq!(PARAMS_BYTES_MAX, 16_384, "as the remedy says");
                refused("Set.params", format_args!("{} bytes", error.bytes), remedy)
            }),
            Self::ToolResult { call_id, result } => call("ToolResult", &[call_id, result]),
            Self::ReplyTo { request, text, .. } => {
                id("ReplyTo.request", *request).and_then(|()| words("ReplyTo.text", text))
            }
            Self::Transcript { text, .. } => words("Transcript.text", text),
            Self::Line { from_us, until_us: Some(until), .. } if until < from_us => {
                let remedy = "a line must not end before its from_us; null while its length is unknown";
                refused("Line.until_us", format_args!("{until} with from_us {from_us}"), remedy)
            }
            Self::Line { text, .. } => words("Line.text", text),
            Self::AnswerStarted { line } => id("AnswerStarted.line", *line),
            Self::LineDropped { line, reason } => {
                id("LineDropped.line", *line).and_then(|()| words("LineDropped.reason", reason))
            }
            Self::ToolCall { call_id, name, arguments } => call("ToolCall", &[call_id, name, arguments]),
            Self::ReplyRequested { request, text } => {
                id("ReplyRequested.request", *request).and_then(|()| words("ReplyRequested.text", text))
            }
            Self::ReplyCancelled { request } => id("ReplyCancelled.request", *request),
            Self::ServiceFailed { service, reason } => {
                words("ServiceFailed.service", service).and_then(|()| words("ServiceFailed.reason", reason))
            }
            Self::Closed { reason } => words("Closed.reason", reason),
            _ => Ok(()),
        }
    }
}

fn id(field: &'static str, value: u64) -> Result<(), MessageError> {
    if value > MESSAGE_ID_MAX { refused(field, value, ID_REMEDY) } else { Ok(()) }
}

/// Checks the length of a text.
fn words(field: &'static str, text: &str) -> Result<(), MessageError> {
    if text.len() <= LINE_BYTES_MAX {
        return Ok(());
    }
    debug_assert_eq!(LINE_BYTES_MAX, 16_384, "as the remedy says");
    let value = format_args!("{} bytes", text.len());
    refused(field, value, "a text takes at most 16384 bytes of UTF-8: send it in parts")
}

/// Checks the length of a call, or of its result, over all its texts.
fn call(field: &'static str, texts: &[&str]) -> Result<(), MessageError> {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    if bytes <= RESULT_BYTES_MAX {
        return Ok(());
    }
    debug_assert_eq!(RESULT_BYTES_MAX, 32_768, "as the remedy says");
    let remedy =
        "its texts take at most 32768 bytes of UTF-8 together: send a summary, or where to find the rest";
    refused(field, format_args!("{bytes} bytes"), remedy)
}

/// Checks a recording. Its formats are those that a converter takes.
fn sound(clip: &Clip) -> Result<(), MessageError> {
    words("Say.clip.subtitle", &clip.subtitle)?;
    let (format, count) = (clip.format, clip.samples.len());
    if !(8_000..=192_000).contains(&format.rate_hz) {
        return refused("Say.clip.rate_hz", format.rate_hz, "record at 8000 to 192000 Hz");
    }
    if !(1..=8).contains(&format.channels) {
        return refused("Say.clip.channels", format.channels, "record 1 to 8 channels");
    }
    if count == 0 || !count.is_multiple_of(usize::from(format.channels)) {
        let value = format_args!("{count} samples of {} channels", format.channels);
        return refused(
            "Say.clip.samples",
            value,
            "send at least one sample of every channel, and whole frames",
        );
    }
    // What no message has room for is not looked through.
    let fits = |encoding: Encoding| (count * encoding.sample_bytes()).div_ceil(3) * 4 < MESSAGE_BYTES_MAX;
    let whole = fits(Encoding::S16) && fits(Encoding::of(&clip.samples));
    if !whole {
        let remedy = "a message has room for some 24000 samples of s16 or 12000 of f32: send a shorter clip, say text, \
                      or play it from within the host's own program";
        return refused("Say.clip.samples", format_args!("{count} samples"), remedy);
    }
    match clip.samples.iter().position(|sample| !sample.is_finite()) {
        Some(at) => {
            let value = format_args!("{} at sample {at}", clip.samples[at]);
            refused("Say.clip.samples", value, "send finite samples, full scale -1 to 1")
        }
        None => Ok(()),
    }
}
