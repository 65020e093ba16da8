//! The law of segments and of their answers, in one place. Each operation has its whole effect: the state of the
//! segment, the cancellation, the event that is logged and counted, the mark that leaves.
//!
//! | [`OpenSegment`] | state | cancellation | event | mark |
//! | --- | --- | --- | --- | --- |
//! | [`open`](OpenSegment::open) | Speculative | | `SegmentOpened` | |
//! | [`confirm`](OpenSegment::confirm) | Confirmed, in its turn | | `SegmentConfirmed` | |
//! | [`cancel`](OpenSegment::cancel) | Cancelled | segment | `SegmentCancelled` | |
//! | [`endpoint`](OpenSegment::endpoint) | Ending(r) | | `Endpoint` | `Endpoint` of r |
//! | [`retract`](OpenSegment::retract) | Open | revision r | `EndpointRetracted` | |
//! | [`end`](OpenSegment::end) | Ended(r) | | `SegmentEnded` | `SegmentEnd` |
//! | [`split`](OpenSegment::split) | Ended(0) | | `SegmentEnded`, split | `Split` |
//!
//! The gate decides when each is due, or its host. A segment that is to get no answer is ended without a revision; one
//! under way is retracted first. [`AnswerWriter`] withdraws answers.

use crate::base::ids::{SegmentKey, SessionId};
use crate::base::mutation::Mutation;
use crate::media::frame::{Frame, Mark, Payload};
use crate::node::context::NodeContext;
use crate::record::event::{Event, EventLog};
use crate::speech::cancellation::CancelScope;
use crate::speech::segment::{CancelReason, Extent, SegmentParams};

/// The access of a gate to the lane that it works on and to the segments of its shard.
pub struct SegmentWriter<'a, 'b, 'w, 's> {
    /// The lane's context.
    pub cx: &'a mut NodeContext<'b>,
    params: &'a mut SegmentParams<'w, 's>,
}

impl<'a, 'b, 'w, 's> SegmentWriter<'a, 'b, 'w, 's> {
    /// A writer for the lane of `cx`.
    pub fn new(cx: &'a mut NodeContext<'b>, params: &'a mut SegmentParams<'w, 's>) -> Self {
        Self { cx, params }
    }

    /// Whether a segment can be opened; if not, the gate tries again at its next hop.
    pub fn has_room(&self) -> bool {
        self.params.segments.has_room()
    }

    /// Cancels; nodes behind this one drop what `scope` covers in this tick.
    fn cancel(&mut self, scope: CancelScope) {
        self.params.cancel(self.cx.lane.session, scope);
    }
}

/// The segment that a gate has open in one lane, if there is one; a part of the lane's state. Serials and sequence
/// numbers go on from one segment to the next. Times are media time.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSegment {
    key: SegmentKey,
    /// The previous segment, which was split and is not settled.
    before: SegmentKey,
    /// Serial of the last segment opened.
    serial: u32,
    /// Turn of the last segment opened, as far as it is known here.
    turn: u32,
    confirmed: bool,
    /// The revision under way; 0 = none.
    ending: u32,
    /// Media time of the first sample.
    from_us: u64,
    to_us: u64,
    /// Media time at which speech began.
    speech_from_us: u64,
    /// Media time at which the speaker last seemed to have finished.
    finished_us: u64,
    /// Sequence number of the last frame.
    seq: u32,
}

impl OpenSegment {
    /// Whether a segment is open.
    pub fn is_open(&self) -> bool {
        self.key.is_some()
    }

    /// Whether the segment is speech.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Whether a segment was split and the next one has not taken over its answer yet.
    pub fn is_split(&self) -> bool {
        self.before.is_some()
    }

    /// Key of the open segment; [`SegmentKey::NONE`] without one.
    pub fn key(&self) -> SegmentKey {
        self.key
    }

    /// Turn of the open segment, or of the last one.
    pub fn turn(&self) -> u32 {
        self.turn
    }

    /// The revision under way; 0 = none.
    pub fn ending(&self) -> u32 {
        self.ending
    }

    /// Media time of its first sample.
    pub fn from_us(&self) -> u64 {
        self.from_us
    }

    /// Media time after the last sample forwarded.
    pub fn to_us(&self) -> u64 {
        self.to_us
    }

    /// Opens the next segment, whose first sample is at `from_us`; false when the pool has none free.
    pub fn open(&mut self, from_us: u64, writer: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        self.open_as(self.serial + 1, from_us, writer)
    }

    /// Opens the segment `serial` of the session, by the count of another engine's gate.
    pub fn open_as(&mut self, serial: u32, from_us: u64, writer: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        let (session, owner) = (writer.cx.lane.session, writer.cx.lane.owner);
        let Some(key) = writer.params.segments.open(session, owner, serial, from_us) else { return false };
        (self.key, self.serial) = (key, serial);
        (self.confirmed, self.ending, self.finished_us) = (false, 0, 0);
        (self.from_us, self.to_us, self.speech_from_us) = (from_us, from_us, from_us);
        self.turn = writer.params.segments.turn(key, session);
        writer.cx.event(self.turn, Event::SegmentOpened { segment: serial, from_us });
        true
    }

    /// Confirms the segment, whose speech began at `speech_from_us`. Final. The segment takes over the answer of the
    /// one before, if that was split.
    pub fn confirm(&mut self, speech_from_us: u64, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        // Speech may have begun before the first forwarded sample, of which nothing is known.
        self.speech_from_us = speech_from_us.max(self.from_us);
        self.confirmed = true;
        self.turn = writer.params.segments.confirm(self.key, writer.cx.lane.session);
        let (segment, from_us, to_us) = (self.key.serial, self.from_us, self.to_us);
        let event = Event::SegmentConfirmed { segment, from_us, to_us };
        if writer.cx.now.is_broken(Mutation::ConfirmTwice) {
            writer.cx.event(self.turn, event.clone());
        }
        writer.cx.event(self.turn, event);
        self.settle_split(writer);
    }

    /// Cancels the segment, which is no speech, with everything derived from it. Final.
    pub fn cancel(&mut self, reason: CancelReason, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let segment = self.key.serial;
        writer.params.segments.cancel(self.key, writer.cx.lane.session, reason);
        writer.cancel(CancelScope::Segment { segment });
        let (from_us, to_us) = (self.from_us, self.to_us);
        let event = Event::SegmentCancelled { segment, reason, from_us, to_us };
        if reason == CancelReason::Elsewhere && writer.cx.now.is_broken(Mutation::RepeatEffect) {
            writer.cx.event(self.turn, event.clone());
        }
        if !writer.cx.now.is_broken(Mutation::ForgetCancel) {
            writer.cx.event(self.turn, event);
        }
        self.close();
        self.settle_split(writer);
    }

    /// Notes that the speaker seems to have finished at `at_us`, judged by audio up to `seen_us`: work on `revision`
    /// begins.
    pub fn endpoint(
        &mut self,
        revision: u32,
        (at_us, seen_us): (u64, u64),
        writer: &mut SegmentWriter<'_, '_, '_, '_>,
    ) {
        (self.ending, self.finished_us) = (revision, at_us);
        let segment = self.key.serial;
        writer.params.segments.set_extent(self.key, writer.cx.lane.session, Extent::Ending(revision));
        self.renew_turn(writer);
        writer.cx.event(self.turn, Event::Endpoint { segment, revision, at_us, seen_us });
        self.mark(Mark::Endpoint, revision, writer);
    }

    /// Notes that the speaker goes on: the revision under way is retracted, with everything derived from it.
    pub fn retract(&mut self, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let (segment, at_us) = (self.key.serial, self.finished_us);
        let revision = std::mem::take(&mut self.ending);
        writer.params.segments.set_extent(self.key, writer.cx.lane.session, Extent::Open);
        writer.cancel(CancelScope::Revision { segment, revision });
        writer.cx.event(self.turn, Event::EndpointRetracted { segment, revision, at_us });
    }

    /// Ends the segment; the revision under way is final. Without one there is nothing to answer.
    pub fn end(&mut self, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let speech_to_us = if self.ending > 0 { self.finished_us } else { self.to_us };
        self.finish(self.ending, speech_to_us, Mark::SegmentEnd, writer);
        if self.ending == 0 {
            writer.params.segments.answered(self.key, writer.cx.lane.session);
        }
        self.close();
    }

    /// Splits the segment, which is too long: the next one goes on with the same turn, from the next sample. The gate
    /// opens it, and [settles](Self::settle_split) the split when there is none.
    pub fn split(&mut self, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        self.finish(0, self.to_us, Mark::Split, writer);
        self.before = self.key;
        self.close();
    }

    /// Settles a split: the open segment takes over the answer of the previous one if it is speech, otherwise there
    /// is no answer. A verdict settles by itself.
    pub fn settle_split(&mut self, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let before = std::mem::take(&mut self.before);
        if !before.is_some() {
            return;
        }
        let session = writer.cx.lane.session;
        if self.confirmed {
            writer.params.segments.carry_on(before, self.key, session);
        }
        // The turn stays open: the segment that goes on was confirmed before, and has no answer yet.
        writer.params.segments.answered(before, session);
    }

    /// Notes speech that was heard in the segment, and learns its turn.
    pub fn voiced(&mut self, span_us: (u64, u64), writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let now_us = writer.cx.now.us;
        self.turn = writer.params.segments.voiced(self.key, writer.cx.lane.session, span_us, now_us);
    }

    /// Learns the turn of the open segment: an interruption may have begun a new one with it.
    pub fn renew_turn(&mut self, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        if self.is_open() {
            self.turn = writer.params.segments.turn(self.key, writer.cx.lane.session);
        }
    }

    /// Sends a frame of the segment's own audio, which ends at `end_us`.
    pub fn forward(&mut self, mut frame: Frame, end_us: u64, cx: &mut NodeContext<'_>) {
        frame.segment = self.key;
        frame.turn = self.turn;
        frame.seq = self.next_seq();
        self.to_us = end_us;
        cx.send(0, frame);
    }

    /// The sequence number of the next frame that the gate makes itself.
    pub fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    /// Writes state, event and mark of an end.
    fn finish(
        &mut self,
        revision: u32,
        speech_to_us: u64,
        mark: Mark,
        writer: &mut SegmentWriter<'_, '_, '_, '_>,
    ) {
        writer.params.segments.set_extent(self.key, writer.cx.lane.session, Extent::Ended(revision));
        let ended = Event::SegmentEnded {
            segment: self.key.serial,
            revision,
            from_us: self.from_us,
            to_us: self.to_us,
            speech_from_us: self.speech_from_us,
            speech_to_us,
            split: mark == Mark::Split,
        };
        writer.cx.event(self.turn, ended);
        self.mark(mark, 0, writer);
    }

    /// Sends a mark behind the last sample forwarded.
    fn mark(&mut self, mark: Mark, revision: u32, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        let now_us = writer.cx.now.us;
        let frame = Frame {
            payload: Payload::Mark(mark),
            pts_us: self.to_us,
            arrived_us: now_us,
            queued_us: now_us,
            deadline_us: 0,
            session: writer.cx.lane.session,
            segment: self.key,
            revision,
            turn: self.turn,
            seq: self.next_seq(),
        };
        writer.cx.send(0, frame);
    }

    /// Forgets the open segment.
    fn close(&mut self) {
        (self.key, self.confirmed, self.ending) = (SegmentKey::NONE, false, 0);
    }
}

/// Withdraws answers: access to the segments of a shard, and to where a withdrawal is recorded.
pub(crate) struct AnswerWriter<'a, 'w, 's> {
    pub(crate) now_us: u64,
    pub(crate) params: &'a mut SegmentParams<'w, 's>,
    pub(crate) log: &'a mut EventLog,
}

impl AnswerWriter<'_, '_, '_> {
    /// Withdraws the answer to a segment of `turn`; false when the answer is over.
    pub(crate) fn withdraw(&mut self, key: SegmentKey, session: SessionId, turn: u32) -> bool {
        let withdrawn = self.params.segments.withdraw(key, session);
        if withdrawn {
            self.tell(CancelScope::Answer { segment: key.serial }, key, session, turn);
        }
        withdrawn
    }

    /// Withdraws the answer to one revision, while the end is only suspected: what answers it is cancelled, and the
    /// next revision is answered. False when it was withdrawn before.
    pub(crate) fn withdraw_revision(
        &mut self,
        key: SegmentKey,
        session: SessionId,
        turn: u32,
        revision: u32,
    ) -> bool {
        let withdrawn = self.params.segments.withdraw_revision(key, session, revision);
        if withdrawn {
            self.tell(CancelScope::Revision { segment: key.serial, revision }, key, session, turn);
        }
        withdrawn
    }

    fn tell(&mut self, scope: CancelScope, key: SegmentKey, session: SessionId, turn: u32) {
        self.params.cancel(session, scope);
        self.log.push(self.now_us, session, turn, Event::AnswerWithdrawn { segment: key.serial });
    }
}
