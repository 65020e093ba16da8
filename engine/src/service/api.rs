//! Slow models behind the tick: the requests they get and the replies they give.

use std::any::Any;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SegmentKey, SessionId};
use crate::edge::params::Params;
use crate::media::block::Block;
use crate::media::sound::Sound;
use crate::media::spoken::SpokenTime;
use crate::scene::Timing;
use crate::speech::heard::Heard;
use crate::speech::history::History;

/// Names one call: a piece of work for one revision of one segment at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// The session.
    pub session: SessionId,
    /// Which session of that id, so that an answer never reaches a later one.
    pub generation: u32,
    /// The node that asks.
    pub node: NodeId,
    /// The segment that the call is about.
    pub segment: SegmentKey,
    /// The endpoint revision that the call is about.
    pub revision: u32,
    /// The turn.
    pub turn: u32,
    /// Counts the calls of one revision at one node from 0.
    pub part: u32,
}

/// The work of one call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The name of the call.
    pub key: CallKey,
    /// The session's name.
    pub name: Arc<str>,
    /// Text to work on, joined; empty for a recogniser.
    pub text: Arc<str>,
    /// Audio to work on, heard from `from_us` to `to_us`: for services that [want](Service::wants_audio) audio, and
    /// nodes that send it with the call.
    pub audio: Option<Sound>,
    /// Media time of the first sample heard.
    pub from_us: u64,
    /// Media time after the last sample heard.
    pub to_us: u64,
    /// Engine time at which the node asked: from then on the call may wait for its service.
    pub queued_us: u64,
    /// Soft deadline in engine time; 0 = none.
    pub deadline_us: u64,
    /// Lower quality will do, if it is faster.
    pub reduced: bool,
    /// Sentences in the text, if they were counted; 1 for anything else.
    pub sentences: u32,
    /// What the session's host says of the caller.
    pub params: Arc<Params>,
    /// The conversation up to what the call is about, for nodes that [reply](crate::node::NodeKind::replies); empty for
    /// all others.
    pub history: Arc<History>,
}

/// A request of a node to its service. The order within a session is kept.
#[derive(Debug)]
pub enum Request {
    /// Audio of a segment as it arrives, for services that [want](Service::wants_audio) it.
    Push(CallKey, Block),
    /// The segment of the first call was split, and that of the second goes on with it.
    GoesOn(CallKey, CallKey),
    /// The input of this revision is complete: work.
    End(Call),
    /// The speaker went on: stop the call, keep the audio.
    Retract(CallKey),
    /// Stop the call and forget its segment.
    Cancel(CallKey),
    /// Hand out nothing of this call (`true`), or go on: calls before it are not done, or its consumers are full.
    Hold(CallKey, bool),
}

impl Request {
    /// The call that the request concerns.
    pub fn key(&self) -> CallKey {
        match self {
            Self::Push(key, _)
            | Self::GoesOn(_, key)
            | Self::Retract(key)
            | Self::Cancel(key)
            | Self::Hold(key, _) => *key,
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
    /// When words and phones of the call's text sound; comes before the audio in which they do.
    Times(Arc<[SpokenTime]>),
    /// The service asks the session's host to do something; [`Service::tool_result`] brings what came of it.
    ToolCall { call_id: Arc<str>, name: Arc<str>, arguments: Arc<str> },
    /// The call is complete; it cost this much of the service's time.
    Done { busy_us: u64 },
    /// The call failed, with the reason.
    Failed(Arc<str>),
    /// The call was stopped after this much of the service's time.
    Stopped { wasted_us: u64 },
    /// Before it was submitted, the call was merged with the one before it of the same origin, which answers both.
    Merged,
    /// The call was dropped: there was no room where calls wait.
    Dropped,
}

impl ReplyPart {
    /// Whether more of the call's answer may follow.
    pub fn goes_on(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Audio(_) | Self::Times(_) | Self::ToolCall { .. })
    }
}

/// A reply of a service.
#[derive(Debug)]
pub struct Reply {
    /// The call that is answered.
    pub key: CallKey,
    /// One part of the answer, or its end.
    pub part: ReplyPart,
}

/// A slow model outside the tick.
///
/// Called only from the serial hub step, in (due time, session) order. After `retract` or `cancel` the service
/// answers that call with nothing but [`ReplyPart::Stopped`].
pub trait Service: Any + Send + Sync {
    /// Whether the service wants audio: pushed as it arrives, or in the calls of a node that asks in pieces. If not,
    /// calls only give its range.
    fn wants_audio(&self) -> bool {
        false
    }
    /// Audio of a segment as it arrives.
    fn push(&mut self, key: CallKey, block: Block) {
        drop((key, block));
    }
    /// The segment of `before` was split: the audio heard of it belongs to the segment of `key`, which goes on
    /// without a gap and will be asked about. Comes before the first audio of `key`, where audio is wanted.
    fn goes_on(&mut self, before: CallKey, key: CallKey) {
        let _unused = (before, key);
    }
    /// Starts a batch of calls; empties `batch`. More than one only for nodes behind the hub.
    fn submit(&mut self, batch: &mut Vec<Call>, now_us: u64);
    /// Batches that the service can start at once; the hub submits no more.
    fn room(&self) -> usize {
        usize::MAX
    }
    /// Holds back the output of a call until further notice; the work itself goes on. May come before the call.
    fn hold(&mut self, key: CallKey, held: bool);
    /// Stops a call whose revision was retracted; the segment's audio stays.
    fn retract(&mut self, key: CallKey, now_us: u64);
    /// Stops a call and forgets its segment.
    fn cancel(&mut self, key: CallKey, now_us: u64) {
        self.retract(key, now_us);
    }
    /// The host's answer to a [`ReplyPart::ToolCall`], for every service of the scene: which one asked, the name says.
    fn tool_result(&mut self, session: SessionId, call_id: &str, result: &str, now_us: u64) {
        let _unused = (session, call_id, result, now_us);
    }
    /// Hands out what is ready by `now_us`.
    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>);
    /// Engine time in microseconds at which a reply will be ready, if known: the driver wakes then. A time that is
    /// past, or 0, means at once.
    fn next_due_us(&self) -> Option<u64>;
}

/// The time that a service runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// The scene's model says when an answer is ready; the driver waits for real work before passing that time.
    Virtual,
    /// Real services take the time they take; simulated ones keep their model.
    Wall,
}

/// The surroundings of a new service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSite<'a> {
    /// Its name in the scene.
    pub name: &'a str,
    /// Its modelled timing.
    pub timing: &'a Timing,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The time that it runs in.
    pub time: TimeMode,
}

/// A configured kind of service, from the scene.
pub trait ServiceKind: Send + Sync {
    /// Makes the service.
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service>;
    /// Whether its timing or its output is simulated, for reports.
    fn modelled(&self) -> bool;
    /// The name of the kind.
    fn kind(&self) -> &'static str;
}

/// Requests of one shard in this tick.
#[derive(Resource, Debug, Default)]
pub struct Outbox {
    pub(crate) requests: Vec<(u8, Request)>,
    pub(crate) hints: Vec<SizeHint>,
    /// What hosts answer to calls of services: session, the call's name, the result.
    pub(crate) results: Vec<(SessionId, Arc<str>, Arc<str>)>,
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
