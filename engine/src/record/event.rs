//! The one list of things that happen. Event log, metrics and traces all read it, so their names cannot drift.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use serde::{Serialize, Serializer};

use crate::base::ids::{NodeId, SessionId};
use crate::speech::segment::CancelReason;

/// Why a frame or an output ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The queue was full.
    Overflow,
    /// Its session was closed.
    Closed,
    /// Its segment was cancelled.
    Cancelled,
    /// Its revision was taken back.
    Retracted,
    /// The service that had it failed.
    Failed,
    /// The user interrupted the answer.
    Interrupted,
    /// It was text, or made a text, longer than the scene allows: it was refused, or some of it cut off.
    TooLong,
}

impl DropReason {
    /// All reasons, in the order of per-reason tables.
    pub const ALL: [Self; 7] = [
        Self::Overflow,
        Self::Closed,
        Self::Cancelled,
        Self::Retracted,
        Self::Failed,
        Self::Interrupted,
        Self::TooLong,
    ];

    /// The word in events, reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::Retracted => "retracted",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::TooLong => "too_long",
        }
    }
}

/// Why a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushReason {
    /// As many items as are worth a batch.
    Count,
    /// An item had waited long enough.
    Timer,
    /// The queue was at its bound.
    Full,
    /// A deadline was near.
    Deadline,
}

impl FlushReason {
    /// As events and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Timer => "timer",
            Self::Full => "full",
            Self::Deadline => "deadline",
        }
    }
}

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// What happened. Times in `*_us` that name a stretch of audio are media time of the session.
///
/// As JSON it is the event's part of a line of the event log, in the order of the fields here; nodes are their
/// positions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The session takes audio from now on.
    SessionOpened,
    /// The gate forwards from here on, not yet sure.
    SegmentOpened { segment: u32, from_us: u64 },
    /// It is speech, as far as forwarded until now.
    SegmentConfirmed { segment: u32, from_us: u64, to_us: u64 },
    /// It was not; everything from here to there is void.
    SegmentCancelled { segment: u32, reason: CancelReason, from_us: u64, to_us: u64 },
    /// The speaker seems to have finished at `at_us`; the silence could first be seen at `seen_us`.
    Endpoint { segment: u32, revision: u32, at_us: u64, seen_us: u64 },
    /// The speaker went on after `at_us`.
    EndpointRetracted { segment: u32, revision: u32, at_us: u64 },
    /// The end holds. Forwarded as this segment is `from_us..to_us`, with the pre-roll and the silence that decided;
    /// speech in it is `speech_from_us..speech_to_us`. `split`: it was too long, and the next goes on without a gap.
    SegmentEnded {
        segment: u32,
        revision: u32,
        from_us: u64,
        to_us: u64,
        speech_from_us: u64,
        speech_to_us: u64,
        split: bool,
    },
    /// A service got a call; `part` counts the calls of this revision at this node.
    ServiceSubmitted { node: NodeId, segment: u32, revision: u32, part: u32 },
    /// A service has finished a call; `samples` of audio came of it.
    ServiceDone { node: NodeId, segment: u32, revision: u32, part: u32, samples: u64, busy_us: u64 },
    /// A call was taken back after `wasted_us` of work.
    ServiceCancelled { node: NodeId, segment: u32, revision: u32, part: u32, wasted_us: u64 },
    /// The first of an answer (text or sound, no boundary) left `node` for the next one.
    FirstOut { node: NodeId, segment: u32, revision: u32 },
    /// A service could not do it.
    ServiceFailed { node: NodeId, segment: u32, revision: u32, part: u32, reason: Arc<str> },
    /// The first sample of an answer (revision > 0) or of forwarded audio (revision 0) left.
    OutputStarted { segment: u32, revision: u32 },
    /// The last sample of an answer left; `samples` in all.
    OutputEnded { segment: u32, revision: u32, samples: u64 },
    /// Output was withheld; `samples` of audio.
    OutputDropped { segment: u32, revision: u32, reason: DropReason, samples: u64 },
    /// A frame ended before its time at `node`.
    FrameDropped { node: NodeId, reason: DropReason, samples: u64 },
    /// The detector's word on the hop that ends at `at_us`; only where a gate traces.
    Probability { at_us: u64, p: f32 },
    /// Samples that were no numbers became zero.
    NonFinite { samples: u64 },
    /// A node put out text.
    Text { node: NodeId, segment: u32, revision: u32, text: Arc<str> },
    /// A batch went to the service of `node`; logged for the session of its first item.
    Batch { node: NodeId, size: u32, reason: FlushReason },
    /// Less than the margin was left of an item's time at `node`.
    #[serde(rename = "deadline_warning")]
    DeadlineNear { node: NodeId, left_us: u64 },
    /// An item came out of `node` after its deadline.
    DeadlineMissed { node: NodeId, late_us: u64 },
    /// The user speaks in `segment`: the sounding answer of the record's turn waits; what was released of it sounds
    /// until `quiet_us` of engine time.
    AnswerPaused { segment: u32, quiet_us: u64 },
    /// It was too short to interrupt: the answer goes on. `ignored`: it was speech, and will not be answered.
    AnswerResumed { segment: u32, ignored: bool },
    /// The speech in `segment` goes on, or the host wants it (0): the answer of `turn` is withdrawn after `heard_us` of
    /// it.
    AnswerInterrupted {
        #[serde(rename = "answer_turn")]
        turn: u32,
        segment: u32,
        heard_us: u64,
    },
    /// What was derived from `segment` is void, whatever has become of it.
    AnswerWithdrawn { segment: u32 },
    /// Something had already left when it was taken back.
    LateCancelled { segment: u32, revision: u32 },
    /// The session could not be opened at `node`; it closes at once.
    SessionRefused { node: NodeId, reason: Arc<str> },
    /// A control message about `segment` and `revision` (0 = none) went out. Like the two below it is logged by what
    /// carries the messages; an engine never does.
    ControlSent {
        message_id: u64,
        #[serde(rename = "type")]
        kind: &'static str,
        segment: u32,
        revision: u32,
    },
    /// The other end has it; `applied`: and the work that it stops has stopped.
    ControlAcked {
        message_id: u64,
        #[serde(rename = "stage", serialize_with = "stage")]
        applied: bool,
    },
    /// It is not known to have arrived, and is not sent again.
    ControlFailed { message_id: u64 },
    /// The session is gone.
    SessionClosed,
}

/// How far a control message is, as its receipts call it.
fn stage<S: Serializer>(applied: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(if *applied { "Applied" } else { "Delivered" })
}

/// One event with its place and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Engine time of the tick.
    pub t_us: u64,
    /// Whose.
    pub session: SessionId,
    /// In which turn; 0 = none.
    pub turn: u32,
    /// What happened.
    pub event: Event,
    /// Position among this tick's records of its shard.
    pub(crate) order: u32,
}

impl Record {
    /// A place for a record.
    pub(crate) fn blank() -> Self {
        Self { t_us: 0, session: SessionId(0), turn: 0, event: Event::SessionOpened, order: 0 }
    }

    /// A record for a log that is not an engine's own.
    pub fn new(t_us: u64, session: SessionId, turn: u32, event: Event) -> Self {
        Self { t_us, session, turn, event, order: 0 }
    }
}

/// The events of one shard in this tick, in the order they happened.
#[derive(Resource, Debug, Default)]
pub struct EventLog {
    pub(crate) records: Vec<Record>,
    /// Whose outputs had already left when their segment was taken back.
    late: Vec<(SessionId, u32)>,
}

impl EventLog {
    /// Makes room for `records` in one tick.
    pub(crate) fn reserve(&mut self, records: usize) {
        self.records.reserve(records.saturating_sub(self.records.len()));
    }

    /// How many records fit without more memory.
    pub(crate) fn room(&self) -> usize {
        self.records.capacity()
    }

    /// Puts what left too late in order, so that each can be looked up.
    pub(crate) fn sort_late(&mut self) {
        self.late.sort_unstable();
    }

    /// Whether some of a segment had left when it was taken back in this tick; after [`EventLog::sort_late`].
    pub(crate) fn was_late(&self, session: SessionId, segment: u32) -> bool {
        self.late.binary_search(&(session, segment)).is_ok()
    }

    /// The tick is over for the hosts.
    pub(crate) fn forget_late(&mut self) {
        self.late.clear();
    }

    /// Appends one event.
    pub fn push(&mut self, t_us: u64, session: SessionId, turn: u32, event: Event) {
        if let Event::LateCancelled { segment, .. } = event {
            self.late.push((session, segment));
        }
        let order = self.records.len() as u32;
        self.records.push(Record { t_us, session, turn, event, order });
    }
}
