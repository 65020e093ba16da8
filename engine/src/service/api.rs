//! Slow models behind the tick: what they are asked and what they answer.

use std::any::Any;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SegmentKey, SessionId};
use crate::media::block::Block;
use crate::media::sound::Sound;
use crate::scene::Timing;

/// Which call: one piece of work for one revision of one segment at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// Whose.
    pub session: SessionId,
    /// Which opening of that id, so that an answer never reaches a later session.
    pub generation: u32,
    /// The node that asks.
    pub node: NodeId,
    /// The segment it is about.
    pub segment: SegmentKey,
    /// The endpoint revision it is about.
    pub revision: u32,
    /// The turn.
    pub turn: u32,
    /// Counts the calls of one revision at one node from 0.
    pub part: u32,
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
    /// Audio to work on: what was heard from `from_us` to `to_us`, for services that [want](Service::wants_audio) it and
    /// nodes that send it with the call.
    pub audio: Option<Sound>,
    /// Media time of the first sample heard.
    pub from_us: u64,
    /// Media time after the last sample heard.
    pub to_us: u64,
    /// Engine time at which it was asked for: from then on it may wait for its service.
    pub queued_us: u64,
    /// Soft deadline in engine time; 0 = none.
    pub deadline_us: u64,
    /// Lower quality will do, if that is faster.
    pub reduced: bool,
    /// Sentences in the text, as far as they were counted; 1 for anything else.
    pub sentences: u32,
}

/// What a node asks of its service. The order within a session is kept.
#[derive(Debug)]
pub enum Request {
    /// Audio of a segment as it arrives, for services that [want](Service::wants_audio) it.
    Push(CallKey, Block),
    /// The segment of the first call was split, and that of the second goes on with it.
    GoesOn(CallKey, CallKey),
    /// The input is complete as far as this revision goes: work.
    End(Call),
    /// The speaker went on: stop the call, keep the audio.
    Retract(CallKey),
    /// Stop the call and forget its segment.
    Cancel(CallKey),
    /// Hand out nothing of this call (`true`), or go on: what comes before it is not done, or its consumers are full.
    Hold(CallKey, bool),
}

impl Request {
    /// Which call it concerns.
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
    /// Complete; the call cost this much of the service's time.
    Done { busy_us: u64 },
    /// It failed, with the reason.
    Failed(Arc<str>),
    /// It was stopped after this much of the service's time.
    Stopped { wasted_us: u64 },
    /// It became one with the call before it of the same origin, before it was submitted: that one answers both.
    Merged,
    /// There was no place for it where calls wait.
    Dropped,
}

/// What a service gives back.
#[derive(Debug)]
pub struct Reply {
    /// To which call.
    pub key: CallKey,
    /// One part of the answer, or its end.
    pub part: ReplyPart,
}

/// A slow model outside the tick.
///
/// Called from the serial hub step only, in (due time, session) order. After `retract` or `cancel` it answers that
/// call with nothing but [`ReplyPart::Stopped`].
pub trait Service: Any + Send + Sync {
    /// Whether audio is wanted: pushed as it arrives, or in the calls of a node that asks in pieces. If not, audio stays
    /// where it is and only its range is told.
    fn wants_audio(&self) -> bool {
        false
    }
    /// Audio of a segment as it arrives.
    fn push(&mut self, key: CallKey, block: Block) {
        drop((key, block));
    }
    /// The segment of `before` was split: what was heard of it belongs to that of `key`, which goes on without a gap and
    /// is the one that is asked about. Comes before the first audio of `key`, where audio is wanted.
    fn goes_on(&mut self, before: CallKey, key: CallKey) {
        let _unused = (before, key);
    }
    /// Starts a batch of calls; empties `batch`. More than one only for nodes behind the hub.
    fn submit(&mut self, batch: &mut Vec<Call>, now_us: u64);
    /// Batches it can start at once; the hub submits no more than that.
    fn room(&self) -> usize {
        usize::MAX
    }
    /// Hands out nothing of a call until told otherwise; the work itself goes on. May come before the call.
    fn hold(&mut self, key: CallKey, held: bool);
    /// Stops a call whose revision was taken back; the segment's audio stays.
    fn retract(&mut self, key: CallKey, now_us: u64);
    /// Stops a call and forgets its segment.
    fn cancel(&mut self, key: CallKey, now_us: u64) {
        self.retract(key, now_us);
    }
    /// Hands out what is ready by `now_us`.
    fn poll(&mut self, now_us: u64, replies: &mut Vec<Reply>);
    /// Engine time in microseconds at which something will be ready, if known: the driver wakes then. A time that is
    /// past, or 0, means at once.
    fn next_due_us(&self) -> Option<u64>;
}

/// Whose time a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// The scene's model says when an answer is ready; the driver waits for real work before passing that time.
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
    /// Sizes that hosts suggest for batches.
    pub(crate) hints: Vec<(SessionId, u32)>,
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
