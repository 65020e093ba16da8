//! One session that follows a gate in another engine: its segment, and the audio and messages that wait.

use bevy_ecs::prelude::Component;
use mynah_engine::base::{Mutation, frames_to_us};
use mynah_engine::media::{Payload, Queue};
use mynah_engine::node::{OpenSegment, SegmentWriter};
use mynah_engine::scene::Format;
use mynah_engine::speech::CancelReason;
use mynah_engine::{Control, DropReason, Frame};

use super::memory::{Known, Memory, about};

/// Media times are whole microseconds of whole samples, here and at the sender, and a resampler between rounds again.
const TOLERANCE_US: u64 = 1_000;

/// State of one session.
#[derive(Component, Debug)]
pub struct FollowLane {
    memory: Memory,
    segment: OpenSegment,
    /// Engine time of the open segment's last audio, and of the last split.
    heard_us: u64,
    split_us: u64,
    input: Format,
    wait_us: u64,
    silence_timeout_us: u64,
}

/// What is known of the rest of the open segment's audio.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// The oldest frame belongs to it.
    Waits,
    /// More may be on its way.
    Perhaps,
    /// The frame after it is here: nothing more comes.
    Nothing,
}

/// What to do with the oldest frame.
enum Place {
    Forward,
    /// Open a new segment with it.
    Open,
    /// Wait: the segment before it is not settled.
    Wait,
    /// Drop it: its segment was cancelled.
    Cancelled,
    /// Drop it: it belongs to no segment, or to one that is over.
    Stray,
    /// End: the input is over, and so is the last segment.
    End,
}

impl FollowLane {
    pub(super) fn new(input: Format, wait_us: u64, silence_timeout_us: u64) -> Self {
        let (memory, segment) = (Memory::default(), OpenSegment::default());
        Self { memory, segment, heard_us: 0, split_us: 0, input, wait_us, silence_timeout_us }
    }

    /// True if no segment is open: then there is nothing to do without audio.
    pub(super) fn is_idle(&self) -> bool {
        !self.segment.is_open() && !self.segment.is_split()
    }

    /// Takes one control message; false if it changes nothing.
    pub(super) fn hear(&mut self, control: &Control, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        let Some(serial) = about(control) else { return false };
        let now_us = gate.cx.now.us;
        if !matches!(control, Control::CancelSpeculation { .. }) {
            return self.memory.hear(now_us, serial, control);
        }
        if self.memory.is_settled(serial) || self.memory.of(serial).is_speech() {
            return false;
        }
        if gate.cx.now.is_broken(Mutation::ForgetMessage) {
            return true;
        }
        if self.serial() == Some(serial) {
            self.cancel(CancelReason::Elsewhere, gate);
        } else {
            self.memory.cancel(serial);
        }
        true
    }

    /// Works off the queue as far as it goes.
    pub(super) fn work(&mut self, queue: &mut Queue, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        while gate.cx.may_step() {
            let place = queue.front().map(|front| self.place(front));
            let comes = match place {
                Some(Place::Forward) => Comes::Waits,
                Some(Place::Wait) => Comes::Nothing,
                _ => Comes::Perhaps,
            };
            if self.advance(comes, gate) {
                continue;
            }
            let Some(place) = place else { break };
            match place {
                Place::Wait => break,
                Place::Open => {
                    let Some(front) = queue.front() else { break };
                    // No segment is free: the next tick tries again.
                    if !self.open(front.segment.serial, front.pts_us, gate) {
                        break;
                    }
                }
                Place::End => {
                    let Some(frame) = queue.pop() else { break };
                    if gate.cx.lane.stream_ended() {
                        self.segment.settle_split(gate);
                        gate.cx.send(0, frame);
                    }
                }
                Place::Forward | Place::Cancelled | Place::Stray => {
                    let Some(frame) = queue.pop() else { break };
                    gate.cx.taken(&frame);
                    gate.cx.came_out(frame.deadline_us, frame.turn);
                    match place {
                        Place::Forward => self.forward(frame, gate),
                        Place::Cancelled => gate.cx.drop_frame(frame, DropReason::Cancelled),
                        _ => gate.cx.gate(frame),
                    }
                }
            }
        }
        if self.segment.is_split() && gate.cx.now.us >= self.split_us + self.wait_us {
            self.segment.settle_split(gate);
        }
    }

    /// The serial of the open segment.
    fn serial(&self) -> Option<u32> {
        self.segment.is_open().then_some(self.segment.key().serial)
    }

    fn place(&self, front: &Frame) -> Place {
        let current = self.serial();
        match &front.payload {
            Payload::Mark(_) if current.is_some() => return Place::Wait,
            Payload::Mark(_) => return Place::End,
            Payload::Audio(_) | Payload::Text(_) | Payload::Clip(_) | Payload::Caption(_) => {}
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

    /// Acts once on a message about the open segment, or on a time that has come; false if there is nothing to do.
    fn advance(&mut self, comes: Comes, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        let Some(serial) = self.serial() else { return false };
        let known = self.memory.of(serial);
        let (now_us, ending) = (gate.cx.now.us, self.segment.ending());
        let waited = |since_us: u64| now_us >= since_us.saturating_add(self.wait_us);
        // If nothing comes after it, the microphone may be muted, and the sender's gate silent about it for this
        // long.
        let muted_us = if comes == Comes::Nothing { 0 } else { self.silence_timeout_us };
        let has_audio = |at_us: u64| {
            self.segment.to_us() + TOLERANCE_US >= at_us || comes == Comes::Nothing || waited(known.told_us)
        };
        if known.is_speech() && !self.segment.is_confirmed() {
            let (from_us, to_us) = (self.segment.from_us(), self.segment.to_us());
            self.segment.voiced((from_us, to_us), gate);
            // Only the sender's gate knows whether speech began after the first sample.
            self.segment.confirm(from_us, gate);
        } else if ending > 0 && is_cancelled(ending, &known) {
            self.segment.retract(gate);
        } else if let Some((revision, at_us)) = known.wanted().filter(|(r, _)| *r != ending)
            && has_audio(at_us)
        {
            self.segment.endpoint(revision, (at_us, at_us), gate);
        } else if let Some((revision, at_us)) = known.ended
            && revision == ending
            // The silence after the speech belongs to it, as far as it is here.
            && comes != Comes::Waits
            && has_audio(at_us)
        {
            self.end(serial, gate);
        } else if waited(self.heard_us.max(known.told_us) + muted_us) {
            self.give_up(serial, gate);
        } else {
            return false;
        }
        true
    }

    /// Gives up waiting: an undecided segment is not speech, and a suspected end is not final.
    fn give_up(&mut self, serial: u32, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        if !self.segment.is_confirmed() {
            self.cancel(CancelReason::NoVerdict, gate);
            return;
        }
        if self.segment.ending() > 0 {
            self.segment.retract(gate);
        }
        self.segment.end(gate);
        self.memory.settle(serial);
    }

    fn open(&mut self, serial: u32, from_us: u64, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        let opened = self.segment.open_as(serial, from_us, gate);
        if opened {
            self.memory.begin(serial);
            self.heard_us = gate.cx.now.us;
        }
        opened
    }

    fn forward(&mut self, frame: Frame, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        let frames = (frame.samples() / usize::from(self.input.channels)) as u64;
        let end_us = frame.pts_us + frames_to_us(frames, self.input.rate_hz);
        self.heard_us = gate.cx.now.us;
        if self.segment.is_confirmed() && self.segment.ending() == 0 {
            self.segment.voiced((frame.pts_us, end_us), gate);
        }
        let to_us = self.segment.to_us().max(end_us);
        self.segment.forward(frame, to_us, gate.cx);
    }

    fn cancel(&mut self, reason: CancelReason, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        self.memory.cancel(self.segment.key().serial);
        self.segment.cancel(reason, gate);
    }

    /// Ends the segment as the sender's gate has, or splits it if that announced no end.
    fn end(&mut self, serial: u32, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        if self.segment.ending() == 0 {
            self.split_us = gate.cx.now.us;
            self.segment.split(gate);
        } else {
            self.segment.end(gate);
        }
        self.memory.settle(serial);
    }

    /// Ends the session: messages and audio do not matter any more.
    pub(super) fn hang_up(&mut self, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        match self.serial() {
            Some(_) if !self.segment.is_confirmed() => self.cancel(CancelReason::Closed, gate),
            Some(serial) => self.give_up(serial, gate),
            None => {}
        }
        self.segment.settle_split(gate);
    }
}

/// True if the revision under way was retracted, or another one has come since.
fn is_cancelled(revision: u32, known: &Known) -> bool {
    known.retracted >= revision
        || known.wanted().is_some_and(|(wanted, _)| wanted != revision)
        || known.ended.is_some_and(|(ended, _)| ended != revision)
}
