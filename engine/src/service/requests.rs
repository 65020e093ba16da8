//! What nodes and hosts ask of services in a tick, and what comes back.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SegmentKey, SessionId};
use crate::media::block::Block;
use crate::service::call::{Call, CallKey, SegmentRef, SessionKey, SessionRef};
use crate::service::reply::Reply;
use crate::speech::heard::Heard;

/// A request of a node to its service. The order within a session is kept.
#[derive(Debug)]
pub enum Request {
    /// Audio of a segment as it arrives, for services that [want](super::Service::wants_audio) it.
    Hear(SegmentRef, Block),
    /// The first segment was split, and the second goes on with it.
    GoesOn(SegmentRef, SegmentRef),
    /// The input of this revision is complete: work.
    Start(Call),
    /// Take nothing of this call (`true`), or go on: calls before it are not done, or its consumers are full.
    Hold(CallKey, bool),
}

impl Request {
    /// The session that the request concerns.
    pub fn session(&self) -> SessionId {
        match self {
            Self::Hear(segment, _) | Self::GoesOn(_, segment) => segment.of.session,
            Self::Hold(key, _) => key.session,
            Self::Start(call) => call.key.session,
        }
    }
}

/// What a host says to the services of its session.
#[derive(Clone, Debug)]
pub(crate) enum FromHost {
    /// The result of a tool that some service asked for.
    ToolResult { call_id: Arc<str>, result: Arc<str> },
    /// Part of the host's own answer to a request.
    ReplyTo { request: u64, text: Arc<str>, last: bool },
}

/// Requests of one shard in this tick.
#[derive(Resource, Debug, Default)]
pub struct Outbox {
    pub(crate) requests: Vec<(u8, Request)>,
    pub(crate) hints: Vec<SizeHint>,
    pub(crate) from_hosts: Vec<(SessionId, FromHost)>,
    /// Sessions that begin: the service and what it is told of them.
    pub(crate) opened: Vec<(u8, SessionRef)>,
    /// Sessions that are over, at each node that calls a service.
    pub(crate) closed: Vec<(u8, SessionKey)>,
    /// Segments that were settled in the tick before; within a session in order.
    pub(crate) commits: Vec<Commit>,
}

/// A segment whose end holds and whose answer is settled: heard to its end, interrupted, withdrawn, or none to come.
/// Once for each segment that ended.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The session.
    pub session: SessionId,
    /// Which session of that id.
    pub generation: u32,
    /// The segment.
    pub segment: SegmentKey,
    /// The revision that held; 0 = the segment was to get no answer.
    pub revision: u32,
    /// What was heard of the answer.
    pub heard: Heard,
}

/// The batch size that the host of a session suggests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeHint {
    pub(crate) session: SessionId,
    /// Which session of that id.
    pub(crate) generation: u32,
    pub(crate) size: u32,
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
