//! A shard's side of the edge: the rings that hosts' threads and the tick share, and the bell that wakes a driver.

use std::sync::atomic::Ordering;

use crossbeam::sync::Unparker;

use crate::base::ids::SessionId;
use crate::base::sync::{ArrayQueue, AtomicBool, AtomicU32, Mutex, SegQueue};
use crate::edge::audio_ring::AudioRings;
use crate::edge::exchange::Stamp;
use crate::media::block::Block;

/// Arrivals per session that the ring of a shard has room for; more go to an overflow list, in memory made for them.
/// A tick that is 80 ms late still finds all of them in the ring.
const ARRIVALS_PER_SESSION: usize = 4;
/// Arrivals that a ring has room for, however few sessions there are.
const ARRIVALS_MIN: usize = 64;

/// One arrival at a shard.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
    pub(crate) stamp: Stamp,
    pub(crate) cost: u32,
    pub(crate) what: Arriving,
}

impl Arrival {
    /// An arrival that takes no credit.
    pub(crate) fn uncredited(session: SessionId, generation: u32, what: Arriving, stamp: Stamp) -> Self {
        Self { session, generation, stamp, cost: 0, what }
    }
}

#[derive(Debug)]
pub(crate) enum Arriving {
    Audio(Block),
    /// The session was split: audio comes and goes through these rings from here on.
    Split(Box<AudioRings>),
    /// Silence in place of lost audio, which waits for room.
    Silence(Block),
    Finish,
    Close,
}

/// Wakes a driver that sleeps until something arrives.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    sleeper: Mutex<Option<Unparker>>,
}

impl Bell {
    /// Rings. Only the first ring since the last answer wakes anybody.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Ok(sleeper) = self.sleeper.lock()
            && let Some(sleeper) = &*sleeper
        {
            sleeper.unpark();
        }
    }

    /// Whether the bell rang since the last call.
    pub fn answer(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Sets the thread to wake from now on.
    pub fn wakes(&self, sleeper: Unparker) {
        if let Ok(mut slot) = self.sleeper.lock() {
            *slot = Some(sleeper);
        }
    }
}

/// The rings of one shard.
#[derive(Debug)]
pub(crate) struct ShardPort {
    arrivals: ArrayQueue<Arrival>,
    /// Arrivals that found no room in the ring. While one is here all later ones follow it, so that each session's
    /// order holds.
    overflow: SegQueue<Arrival>,
    /// Empty blocks on their way to hosts.
    pub(crate) free: ArrayQueue<Block>,
    /// Blocks that hosts have finished with.
    pub(crate) back: ArrayQueue<Block>,
    /// Control messages that wait for the sessions of this shard.
    pub(crate) controls: AtomicU32,
    /// Something came since the shard's last tick began.
    stirred: AtomicBool,
}

impl ShardPort {
    pub(crate) fn new(sessions: usize) -> Self {
        Self {
            arrivals: ArrayQueue::new(sessions * ARRIVALS_PER_SESSION + ARRIVALS_MIN),
            overflow: SegQueue::new(),
            free: ArrayQueue::new(sessions.max(1) * 4),
            back: ArrayQueue::new(sessions.max(1) * 8),
            controls: AtomicU32::new(0),
            stirred: AtomicBool::new(false),
        }
    }

    /// Appends an arrival. One session's arrivals come one after the other, and its credits bound how many may wait.
    pub(crate) fn push(&self, arrival: Arrival) {
        let arrival =
            if self.overflow.is_empty() { self.arrivals.push(arrival).err() } else { Some(arrival) };
        if let Some(arrival) = arrival {
            self.overflow.push(arrival);
        }
        self.stirred.store(true, Ordering::Release);
    }

    /// Frees the blocks in both rings, except `kept` of those on their way to hosts.
    pub(crate) fn shrink(&self, kept: usize) {
        (0..self.back.len()).for_each(|_| drop(self.back.pop()));
        (kept..self.free.len()).for_each(|_| drop(self.free.pop()));
    }

    /// Something came for the next tick, which no bell rings for.
    pub(crate) fn stir(&self) {
        self.stirred.store(true, Ordering::Release);
    }

    /// Counts a control message that came.
    pub(crate) fn controlled(&self) {
        self.controls.fetch_add(1, Ordering::AcqRel);
        self.stirred.store(true, Ordering::Release);
    }

    /// Whether something came since [`ShardPort::settle`].
    pub(crate) fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire)
    }

    /// Begins a tick, which takes everything that has come.
    pub(crate) fn settle(&self) {
        // `Acquire`: this tick sees everything that was put in before the flag was set.
        self.stirred.swap(false, Ordering::AcqRel);
    }

    /// Takes the arrivals so far.
    pub(crate) fn take(&self, mut take: impl FnMut(Arrival)) {
        // Read before the ring: everything that stands in the ring before one of these is there by now.
        let overflown = self.overflow.len();
        for _ in 0..self.arrivals.len() {
            let Some(arrival) = self.arrivals.pop() else { break };
            take(arrival);
        }
        for _ in 0..overflown {
            let Some(arrival) = self.overflow.pop() else { break };
            take(arrival);
        }
    }
}
