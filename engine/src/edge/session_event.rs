//! What happens in a session, as its host is told: one stream, in order.

use std::sync::Arc;

use crate::speech::line_drop::LineDrop;
use crate::speech::segment::CancelReason;

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// An event of a session. Times in `*_us` are media time of the session, unless a field says otherwise.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// Somebody seems to speak from `from_us` on; nothing is decided yet.
    SpeechStarted { segment: u32, from_us: u64 },
    /// It is speech, as far as it was forwarded until now.
    SpeechConfirmed { segment: u32, turn: u32, from_us: u64, to_us: u64 },
    /// It was no speech. `late`: some of it had left already.
    SpeechCancelled { segment: u32, reason: CancelReason, from_us: u64, to_us: u64, late: bool },
    /// The speaker finished at `at_us`. `last: false`: so it seems; `true`: the end is final.
    EndOfSpeech { segment: u32, revision: u32, at_us: u64, last: bool },
    /// The speaker went on after `at_us`: that revision is void.
    EndOfSpeechRetracted { segment: u32, revision: u32, at_us: u64 },
    /// What was recognised of `segment`, up to the end that `revision` names. `last`: the recognition is complete.
    Transcript { segment: u32, revision: u32, turn: u32, text: Arc<str>, last: bool },
    /// What is being spoken. Times count from the first sample of the turn's answer. Told when its first sample
    /// leaves, with `until_us` where its length is known by then; where not, again when its last sample has left.
    Line { turn: u32, text: Arc<str>, from_us: u64, until_us: Option<u64> },
    /// The first sample of an answer leaves. `line`: the number of the host's own message that asked for it; 0 = the
    /// scene answers.
    AnswerStarted { turn: u32, line: u64 },
    /// The user speaks: the answer waits.
    AnswerPaused { turn: u32 },
    /// The answer goes on.
    AnswerResumed { turn: u32 },
    /// The answer is withdrawn, by the user's speech or by the host, after `heard_us` of it were heard.
    AnswerInterrupted { turn: u32, heard_us: u64 },
    /// The answer was heard to its end: `heard_us` of it.
    AnswerEnded { turn: u32, heard_us: u64 },
    /// The host's own message `line` is not spoken.
    LineDropped { line: u64, reason: LineDrop },
    /// Text that leaves at the output, such as captions.
    Text { segment: u32, revision: u32, turn: u32, text: Arc<str> },
    /// A service asks the host to do something; the answer is `ToolResult`.
    ToolCall(Arc<ToolCall>),
    /// The host is to answer `text`, what was said up to the end that `revision` of `segment` names, with `ReplyTo`
    /// messages that bear the number `request`.
    ReplyRequested { request: u64, turn: u32, segment: u32, revision: u32, text: Arc<str> },
    /// Nobody waits for the answer to `request` any more: what comes of it has no effect.
    ReplyCancelled { request: u64 },
    /// A service failed a call of the turn.
    ServiceFailed { turn: u32, service: Arc<str>, reason: Arc<str> },
    /// Advice: something of the turn has less time left than the margin, microseconds.
    DeadlineWarning { turn: u32, left_us: u64 },
    /// The host's own message has taken effect, and what it stops has stopped.
    Applied { message_id: u64 },
    /// The session is over; nothing follows.
    Closed { reason: CloseReason },
}

/// What a service asks of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The turn.
    pub turn: u32,
    /// The service's name for the call; the result bears the same.
    pub call_id: Arc<str>,
    /// What is to be done.
    pub name: Arc<str>,
    /// With what: JSON.
    pub arguments: Arc<str>,
}

/// Why a session is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CloseReason {
    /// Its input had ended, and everything was answered.
    #[default]
    Finished,
    /// Its host hung up, or was gone.
    HungUp,
    /// `control_overflow`: its host read no events for too long.
    ControlOverflow,
    /// A node refused it, for this reason.
    Refused(Arc<str>),
    /// The engine was dropped.
    EngineGone,
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::HungUp => f.write_str("hung_up"),
            Self::ControlOverflow => f.write_str("control_overflow"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::EngineGone => f.write_str("engine_gone"),
        }
    }
}
