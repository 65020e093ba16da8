//! Control messages between an engine and a session's host: what they tell each other about speech beside the audio.

use std::sync::Arc;

use crate::edge::line::{LINE_BYTES_MAX, Line};
use crate::edge::params::{PARAMS_BYTES_MAX, Params};
use crate::record::event::Event;
use crate::speech::overrides::{GateMode, InterruptMode};

/// Most control messages that wait for one session's host.
pub const CONTROLS_MAX: usize = 256;
/// Longest result of a tool, bytes.
pub const RESULT_BYTES_MAX: usize = 32 * 1024;

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// A cancellation, a confirmation, advice, or something a host wants. Times are media time of the session in
/// microseconds. [`ControlIn`] says what an engine does with those that it receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// The segment is speech as far as it was forwarded until now; once per segment.
    ConfirmSpeculation { segment: u32, turn: u32, from_us: u64, to_us: u64 },
    /// Not speech: stop, discard its audio and everything derived from it.
    CancelSpeculation { segment: u32, from_us: u64, to_us: u64, late: bool },
    /// The speaker finished at `at_us`. `last: false`: the gate believes so; `true`: the end is final. Revision 0
    /// with `last`: the segment was split there, and the next one goes on without a gap.
    EndOfSpeech { segment: u32, revision: u32, at_us: u64, last: bool },
    /// The revision that ended at `at_us` is retracted: discard what was derived from it, keep the audio.
    RetractEndOfSpeech { segment: u32, revision: u32, at_us: u64 },
    /// The user interrupts the answer of the turn: stop and flush it.
    CancelAnswer { turn: u32 },
    /// Advice: `size` items are a good batch, at least 1. To an engine only.
    BatchHint { size: u32 },
    /// Advice: something of the turn has less time left than the margin. From an engine only.
    DeadlineWarning { turn: u32, left_us: u64 },
    /// The host's own message has taken effect, and what it stops has stopped.
    Applied { message_id: u64 },
    /// The session is over; nothing follows.
    Closed,
    /// To an engine only, as all below: speak a line of the host's own, a turn by itself.
    Say(Arc<Line>),
    /// Withdraw what sounds or is to be answered.
    Interrupt { mode: InterruptMode },
    /// Who decides what is speech: the detector or the host.
    Gate { mode: GateMode },
    /// The user's turn ends here: the open segment ends without waiting for silence.
    EndTurn,
    /// Forget what the user has said and was not answered yet.
    Discard,
    /// Answer now, whether anything was said or not.
    Respond,
    /// The listener has heard the answer of the turn up to `us`.
    Heard { turn: u32, us: u64 },
    /// What the user typed: answered like a transcript, a turn by itself.
    SendText { text: Arc<str> },
    /// Change the session's parameters; a value of `null` removes one.
    Set { params: Arc<Params> },
    /// The result of what a service asked for.
    ToolResult { call_id: Arc<str>, result: Arc<str> },
    /// A part of the answer to a `ReplyRequested`, at most [`LINE_BYTES_MAX`]; `last`: nothing follows. Without effect
    /// for a request that is answered, cancelled or unknown.
    ReplyTo { request: u64, text: Arc<str>, last: bool },
}

/// A control message on its way into an engine.
///
/// What a host wants of its session, such as a line or a gate, takes effect in the next tick. `CancelAnswer` withdraws the
/// answers of that turn as far as the speaker has finished or seems to. `BatchHint` moves the batches with the session's
/// items within the scene's policy. Messages about segments reach the nodes that follow a gate in another engine. A message
/// that only engines send, and one about something unknown or settled, has no effect and is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlIn {
    /// The sender's number for the message; [`Control::Applied`] returns it.
    pub message_id: u64,
    /// What the message says.
    pub control: Control,
}

/// Why a control message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// `control_overflow`: as many messages wait as may. Nothing is dropped: try again after the next tick, or close
    /// the session.
    Overflow,
    /// The session is gone.
    Ended,
    /// A text, or the parameters as JSON, are longer than may be sent.
    TooLong {
        /// Its length.
        bytes: usize,
        /// Most bytes.
        most: usize,
    },
    /// A clip that is no audio: empty, no whole sample frames, longer than 30 s, or in a format that cannot be
    /// converted.
    BadClip {
        /// Its length, over all channels.
        samples: usize,
    },
    /// The scene has no edge from `said`, or the node behind the edge plays no clips.
    NoVoice,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Overflow => write!(
                f,
                "control_overflow: {} control messages wait; send again after the next tick or close the session",
                CONTROLS_MAX
            ),
            Self::Ended => write!(f, "the session has ended: open a new one"),
            Self::TooLong { bytes, most } => {
                write!(f, "{bytes} bytes: expected at most {most}; send it in parts")
            }
            Self::BadClip { samples } => write!(
                f,
                "a clip of {samples} samples: expected whole sample frames of 8000 to 192000 Hz, 1 to 8 channels, at most \
                 30 s"
            ),
            Self::NoVoice => write!(
                f,
                "the scene does not speak what is said: add an edge from `said` to its synthesis, like (\"said\", \"tts\")"
            ),
        }
    }
}

impl std::error::Error for ControlError {}

impl Control {
    /// Checks the length of what a message carries.
    pub(crate) fn check(&self) -> Result<(), ControlError> {
        let within = |bytes: usize, most: usize| {
            if bytes > most { Err(ControlError::TooLong { bytes, most }) } else { Ok(()) }
        };
        match self {
            Self::Say(line) => within(line.words.text().len(), LINE_BYTES_MAX),
            Self::SendText { text } | Self::ReplyTo { text, .. } => within(text.len(), LINE_BYTES_MAX),
            Self::ToolResult { call_id, result } => within(call_id.len() + result.len(), RESULT_BYTES_MAX),
            Self::Set { params } => params
                .check()
                .map_err(|error| ControlError::TooLong { bytes: error.bytes, most: PARAMS_BYTES_MAX }),
            _ => Ok(()),
        }
    }

    /// The name of the message type on the wire; empty where there is none.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConfirmSpeculation { .. } => "ConfirmSpeculation",
            Self::CancelSpeculation { .. } => "CancelSpeculation",
            Self::EndOfSpeech { .. } => "EndOfSpeech",
            Self::RetractEndOfSpeech { .. } => "RetractEndOfSpeech",
            Self::CancelAnswer { .. } => "CancelAnswer",
            Self::BatchHint { .. } => "BatchHint",
            Self::DeadlineWarning { .. } => "DeadlineWarning",
            Self::Applied { .. } | Self::Closed => "",
            Self::Say(_) => "Say",
            Self::Interrupt { .. } => "Interrupt",
            Self::Gate { .. } => "Gate",
            Self::EndTurn => "EndTurn",
            Self::Discard => "Discard",
            Self::Respond => "Respond",
            Self::Heard { .. } => "Heard",
            Self::SendText { .. } => "SendText",
            Self::Set { .. } => "Set",
            Self::ToolResult { .. } => "ToolResult",
            Self::ReplyTo { .. } => "ReplyTo",
        }
    }

    /// The message that an event means for the host, if any. `late`: some of the segment's output had already left.
    pub(crate) fn from_event(event: &Event, turn: u32, late: bool) -> Option<Self> {
        Some(match *event {
            Event::SegmentConfirmed { segment, from_us, to_us } => {
                Self::ConfirmSpeculation { segment, turn, from_us, to_us }
            }
            Event::SegmentCancelled { segment, from_us, to_us, .. } => {
                Self::CancelSpeculation { segment, from_us, to_us, late }
            }
            Event::Endpoint { segment, revision, at_us, .. } => {
                Self::EndOfSpeech { segment, revision, at_us, last: false }
            }
            Event::SegmentEnded { segment, revision, speech_to_us, split, .. } => {
                let revision = if split { 0 } else { revision };
                Self::EndOfSpeech { segment, revision, at_us: speech_to_us, last: true }
            }
            Event::EndpointRetracted { segment, revision, at_us } => {
                Self::RetractEndOfSpeech { segment, revision, at_us }
            }
            // A host need not be told of what it asked for itself (segment 0).
            Event::AnswerInterrupted { turn, segment: 1.., .. } => Self::CancelAnswer { turn },
            Event::DeadlineNear { left_us, .. } => Self::DeadlineWarning { turn, left_us },
            Event::SessionClosed => Self::Closed,
            _ => return None,
        })
    }
}
