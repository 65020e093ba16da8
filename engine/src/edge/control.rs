//! Control messages between an engine and a session's host: what they tell each other about speech beside the audio.

use crate::record::event::Event;

/// Most control messages that wait for one session's host.
pub const CONTROLS_MAX: usize = 256;

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// A cancellation, a confirmation or advice. Times are media time of the session in microseconds. Most go both ways;
/// [`ControlIn`] says what an engine does with those that it receives.
/// an engine does with those it gets is said at [`ControlIn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// A control message on its way into an engine.
///
/// `CancelAnswer` withdraws the answers of that turn as far as the speaker has finished or seems to, `BatchHint`
/// moves every batch queue within its policy, and messages about segments reach the nodes that follow a gate in
/// another engine. Any other message, and one about something unknown or settled, has no effect and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        }
    }
}

impl std::error::Error for ControlError {}

impl Control {
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
