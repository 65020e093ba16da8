//! The part of a session that its host and its shard share: the output ring, credits, incoming control messages.
//! Nothing here ever blocks the tick.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, PoisonError};

use crate::base::ids::SessionId;
use crate::base::sync::{ArcSwapOption, AtomicBool, AtomicU32, Mutex, MutexGuard};
use crate::edge::control::{CONTROLS_MAX, Control, ControlError, ControlIn};
use crate::edge::exchange::{ARRIVAL_COST_MS_MIN, BLOCK_MS_MAX, CREDIT_MS, Out, Stamp};
use crate::edge::opening::Opening;
use crate::edge::output_ring::Outlet;
use crate::edge::session_event::{CloseReason, SessionEvent};
use crate::edge::shard_inbox::{Arrival, Arriving, Bell, ShardPort};
use crate::edge::voice::Voice;
use crate::edge::wakers::{WakerSlot, Wakers};
use crate::media::block::Block;
use crate::scene::Format;
use crate::speech::history::History;

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
    /// What found no room in the ring before the session was closed.
    pub(super) last_words: Mutex<VecDeque<Out>>,
    /// Control messages from the host.
    pub(crate) inward: Mutex<VecDeque<ControlIn>>,
    pub(crate) controls: bool,
    /// Whether everything that happens is told.
    pub(crate) events: AtomicBool,
    /// A push was refused since credit last came back.
    pub(super) refused: AtomicBool,
    pub(crate) traced: bool,
    /// Format of the audio that leaves.
    pub(crate) output: Option<Format>,
    /// How far ahead of the ear audio leaves; `u32::MAX`: as fast as it is made.
    pub(crate) lead_us: u32,
    pub(super) voice: Arc<Voice>,
    /// The conversation as far as it is committed; `None`: it is empty.
    pub(crate) history: ArcSwapOption<History>,
    /// Taken by the tick that admits the session.
    pub(crate) opening: Mutex<Option<Box<Opening>>>,
    pub(crate) wakers: Wakers,
    pub(super) staging: Mutex<Vec<f32>>,
    pub(crate) shard: Arc<ShardPort>,
    pub(crate) bell: Arc<Bell>,
}

impl SessionPort {
    pub(crate) fn give_credit(&self, cost: u32) {
        self.credits.fetch_add(cost, Ordering::SeqCst);
        self.call_if_refused();
    }

    /// There is room again in the ring of an audio callback.
    pub(crate) fn tell_room(&self) {
        fence(Ordering::SeqCst);
        self.call_if_refused();
    }

    /// Calls the host's waker for credit if a push was refused since the last time.
    fn call_if_refused(&self) {
        if self.refused.load(Ordering::SeqCst) && self.refused.swap(false, Ordering::SeqCst) {
            self.call(&self.wakers.credit);
        }
    }

    /// Has the credit waker called once there is room again. Whoever was refused looks once more after this: the tick makes
    /// room and then looks for refusals, so that one of the two sees what the other did.
    pub(super) fn note_refusal(&self) {
        self.refused.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
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
    pub(crate) fn close(&self, unsaid: &mut VecDeque<Out>) {
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
    pub(crate) fn end_with_engine(&self, unsaid: &mut VecDeque<Out>) {
        if self.is_closed() {
            return;
        }
        if self.events.load(Ordering::Acquire) {
            unsaid.push_back(Out::Event(SessionEvent::Closed { reason: CloseReason::EngineGone }));
        } else if self.controls {
            unsaid.push_back(Out::Control(Control::Closed));
        }
        self.close(unsaid);
    }

    /// The conversation as far as it is committed.
    pub(crate) fn history(&self) -> Arc<History> {
        self.history.load_full().unwrap_or_else(History::empty)
    }

    /// Calls the host's waker for outputs.
    pub(crate) fn wake(&self) {
        self.call(&self.wakers.output);
    }

    /// Calls a waker. If the waker panics, the session is hung up, and the tick goes on for all others.
    fn call(&self, waker: &WakerSlot) {
        let Some(waker) = waker.get() else { return };
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

/// What hosts do with a session, by whichever of its ends.
impl SessionPort {
    pub(super) fn credits_max(&self) -> u32 {
        self.input.rate_hz * CREDIT_MS / 1_000
    }

    pub(super) fn cost(&self, frames: usize) -> u32 {
        (frames as u32).max((self.input.rate_hz * ARRIVAL_COST_MS_MIN).div_ceil(1_000))
    }

    pub(super) fn take_credit(&self, cost: u32) -> Option<u32> {
        let take =
            || self.credits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |c| c.checked_sub(cost)).ok();
        let taken = take().or_else(|| {
            self.note_refusal();
            take()
        });
        taken.map(|_| cost)
    }

    /// Sends a block whose credit was taken.
    pub(super) fn send(&self, block: Block, cost: u32, stamp: Stamp) {
        let (session, generation) = (self.id, self.generation);
        self.arrive(Arrival { session, generation, stamp, cost, what: Arriving::Audio(block) });
    }

    pub(super) fn send_staged(&self, staging: &mut Vec<f32>, cost: u32, arrived_us: Option<u64>) {
        let mut block = self.lease(staging.len());
        block.fill_from(staging);
        staging.clear();
        self.send(block, cost, Stamp { arrived_us, ..Stamp::default() });
    }

    /// An empty block of `len` samples.
    pub(super) fn lease(&self, len: usize) -> Block {
        let mut block = match self.shard.free.pop() {
            Some(block) if block.capacity() >= len => block,
            Some(small) => {
                // A full return queue means that there are enough blocks.
                drop(self.shard.back.push(small));
                self.fresh(len)
            }
            None => self.fresh(len),
        };
        block.set_len(len);
        block
    }

    /// A new block with room for 20 ms, whatever length is asked for: blocks of one size can all be used again.
    fn fresh(&self, len: usize) -> Block {
        let Format { rate_hz, channels } = self.input;
        let longest = (rate_hz * BLOCK_MS_MAX / 1_000) as usize * usize::from(channels);
        Block::zeroed(len.max(longest))
    }

    /// Ends the input.
    pub(super) fn finish(&self) {
        let mut staging = self.staging();
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        self.send_all_staged(&mut staging);
        self.end(Arriving::Finish);
    }

    /// Sends the samples that were put together, if there are any. Up to 2.5 ms of them need no credit.
    pub(super) fn send_all_staged(&self, staging: &mut Vec<f32>) {
        if !staging.is_empty() {
            let cost = self.cost(staging.len() / usize::from(self.input.channels));
            let cost = self.take_credit(cost).unwrap_or(0);
            self.send_staged(staging, cost, None);
        }
    }

    /// Takes the next output.
    pub(super) fn poll(&self) -> Option<Out> {
        self.outputs.pop().or_else(|| {
            if !self.is_closed() {
                return None;
            }
            // The engine adds nothing any more: the ring's content came before what did not fit.
            self.outputs.pop().or_else(|| self.last_words.lock().ok()?.pop_front())
        })
    }

    /// Takes a control message; a recording is converted by the calling thread, if it must be.
    pub(super) fn control(&self, mut message: ControlIn) -> Result<(), ControlError> {
        message.control.check()?;
        if let Control::Say(line) = &mut message.control
            && let Some(fits) = self.voice.converted(line)?
        {
            *line = Arc::new(fits);
        }
        let mut inward = self.inward.lock().map_err(|_| ControlError::Ended)?;
        if self.is_closed() {
            return Err(ControlError::Ended);
        }
        if inward.len() >= CONTROLS_MAX {
            return Err(ControlError::Overflow);
        }
        inward.push_back(message);
        self.shard.controlled();
        drop(inward);
        self.bell.ring();
        Ok(())
    }
}

impl std::fmt::Debug for SessionPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPort").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
