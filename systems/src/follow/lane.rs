//! One session that follows a gate elsewhere: its segment, and what waits for it.

use bevy_ecs::prelude::Component;
use mynah_engine::base::{Mutation, SegmentKey, frames_to_us};
use mynah_engine::media::{Mark, Payload, Queue};
use mynah_engine::node::NodeContext;
use mynah_engine::scene::Format;
use mynah_engine::speech::{CancelReason, CancelScope, Extent, SegmentWriter};
use mynah_engine::{Control, DropReason, Event, Frame};

use super::memory::{Known, Memory, about};

/// Times of audio are whole microseconds of whole samples, here and at the sender, and a resampler between rounds again.
const TOLERANCE_US: u64 = 1_000;

/// State of one session.
#[derive(Component, Debug)]
pub struct FollowLane {
    memory: Memory,
    current: Option<Current>,
    /// A segment that was split, and since when: it is answered with the next.
    split: Option<(SegmentKey, u64)>,
    input: Format,
    wait_us: u64,
    silence_timeout_us: u64,
    seq: u32,
}

/// The segment that stands open.
#[derive(Clone, Copy, Debug)]
struct Current {
    key: SegmentKey,
    turn: u32,
    confirmed: bool,
    /// The revision on which work is done; 0 = none.
    ending: u32,
    /// Where speech ended in it.
    finished_us: u64,
    /// Media time of its first sample, and after the last one forwarded.
    from_us: u64,
    to_us: u64,
    /// Engine time of its last audio.
    heard_us: u64,
}

/// What a lane needs beside itself.
pub(super) struct Hands<'a, 'b, 'w, 's> {
    pub(super) cx: &'a mut NodeContext<'b>,
    pub(super) segments: &'a mut SegmentWriter<'w, 's>,
}

/// What more there is of the open segment's audio.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// The oldest frame.
    Waits,
    /// It may be on its way.
    Perhaps,
    /// What comes behind it is here.
    Nothing,
}

/// What becomes of the oldest frame.
enum Place {
    Forward,
    /// A new segment begins with it.
    Open,
    /// The segment before it is not settled.
    Wait,
    /// Its segment was cancelled.
    Cancelled,
    /// It belongs to no segment, or to one that is over.
    Stray,
    /// The input is over, and so is the last segment.
    End,
}

impl FollowLane {
    pub(super) fn new(input: Format, wait_us: u64, silence_timeout_us: u64) -> Self {
        let (memory, current, split) = (Memory::default(), None, None);
        Self { memory, current, split, input, wait_us, silence_timeout_us, seq: 0 }
    }

    /// Whether nothing is open: then there is nothing to do without audio.
    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none() && self.split.is_none()
    }

    /// Takes one control message; false when it changes nothing.
    pub(super) fn hear(&mut self, control: &Control, hands: &mut Hands<'_, '_, '_, '_>) -> bool {
        let Some(serial) = about(control) else { return false };
        let now_us = hands.cx.now.us;
        if !matches!(control, Control::CancelSpeculation { .. }) {
            return self.memory.hear(now_us, serial, control);
        }
        if self.memory.is_settled(serial) || self.memory.of(serial).is_speech() {
            return false;
        }
        if hands.cx.now.is_broken(Mutation::ForgetMessage) {
            return true;
        }
        match self.current {
            Some(current) if current.key.serial == serial => self.cancel(CancelReason::Elsewhere, hands),
            _ => self.memory.cancel(serial),
        }
        true
    }

    /// Works off the queue as far as it goes.
    pub(super) fn work(&mut self, queue: &mut Queue, hands: &mut Hands<'_, '_, '_, '_>) {
        while hands.cx.may_step() {
            let place = queue.front().map(|front| self.place(front));
            let comes = match place {
                Some(Place::Forward) => Comes::Waits,
                Some(Place::Wait) => Comes::Nothing,
                _ => Comes::Perhaps,
            };
            if self.advance(comes, hands) {
                continue;
            }
            let Some(place) = place else { break };
            match place {
                Place::Wait => break,
                Place::Open => {
                    let Some(front) = queue.front() else { break };
                    // No segment to be had: the next tick tries again.
                    if !self.open(front.segment.serial, front.pts_us, hands) {
                        break;
                    }
                }
                Place::End => {
                    let Some(frame) = queue.pop() else { break };
                    if hands.cx.lane.stream_ended() {
                        self.answer_split(hands);
                        hands.cx.send(0, frame);
                    }
                }
                Place::Forward | Place::Cancelled | Place::Stray => {
                    let Some(frame) = queue.pop() else { break };
                    hands.cx.taken(&frame);
                    hands.cx.came_out(frame.deadline_us, frame.turn);
                    match place {
                        Place::Forward => self.forward(frame, hands),
                        Place::Cancelled => hands.cx.drop_frame(frame, DropReason::Cancelled),
                        _ => hands.cx.gate(frame),
                    }
                }
            }
        }
        if self.split.is_some_and(|(_, since_us)| hands.cx.now.us >= since_us + self.wait_us) {
            self.answer_split(hands);
        }
    }

    fn place(&self, front: &Frame) -> Place {
        let current = self.current.map(|current| current.key.serial);
        match &front.payload {
            Payload::Mark(_) if current.is_some() => return Place::Wait,
            Payload::Mark(_) => return Place::End,
            Payload::Audio(_) | Payload::Text(_) => {}
        }
        let serial = front.segment.serial;
        if !front.segment.is_elsewhere() || front.revision != 0 {
            return Place::Stray;
        }
        match current {
            Some(current) if current == serial => Place::Forward,
            _ if self.memory.is_cancelled(serial) => Place::Cancelled,
            _ if self.memory.is_settled(serial) => Place::Stray,
            Some(_) => Place::Wait,
            None => Place::Open,
        }
    }

    /// Does one thing that was said of the open segment, or that time says; false when there is nothing to do.
    fn advance(&mut self, comes: Comes, hands: &mut Hands<'_, '_, '_, '_>) -> bool {
        let Some(current) = self.current else { return false };
        let known = self.memory.of(current.key.serial);
        let now_us = hands.cx.now.us;
        let waited = |since_us: u64| now_us >= since_us.saturating_add(self.wait_us);
        // With nothing behind it the microphone may be muted, and the sender's gate silent about it for so long.
        let muted_us = if comes == Comes::Nothing { 0 } else { self.silence_timeout_us };
        let has_audio = |at_us: u64| {
            current.to_us + TOLERANCE_US >= at_us || comes == Comes::Nothing || waited(known.told_us)
        };
        if known.is_speech() && !current.confirmed {
            self.confirm(hands);
        } else if current.ending > 0 && is_cancelled(current.ending, &known) {
            self.retract(hands);
        } else if let Some((revision, at_us)) = known.wanted().filter(|(r, _)| *r != current.ending)
            && has_audio(at_us)
        {
            self.endpoint(revision, at_us, hands);
        } else if let Some((revision, at_us)) = known.ended
            && revision == current.ending
            // The silence behind the speech belongs to it, as far as it is here.
            && comes != Comes::Waits
            && has_audio(at_us)
        {
            self.end(revision, hands);
        } else if waited(current.heard_us.max(known.told_us) + muted_us) {
            self.give_up(current, hands);
        } else {
            return false;
        }
        true
    }

    /// Nothing was said for too long: what is undecided is not speech, and an end that may or may not hold does not.
    fn give_up(&mut self, current: Current, hands: &mut Hands<'_, '_, '_, '_>) {
        if !current.confirmed {
            self.cancel(CancelReason::NoVerdict, hands);
            return;
        }
        if current.ending > 0 {
            self.retract(hands);
        }
        self.close(0, false, hands);
        hands.segments.segments.answered(current.key, hands.cx.lane.session);
    }

    fn open(&mut self, serial: u32, from_us: u64, hands: &mut Hands<'_, '_, '_, '_>) -> bool {
        let (session, owner) = (hands.cx.lane.session, hands.cx.lane.owner);
        let Some(key) = hands.segments.segments.open(session, owner, serial, from_us) else { return false };
        let turn = hands.segments.segments.turn(key, session);
        self.memory.begin(serial);
        self.current = Some(Current {
            key,
            turn,
            confirmed: false,
            ending: 0,
            finished_us: 0,
            from_us,
            to_us: from_us,
            heard_us: hands.cx.now.us,
        });
        hands.cx.event(turn, Event::SegmentOpened { segment: serial, from_us });
        true
    }

    fn forward(&mut self, mut frame: Frame, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = &mut self.current else { return };
        let frames = (frame.samples() / usize::from(self.input.channels)) as u64;
        let end_us = frame.pts_us + frames_to_us(frames, self.input.rate_hz);
        current.to_us = current.to_us.max(end_us);
        current.heard_us = hands.cx.now.us;
        if current.confirmed && current.ending == 0 {
            let session = hands.cx.lane.session;
            current.turn =
                hands.segments.segments.voiced(current.key, session, (frame.pts_us, end_us), hands.cx.now.us);
        }
        frame.segment = current.key;
        frame.turn = current.turn;
        self.seq = self.seq.wrapping_add(1);
        frame.seq = self.seq;
        hands.cx.send(0, frame);
    }

    fn mark(&mut self, mark: Mark, revision: u32, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = self.current else { return };
        self.seq = self.seq.wrapping_add(1);
        let now_us = hands.cx.now.us;
        let frame = Frame {
            payload: Payload::Mark(mark),
            pts_us: current.to_us,
            arrived_us: now_us,
            queued_us: now_us,
            deadline_us: 0,
            session: hands.cx.lane.session,
            segment: current.key,
            revision,
            turn: current.turn,
            seq: self.seq,
        };
        hands.cx.send(0, frame);
    }

    fn confirm(&mut self, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = &mut self.current else { return };
        let session = hands.cx.lane.session;
        current.confirmed = true;
        current.turn = hands.segments.segments.confirm(current.key, session);
        let (segment, from_us, to_us) = (current.key.serial, current.from_us, current.to_us);
        hands.segments.segments.voiced(current.key, session, (from_us, to_us), hands.cx.now.us);
        hands.cx.event(current.turn, Event::SegmentConfirmed { segment, from_us, to_us });
        self.answer_split(hands);
    }

    /// The segment after a split carries the answer of both.
    fn answer_split(&mut self, hands: &mut Hands<'_, '_, '_, '_>) {
        if let Some((before, _)) = self.split.take() {
            if let Some(current) = self.current.filter(|current| current.confirmed) {
                hands.segments.segments.carry_on(before, current.key, hands.cx.lane.session);
            }
            hands.segments.segments.answered(before, hands.cx.lane.session);
        }
    }

    fn cancel(&mut self, reason: CancelReason, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = self.current.take() else { return };
        let (session, segment) = (hands.cx.lane.session, current.key.serial);
        hands.segments.segments.cancel(current.key, session, reason);
        hands.segments.cancel(session, CancelScope::Segment { segment });
        let (from_us, to_us) = (current.from_us, current.to_us);
        hands.cx.event(current.turn, Event::SegmentCancelled { segment, reason, from_us, to_us });
        if hands.cx.now.is_broken(Mutation::RepeatEffect) {
            hands.cx.event(current.turn, Event::SegmentCancelled { segment, reason, from_us, to_us });
        }
        self.memory.cancel(segment);
        self.answer_split(hands);
    }

    fn endpoint(&mut self, revision: u32, at_us: u64, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = &mut self.current else { return };
        (current.ending, current.finished_us) = (revision, at_us);
        let (session, segment) = (hands.cx.lane.session, current.key.serial);
        hands.segments.segments.set_extent(current.key, session, Extent::Ending(revision));
        // An interruption may have begun a new turn with this segment.
        current.turn = hands.segments.segments.turn(current.key, session);
        hands.cx.event(current.turn, Event::Endpoint { segment, revision, at_us, seen_us: at_us });
        self.mark(Mark::Endpoint, revision, hands);
    }

    fn retract(&mut self, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = &mut self.current else { return };
        let (session, segment) = (hands.cx.lane.session, current.key.serial);
        let revision = std::mem::take(&mut current.ending);
        hands.segments.segments.set_extent(current.key, session, Extent::Open);
        hands.segments.cancel(session, CancelScope::Revision { segment, revision });
        let at_us = current.finished_us;
        hands.cx.event(current.turn, Event::EndpointRetracted { segment, revision, at_us });
    }

    fn end(&mut self, revision: u32, hands: &mut Hands<'_, '_, '_, '_>) {
        if revision == 0 {
            self.split = self.current.map(|current| (current.key, hands.cx.now.us));
        }
        self.close(revision, revision == 0, hands);
    }

    fn close(&mut self, revision: u32, split: bool, hands: &mut Hands<'_, '_, '_, '_>) {
        let Some(current) = self.current else { return };
        let segment = current.key.serial;
        hands.segments.segments.set_extent(current.key, hands.cx.lane.session, Extent::Ended(revision));
        let Current { from_us, to_us, .. } = current;
        // Whether speech began behind the first sample is known only where the gate is.
        let speech_from_us = from_us;
        let speech_to_us = if revision > 0 { current.finished_us } else { to_us };
        hands.cx.event(
            current.turn,
            Event::SegmentEnded { segment, revision, from_us, to_us, speech_from_us, speech_to_us, split },
        );
        self.mark(if split { Mark::Split } else { Mark::SegmentEnd }, 0, hands);
        self.memory.settle(segment);
        self.current = None;
    }

    /// The session is over: nothing that is said or comes matters any more.
    pub(super) fn hang_up(&mut self, hands: &mut Hands<'_, '_, '_, '_>) {
        match self.current {
            Some(current) if !current.confirmed => self.cancel(CancelReason::Closed, hands),
            Some(current) => self.give_up(current, hands),
            None => {}
        }
        self.answer_split(hands);
    }
}

/// Whether the revision on which work is done was taken back, or another one has come since.
fn is_cancelled(revision: u32, known: &Known) -> bool {
    known.retracted >= revision
        || known.wanted().is_some_and(|(wanted, _)| wanted != revision)
        || known.ended.is_some_and(|(ended, _)| ended != revision)
}
