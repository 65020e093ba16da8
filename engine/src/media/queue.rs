//! The bounded input of one node for one session, and where that node's outputs go.

use std::collections::VecDeque;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::media::block::BlockPool;
use crate::media::frame::Frame;
use crate::media::merge::MergeRule;
use crate::scene::{Format, OverflowPolicy};

/// Most targets of one lane: 4 outputs a node.
pub const TARGETS_MAX: usize = 4;

/// A bounded first-in first-out queue of frames. Storage beyond what was reserved grows on demand and is kept.
#[derive(Component, Debug)]
pub struct Queue {
    frames: VecDeque<Frame>,
    bound: u32,
    overflow: OverflowPolicy,
    joint: MergeRule,
    /// Soft deadline of a frame, microseconds from its arrival in the queue; 0 = none.
    budget_us: u64,
    /// Frames that the node has taken and that still wait for its service: they count as depth.
    pub in_service: u32,
    /// Greatest depth seen.
    pub depth_max: u32,
    /// Frames to make room for when the first frame comes after a rest.
    room_ahead: u32,
    /// A frame came since the last [`Queue::trim_idle_memory`].
    used: bool,
}

/// What a full queue did with a frame.
#[derive(Debug)]
pub enum Pushed {
    /// The frame stands in the queue.
    Queued,
    /// The frame stands in the queue, and two waiting frames became one.
    Merged,
    /// There was no room: this frame, the oldest or the newest by policy, is out.
    Dropped(Frame),
}

impl Queue {
    /// An empty queue of at most `bound` frames.
    pub fn new(bound: u32, overflow: OverflowPolicy) -> Self {
        Self {
            frames: VecDeque::new(),
            bound: bound.max(1),
            overflow,
            joint: MergeRule::default(),
            budget_us: 0,
            in_service: 0,
            depth_max: 0,
            room_ahead: 0,
            used: false,
        }
    }

    /// How frames become one under [`OverflowPolicy::MergeOnOverflow`].
    #[must_use]
    pub fn joining(mut self, joint: MergeRule) -> Self {
        self.joint = joint;
        self
    }

    /// Sets the time that the node has for each frame that enters, microseconds; 0 = no deadline.
    #[must_use]
    pub fn with_budget(mut self, budget_us: u64) -> Self {
        self.budget_us = budget_us;
        self
    }

    /// Makes room for `frames` (at most the bound) now, so that no tick has to.
    pub fn reserve(&mut self, frames: u32) {
        self.room_ahead = frames.min(self.bound);
        self.frames.reserve_exact(self.room_ahead as usize);
    }

    /// Frees the storage of an empty queue until the next frame comes, if no frame came since the last call or if
    /// `at_once`.
    pub(crate) fn trim_idle_memory(&mut self, at_once: bool) {
        let used = std::mem::take(&mut self.used) && !at_once;
        if !used && self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// Frames waiting.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames waiting here and for the node's service.
    pub fn depth(&self) -> u32 {
        self.frames.len() as u32 + self.in_service
    }

    /// What the queue does when it is full.
    pub fn overflow(&self) -> OverflowPolicy {
        self.overflow
    }

    /// Most frames it holds.
    pub fn bound(&self) -> u32 {
        self.bound
    }

    /// Free places.
    pub fn room(&self) -> usize {
        (self.bound as usize).saturating_sub(self.frames.len())
    }

    /// True if a frame of content has to wait outside: the queue is full and its policy is `Block`.
    pub fn blocks(&self) -> bool {
        self.overflow == OverflowPolicy::Block && self.room() == 0
    }

    /// Appends `frame`; when full, the policy decides. Marks always fit: a lost boundary would leave a segment or an
    /// answer open for ever, and there are at most a few of them per segment. Under `Block` the sender asks
    /// [`Queue::blocks`] first; a frame pushed without asking is lost.
    pub fn push(&mut self, mut frame: Frame, pool: &mut BlockPool) -> Pushed {
        let is_mark = !frame.is_content();
        if self.budget_us > 0 && !is_mark {
            frame.deadline_us = frame.queued_us + self.budget_us;
        }
        if self.room() > 0 || is_mark {
            self.append(frame);
            return Pushed::Queued;
        }
        if self.overflow == OverflowPolicy::MergeOnOverflow {
            // The new frame may be one of the only pair.
            self.frames.push_back(frame);
            if self.merge_oldest(pool) {
                self.depth_max = self.depth_max.max(self.depth());
                return Pushed::Merged;
            }
            frame = self.frames.pop_back().expect("it was just put there");
        }
        let makes_room =
            matches!(self.overflow, OverflowPolicy::DropOldest | OverflowPolicy::MergeOnOverflow);
        let oldest = self.frames.iter().position(Frame::is_content);
        match oldest.filter(|_| makes_room) {
            Some(at) => {
                let oldest = self.frames.remove(at).expect("the position was just found");
                self.append(frame);
                Pushed::Dropped(oldest)
            }
            None => Pushed::Dropped(frame),
        }
    }

    fn append(&mut self, frame: Frame) {
        if self.frames.capacity() == 0 {
            self.frames.reserve_exact(self.room_ahead as usize);
        }
        self.frames.push_back(frame);
        self.used = true;
        self.depth_max = self.depth_max.max(self.depth());
    }

    /// Merges the oldest two neighbours that may be merged; false if there are none.
    fn merge_oldest(&mut self, pool: &mut BlockPool) -> bool {
        let pair = (1..self.frames.len()).find(|&at| self.joint.fits(&self.frames[at - 1], &self.frames[at]));
        let Some(at) = pair else { return false };
        let second = self.frames.remove(at).expect("the position was just found");
        self.joint.join(&mut self.frames[at - 1], second, pool);
        true
    }

    /// Takes the oldest frame.
    pub fn pop(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Takes the frame at a place, 0 for the oldest.
    pub(crate) fn take(&mut self, at: usize) -> Option<Frame> {
        if at == 0 { self.frames.pop_front() } else { self.frames.remove(at) }
    }

    /// Looks at the oldest frame.
    pub fn front(&self) -> Option<&Frame> {
        self.frames.front()
    }

    /// Puts a frame back in front, for systems that took it too early.
    pub fn push_front(&mut self, frame: Frame) {
        self.frames.push_front(frame);
    }

    /// Removes every frame that `doomed` picks and hands it to `out`; the rest keeps its order.
    pub fn purge(&mut self, mut doomed: impl FnMut(&Frame) -> bool, mut out: impl FnMut(Frame)) {
        if !self.frames.iter().any(&mut doomed) {
            return;
        }
        for _ in 0..self.frames.len() {
            let frame = self.frames.pop_front().expect("counted");
            if doomed(&frame) {
                out(frame);
            } else {
                self.frames.push_back(frame);
            }
        }
    }

    /// The frames, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }
}

/// One place where a lane's output goes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Output port of the sending node.
    pub port: u8,
    /// The node that receives.
    pub node: NodeId,
    /// Its queue entity for this session.
    pub queue: Entity,
}

/// The wiring of one queue entity: its session, and where its node sends to.
#[derive(Component, Debug)]
pub struct Lane {
    /// The session.
    pub session: SessionId,
    /// The session's entity.
    pub owner: Entity,
    /// Format of the audio that arrives, if any does.
    pub input: Option<Format>,
    /// Format of the audio that leaves, if any does.
    pub output: Option<Format>,
    /// Edges that end here; as many `StreamEnd` marks become one.
    pub sources: u8,
    /// `StreamEnd` marks seen so far.
    pub ends: u8,
    /// Most frames that one step sends.
    pub max_out: u32,
    /// Some target blocks its senders when it is full.
    pub(crate) backpressured: bool,
    /// Frames sent in one step that found no room at a queue that blocks: they go first, and the node is not stepped
    /// before they have gone. At most what one step sends, or what a service hands out at once.
    pub(crate) stalled: VecDeque<(Target, Frame)>,
    /// The frame that was warned of last, so that each is warned of once.
    pub(crate) warned: Option<(u32, u32, u32)>,
    /// The answer, by segment and revision, that was sent last.
    pub(crate) answered: (u32, u32),
    pub(crate) targets: [Option<Target>; TARGETS_MAX],
}

impl Lane {
    /// True if a sent frame still waits outside a full queue.
    pub fn has_stalled(&self) -> bool {
        !self.stalled.is_empty()
    }

    /// The targets of output `port`.
    pub fn targets(&self, port: u8) -> impl Iterator<Item = Target> {
        self.targets.iter().flatten().filter(move |t| t.port == port).copied()
    }

    /// Counts one `StreamEnd`; true when it was the last of all edges that end here.
    pub fn stream_ended(&mut self) -> bool {
        self.ends += 1;
        self.ends >= self.sources
    }
}

#[cfg(test)]
mod tests;
