//! Slow models behind the tick: what they are asked, what they answer, and the hub where all sessions meet.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::block::Block;
use crate::ids::{NodeId, SegmentKey, SessionId};
use crate::scene::Timing;

/// Which call: one piece of work for one revision of one segment at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKey {
    /// Whose.
    pub session: SessionId,
    /// Which opening of that id, so that an answer never reaches a later session.
    pub opening: u32,
    /// The node that asks.
    pub node: NodeId,
    /// The segment it is about.
    pub segment: SegmentKey,
    /// The endpoint revision it is about.
    pub revision: u32,
    /// The turn.
    pub turn: u32,
}

/// The work of one call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which call.
    pub key: CallKey,
    /// The session's name.
    pub name: Arc<str>,
    /// Text to work on, joined; empty for a recogniser.
    pub text: Arc<str>,
    /// Media time of the first sample heard.
    pub from_us: u64,
    /// Media time after the last sample heard.
    pub to_us: u64,
}

/// What a node asks of its service. The order within a session is kept.
#[derive(Debug)]
pub enum Request {
    /// Audio of a segment as it arrives, for services that [want](Service::wants_audio) it.
    Push(CallKey, Block),
    /// The input is complete as far as this revision goes: work.
    End(Call),
    /// The speaker went on: stop the call, keep the audio.
    Retract(CallKey),
    /// Stop the call and forget its segment.
    Cancel(CallKey),
}

impl Request {
    /// Which call it concerns.
    pub fn key(&self) -> CallKey {
        match self {
            Self::Push(key, _) | Self::Retract(key) | Self::Cancel(key) => *key,
            Self::End(call) => call.key,
        }
    }
}

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// Part of an answer.
#[derive(Debug)]
pub enum ReplyPart {
    /// A piece of text.
    Text(Arc<str>),
    /// Audio in the format the node declares, at most 20 ms.
    Audio(Block),
    /// Complete; the call cost this much of the service's time.
    Done { busy_us: u64 },
    /// It failed, with the reason.
    Failed(Arc<str>),
    /// It was stopped after this much of the service's time.
    Stopped { wasted_us: u64 },
}

/// What a service gives back.
#[derive(Debug)]
pub struct Reply {
    /// To which call.
    pub key: CallKey,
    /// What.
    pub part: ReplyPart,
}

/// A slow model outside the tick.
///
/// Called from the serial hub step only, in (due time, session) order. After `retract` or `cancel` it answers that
/// call with nothing but [`ReplyPart::Stopped`].
pub trait Service: Send + Sync {
    /// Whether `push` is wanted; if not, audio stays where it is and only its range is told.
    fn wants_audio(&self) -> bool {
        false
    }
    /// Audio of a segment as it arrives.
    fn push(&mut self, key: CallKey, block: Block) {
        drop((key, block));
    }
    /// Starts a call.
    fn end(&mut self, call: Call, now_us: u64);
    /// Stops a call whose revision was taken back; the segment's audio stays.
    fn retract(&mut self, key: CallKey, now_us: u64);
    /// Stops a call and forgets its segment.
    fn cancel(&mut self, key: CallKey, now_us: u64) {
        self.retract(key, now_us);
    }
    /// Hands out what is ready by `now_us`.
    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>);
    /// Engine time at which something will be ready, if known: the driver wakes then.
    fn next_due_us(&self) -> Option<u64>;
}

/// Whose time a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimeMode {
    /// The scene's model says when an answer is ready; the driver waits for real work before passing that time.
    #[default]
    Virtual,
    /// Real services take the time they take; simulated ones keep their model.
    Wall,
}

/// What a service is made with.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSite<'a> {
    /// Its name in the scene.
    pub name: &'a str,
    /// Its modelled timing.
    pub timing: &'a Timing,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Whose time it takes.
    pub time: TimeMode,
}

/// A configured kind of service, from the scene.
pub trait ServiceKind: Send + Sync {
    /// Makes the service.
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service>;
    /// Whether anything about it (timing or output) is simulated, for reports.
    fn modelled(&self) -> bool;
    /// The name of the kind.
    fn kind(&self) -> &'static str;
}

/// Requests of one shard in this tick.
#[derive(Resource, Debug, Default)]
pub struct Outbox {
    pub(crate) requests: Vec<(u8, Request)>,
}

impl Outbox {
    /// Asks service number `service` of the scene.
    pub fn push(&mut self, service: u8, request: Request) {
        self.requests.push((service, request));
    }
}

/// Replies for one shard in this tick.
#[derive(Resource, Debug, Default)]
pub struct Inbox {
    pub(crate) replies: Vec<Option<Reply>>,
}

impl Inbox {
    /// Takes the replies for one node, in the order the services gave them.
    pub fn take(&mut self, node: NodeId) -> impl Iterator<Item = Reply> {
        self.replies.iter_mut().filter_map(move |slot| slot.take_if(|r| r.key.node == node))
    }

    /// Whether anything arrived at all.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }
}

/// Figures of one service.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceFigures {
    /// Calls started.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls stopped by a correction.
    pub cancelled: u64,
    /// Time of the service spent on calls that were used, in microseconds.
    pub busy_us: u64,
    /// Time of the service spent on what was taken back, in microseconds.
    pub wasted_us: u64,
}

/// All services of a scene, and the serial step between the two halves of a tick.
#[derive(Resource)]
pub struct Hub {
    services: Vec<(Arc<str>, Box<dyn Service>, ServiceFigures)>,
    requests: Vec<(u32, u8, Request)>,
    replies: Vec<Reply>,
}

impl Hub {
    pub(crate) fn new(services: Vec<(Arc<str>, Box<dyn Service>)>) -> Self {
        let services = services.into_iter().map(|(name, s)| (name, s, ServiceFigures::default())).collect();
        Self { services, requests: Vec::new(), replies: Vec::new() }
    }

    /// Name and figures of every service, in scene order.
    pub fn figures(&self) -> impl Iterator<Item = (&str, ServiceFigures)> {
        self.services.iter().map(|(name, _, figures)| (&**name, *figures))
    }

    /// Whether service number `service` wants audio pushed.
    pub fn wants_audio(&self) -> Vec<bool> {
        self.services.iter().map(|(_, s, _)| s.wants_audio()).collect()
    }

    /// The earliest time at which a service will have something.
    pub fn next_due_us(&self) -> Option<u64> {
        self.services.iter().filter_map(|(_, s, _)| s.next_due_us()).min()
    }

    /// Collects what is ready; `deliver` gets the replies in service order.
    pub(crate) fn poll(&mut self, now_us: u64, mut deliver: impl FnMut(Reply)) {
        for (_, service, figures) in &mut self.services {
            service.poll(now_us, &mut self.replies);
            for reply in self.replies.drain(..) {
                match reply.part {
                    ReplyPart::Done { busy_us } => figures.busy_us += busy_us,
                    ReplyPart::Failed(_) => figures.failed += 1,
                    ReplyPart::Stopped { wasted_us } => {
                        figures.cancelled += 1;
                        figures.wasted_us += wasted_us;
                    }
                    ReplyPart::Text(_) | ReplyPart::Audio(_) => {}
                }
                deliver(reply);
            }
        }
    }

    /// Takes one shard's requests.
    pub(crate) fn gather(&mut self, outbox: &mut Outbox) {
        for (service, request) in outbox.requests.drain(..) {
            self.requests.push((self.requests.len() as u32, service, request));
        }
    }

    /// Hands everything gathered to the services, by session; within a session the order is kept.
    pub(crate) fn submit(&mut self, now_us: u64) {
        // With the position in the key an unstable sort keeps the order, and it needs no memory.
        self.requests.sort_unstable_by_key(|(order, _, request)| (request.key().session, *order));
        for (_, service, request) in self.requests.drain(..) {
            let (_, service, figures) = &mut self.services[usize::from(service)];
            match request {
                Request::Push(key, block) => service.push(key, block),
                Request::End(call) => {
                    figures.calls += 1;
                    service.end(call, now_us);
                }
                Request::Retract(key) => service.retract(key, now_us),
                Request::Cancel(key) => service.cancel(key, now_us),
            }
        }
    }
}
