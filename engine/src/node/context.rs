//! What a node uses while it works: time, pool, log, counts, and the next queues.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SegmentKey};
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::edge::params::Params;
use crate::media::block::BlockPool;
use crate::media::frame::Frame;
use crate::media::queue::{Lane, Queue, Target};
use crate::node::enqueue::Enqueue;
use crate::node::params::NodeParams;
use crate::node::session_parts::Sessions;
use crate::record::counts::Counts;
use crate::record::event::{DropReason, Event, EventLog};
use crate::service::batch::DeadlineRule;
use crate::service::requests::{Outbox, Request};
use crate::session::components::Session;
use crate::speech::cancellation::{CancelScope, Cancellation};
use crate::speech::history::History;
use crate::speech::playout::Playout;

/// What [`NodeContext`] needs of the other queues.
pub(crate) trait Queues {
    fn queue(&mut self, entity: Entity) -> Option<Mut<'_, Queue>>;
}

impl Queues for Query<'_, '_, &'static mut Queue> {
    fn queue(&mut self, entity: Entity) -> Option<Mut<'_, Queue>> {
        self.get_mut(entity).ok()
    }
}

/// What a node may look at when it is asked whether it is ready.
#[derive(Clone, Copy)]
pub struct ReadyContext<'a> {
    /// Time of the tick.
    pub now: Now,
    /// The lane.
    pub lane: &'a Lane,
    sessions: Option<&'a dyn Sessions>,
}

impl ReadyContext<'_> {
    /// What this session's listener hears of its answers.
    pub fn playout(&self) -> Playout {
        let playout = self.sessions.and_then(|sessions| sessions.playout(self.lane.owner));
        playout.copied().unwrap_or_default()
    }
}

/// One lane's view while its node handles a frame.
pub struct NodeContext<'a> {
    /// Time of the tick.
    pub now: Now,
    /// The node.
    pub node: NodeId,
    /// The lane.
    pub lane: &'a mut Lane,
    /// Sample memory.
    pub pool: &'a mut BlockPool,
    pub(crate) log: &'a mut EventLog,
    pub(crate) counts: &'a mut Counts,
    pub(crate) queues: &'a mut dyn Queues,
    /// `None` at the output, which does not read sessions through its context.
    pub(crate) sessions: Option<&'a dyn Sessions>,
    /// None for nodes that call no service.
    pub(crate) outbox: Option<&'a mut Outbox>,
}

impl<'a> NodeContext<'a> {
    /// A view for `lane`; `outs` are the queues of the other nodes.
    pub fn new<'w, 's>(
        node: NodeId,
        lane: &'a mut Lane,
        params: &'a mut NodeParams<'_, '_>,
        outs: &'a mut Query<'w, 's, &'static mut Queue>,
    ) -> NodeContext<'a> {
        NodeContext {
            now: *params.now,
            node,
            lane,
            pool: &mut params.pool,
            log: &mut params.log,
            counts: &mut params.counts,
            queues: outs,
            sessions: Some(&params.sessions),
            outbox: None,
        }
    }

    /// Adds the outbox, for a node that calls a service.
    pub(crate) fn calling(mut self, outbox: Option<&'a mut Outbox>) -> Self {
        self.outbox = outbox;
        self
    }

    fn session(&self) -> Option<&Session> {
        self.sessions?.session(self.lane.owner)
    }

    /// The session's name.
    pub fn session_name(&self) -> Arc<str> {
        self.session().map_or_else(|| "".into(), |session| Arc::clone(&session.name))
    }

    /// What the services should know of the caller.
    pub fn session_params(&self) -> Arc<Params> {
        let params = self.sessions.and_then(|sessions| sessions.params(self.lane.owner));
        params.map_or_else(Arc::default, Arc::clone)
    }

    /// What this session's listener hears of its answers, with what still waits in the ring of an audio callback.
    pub fn playout(&self) -> Playout {
        let playout = self.sessions.and_then(|sessions| sessions.playout_at(self.lane.owner, self.now.us));
        playout.unwrap_or_default()
    }

    /// What the session remembers of its conversation, for a call about `segment`: what was said in that is not in it.
    pub fn history(&self, segment: SegmentKey) -> Arc<History> {
        let history = self.sessions.and_then(|sessions| sessions.history(self.lane.owner, segment));
        history.unwrap_or_else(History::empty)
    }

    /// Whether what is being spoken is told to the session's host, or remembered: then a voice sends captions.
    pub fn wants_captions(&self) -> bool {
        self.log.remembers() || self.sessions.is_some_and(|sessions| sessions.wants_events(self.lane.owner))
    }

    /// Which session of its id this is, counted from 1.
    pub fn generation(&self) -> u32 {
        self.session().map_or(0, |session| session.generation)
    }

    /// The part of this context that a node may read when it is asked whether it is ready.
    pub(crate) fn look(&self) -> ReadyContext<'_> {
        ReadyContext { now: self.now, lane: self.lane, sessions: self.sessions }
    }

    /// The time left of a frame with less than the margin left, and whether the frame is seen for the first time:
    /// then it is counted and logged.
    pub(crate) fn near(&mut self, frame: &Frame, rule: DeadlineRule) -> Option<(u64, bool)> {
        let left_us = frame.deadline_us.saturating_sub(self.now.us);
        if frame.deadline_us == 0 || left_us >= rule.margin_us {
            return None;
        }
        let warned = Some((frame.segment.serial, frame.revision, frame.seq));
        let first = self.lane.warned != warned;
        if first {
            self.lane.warned = warned;
            self.counts.node(self.node).deadlines_near += 1;
            self.event(frame.turn, Event::DeadlineNear { node: self.node, left_us });
        }
        Some((left_us, first))
    }

    /// Sends `frame` to everything wired to output `port`; the last target gets the frame itself, the others share
    /// its samples. What finds no room at a queue that blocks is stalled until there is some.
    pub fn send(&mut self, port: u8, mut frame: Frame) {
        frame.queued_us = self.now.us;
        if self.now.is_broken(Mutation::SwallowFrame) && frame.seq % 16 == 15 && frame.is_content() {
            return self.discard(frame);
        }
        if frame.is_content() {
            self.first_out(&frame);
            let counts = self.counts.node(self.node);
            counts.created[usize::from(port)] += 1;
            counts.samples_out += frame.samples() as u64;
        }
        let targets = self.lane.targets;
        let mut targets = targets.iter().flatten().filter(|t| t.port == port).peekable();
        while let Some(target) = targets.next() {
            if targets.peek().is_some() {
                let shared = self.share(&frame);
                self.put(*target, shared);
            } else {
                self.put(*target, frame);
                return;
            }
        }
        self.discard(frame);
    }

    /// A second owner of a frame's content.
    pub fn share(&mut self, frame: &Frame) -> Frame {
        frame.fork(self.pool)
    }

    /// Logs the first part of an answer that leaves this node, so that a late answer can be traced to nodes.
    fn first_out(&mut self, frame: &Frame) {
        let answer = (frame.segment.serial, frame.revision);
        if frame.revision > 0 && self.lane.answered != answer {
            self.lane.answered = answer;
            let (segment, revision) = answer;
            self.event(frame.turn, Event::FirstOut { node: self.node, segment, revision });
        }
    }

    fn put(&mut self, target: Target, frame: Frame) {
        let node = target.node;
        let content = frame.is_content();
        let samples = frame.samples();
        if self.now.is_broken(Mutation::LoseOnEdge) && content && frame.seq.is_multiple_of(16) {
            return self.discard(frame);
        }
        let Some(mut queue) = self.queues.queue(target.queue) else { return };
        let queue = queue.bypass_change_detection();
        let behind = self.lane.stalled.iter().any(|(other, _)| other.queue == target.queue);
        if behind || (content && queue.blocks()) {
            if content {
                self.counts.arrived(node, samples);
            }
            self.lane.stalled.push_back((target, frame));
            return;
        }
        if self.now.is_broken(Mutation::LoseFrame) && content && frame.seq.is_multiple_of(16) {
            self.counts.arrived(node, samples);
            return self.discard(frame);
        }
        let (now, pool, counts, log) = (self.now, &mut *self.pool, &mut *self.counts, &mut *self.log);
        Enqueue { now, pool, counts, log }.push(node, queue, frame);
    }

    fn enqueue(&mut self) -> Enqueue<'_> {
        Enqueue { now: self.now, pool: self.pool, counts: self.counts, log: self.log }
    }

    /// Sends the stalled frames as far as there is room by now. True when the node may be stepped: nothing is
    /// stalled, and every queue that blocks has room for all that one step sends. Nodes that are systems of their own
    /// ask before each frame they take.
    pub fn may_step(&mut self) -> bool {
        if !self.lane.backpressured {
            return true;
        }
        for _ in 0..self.lane.stalled.len() {
            let Some((target, frame)) = self.lane.stalled.pop_front() else { break };
            let Some(mut queue) = self.queues.queue(target.queue) else { continue };
            let queue = queue.bypass_change_detection();
            let content = frame.is_content();
            if content && (queue.blocks() || self.now.is_broken(Mutation::StandOutside)) {
                // A branch with room waits for this one: fan-out goes at the pace of the slowest.
                self.lane.stalled.push_front((target, frame));
                break;
            }
            drop(queue.push(frame, self.pool));
            if content {
                let depth = queue.depth();
                self.counts.record_depth(target.node, depth);
            }
        }
        if !self.lane.stalled.is_empty() {
            return false;
        }
        let max_out = self.lane.max_out as usize;
        let targets = self.lane.targets;
        targets.iter().flatten().all(|target| {
            self.queues.queue(target.queue).is_none_or(|queue| {
                queue.overflow() != crate::scene::OverflowPolicy::Block
                    || queue.room() >= max_out.min(queue.bound() as usize)
            })
        })
    }

    /// Returns the samples of a frame that has done its work to the pool.
    pub fn discard(&mut self, frame: Frame) {
        self.enqueue().discard(frame);
    }

    /// Withholds a frame that is not speech. The frame was counted as consumed when it was taken.
    pub fn gate(&mut self, frame: Frame) {
        let counts = self.counts.node(self.node);
        counts.gated += 1;
        counts.consumed -= 1;
        self.discard(frame);
    }

    /// Ends a frame before its time, counted and logged with the reason. The frame was counted as consumed when it
    /// was taken.
    pub fn drop_frame(&mut self, frame: Frame, reason: DropReason) {
        if frame.is_content() {
            self.counts.node(self.node).consumed -= 1;
        }
        let node = self.node;
        self.enqueue().lose(node, frame, reason);
    }

    /// Logs an event of this lane's session.
    pub fn event(&mut self, turn: u32, event: Event) {
        self.counts.node(self.node).count(&event);
        self.log.push(self.now.us, self.lane.session, turn, event);
    }

    /// Sends a request to service number `service` of the scene.
    pub fn request(&mut self, service: u8, request: Request) {
        match &request {
            Request::Hear(..) => self.pool.give(),
            Request::Start(call) => {
                let blocks = call.audio.iter().flat_map(|sound| &sound.blocks);
                blocks.for_each(|_| self.pool.give());
            }
            Request::GoesOn(..) | Request::Hold(..) => {}
        }
        debug_assert!(self.outbox.is_some(), "a kind that asks services says so: `StepNode::CALLS`");
        if let Some(outbox) = &mut self.outbox {
            outbox.push(service, request);
        }
    }

    /// Counts a frame as taken by this node.
    pub fn taken(&mut self, frame: &Frame) {
        if frame.is_content() {
            let skips = self.now.is_broken(Mutation::SkipRecord) && frame.seq.is_multiple_of(8);
            let counts = self.counts.node(self.node);
            counts.consumed += 1;
            counts.taken += 1;
            if !skips {
                self.counts.record_wait(self.node, self.now.us.saturating_sub(frame.queued_us));
            }
        }
    }

    /// Counts an item that came out at `deadline_us` or later (0: it had no deadline); once per item.
    pub fn came_out(&mut self, deadline_us: u64, turn: u32) {
        if deadline_us != 0 && self.now.us > deadline_us {
            self.counts.node(self.node).deadlines_missed += 1;
            let (node, late_us) = (self.node, self.now.us - deadline_us);
            self.event(turn, Event::DeadlineMissed { node, late_us });
        }
    }

    /// Records the time from a frame's entry to the first part of its service's answer.
    pub fn answered_after(&mut self, us: u64) {
        let halves = u64::from(self.now.is_broken(Mutation::HalveLatency));
        self.counts.record_latency(self.node, us >> halves);
    }

    /// Counts `frames` that were taken as merged into another.
    pub fn merged(&mut self, frames: u64) {
        let counts = self.counts.node(self.node);
        counts.consumed -= frames;
        counts.merged += frames;
    }

    /// Counts `frames` with `samples` that were taken as dropped: there was no room for their calls.
    pub fn overflowed(&mut self, frames: u64, samples: u64, turn: u32) {
        self.lost_inside(DropReason::Overflow, frames, samples, turn);
    }

    /// Counts `frames` of text that were taken as dropped: some or all of each was longer than the scene allows.
    pub fn too_long(&mut self, frames: u64, turn: u32) {
        self.lost_inside(DropReason::TooLong, frames, 0, turn);
    }

    fn lost_inside(&mut self, reason: DropReason, frames: u64, samples: u64, turn: u32) {
        let node = self.node;
        let counts = self.counts.node(node);
        counts.consumed -= frames;
        counts.dropped[reason as usize] += frames;
        self.event(turn, Event::FrameDropped { node, reason, samples });
    }

    /// Records the time from the arrival of forwarded audio to its release.
    pub(crate) fn forwarded(&mut self, us: u64) {
        let halves = u64::from(self.now.is_broken(Mutation::HalveDelay));
        self.counts.forward(us >> halves);
    }

    pub(crate) fn released(&mut self, samples: u64) {
        let counts = self.counts.node(self.node);
        counts.created[0] += 1;
        counts.samples_out += samples;
    }

    /// Counts `frames` that were taken as cancelled: a cancellation covered them inside the node.
    pub fn cancelled(&mut self, frames: u64) {
        let counts = self.counts.node(self.node);
        counts.consumed -= frames;
        counts.cancelled += frames;
    }

    /// Counts and logs what a cancellation took from `node`: out of its queue, or from outside the full queue.
    pub(super) fn count_cancelled(
        &mut self,
        node: NodeId,
        cancellation: &Cancellation,
        frames: u64,
        samples: u64,
    ) {
        if frames == 0 {
            return;
        }
        let (reason, segment, revision) = match cancellation.scope {
            CancelScope::Segment { segment } => (DropReason::Cancelled, segment, 0),
            CancelScope::Revision { segment, revision } => (DropReason::Retracted, segment, revision),
            CancelScope::Answer { segment } => (DropReason::Interrupted, segment, 0),
            CancelScope::Session => (DropReason::Closed, 0, 0),
        };
        let counts = self.counts.node(node);
        match reason {
            DropReason::Closed => counts.dropped[reason as usize] += frames,
            _ => counts.cancelled += frames,
        }
        let event = self.counts.lost(node, reason, samples, segment, revision);
        self.event(0, event);
    }
}
