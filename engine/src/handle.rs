//! The edge between a host's threads and the tick: bounded rings with credits. Nothing here ever blocks the tick.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::block::Block;
use crate::control::{Control, ControlIn};
use crate::ids::SessionId;
use crate::outlet::Outlet;
use crate::port::{Arrival, Arriving, Bell, ShardPort};
use crate::scene::Format;
use crate::sync::{AtomicBool, AtomicU32, Mutex, MutexGuard};

/// Longest block that may arrive or travel: 20 ms.
pub const BLOCK_MS_MAX: u32 = 20;
/// Audio that a session may have waiting at the edge: one second.
pub const CREDIT_MS: u32 = 1_000;
/// What an arrival costs at least, so that a flood of tiny blocks is bounded: 10 ms.
pub const ARRIVAL_COST_MS_MIN: u32 = 10;
/// Latest media time that a host can give, microseconds: 142 years. A later one counts as this.
pub const MEDIA_US_MAX: u64 = 1 << 52;
/// Smaller pieces than this are put together first: 2.5 ms. Only blocks that a host makes itself can be smaller.
pub const STAGING_US: u32 = 2_500;

/// What a host knows about a block beside its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Engine time at which it arrived; `None`, and later than the tick that takes it, counts as that tick.
    pub arrived_us: Option<u64>,
    /// Media time of its first sample as the sender counts, microseconds, from any origin; the first one given is it. A
    /// gap to the block before, up to one second, is filled with silence of exactly that length and counted; a longer
    /// one, or two blocks in a row that step back, only move the origin. What is off by less than the scene's
    /// `session.input.pts_tolerance_ms` may be jitter, coarse clocks and packets that were overtaken: within it only a
    /// gap that stays is filled, once it has lasted so long. `None`: it follows without a gap.
    pub pts_us: Option<u64>,
    /// Where another engine says it comes from; nothing by default.
    pub tag: Tag,
}

/// What audio that another engine has gated belongs to there. A block with a tag keeps its `pts_us` as media time, up to
/// [`MEDIA_US_MAX`], and no gap before it is filled: between two segments there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// The segment's serial there; 0 = the audio has no tag.
    pub segment: u32,
    /// The revision it was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn there; 0 = none yet.
    pub turn: u32,
}

#[expect(
    missing_docs,
    reason = "fields are the words of the glossary: segment = serial within the session, times = media time"
)]
/// What leaves the engine for one session's host.
#[derive(Debug)]
pub enum Out {
    /// Released audio, interleaved, in the session's output format.
    Audio(OutAudio),
    /// Released text.
    Text { text: Arc<str>, segment: u32, revision: u32, turn: u32 },
    /// A correction or confirmation.
    Control(Control),
}

/// A released block of audio and where it comes from.
#[derive(Debug)]
pub struct OutAudio {
    /// The samples; give the block back with [`SessionHandle::give_back`].
    pub block: Block,
    /// Media time of the first sample.
    pub pts_us: u64,
    /// Engine time of the release.
    pub released_us: u64,
    /// Engine time at which it had arrived, or at which the decision fell that let it through.
    pub arrived_us: u64,
    /// The segment it belongs to or answers; 0 = none.
    pub segment: u32,
    /// The revision it was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn; 0 = none.
    pub turn: u32,
}

pub(crate) struct SessionPort {
    pub(crate) id: SessionId,
    pub(crate) opening: u32,
    pub(crate) name: Arc<str>,
    pub(crate) input: Format,
    pub(crate) outputs: Outlet,
    pub(crate) credits: AtomicU32,
    ended: AtomicBool,
    hung_up: AtomicBool,
    closed: AtomicBool,
    /// Control messages that found no room in the ring before the session was closed.
    last_words: Mutex<VecDeque<Control>>,
    /// Control messages on their way in.
    pub(crate) inward: Mutex<VecDeque<ControlIn>>,
    pub(crate) controls: bool,
    pub(crate) traced: bool,
    pub(crate) waker: Option<Arc<dyn Fn() + Send + Sync>>,
    staging: Mutex<Vec<f32>>,
    pub(crate) shard: Arc<ShardPort>,
    pub(crate) bell: Arc<Bell>,
}

impl SessionPort {
    pub(crate) fn give_credit(&self, cost: u32) {
        self.credits.fetch_add(cost, Ordering::AcqRel);
    }

    fn arrive(&self, arrival: Arrival) {
        self.shard.push(arrival);
        self.bell.ring();
    }

    fn end(&self, what: Arriving) {
        let (session, opening) = (self.id, self.opening);
        self.arrive(Arrival { session, opening, stamp: Stamp::default(), cost: 0, what });
    }

    fn hang_up(&self) {
        self.ended.store(true, Ordering::Release);
        if !self.is_closed() && !self.hung_up.swap(true, Ordering::AcqRel) {
            self.end(Arriving::Close);
        }
    }

    /// The engine lets go of the session; `unsaid` is what the host has not been told yet.
    pub(crate) fn close(&self, unsaid: &mut VecDeque<Control>) {
        if !unsaid.is_empty()
            && let Ok(mut words) = self.last_words.lock()
        {
            words.append(unsaid);
        }
        self.ended.store(true, Ordering::Release);
        self.closed.store(true, Ordering::Release);
        // Whoever sends looks at `closed` under this lock: nothing comes behind what is thrown away here.
        if let Ok(mut inward) = self.inward.lock() {
            self.shard.controls.fetch_sub(inward.len() as u32, Ordering::AcqRel);
            inward.clear();
        }
        self.wake();
    }

    /// Whether the engine has let go of the session.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The engine is gone: the session is over for whoever was not told so before, and nothing is under way any more.
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

    /// What was put together of small pieces so far. A `fill` that panicked has left it as it found it.
    fn staging(&self) -> MutexGuard<'_, Vec<f32>> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SessionPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPort").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a session is opened with.
#[derive(Clone, Default)]
pub struct SessionSpec {
    /// UTF-8, 1 to 128 bytes, not in use by an open session.
    pub name: String,
    /// Format of the audio that will arrive; `None` = the scene's `session.input`.
    pub input: Option<Format>,
    /// Whether corrections and confirmations are delivered with [`Out::Control`].
    pub controls: bool,
    /// Whether its gates log every probability, whatever the scene says.
    pub traced: bool,
    /// Called from the tick when something was put out or the session has closed, and by whoever drops the engine. It
    /// must not block, nor wait for a thread that pushes.
    pub waker: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl SessionSpec {
    /// A session of that name in the scene's format, without control messages.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// The edge is full: the session has a second of audio waiting already. The block comes back.
#[derive(Debug)]
pub struct Full(pub Block);

/// Why audio was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// A second of audio waits already; try again after the next tick.
    Full,
    /// The session has ended.
    Ended,
    /// More than one second at once, or not a whole number of sample frames.
    BadLength {
        /// Samples given.
        samples: usize,
    },
}

impl std::fmt::Display for PushError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full => write!(f, "one second of audio waits already: push again after the next tick"),
            Self::Ended => write!(f, "the session has ended: open a new one"),
            Self::BadLength { samples } => {
                write!(f, "{samples} samples: expected whole sample frames, at most one second")
            }
        }
    }
}

impl std::error::Error for PushError {}

/// A host's end of a session. Cheap to clone; every call returns at once. When the last clone is dropped the session
/// is [hung up](Self::close): nobody is left who could hear it or end it.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    pub(crate) port: Arc<SessionPort>,
    /// Shared by the clones of this handle and by nobody else.
    _presence: Arc<Presence>,
}

/// Credit taken for blocks that are not sent yet. What is left goes back when the sender stops, even by a panic.
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

/// What was put together so far, and how much of it holds: the rest goes when the host's `fill` panics.
struct Staged<'a> {
    staging: &'a mut Vec<f32>,
    len: usize,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        self.staging.truncate(self.len);
    }
}

/// That there is a host.
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
        opening: u32,
        spec: &SessionSpec,
        input: Format,
        shard: Arc<ShardPort>,
        bell: Arc<Bell>,
    ) -> Self {
        let port = SessionPort {
            id,
            opening,
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

    /// The interned id.
    pub fn id(&self) -> SessionId {
        self.port.id
    }

    /// Which session of this id it is, from 1: with name and serial it makes the name of a segment on the wire.
    pub fn opening(&self) -> u32 {
        self.port.opening
    }

    /// The session's name.
    pub fn name(&self) -> &str {
        &self.port.name
    }

    /// Format of the audio to push.
    pub fn input(&self) -> Format {
        self.port.input
    }

    /// Whether the engine has let go of the session, or is gone itself: nothing more will come than [`poll`](Self::poll)
    /// has now, and its name is free again.
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

    /// A new block that has room for 20 ms whatever is asked for: blocks of one size are all used again.
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

    /// Like [`push`](Self::push), for hosts that know when the audio arrived (engine time); later than the tick
    /// that takes it counts as that tick.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_at(&self, block: Block, arrived_us: Option<u64>) -> Result<(), Full> {
        self.push_stamped(block, Stamp { arrived_us, ..Stamp::default() })
    }

    /// Like [`push`](Self::push), with what the host knows about the block; lost audio shows as a gap in `pts_us`.
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
            // Nothing is nothing, as for `try_push`.
            self.give_back(block);
            return Ok(());
        }
        let mut staging = port.staging();
        if port.ended.load(Ordering::Acquire) {
            return Err(Full(block));
        }
        if !staging.is_empty() {
            // What was put together so far came first.
            let Some(cost) = self.take_credit(self.cost(staging.len() / channels)) else {
                return Err(Full(block));
            };
            self.send_staged(&mut staging, cost, stamp.arrived_us);
        }
        let Some(cost) = self.take_credit(self.cost(frames)) else { return Err(Full(block)) };
        self.send(block, cost, stamp);
        Ok(())
    }

    /// Copies samples in: from one sample frame to one second, cut into blocks of at most 20 ms. Pieces under
    /// 2.5 ms are put together first, so that a flood of tiny chunks costs what it is worth.
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
        // Rounding up to whole arrivals must not make a second dearer than all there is.
        let taken = self.take_credit(need.min(self.credits_max())).ok_or(PushError::Full)?;
        let mut credit = Credit { port, left: taken };
        let mut at = 0;
        for len in blocks {
            let mut block = self.lease(len);
            let out = block.try_mut().expect("a leased block has one owner");
            // All that was put together goes into the first block.
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
        let (session, opening) = (self.port.id, self.port.opening);
        self.port.arrive(Arrival { session, opening, stamp, cost, what: Arriving::Audio(block) });
    }

    fn send_staged(&self, staging: &mut Vec<f32>, cost: u32, arrived_us: Option<u64>) {
        let mut block = self.lease(staging.len());
        block.fill_from(staging);
        staging.clear();
        self.send(block, cost, Stamp { arrived_us, ..Stamp::default() });
    }

    /// Ends the input: what was pushed is worked off, answers are still given, then the session closes itself.
    pub fn finish(&self) {
        let mut staging = self.port.staging();
        if self.port.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        if !staging.is_empty() {
            let cost = self.cost(staging.len() / usize::from(self.port.input.channels));
            // The last 2.5 ms have a place of their own.
            let cost = self.take_credit(cost).unwrap_or(0);
            self.send_staged(&mut staging, cost, None);
        }
        self.port.end(Arriving::Finish);
    }

    /// Hangs up: everything under way is taken back and the session closes at the next tick.
    pub fn close(&self) {
        self.port.hang_up();
    }

    /// The next thing that left the engine, if any.
    pub fn poll(&self) -> Option<Out> {
        let port = &*self.port;
        port.outputs.pop().or_else(|| {
            if !port.is_closed() {
                return None;
            }
            // Nothing is added any more: what stands in the ring came before what did not fit.
            port.outputs.pop().or_else(|| port.last_words.lock().ok()?.pop_front().map(Out::Control))
        })
    }

    /// Gives a block back after use, so that the engine need not make new ones.
    pub fn give_back(&self, block: Block) {
        // A full return queue means that there are blocks enough.
        drop(self.port.shard.back.push(block));
    }
}
