//! The bounded input of one node for one session, and where that node's outputs go.

use std::collections::VecDeque;

use bevy_ecs::prelude::*;

use crate::frame::Frame;
use crate::ids::{NodeId, SessionId};
use crate::scene::{Format, OverflowPolicy};

/// Most targets of one lane: 4 outputs a node.
pub const TARGETS_MAX: usize = 4;

/// A bounded first-in first-out queue of frames. Storage beyond what was reserved grows on demand and is kept.
#[derive(Component, Debug)]
pub struct Queue {
    frames: VecDeque<Frame>,
    bound: u32,
    overflow: OverflowPolicy,
    /// Greatest depth seen.
    pub depth_max: u32,
}

/// What a full queue did with a frame.
#[derive(Debug)]
pub enum Pushed {
    /// It stands in the queue.
    Queued,
    /// There was no room; this one (the oldest or the newest, by policy) is out.
    Dropped(Frame),
}

impl Queue {
    /// An empty queue of at most `bound` frames.
    pub fn new(bound: u32, overflow: OverflowPolicy) -> Self {
        Self { frames: VecDeque::new(), bound: bound.max(1), overflow, depth_max: 0 }
    }

    /// Makes room for `frames` (at most the bound) at once, so that a tick need not when they come.
    pub fn reserve(&mut self, frames: u32) {
        self.frames.reserve_exact(frames.min(self.bound) as usize);
    }

    /// Frames waiting.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What happens when it is full.
    pub fn overflow(&self) -> OverflowPolicy {
        self.overflow
    }

    /// Free places.
    pub fn room(&self) -> usize {
        (self.bound as usize).saturating_sub(self.frames.len())
    }

    /// Appends `frame`; when full, the policy decides which frame goes. Marks always fit: a lost boundary would
    /// leave a segment or an answer open for ever, and there are at most a few of them per segment.
    pub fn push(&mut self, frame: Frame) -> Pushed {
        let is_mark = matches!(frame.payload, crate::frame::Payload::Mark(_));
        if self.room() == 0 && !is_mark {
            if self.overflow == OverflowPolicy::DropOldest
                && let Some(at) =
                    self.frames.iter().position(|f| !matches!(f.payload, crate::frame::Payload::Mark(_)))
            {
                let oldest = self.frames.remove(at).expect("the position was just found");
                self.frames.push_back(frame);
                return Pushed::Dropped(oldest);
            }
            return Pushed::Dropped(frame);
        }
        self.frames.push_back(frame);
        self.depth_max = self.depth_max.max(self.frames.len() as u32);
        Pushed::Queued
    }

    /// Takes the oldest frame.
    pub fn pop(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Looks at the oldest frame.
    pub fn front(&self) -> Option<&Frame> {
        self.frames.front()
    }

    /// Puts a frame back in front; used by systems that looked and found it too early.
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

/// The wiring of one queue entity: whose it is and where its node sends to.
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
    /// Edges that end here: that many `StreamEnd` marks make one.
    pub sources: u8,
    /// `StreamEnd` marks seen so far.
    pub ends: u8,
    pub(crate) targets: [Option<Target>; TARGETS_MAX],
}

impl Lane {
    /// Where output `port` goes.
    pub fn targets(&self, port: u8) -> impl Iterator<Item = Target> {
        self.targets.iter().flatten().filter(move |t| t.port == port).copied()
    }

    /// Counts one `StreamEnd`; true when it was the last of all edges that end here.
    pub fn stream_ended(&mut self) -> bool {
        self.ends += 1;
        self.ends >= self.sources
    }
}
