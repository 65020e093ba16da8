//! What a node has at hand while it works: time, pool, log, books, and the way to the next queues.

use std::sync::Arc;

use bevy_ecs::component::{ComponentId, Mutable};
use bevy_ecs::prelude::*;
use bevy_ecs::system::{QueryParamBuilder, SystemParam, SystemParamBuilder};

use crate::block::BlockPool;
use crate::correction::Corrections;
use crate::event::{DropReason, Event, EventLog};
use crate::frame::Frame;
use crate::ids::NodeId;
use crate::ledger::Ledger;
use crate::queue::{Lane, Pushed, Queue};
use crate::service::{Inbox, Outbox, Request};
use crate::session::SessionTable;

/// The time of this tick and what holds for the whole engine in it.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct Now {
    /// Counts the ticks from 1.
    pub tick: u64,
    /// Engine time in microseconds.
    pub us: u64,
    /// Engine time of the tick before.
    pub last_us: u64,
    /// Sessions open in the whole engine when the tick began; the same in every shard.
    pub sessions_open: u32,
}

/// Receives the time between two systems. Lent by the host, write-only: no decision ever reads it.
pub trait Stopwatch: Send + Sync {
    /// The work since the last call belongs to `stage` (a node's index, or one of the stages after the last node).
    fn lap(&mut self, stage: usize);
    /// Nothing before this call counts: a shard's half tick begins.
    fn start(&mut self);
    /// Nanoseconds so far, by stage.
    fn totals_ns(&self) -> &[u64];
}

/// The host's stopwatch of one shard, if it lent one.
#[derive(Resource, Default)]
pub struct Laps(pub(crate) Option<Box<dyn Stopwatch>>);

impl Laps {
    pub(crate) fn lap(&mut self, stage: usize) {
        if let Some(watch) = &mut self.0 {
            watch.lap(stage);
        }
    }

    pub(crate) fn start(&mut self) {
        if let Some(watch) = &mut self.0 {
            watch.start();
        }
    }
}

/// Everything of a shard that a node's system may use.
#[derive(SystemParam)]
pub struct Desk<'w> {
    /// Time of the tick.
    pub now: Res<'w, Now>,
    /// Sample memory.
    pub pool: ResMut<'w, BlockPool>,
    /// Event log.
    pub log: ResMut<'w, EventLog>,
    /// Frame accounting.
    pub ledger: ResMut<'w, Ledger>,
    /// What was taken back in this tick.
    pub corrections: ResMut<'w, Corrections>,
    /// Requests to services.
    pub outbox: ResMut<'w, Outbox>,
    /// Answers of services.
    pub inbox: ResMut<'w, Inbox>,
    /// Sessions by id.
    pub sessions: Res<'w, SessionTable>,
    pub(crate) laps: ResMut<'w, Laps>,
}

impl<S: Component<Mutability = Mutable>> Lanes<'static, 'static, S> {
    /// The lanes marked with `id`, and all other queues.
    pub(crate) fn of(id: ComponentId) -> impl SystemParamBuilder<Self> {
        LanesBuilder {
            ins: QueryParamBuilder::new(move |b| {
                b.with_id(id);
            }),
            outs: QueryParamBuilder::new(move |b| {
                b.without_id(id);
            }),
        }
    }
}

impl Desk<'_> {
    /// The work since the last call was this node's; every system of a node ends with it.
    pub fn lap(&mut self, node: NodeId) {
        self.laps.lap(node.index());
    }
}

/// The lanes of one node: its own queues and state, and everybody else's queues to send to.
#[derive(SystemParam)]
#[system_param(builder)]
pub struct Lanes<'w, 's, S: Component<Mutability = Mutable>> {
    /// One row per session.
    pub ins: Query<'w, 's, (&'static mut Lane, &'static mut Queue, &'static mut S)>,
    /// The queues of all other nodes.
    pub outs: Query<'w, 's, &'static mut Queue>,
}

/// What [`Cx`] needs of the other queues.
pub(crate) trait Queues {
    fn queue(&mut self, entity: Entity) -> Option<Mut<'_, Queue>>;
}

impl Queues for Query<'_, '_, &'static mut Queue> {
    fn queue(&mut self, entity: Entity) -> Option<Mut<'_, Queue>> {
        self.get_mut(entity).ok()
    }
}

/// One lane's view while its node handles a frame.
pub struct Cx<'a> {
    /// Time of the tick.
    pub now: Now,
    /// The node.
    pub node: NodeId,
    /// The lane.
    pub lane: &'a Lane,
    /// Sample memory.
    pub pool: &'a mut BlockPool,
    /// What was taken back in this tick, for nodes that decide.
    pub corrections: &'a mut Corrections,
    pub(crate) sessions: &'a SessionTable,
    log: &'a mut EventLog,
    ledger: &'a mut Ledger,
    outbox: &'a mut Outbox,
    queues: &'a mut dyn Queues,
}

impl<'a> Cx<'a> {
    /// A view for `lane`; `outs` are the queues of the other nodes.
    pub fn new<'w, 's>(
        node: NodeId,
        lane: &'a Lane,
        desk: &'a mut Desk<'_>,
        outs: &'a mut Query<'w, 's, &'static mut Queue>,
    ) -> Cx<'a> {
        Cx {
            now: *desk.now,
            node,
            lane,
            pool: &mut desk.pool,
            corrections: &mut desk.corrections,
            sessions: &desk.sessions,
            log: &mut desk.log,
            ledger: &mut desk.ledger,
            outbox: &mut desk.outbox,
            queues: outs,
        }
    }

    /// The session's name.
    pub fn session_name(&self) -> Arc<str> {
        self.sessions.get(self.lane.session).map_or_else(|| "".into(), |row| Arc::clone(&row.name))
    }

    /// Which opening of the session id this is.
    pub fn opening(&self) -> u32 {
        self.sessions.get(self.lane.session).map_or(0, |row| row.opening)
    }

    /// Sends `frame` to everything wired to output `port`; the last target gets the frame itself, the others share
    /// its samples.
    pub fn send(&mut self, port: u8, mut frame: Frame) {
        frame.queued_us = self.now.us;
        if Ledger::counts(&frame) {
            let ledger = self.ledger.node(self.node);
            ledger.created[usize::from(port)] += 1;
            ledger.samples_out += frame.samples() as u64;
        }
        let lane = self.lane;
        let mut targets = lane.targets(port).peekable();
        while let Some(target) = targets.next() {
            if targets.peek().is_some() {
                let shared = frame.share();
                self.put(target.node, target.queue, shared);
            } else {
                self.put(target.node, target.queue, frame);
                return;
            }
        }
        self.discard(frame);
    }

    fn put(&mut self, node: NodeId, entity: Entity, frame: Frame) {
        let counts = Ledger::counts(&frame);
        let samples = frame.samples();
        if let Some(mut queue) = self.queues.queue(entity) {
            let pushed = queue.push(frame);
            let depth = queue.len() as u32;
            let ledger = self.ledger.node(node);
            ledger.depth_max = ledger.depth_max.max(depth);
            if counts {
                self.ledger.arrived(node, samples);
            }
            if let Pushed::Dropped(frame) = pushed {
                self.dropped_at(node, frame, DropReason::Overflow);
            }
        }
    }

    /// Gives the frame's samples back to the pool; the frame has done its work.
    pub fn discard(&mut self, frame: Frame) {
        if let crate::frame::Payload::Audio(block) = frame.payload {
            self.pool.put(block);
        }
    }

    /// Withholds a frame that is not speech. It was counted as consumed when it was taken.
    pub fn gate(&mut self, frame: Frame) {
        let ledger = self.ledger.node(self.node);
        ledger.gated += 1;
        ledger.consumed -= 1;
        self.discard(frame);
    }

    /// Ends a frame before its time, counted and logged with the reason. It was counted as consumed when taken.
    pub fn drop_frame(&mut self, frame: Frame, reason: DropReason) {
        if Ledger::counts(&frame) {
            self.ledger.node(self.node).consumed -= 1;
        }
        self.dropped_at(self.node, frame, reason);
    }

    fn dropped_at(&mut self, node: NodeId, frame: Frame, reason: DropReason) {
        if Ledger::counts(&frame) {
            self.ledger.node(node).dropped[reason as usize] += 1;
            let event = self.lost(node, reason, frame.samples() as u64, frame.segment.serial, frame.revision);
            self.log.push(self.now.us, frame.session, frame.turn, event);
        }
        self.discard(frame);
    }

    /// What the log says of frames that ended before their time: at the session's output it is output that is lost.
    fn lost(&self, node: NodeId, reason: DropReason, samples: u64, segment: u32, revision: u32) -> Event {
        if self.ledger.is_output(node) {
            Event::OutputDropped { segment, revision, reason, samples }
        } else {
            Event::FrameDropped { node, reason, samples }
        }
    }

    /// Logs an event of this lane's session.
    pub fn event(&mut self, turn: u32, event: Event) {
        self.log.push(self.now.us, self.lane.session, turn, event);
    }

    /// Asks service number `service` of the scene.
    pub fn request(&mut self, service: u8, request: Request) {
        self.outbox.push(service, request);
    }

    /// Counts a frame as taken by this node.
    pub fn taken(&mut self, frame: &Frame) {
        if Ledger::counts(frame) {
            let ledger = self.ledger.node(self.node);
            ledger.consumed += 1;
            ledger.record_latency(self.now.us.saturating_sub(frame.queued_us));
        }
    }

    pub(crate) fn released(&mut self, samples: u64) {
        let ledger = self.ledger.node(self.node);
        ledger.created[0] += 1;
        ledger.samples_out += samples;
    }

    /// Turns `frames` that were counted as taken into cancelled ones: a correction voided them inside the node.
    pub fn cancelled(&mut self, frames: u64) {
        let ledger = self.ledger.node(self.node);
        ledger.consumed -= frames;
        ledger.cancelled += frames;
    }
}

/// Takes what a correction voids out of a queue: counted as cancelled (dropped when the session hangs up), logged
/// once with the samples.
pub fn purge(queue: &mut Queue, correction: &crate::correction::Correction, cx: &mut Cx<'_>) {
    use crate::correction::Void;
    let reason = match correction.void {
        Void::Segment { .. } => DropReason::Cancelled,
        Void::Revision { .. } => DropReason::Retracted,
        Void::Session => DropReason::Closed,
    };
    let (mut frames, mut samples) = (0, 0);
    queue.purge(
        |frame| correction.voids_frame(frame),
        |frame| {
            if Ledger::counts(&frame) {
                frames += 1;
                samples += frame.samples() as u64;
            }
            cx.discard(frame);
        },
    );
    if frames > 0 {
        let node = cx.node;
        let ledger = cx.ledger.node(node);
        match reason {
            DropReason::Closed => ledger.dropped[reason as usize] += frames,
            _ => ledger.cancelled += frames,
        }
        let (segment, revision) = match correction.void {
            Void::Segment { segment } => (segment, 0),
            Void::Revision { segment, revision } => (segment, revision),
            Void::Session => (0, 0),
        };
        let event = cx.lost(node, reason, samples, segment, revision);
        cx.event(0, event);
    }
}
