//! The names of what services work on, and the work itself.

use std::sync::Arc;

use crate::base::ids::{NodeId, SegmentKey, SessionId};
use crate::edge::params::Params;
use crate::media::sound::Sound;
use crate::scene::Format;
use crate::speech::history::History;

/// Names a session as one node's service sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The session.
    pub session: SessionId,
    /// Which session of that id, counted from 1.
    pub generation: u32,
    /// The node that asks.
    pub node: NodeId,
}

/// Names a segment of a session at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentRef {
    /// The session.
    pub of: SessionKey,
    /// The segment's serial within the session, from 1.
    pub serial: u32,
}

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

impl CallKey {
    /// The session and the node that asks.
    pub fn of(&self) -> SessionKey {
        SessionKey { session: self.session, generation: self.generation, node: self.node }
    }

    /// The segment that the call is about.
    pub fn segment(&self) -> SegmentRef {
        SegmentRef { of: self.of(), serial: self.segment.serial }
    }
}

/// What is taken back from a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallScope {
    /// One call.
    Call(CallKey),
    /// All calls about this revision of the segment; the segment's audio stays.
    Revision(SegmentRef, u32),
    /// The segment with its audio, and all calls about it. The segment has ended.
    Segment(SegmentRef),
    /// Everything of the session. All its segments have ended.
    Session(SessionKey),
}

impl CallScope {
    /// Whether a call is taken back.
    pub fn covers(&self, call: &CallKey) -> bool {
        match self {
            Self::Call(key) => key == call,
            Self::Revision(segment, revision) => *segment == call.segment() && *revision == call.revision,
            Self::Segment(segment) => *segment == call.segment(),
            Self::Session(session) => *session == call.of(),
        }
    }

    /// Whether a segment ends with this, and its audio is to be forgotten.
    pub fn ends(&self, segment: &SegmentRef) -> bool {
        match self {
            Self::Segment(ended) => ended == segment,
            Self::Session(session) => *session == segment.of,
            Self::Call(_) | Self::Revision(..) => false,
        }
    }
}

/// A session that a service is to work for.
#[derive(Clone, Debug)]
pub struct SessionRef {
    /// Its name in calls.
    pub key: SessionKey,
    /// The name that its host gave.
    pub name: Arc<str>,
    /// Format of the audio that [`Service::hear`](super::Service::hear) brings; `None`: the node takes no audio.
    pub hears: Option<Format>,
    /// Format of the audio that the answers must have; `None`: the node sends none.
    pub speaks: Option<Format>,
    /// What the host says of the caller, at this moment; each call brings it as it is by then.
    pub params: Arc<Params>,
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
    /// Audio to work on, heard from `from_us` to `to_us`: for services that [want](super::Service::wants_audio) audio,
    /// and nodes that send it with the call.
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
    /// Attempts at this call that have failed before.
    pub attempt: u8,
    /// The conversation up to what the call is about, for nodes that [reply](crate::node::NodeKind::replies); empty for
    /// all others.
    pub history: Arc<History>,
}

impl Call {
    /// A call about `text` and nothing else, for tests: the first of the first revision of the first segment in session 1.
    pub fn about(text: impl Into<Arc<str>>) -> Self {
        let key = CallKey {
            session: SessionId(1),
            generation: 1,
            node: NodeId(0),
            segment: SegmentKey { slot: 0, serial: 1 },
            revision: 1,
            turn: 1,
            part: 0,
        };
        Self {
            key,
            name: "session".into(),
            text: text.into(),
            audio: None,
            from_us: 0,
            to_us: 0,
            queued_us: 0,
            deadline_us: 0,
            reduced: false,
            sentences: 1,
            params: Arc::default(),
            attempt: 0,
            history: Arc::default(),
        }
    }
}
