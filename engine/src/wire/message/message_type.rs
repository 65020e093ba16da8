//! What control messages say: the closed list of their types.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::edge::line::Line;
use crate::edge::params::Params;
use crate::speech::overrides::{GateMode, InterruptMode};

use super::{modes, say};

/// What a control message says. Every `*_timestamp` is microseconds since the session's start (media time); every
/// `*_us` is microseconds of an answer, counted from its first sample, unless the field says otherwise.
///
/// The table says which fields of the message go with a type, and to whom it is said: `segment` is
/// `target_segment_id`. What is said of speech is also said to an engine that follows another one's gate.
///
/// | type | with | to |
/// |---|---|---|
/// | `CancelSpeculation` | segment | host |
/// | `ConfirmSpeculation` | segment, turn | host |
/// | `EndOfSpeech`, `RetractEndOfSpeech` | segment, revision | host |
/// | `CancelAnswer` | turn | both |
/// | `BatchHint` | | engine |
/// | `DeadlineWarning` | turn | host |
/// | `Ack` | | both |
/// | `Say`, `Interrupt`, `Gate`, `EndTurn`, `Discard`, `Respond`, `SendText`, `Set`, `ToolResult`, `ReplyTo` | | engine |
/// | `Heard` | turn | engine |
/// | `Transcript`, `ReplyRequested` | segment, revision, turn | host |
/// | `Line`, `AnswerStarted`, `AnswerPaused`, `AnswerResumed`, `AnswerInterrupted`, `AnswerEnded` | turn | host |
/// | `ToolCall`, `ServiceFailed` | turn | host |
/// | `LineDropped`, `ReplyCancelled`, `Closed` | | host |
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum MessageType {
    /// Not speech: stop, discard its audio and everything derived from it.
    CancelSpeculation {
        /// First sample of the stretch.
        from_timestamp: u64,
        /// First sample after the stretch, later than `from_timestamp`.
        to_timestamp: u64,
        /// Some output of the segment had already left. `false` if the sender omits the field.
        late: bool,
    },
    /// The segment is speech; sent once per segment.
    ConfirmSpeculation {
        /// First sample of the stretch.
        from_timestamp: u64,
        /// First sample after the stretch, later than `from_timestamp`.
        to_timestamp: u64,
    },
    /// The speaker has finished.
    EndOfSpeech {
        /// Where speech ended.
        at_timestamp: u64,
        /// `final` on the wire. False: the gate believes so, start work; true: the end is final.
        #[serde(rename = "final")]
        last: bool,
    },
    /// The revision is retracted: discard what was derived from it, keep the audio.
    RetractEndOfSpeech {
        /// Where speech seemed to have ended.
        at_timestamp: u64,
    },
    /// The user interrupts: stop and flush the answer of the turn.
    CancelAnswer {},
    /// Advice: how many items a batch should have.
    BatchHint {
        /// At least 1.
        suggested_batch_size: u32,
    },
    /// Advice: a result is wanted soon.
    DeadlineWarning {
        /// Time left from now, at least 1 us.
        deadline_us: u64,
    },
    /// Receipt of another message, never acknowledged itself.
    Ack {
        /// The message that is acknowledged.
        message_id: u64,
        /// The stage of that message.
        stage: AckStage,
    },
    /// To the engine, as all up to `ReplyTo`: speak a line of the host's own, a turn by itself.
    ///
    /// On the wire `{"text": "...", "interruptible": true, "priority": 0, "wait": true}`. What is left out is as in
    /// [`Say::default`](crate::Say::default). `clip` in place of `text` is a recording: `{"subtitle": "...", "rate_hz":
    /// 16000, "channels": 1, "encoding": "s16", "samples": "..."}` with the samples interleaved, little endian, in base64;
    /// `f32` is the other encoding. A message has room for short ones only: some 1.5 s of 16 kHz mono as `s16`, half of
    /// that as `f32`.
    #[serde(serialize_with = "say::serialize")]
    Say(Arc<Line>),
    /// Withdraw what sounds or is to be answered.
    Interrupt {
        /// `Soft` or `Now`.
        #[serde(serialize_with = "modes::interrupt")]
        mode: InterruptMode,
    },
    /// Who decides what is speech.
    Gate {
        /// `Auto`, `Open` or `Shut`.
        #[serde(serialize_with = "modes::gate")]
        mode: GateMode,
    },
    /// The user's turn ends here: what is open ends without waiting for silence.
    EndTurn {},
    /// Forget what the user has said and was not answered yet.
    Discard {},
    /// Answer now, whether anything was said or not.
    Respond {},
    /// How much of the turn's answer the listener has heard.
    Heard {
        /// Up to here.
        us: u64,
    },
    /// What the user typed: answered like a transcript, a turn by itself.
    SendText {
        /// At most [`LINE_BYTES_MAX`](crate::edge::LINE_BYTES_MAX).
        text: Arc<str>,
    },
    /// Change parameters of the session; a value of `null` removes one.
    Set {
        /// By name, at most [`PARAMS_BYTES_MAX`](crate::edge::PARAMS_BYTES_MAX) as JSON.
        params: Arc<Params>,
    },
    /// The result of a [`MessageType::ToolCall`]; both together at most
    /// [`RESULT_BYTES_MAX`](crate::edge::RESULT_BYTES_MAX).
    ToolResult {
        /// The call's name.
        call_id: Arc<str>,
        /// What came of it.
        result: Arc<str>,
    },
    /// A part of the answer to a [`MessageType::ReplyRequested`].
    ReplyTo {
        /// The request's number, at most [`MESSAGE_ID_MAX`](super::MESSAGE_ID_MAX).
        request: u64,
        /// The words, at most [`LINE_BYTES_MAX`](crate::edge::LINE_BYTES_MAX).
        text: Arc<str>,
        /// Nothing of this answer follows.
        last: bool,
    },
    /// From the engine, as all below: what was recognised of the segment, up to the end that the revision names.
    Transcript {
        /// The words, at most [`LINE_BYTES_MAX`](crate::edge::LINE_BYTES_MAX).
        text: Arc<str>,
        /// The recognition is complete.
        last: bool,
    },
    /// What is being spoken.
    Line {
        /// The words, at most [`LINE_BYTES_MAX`](crate::edge::LINE_BYTES_MAX).
        text: Arc<str>,
        /// Its first sample.
        from_us: u64,
        /// Its end, not before `from_us`; `null` while the length is unknown.
        until_us: Option<u64>,
    },
    /// The first sample of an answer leaves.
    AnswerStarted {
        /// The `message_id` of the [`MessageType::Say`] that asked for it; 0, also if the sender omits it: the scene
        /// answers.
        line: u64,
    },
    /// The user speaks: the answer waits.
    AnswerPaused {},
    /// The answer goes on.
    AnswerResumed {},
    /// The answer is withdrawn, by the user's speech or by the host.
    AnswerInterrupted {
        /// How much of it was heard.
        heard_us: u64,
    },
    /// The answer was heard to its end.
    AnswerEnded {
        /// How much was heard.
        heard_us: u64,
    },
    /// A line of the host's is not spoken.
    LineDropped {
        /// The `message_id` of its [`MessageType::Say`].
        line: u64,
        /// Why, as [`LineDrop::name`](crate::speech::LineDrop::name) says; newer engines may have more reasons.
        reason: Arc<str>,
    },
    /// A service asks the host to do something; all together at most
    /// [`RESULT_BYTES_MAX`](crate::edge::RESULT_BYTES_MAX).
    ToolCall {
        /// The service's name for the call; the result bears the same.
        call_id: Arc<str>,
        /// What is to be done.
        name: Arc<str>,
        /// With what: JSON, as a text.
        arguments: Arc<str>,
    },
    /// The host is to answer what was said of the segment, up to the end that the revision names, with
    /// [`MessageType::ReplyTo`].
    ReplyRequested {
        /// The request's number in the session, at most [`MESSAGE_ID_MAX`](super::MESSAGE_ID_MAX).
        request: u64,
        /// What was said, at most [`LINE_BYTES_MAX`](crate::edge::LINE_BYTES_MAX).
        text: Arc<str>,
    },
    /// Nobody waits for the answer to a request any more: what comes of it has no effect.
    ReplyCancelled {
        /// The number of the [`MessageType::ReplyRequested`].
        request: u64,
    },
    /// A service failed a call of the turn.
    ServiceFailed {
        /// The service's name in the scene.
        service: Arc<str>,
        /// Why; for people.
        reason: Arc<str>,
    },
    /// The session is over; nothing follows.
    Closed {
        /// Why, as [`CloseReason`](crate::edge::CloseReason) is displayed; newer engines may have more reasons.
        reason: Arc<str>,
    },
}

impl MessageType {
    /// Whether this is an event, which only an engine tells: in order, and acknowledged on request only. What is said of
    /// speech is none: it says itself what it is about, and is always acknowledged, like what a host wants.
    #[must_use]
    pub fn is_event(&self) -> bool {
        match self {
            Self::Transcript { .. }
            | Self::Line { .. }
            | Self::AnswerStarted { .. }
            | Self::AnswerPaused {}
            | Self::AnswerResumed {}
            | Self::AnswerInterrupted { .. }
            | Self::AnswerEnded { .. }
            | Self::LineDropped { .. }
            | Self::ToolCall { .. }
            | Self::ReplyRequested { .. }
            | Self::ReplyCancelled { .. }
            | Self::ServiceFailed { .. }
            | Self::Closed { .. } => true,
            Self::CancelSpeculation { .. }
            | Self::ConfirmSpeculation { .. }
            | Self::EndOfSpeech { .. }
            | Self::RetractEndOfSpeech { .. }
            | Self::CancelAnswer {}
            | Self::BatchHint { .. }
            | Self::DeadlineWarning { .. }
            | Self::Ack { .. }
            | Self::Say(_)
            | Self::Interrupt { .. }
            | Self::Gate { .. }
            | Self::EndTurn {}
            | Self::Discard {}
            | Self::Respond {}
            | Self::Heard { .. }
            | Self::SendText { .. }
            | Self::Set { .. }
            | Self::ToolResult { .. }
            | Self::ReplyTo { .. } => false,
        }
    }
}

/// How far a message has come at its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AckStage {
    /// The message has arrived and takes effect.
    Delivered,
    /// The work that the message stops has stopped; implies `Delivered`.
    Applied,
}
