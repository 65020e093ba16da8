//! What the engine tells a session's host about speech, beside the audio.

use crate::event::Event;

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// A correction or a confirmation. Times are media time of the session in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It is speech; once per segment.
    ConfirmSpeculation { segment: u32, turn: u32 },
    /// Not speech: stop, discard its audio and everything derived from it.
    CancelSpeculation { segment: u32, from_us: u64, to_us: u64, late: bool },
    /// The speaker has finished: as believed (`last: false`), or it holds.
    EndOfSpeech { segment: u32, revision: u32, at_us: u64, last: bool },
    /// That revision is void: discard what was derived from it, keep the audio.
    RetractEndOfSpeech { segment: u32, revision: u32 },
    /// The session is over; nothing follows.
    Closed,
}

impl Control {
    /// The message that an event means for the host, if any. `late`: some output of it had already left.
    pub(crate) fn from_event(event: &Event, turn: u32, late: bool) -> Option<Self> {
        Some(match *event {
            Event::SegmentConfirmed { segment } => Self::ConfirmSpeculation { segment, turn },
            Event::SegmentCancelled { segment, from_us, to_us, .. } => {
                Self::CancelSpeculation { segment, from_us, to_us, late }
            }
            Event::Endpoint { segment, revision, at_us, .. } => {
                Self::EndOfSpeech { segment, revision, at_us, last: false }
            }
            Event::SegmentEnded { segment, revision, to_us, split: false, .. } => {
                Self::EndOfSpeech { segment, revision, at_us: to_us, last: true }
            }
            Event::EndpointRetracted { segment, revision } => Self::RetractEndOfSpeech { segment, revision },
            Event::SessionClosed => Self::Closed,
            _ => return None,
        })
    }
}
