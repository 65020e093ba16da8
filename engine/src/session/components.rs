//! The components of a session entity. The set is fixed when the session is opened, so that no tick moves an entity from
//! one archetype to another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::edge::audio_ring::{InputRing, OutputRing};
use crate::edge::exchange::Out;
use crate::edge::open_sessions::OpenSessions;
use crate::edge::params::Params;
use crate::edge::sender_clock::SenderClock;
use crate::edge::session_event::CloseReason;
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::Arrival;
use crate::media::queue::Target;
use crate::scene::Format;
use crate::speech::playout::Playout;

/// Who a session is. Read rarely: where a call goes out, and where somebody inspects the session.
#[derive(Component, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Which session of that id, counted from 1.
    pub generation: u32,
    /// Its name.
    pub name: Arc<str>,
}

/// What the services should know of the caller.
#[derive(Component, Debug)]
pub struct SessionParams(pub(crate) Arc<Params>);

/// How far a session's life has come.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The session takes audio.
    Open,
    /// The input has ended; what is under way is still finished.
    Finishing,
    /// The session is over. The systems that cancel take what is under way out of its queues in the same tick, and the next
    /// tick removes its entities.
    Gone,
}

/// Where a session's audio goes: its queue entities, and the queues that the input feeds.
#[derive(Component, Debug)]
pub struct Wiring {
    /// Queue entity of each node; the last one is the output.
    pub(crate) lanes: Box<[Entity]>,
    pub(crate) inputs: Box<[Target]>,
    /// Queues that only lines feed: what follows them would wait for ever for the end of their stream.
    pub(crate) only_said: Box<[Target]>,
    /// Some queue that the input feeds blocks when it is full.
    pub(crate) waits: bool,
}

impl Wiring {
    /// The queue entity of `node`; the output comes after the last node.
    pub fn lane(&self, node: NodeId) -> Option<Entity> {
        self.lanes.get(node.index()).copied()
    }
}

/// What arrives: all fields of a session that an incoming frame touches.
#[derive(Component)]
pub struct Intake {
    /// Format of the arriving audio.
    pub format: Format,
    /// Sample frames that have arrived.
    pub frames_in: u64,
    /// Sample frames of silence among them that replace lost audio.
    pub concealed: u64,
    pub(crate) seq: u32,
    /// Finds lost audio by the sender's times.
    pub(crate) clock: SenderClock,
    /// Arrivals that wait outside a queue that blocks; bounded by the session's credits, which they keep.
    pub(crate) backlog: VecDeque<Arrival>,
    /// The ring of the host's audio callback; `None`: the session was not split.
    pub(crate) ring: Option<Box<InputRing>>,
    /// Engine time of the last arrival; before the first one, of the opening.
    pub(crate) arrived_us: u64,
}

impl Intake {
    /// Nothing has arrived yet at `now_us`; times of a sender may be off by `tolerance_us`.
    pub(crate) fn new(format: Format, tolerance_us: i64, now_us: u64) -> Self {
        Self {
            format,
            frames_in: 0,
            concealed: 0,
            seq: 0,
            clock: SenderClock::new(format.rate_hz, tolerance_us),
            backlog: VecDeque::new(),
            ring: None,
            arrived_us: now_us,
        }
    }

    /// Engine time of the last arrival, or `now_us` while arrivals wait outside a queue.
    pub fn last_us(&self, now_us: u64) -> u64 {
        if self.backlog.is_empty() { self.arrived_us } else { now_us }
    }
}

/// By how much a host's report may fall short of an answer's length.
const ROUNDING_US: u64 = 1_000;

/// The connection to a session's host. If it is dropped before the session is over, the engine or its world was
/// dropped, and the host is told.
#[derive(Component)]
pub(crate) struct HostLink {
    pub(crate) port: Arc<SessionPort>,
    /// What the host was not told yet, because there was no room in its ring.
    pub(crate) unsaid: VecDeque<Out>,
    /// The ring of the host's audio callback; `None`: the session was not split.
    pub(crate) output: Option<Box<OutputRing>>,
    /// Present once a host that is told everything heard an answer or said a line.
    pub(crate) answers: Option<Box<HostAnswers>>,
    /// Why the session ends, once it does.
    pub(crate) reason: CloseReason,
    pub(crate) open_sessions: Arc<OpenSessions>,
}

/// What a host is still to be told of answers.
#[derive(Debug, Default)]
pub(crate) struct HostAnswers {
    /// Answers that have left and that nobody has heard to their end yet.
    pub(crate) endings: VecDeque<Ending>,
    /// Messages whose line has been opened and has not begun to sound: the segment, and the message.
    pub(crate) lines: Vec<(u32, u64)>,
}

/// An answer of which everything has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    turn: u32,
    /// Length of the answer, microseconds.
    us: u64,
    /// Position in the output ring behind its last sample; without a ring the engine time at which it sounds.
    at: u64,
    /// Engine time at which it was first seen to be read.
    read_us: Option<u64>,
}

impl HostLink {
    /// Everything of an answer has left: `us` of it, the last of which sounds at `heard_until_us` of engine time.
    /// Returns where it ends, as in [`Ending::at`].
    pub(crate) fn ends(&mut self, turn: u32, us: u64, heard_until_us: u64) -> u64 {
        let at = self.output.as_mut().map_or(heard_until_us, |ring| ring.end(turn));
        if self.wants_events() {
            self.answers.get_or_insert_default().endings.push_back(Ending { turn, us, at, read_us: None });
        }
        at
    }

    /// Whether every answer that has left was heard to its end.
    pub(crate) fn is_heard_out(&self) -> bool {
        self.answers.as_ref().is_none_or(|answers| answers.endings.is_empty())
    }

    /// How much of the answer that leaves at present an audio callback has read, microseconds; `None`: nobody knows.
    pub(crate) fn read_us(&self) -> Option<u64> {
        self.output.as_ref().map(|ring| ring.heard_us())
    }

    /// Voids what an audio callback has not read yet.
    pub(crate) fn flush(&mut self) {
        if let Some(ring) = &mut self.output {
            ring.flush();
        }
    }

    /// The next answer that was heard to its end by `now_us`: its turn and its length, microseconds.
    pub(crate) fn heard(&mut self, now_us: u64, playout: &Playout) -> Option<(u32, u64)> {
        let Self { answers, output, .. } = self;
        let endings = &mut answers.as_mut()?.endings;
        let ending = endings.front_mut()?;
        let latency_us = u64::from(playout.latency_us);
        let heard = match (playout.reported, output) {
            (Some((turn, us)), _) => {
                turn > ending.turn || (turn == ending.turn && us.saturating_add(ROUNDING_US) >= ending.us)
            }
            (None, Some(ring)) => {
                if ring.has_played(ending.at) {
                    ending.read_us.get_or_insert(now_us);
                }
                ending.read_us.is_some_and(|read_us| now_us >= read_us + latency_us)
            }
            (None, None) => now_us >= ending.at + latency_us,
        };
        let heard = heard.then_some((ending.turn, ending.us))?;
        endings.pop_front();
        Some(heard)
    }

    /// Whether the host wants to be told everything that happens.
    pub(crate) fn wants_events(&self) -> bool {
        self.port.events.load(Ordering::Acquire)
    }
}

impl Drop for HostLink {
    fn drop(&mut self) {
        if !self.port.is_closed() {
            // No session may be opened from here on: a host that is told that one is over may try at once.
            self.open_sessions.shut();
            self.port.end_with_engine(&mut self.unsaid);
        }
    }
}
