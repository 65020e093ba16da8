//! The one list of events. Event log, metrics and traces all read it, so their names cannot drift apart.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use serde::{Serialize, Serializer};

use crate::base::ids::{NodeId, SessionId};
use crate::media::spoken::SpokenTime;
use crate::record::aside::{Aside, Remembered};
use crate::speech::line_drop::LineDrop;
use crate::speech::segment::CancelReason;

/// Why a frame or an output ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Its queue was full.
    Overflow,
    /// Its session was closed.
    Closed,
    /// Its segment was cancelled.
    Cancelled,
    /// Its revision was retracted.
    Retracted,
    /// Its service failed.
    Failed,
    /// The user interrupted the answer.
    Interrupted,
    /// The text was, or became, longer than the scene allows: it was refused or cut.
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

    /// The name of the reason in events, reports and metrics.
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

/// Why a batch was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushReason {
    /// As many items waited as are worth a batch.
    Count,
    /// An item had waited for the longest time allowed.
    Timer,
    /// The queue was at its bound.
    Full,
    /// A deadline was near.
    Deadline,
}

impl FlushReason {
    /// The name of the reason in events and reports.
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
/// As JSON an event is part of a line of the event log, with the fields in this order; nodes are given by position.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The session takes audio from now on.
    SessionOpened,
    /// The gate forwards audio from here on and has not decided yet.
    SegmentOpened { segment: u32, from_us: u64 },
    /// The segment is speech, as far as it was forwarded until now.
    SegmentConfirmed { segment: u32, from_us: u64, to_us: u64 },
    /// The segment was no speech; its audio and everything derived from it is cancelled.
    SegmentCancelled { segment: u32, reason: CancelReason, from_us: u64, to_us: u64 },
    /// The speaker seems to have finished at `at_us`; the silence could first be seen at `seen_us`.
    Endpoint { segment: u32, revision: u32, at_us: u64, seen_us: u64 },
    /// The speaker went on after `at_us`.
    EndpointRetracted { segment: u32, revision: u32, at_us: u64 },
    /// The end is final. The segment is `from_us..to_us` as forwarded, with the pre-roll and the silence that
    /// decided; its speech is `speech_from_us..speech_to_us`. `split`: the segment was too long, and the next one
    /// goes on without a gap.
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
    /// A service has finished a call, which made `samples` of audio.
    ServiceDone { node: NodeId, segment: u32, revision: u32, part: u32, samples: u64, busy_us: u64 },
    /// A call was cancelled after `wasted_us` of work.
    ServiceCancelled { node: NodeId, segment: u32, revision: u32, part: u32, wasted_us: u64 },
    /// The first part of an answer (text or sound, no mark) left `node` for the next one.
    FirstOut { node: NodeId, segment: u32, revision: u32 },
    /// A service failed a call: that is its end.
    ServiceFailed { node: NodeId, segment: u32, revision: u32, part: u32, reason: Arc<str> },
    /// A service failed a call before any of its answer had come; the call is started again.
    ServiceRetried { node: NodeId, segment: u32, revision: u32, part: u32, reason: Arc<str> },
    /// A recogniser has heard this of the segment so far.
    PartialText { node: NodeId, segment: u32, text: Arc<str> },
    /// A service has the session's host answer to `text`.
    ReplyRequested { node: NodeId, segment: u32, revision: u32, request: u64, text: Arc<str> },
    /// The host's answer to a request is not wanted any more.
    ReplyOver { node: NodeId, segment: u32, request: u64 },
    /// The first sample of an answer (revision > 0) or of forwarded audio (revision 0) left.
    OutputStarted { segment: u32, revision: u32 },
    /// The last sample of an answer left; `samples` in all.
    OutputEnded { segment: u32, revision: u32, samples: u64 },
    /// Output was withheld; `samples` of audio.
    OutputDropped { segment: u32, revision: u32, reason: DropReason, samples: u64 },
    /// A frame ended before its time at `node`.
    FrameDropped { node: NodeId, reason: DropReason, samples: u64 },
    /// The detector's probability for the hop that ends at `at_us`; only where a gate traces.
    Probability { at_us: u64, p: f32 },
    /// Samples that were no numbers became zero.
    NonFinite { samples: u64 },
    /// A node put out text.
    Text { node: NodeId, segment: u32, revision: u32, text: Arc<str> },
    /// A batch was submitted to the service of `node`; logged for the session of its first item.
    Batch { node: NodeId, size: u32, reason: FlushReason },
    /// An item at `node` had less time left than the margin.
    #[serde(rename = "deadline_warning")]
    DeadlineNear { node: NodeId, left_us: u64 },
    /// An item came out of `node` after its deadline.
    DeadlineMissed { node: NodeId, late_us: u64 },
    /// The user speaks in `segment`: the answer of the record's turn pauses; what was released of it sounds until
    /// `quiet_us` of engine time.
    AnswerPaused { segment: u32, quiet_us: u64 },
    /// The speech was too short to interrupt: the answer goes on. `ignored`: it was speech, and will not be answered.
    AnswerResumed { segment: u32, ignored: bool },
    /// The speech in `segment` goes on, or the host interrupts (segment 0): the answer of `turn` is withdrawn after
    /// `heard_us` of it.
    AnswerInterrupted {
        #[serde(rename = "answer_turn")]
        turn: u32,
        segment: u32,
        heard_us: u64,
    },
    /// The answer to `segment` is withdrawn, whatever had become of it.
    AnswerWithdrawn { segment: u32 },
    /// The host's message `line` is spoken, or answered if it was typed, as the answer to `segment`: one in which nobody
    /// speaks.
    LineOpened { segment: u32, line: u64 },
    /// The host's message `line` is not spoken.
    LineDropped { line: u64, reason: LineDrop },
    /// A service asks the host to do something.
    ToolCall {
        node: NodeId,
        segment: u32,
        revision: u32,
        call_id: Arc<str>,
        name: Arc<str>,
        arguments: Arc<str>,
    },
    /// Some output had already left when it was cancelled.
    LateCancelled { segment: u32, revision: u32 },
    /// The session could not be opened at `node`; it closes at once.
    SessionRefused { node: NodeId, reason: Arc<str> },
    /// A panic has ended the session: at `node`, or in a system of its shard that is no node's. `reason` is what the
    /// panic said.
    SessionFailed { node: Option<NodeId>, reason: Arc<str> },
    /// A control message about `segment` and `revision` (0 = none) was sent. This event and the two below are logged
    /// by the transport of the messages, never by an engine.
    ControlSent {
        message_id: u64,
        #[serde(rename = "type")]
        kind: &'static str,
        segment: u32,
        revision: u32,
    },
    /// The other end has received it; `applied`: the work that it stops has stopped, too.
    ControlAcked {
        message_id: u64,
        #[serde(rename = "stage", serialize_with = "stage")]
        applied: bool,
    },
    /// The message is not known to have arrived, and is not sent again.
    ControlFailed { message_id: u64 },
    /// The session is gone.
    SessionClosed,
}

/// The stage of a control message, as its receipts name it.
fn stage<S: Serializer>(applied: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(if *applied { "Applied" } else { "Delivered" })
}

/// One event with its place and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Engine time of the tick.
    pub t_us: u64,
    /// The session.
    pub session: SessionId,
    /// The turn; 0 = none.
    pub turn: u32,
    /// What happened.
    pub event: Event,
    /// Position among this tick's records of its shard.
    pub(crate) order: u32,
}

impl Record {
    /// An empty record, to be overwritten.
    pub(crate) fn blank() -> Self {
        Self { t_us: 0, session: SessionId(0), turn: 0, event: Event::SessionOpened, order: 0 }
    }

    /// A record for a log that is not the engine's own.
    pub fn new(t_us: u64, session: SessionId, turn: u32, event: Event) -> Self {
        Self { t_us, session, turn, event, order: 0 }
    }
}

/// The events of one shard in this tick, in the order they happened.
#[derive(Resource, Debug, Default)]
pub struct EventLog {
    pub(crate) records: Vec<Record>,
    /// Segments whose output had already left when they were cancelled.
    late: Vec<(SessionId, u32)>,
    /// Captions for hosts, each with the number of records before it.
    pub(crate) captions: Vec<ToldCaption>,
    /// Sessions that a panic has ended since the shard last admitted any, each with the node whose lane is torn.
    pub(crate) failed: Vec<(SessionId, Option<NodeId>)>,
    /// What conversations remember of this tick beside its records and captions.
    pub(crate) asides: Vec<(SessionId, Aside)>,
    pub(crate) remembered: Remembered,
}

/// A caption whose audio leaves, or has left.
#[derive(Debug)]
pub(crate) struct ToldCaption {
    /// Records of this tick before it.
    pub(crate) after: usize,
    pub(crate) session: SessionId,
    pub(crate) turn: u32,
    /// Segment and revision that are answered.
    pub(crate) origin: (u32, u32),
    /// Empty: no caption, but more times of the one before.
    pub(crate) text: Arc<str>,
    pub(crate) from_us: u64,
    pub(crate) until_us: Option<u64>,
    pub(crate) times: Arc<[SpokenTime]>,
}

impl EventLog {
    /// An empty log of a scene of whose sessions so much is remembered.
    pub(crate) fn remembering(remembered: Remembered) -> Self {
        Self { remembered, ..Self::default() }
    }

    /// Makes room for `records` in one tick.
    pub(crate) fn reserve(&mut self, records: usize) {
        self.records.reserve(records.saturating_sub(self.records.len()));
    }

    /// How many records fit without more memory.
    pub(crate) fn room(&self) -> usize {
        self.records.capacity()
    }

    /// Sorts the late cancellations, so that they can be looked up.
    pub(crate) fn sort_late(&mut self) {
        self.late.sort_unstable();
    }

    /// Whether output of a segment had left when the segment was cancelled in this tick; after
    /// [`EventLog::sort_late`].
    pub(crate) fn was_late(&self, session: SessionId, segment: u32) -> bool {
        self.late.binary_search(&(session, segment)).is_ok()
    }

    /// Forgets the late cancellations: the hosts have been told.
    pub(crate) fn forget_late(&mut self) {
        self.late.clear();
    }

    /// Tells a host of a caption, in order with the events.
    pub(crate) fn caption(&mut self, mut caption: ToldCaption) {
        caption.after = self.records.len();
        self.captions.push(caption);
    }

    /// Whether conversations are remembered.
    pub(crate) fn remembers(&self) -> bool {
        self.remembered != Remembered::Nothing
    }

    /// Notes something of which there is no event, where conversations are remembered.
    pub(crate) fn aside(&mut self, session: SessionId, aside: impl FnOnce() -> Aside) {
        if self.remembers() {
            self.asides.push((session, aside()));
        }
    }

    /// Whether a panic has torn the lane of `session` at `node` in this tick.
    #[inline]
    pub(crate) fn is_torn(&self, session: SessionId, node: NodeId) -> bool {
        !self.failed.is_empty() && self.failed.contains(&(session, Some(node)))
    }

    /// Whether a panic has torn some lane of `node` in this tick.
    #[inline]
    pub(crate) fn has_torn(&self, node: NodeId) -> bool {
        !self.failed.is_empty() && self.failed.iter().any(|(_, torn)| *torn == Some(node))
    }

    /// Notes that a panic has ended a session, and logs that once a tick. False if the same was noted before.
    pub(crate) fn fail(
        &mut self,
        t_us: u64,
        session: SessionId,
        node: Option<NodeId>,
        reason: &Arc<str>,
    ) -> bool {
        if self.failed.contains(&(session, node)) {
            return false;
        }
        if !self.failed.iter().any(|(other, _)| *other == session) {
            self.push(t_us, session, 0, Event::SessionFailed { node, reason: Arc::clone(reason) });
        }
        self.failed.push((session, node));
        true
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
