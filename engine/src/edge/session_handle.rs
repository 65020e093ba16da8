//! The edge between a host's threads and the tick: bounded rings with credits. Nothing here ever blocks the tick.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::ids::SessionId;
use crate::base::sync::{AtomicBool, AtomicU32, Mutex};
use crate::edge::control::{CONTROLS_MAX, ControlError, ControlIn};
use crate::edge::exchange::{
    ARRIVAL_COST_MS_MIN, BLOCK_MS_MAX, CREDIT_MS, Full, Out, PushError, STAGING_US, Stamp,
};
use crate::edge::output_ring::Outlet;
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::{Arrival, Arriving, Bell, ShardPort};
use crate::media::block::Block;
use crate::scene::Format;

/// The name, format and options of a session to open.
#[derive(Clone, Default)]
pub struct SessionSpec {
    /// UTF-8, 1 to 128 bytes, not in use by an open session.
    pub name: String,
    /// Format of the audio that will arrive; `None` = the scene's `session.input`.
    pub input: Option<Format>,
    /// Whether cancellations and confirmations are delivered with [`Out::Control`].
    pub controls: bool,
    /// Whether its gates log every probability, even if the scene does not say so.
    pub traced: bool,
    /// Called from the tick when an output is ready or the session has closed, and by the thread that drops the
    /// engine. The waker must not block, nor wait for a thread that pushes.
    pub waker: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl SessionSpec {
    /// A session of that name in the scene's format, without control messages.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A host's end of a session. Cheap to clone; every call returns at once. Dropping the last clone [hangs
/// up](Self::close): nobody is left who could hear the session or end it.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    pub(crate) port: Arc<SessionPort>,
    /// Shared by the clones of this handle and by nobody else.
    _presence: Arc<Presence>,
}

/// Credit taken for blocks that are not sent yet. The rest goes back when the sender stops, even by a panic.
struct Credit<'a> {
    port: &'a SessionPort,
    left: u32,
}

impl Drop for Credit<'_> {
    fn drop(&mut self) {
        if self.left > 0 {
            self.port.give_credit(self.left);
        }
    }
}

/// Samples put together so far, and how many of them are valid: the rest is dropped when the host's `fill` panics.
struct Staged<'a> {
    staging: &'a mut Vec<f32>,
    len: usize,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        self.staging.truncate(self.len);
    }
}

/// Hangs up the session when the last handle is dropped.
#[derive(Debug)]
struct Presence(Arc<SessionPort>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

impl SessionHandle {
    pub(crate) fn new(
        id: SessionId,
        generation: u32,
        spec: &SessionSpec,
        input: Format,
        shard: Arc<ShardPort>,
        bell: Arc<Bell>,
    ) -> Self {
        let port = SessionPort {
            id,
            generation,
            name: spec.name.as_str().into(),
            input,
            outputs: Outlet::new(),
            credits: AtomicU32::new(input.rate_hz * CREDIT_MS / 1_000),
            ended: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            last_words: Mutex::default(),
            inward: Mutex::default(),
            controls: spec.controls,
            traced: spec.traced,
            waker: spec.waker.clone(),
            staging: Mutex::new(Vec::new()),
            shard,
            bell,
        };
        let port = Arc::new(port);
        Self { _presence: Arc::new(Presence(Arc::clone(&port))), port }
    }

    pub(crate) fn port(&self) -> Arc<SessionPort> {
        Arc::clone(&self.port)
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.port.id
    }

    /// Which session of this id it is, counted from 1. Name, generation and serial name a segment on the wire.
    pub fn generation(&self) -> u32 {
        self.port.generation
    }

    /// The session's name.
    pub fn name(&self) -> &str {
        &self.port.name
    }

    /// Format of the audio to push.
    pub fn input(&self) -> Format {
        self.port.input
    }

    /// Whether the session or the whole engine is gone: nothing more will come than [`poll`](Self::poll) has now, and
    /// the name is free again.
    pub fn is_closed(&self) -> bool {
        self.port.is_closed()
    }

    /// An empty block of `len` samples (at most 20 ms) to fill and [`push`](Self::push).
    pub fn lease(&self, len: usize) -> Block {
        let mut block = match self.port.shard.free.pop() {
            Some(block) if block.capacity() >= len => block,
            Some(small) => {
                self.give_back(small);
                self.fresh(len)
            }
            None => self.fresh(len),
        };
        block.set_len(len);
        block
    }

    /// A new block with room for 20 ms, whatever length is asked for: blocks of one size can all be used again.
    fn fresh(&self, len: usize) -> Block {
        let Format { rate_hz, channels } = self.port.input;
        let longest = (rate_hz * BLOCK_MS_MAX / 1_000) as usize * usize::from(channels);
        Block::zeroed(len.max(longest))
    }

    /// Moves one block (whole sample frames, at most 20 ms) into the engine. It counts as arrived at the next tick.
    ///
    /// # Errors
    /// [`Full`] gives the block back: a second of audio waits already, the session has ended, or the block is
    /// longer than 20 ms.
    pub fn push(&self, block: Block) -> Result<(), Full> {
        self.push_at(block, None)
    }

    /// Pushes like [`push`](Self::push), for hosts that know when the audio arrived (engine time); a time later than
    /// the tick that takes the block counts as that tick.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_at(&self, block: Block, arrived_us: Option<u64>) -> Result<(), Full> {
        self.push_stamped(block, Stamp { arrived_us, ..Stamp::default() })
    }

    /// Pushes like [`push`](Self::push), with what the host knows about the block; lost audio shows as a gap in
    /// `pts_us`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_stamped(&self, block: Block, stamp: Stamp) -> Result<(), Full> {
        let port = &*self.port;
        let channels = usize::from(port.input.channels);
        let frames = block.len() / channels;
        let longest = (port.input.rate_hz * BLOCK_MS_MAX / 1_000) as usize;
        if frames > longest || !block.len().is_multiple_of(channels) {
            return Err(Full(block));
        }
        if block.is_empty() {
            // An empty block is accepted and changes nothing, as for `try_push`.
            self.give_back(block);
            return Ok(());
        }
        let mut staging = port.staging();
        if port.ended.load(Ordering::Acquire) {
            return Err(Full(block));
        }
        if !staging.is_empty() {
            // Staged samples came before this block.
            let Some(cost) = self.take_credit(self.cost(staging.len() / channels)) else {
                return Err(Full(block));
            };
            self.send_staged(&mut staging, cost, stamp.arrived_us);
        }
        let Some(cost) = self.take_credit(self.cost(frames)) else { return Err(Full(block)) };
        self.send(block, cost, stamp);
        Ok(())
    }

    /// Copies samples in: from one sample frame to one second, cut into blocks of at most 20 ms. Pieces under 2.5 ms
    /// are put together first, so that the cost follows the audio and not the number of calls.
    ///
    /// # Errors
    /// All or nothing: [`PushError::Full`] when a second waits already.
    pub fn try_push(&self, samples: &[f32]) -> Result<(), PushError> {
        self.try_push_with(samples.len(), None, |at, out| out.copy_from_slice(&samples[at..at + out.len()]))
    }

    /// [`try_push`](Self::try_push) for 16-bit samples.
    ///
    /// # Errors
    /// As [`try_push`](Self::try_push).
    pub fn try_push_i16(&self, samples: &[i16]) -> Result<(), PushError> {
        self.try_push_with(samples.len(), None, |at, out| {
            for (o, s) in out.iter_mut().zip(&samples[at..]) {
                *o = f32::from(*s) / 32_768.0;
            }
        })
    }

    /// [`try_push`](Self::try_push) with the arrival time, and the samples written in place by `fill(offset, out)`. If
    /// `fill` panics, the whole blocks written before have been pushed and the rest has not. The session goes on.
    ///
    /// # Errors
    /// As [`try_push`](Self::try_push).
    pub fn try_push_with(
        &self,
        samples: usize,
        arrived_us: Option<u64>,
        mut fill: impl FnMut(usize, &mut [f32]),
    ) -> Result<(), PushError> {
        let port = &*self.port;
        let channels = usize::from(port.input.channels);
        if !samples.is_multiple_of(channels) || samples / channels > port.input.rate_hz as usize {
            return Err(PushError::BadLength { samples });
        }
        let staging_max =
            (u64::from(port.input.rate_hz) * u64::from(STAGING_US) / 1_000_000) as usize * channels;
        let mut staging = port.staging();
        if port.ended.load(Ordering::Acquire) {
            return Err(PushError::Ended);
        }
        let staged = staging.len();
        if staged + samples < staging_max {
            let mut kept = Staged { staging: &mut staging, len: staged };
            kept.staging.resize(staged + samples, 0.0);
            fill(0, &mut kept.staging[staged..]);
            kept.len += samples;
            return Ok(());
        }
        let longest = (port.input.rate_hz * BLOCK_MS_MAX / 1_000) as usize * channels;
        let total = staged + samples;
        let blocks = (0..total).step_by(longest).map(|at| longest.min(total - at));
        let need: u32 = blocks.clone().map(|len| self.cost(len / channels)).sum();
        // Rounding up to whole arrivals must not make a second cost more than the whole credit.
        let taken = self.take_credit(need.min(self.credits_max())).ok_or(PushError::Full)?;
        let mut credit = Credit { port, left: taken };
        let mut at = 0;
        for len in blocks {
            let mut block = self.lease(len);
            let out = block.try_mut().expect("a leased block has one owner");
            // All staged samples go into the first block.
            let from_staged = staging.len();
            out[..from_staged].copy_from_slice(&staging);
            if from_staged < len {
                fill(at + from_staged - staged, &mut out[from_staged..]);
            }
            at += len;
            let cost = self.cost(len / channels).min(credit.left);
            credit.left -= cost;
            let stamp = Stamp { arrived_us, ..Stamp::default() };
            self.send(block, cost, stamp);
            staging.clear();
        }
        Ok(())
    }

    fn credits_max(&self) -> u32 {
        self.port.input.rate_hz * CREDIT_MS / 1_000
    }

    fn cost(&self, frames: usize) -> u32 {
        (frames as u32).max((self.port.input.rate_hz * ARRIVAL_COST_MS_MIN).div_ceil(1_000))
    }

    fn take_credit(&self, cost: u32) -> Option<u32> {
        let taken =
            self.port.credits.fetch_update(Ordering::AcqRel, Ordering::Acquire, |c| c.checked_sub(cost));
        taken.ok().map(|_| cost)
    }

    /// Sends a block whose credit was taken.
    fn send(&self, block: Block, cost: u32, stamp: Stamp) {
        let (session, generation) = (self.port.id, self.port.generation);
        self.port.arrive(Arrival { session, generation, stamp, cost, what: Arriving::Audio(block) });
    }

    fn send_staged(&self, staging: &mut Vec<f32>, cost: u32, arrived_us: Option<u64>) {
        let mut block = self.lease(staging.len());
        block.fill_from(staging);
        staging.clear();
        self.send(block, cost, Stamp { arrived_us, ..Stamp::default() });
    }

    /// Ends the input: the engine finishes what was pushed and still answers, then the session closes.
    pub fn finish(&self) {
        let mut staging = self.port.staging();
        if self.port.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        if !staging.is_empty() {
            let cost = self.cost(staging.len() / usize::from(self.port.input.channels));
            // Up to 2.5 ms of staged samples need no credit.
            let cost = self.take_credit(cost).unwrap_or(0);
            self.send_staged(&mut staging, cost, None);
        }
        self.port.end(Arriving::Finish);
    }

    /// Hangs up: everything under way is cancelled, and the session closes at the next tick.
    pub fn close(&self) {
        self.port.hang_up();
    }

    /// Takes the next output, if there is one.
    pub fn poll(&self) -> Option<Out> {
        let port = &*self.port;
        port.outputs.pop().or_else(|| {
            if !port.is_closed() {
                return None;
            }
            // The engine adds nothing any more: the ring's content came before what did not fit.
            port.outputs.pop().or_else(|| port.last_words.lock().ok()?.pop_front().map(Out::Control))
        })
    }

    /// Gives a block back after use, so that the engine need not make a new one.
    pub fn give_back(&self, block: Block) {
        // A full return queue means that there are enough blocks.
        drop(self.port.shard.back.push(block));
    }

    /// Sends the engine a control message. It takes effect in the next tick, before audio that arrives with it, and
    /// comes back as [`Control::Applied`](crate::Control::Applied) when what it stops has stopped. Messages are still
    /// taken after the end of the input; those that wait when the session ends are dropped.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] when [`CONTROLS_MAX`] wait; [`ControlError::Ended`] when the session is gone.
    pub fn control(&self, message: ControlIn) -> Result<(), ControlError> {
        let port = &*self.port;
        let mut inward = port.inward.lock().map_err(|_| ControlError::Ended)?;
        if self.is_closed() {
            return Err(ControlError::Ended);
        }
        if inward.len() >= CONTROLS_MAX {
            return Err(ControlError::Overflow);
        }
        inward.push_back(message);
        port.shard.controlled();
        drop(inward);
        port.bell.ring();
        Ok(())
    }
}
