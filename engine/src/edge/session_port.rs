//! The part of a session that its host and its shard share: the output ring, credits, incoming control messages.
//! Nothing here ever blocks the tick.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::base::ids::SessionId;
use crate::base::sync::{AtomicBool, AtomicU32, Mutex, MutexGuard};
use crate::edge::control::{Control, ControlIn};
use crate::edge::exchange::Stamp;
use crate::edge::output_ring::Outlet;
use crate::edge::shard_inbox::{Arrival, Arriving, Bell, ShardPort};
use crate::scene::Format;

pub(crate) struct SessionPort {
    pub(crate) id: SessionId,
    pub(crate) generation: u32,
    pub(crate) name: Arc<str>,
    pub(crate) input: Format,
    pub(crate) outputs: Outlet,
    pub(crate) credits: AtomicU32,
    pub(super) ended: AtomicBool,
    pub(super) hung_up: AtomicBool,
    pub(super) closed: AtomicBool,
    /// Control messages that found no room in the ring before the session was closed.
    pub(super) last_words: Mutex<VecDeque<Control>>,
    /// Control messages from the host.
    pub(crate) inward: Mutex<VecDeque<ControlIn>>,
    pub(crate) controls: bool,
    pub(crate) traced: bool,
    pub(crate) waker: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(super) staging: Mutex<Vec<f32>>,
    pub(crate) shard: Arc<ShardPort>,
    pub(crate) bell: Arc<Bell>,
}

impl SessionPort {
    pub(crate) fn give_credit(&self, cost: u32) {
        self.credits.fetch_add(cost, Ordering::AcqRel);
    }

    pub(super) fn arrive(&self, arrival: Arrival) {
        self.shard.push(arrival);
        self.bell.ring();
    }

    pub(super) fn end(&self, what: Arriving) {
        let (session, generation) = (self.id, self.generation);
        self.arrive(Arrival { session, generation, stamp: Stamp::default(), cost: 0, what });
    }

    pub(super) fn hang_up(&self) {
        self.ended.store(true, Ordering::Release);
        if !self.is_closed() && !self.hung_up.swap(true, Ordering::AcqRel) {
            self.end(Arriving::Close);
        }
    }

    /// Closes the session; `unsaid` holds the messages that the host has not been told yet.
    pub(crate) fn close(&self, unsaid: &mut VecDeque<Control>) {
        if !unsaid.is_empty()
            && let Ok(mut words) = self.last_words.lock()
        {
            words.append(unsaid);
        }
        self.ended.store(true, Ordering::Release);
        self.closed.store(true, Ordering::Release);
        // Senders check `closed` under this lock, so no message comes after those that are thrown away here.
        if let Ok(mut inward) = self.inward.lock() {
            self.shard.controls.fetch_sub(inward.len() as u32, Ordering::AcqRel);
            inward.clear();
        }
        self.wake();
    }

    /// Whether the session is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the session because the engine is gone, unless it was closed before.
    pub(crate) fn end_with_engine(&self, unsaid: &mut VecDeque<Control>) {
        if self.is_closed() {
            return;
        }
        if self.controls {
            unsaid.push_back(Control::Closed);
        }
        self.close(unsaid);
    }

    /// Calls the host's waker. If the waker panics, the session is hung up, and the tick goes on for all others.
    pub(crate) fn wake(&self) {
        let Some(waker) = &self.waker else { return };
        if catch_unwind(AssertUnwindSafe(|| waker())).is_err() {
            self.hang_up();
        }
    }

    /// Samples that were put together from small pieces so far. A `fill` that panicked has left them unchanged.
    pub(super) fn staging(&self) -> MutexGuard<'_, Vec<f32>> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `most` control messages, oldest first. Takes none while the host is adding one: its bell makes the
    /// next tick.
    pub(crate) fn take_controls(&self, most: usize, mut take: impl FnMut(ControlIn)) {
        let Ok(mut inward) = self.inward.try_lock() else { return };
        let count = inward.len().min(most);
        self.shard.controls.fetch_sub(count as u32, Ordering::AcqRel);
        inward.drain(..count).for_each(&mut take);
    }
}

impl std::fmt::Debug for SessionPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPort").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
