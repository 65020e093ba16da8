//! Puts frames of hosts and nodes into queues. This is the one place where a frame enters a queue, is counted, and
//! displaces others.

use crate::base::ids::NodeId;
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::media::block::BlockPool;
use crate::media::frame::{Frame, Payload};
use crate::media::queue::{Pushed, Queue};
use crate::record::counts::Counts;
use crate::record::event::{DropReason, Event, EventLog};

/// What a frame touches beside the queue it enters.
pub(crate) struct Enqueue<'a> {
    pub(crate) now: Now,
    pub(crate) pool: &'a mut BlockPool,
    pub(crate) counts: &'a mut Counts,
    pub(crate) log: &'a mut EventLog,
}

impl Enqueue<'_> {
    /// Puts `frame` into the queue of `node`. A frame that finds no room, or that has to make room, is dropped,
    /// counted and logged.
    pub(crate) fn push(&mut self, node: NodeId, queue: &mut Queue, frame: Frame) {
        let (is_content, samples) = (frame.is_content(), frame.samples());
        let pushed = if self.now.is_broken(Mutation::Overtake) && is_content && frame.seq.is_multiple_of(4) {
            queue.push_front(frame);
            Pushed::Queued
        } else {
            queue.push(frame, self.pool)
        };
        if is_content {
            self.counts.entered(node, samples, queue.depth());
        }
        match pushed {
            Pushed::Queued => {}
            Pushed::Merged => self.counts.node(node).merged += 1,
            Pushed::Dropped(displaced) => self.lose(node, displaced, DropReason::Overflow),
        }
    }

    /// Ends a frame before its time: counted and logged with the reason, as lost by `node`.
    pub(crate) fn lose(&mut self, node: NodeId, frame: Frame, reason: DropReason) {
        if frame.is_content() {
            self.counts.node(node).dropped[reason as usize] += 1;
            let samples = frame.samples() as u64;
            let event = self.counts.lost(node, reason, samples, frame.segment.serial, frame.revision);
            if !self.now.is_broken(Mutation::HideDrop) {
                self.log.push(self.now.us, frame.session, frame.turn, event);
            }
        }
        self.discard(frame);
    }

    /// Gives the frame's samples back to the pool.
    pub(crate) fn discard(&mut self, frame: Frame) {
        if let Payload::Audio(block) = frame.payload
            && !self.now.is_broken(Mutation::LeakBlock)
        {
            self.pool.put(block);
        }
    }
}

impl Counts {
    /// The event that logs frames lost by `node`: at the session's output the output is lost.
    pub(super) fn lost(
        &self,
        node: NodeId,
        reason: DropReason,
        samples: u64,
        segment: u32,
        revision: u32,
    ) -> Event {
        if self.is_output(node) {
            Event::OutputDropped { segment, revision, reason, samples }
        } else {
            Event::FrameDropped { node, reason, samples }
        }
    }
}
