//! The edge between a host's threads and the tick: bounded rings with credits. Nothing here ever blocks the tick.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::ids::SessionId;
use crate::base::sync::{ArcSwapOption, AtomicBool, AtomicU32, Mutex};
use crate::edge::audio_in::AudioIn;
use crate::edge::audio_out::AudioOut;
use crate::edge::control::{ControlError, ControlIn};
use crate::edge::exchange::{BLOCK_MS_MAX, CREDIT_MS, Full, Out, PushError, STAGING_US, Stamp};
use crate::edge::opening::Terms;
use crate::edge::output_ring::Outlet;
use crate::edge::presence::Presence;
use crate::edge::session_control::SessionControl;
use crate::edge::session_port::SessionPort;
use crate::edge::session_spec::{SessionSpec, Waker};
use crate::edge::shard_inbox::{Bell, ShardPort};
use crate::edge::split::ends;
use crate::edge::wakers::{WakerSlot, Wakers};
use crate::media::block::Block;
use crate::scene::Format;
use crate::speech::history::History;

/// A host's end of a session. Cheap to clone; every call returns at once. Dropping the last clone [hangs
/// up](Self::close): nobody is left who could hear the session or end it.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    pub(crate) port: Arc<SessionPort>,
    /// Shared by the clones of this handle and by nobody else.
    pub(super) presence: Arc<Presence>,
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

/// Why a session was not split. The handle comes back.
#[derive(Debug)]
pub struct SplitError(pub SessionHandle);

impl std::fmt::Display for SplitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "session `{}` has other handles: drop the clones first", self.0.name())
    }
}

impl std::error::Error for SplitError {}

impl SessionHandle {
    pub(crate) fn new(
        id: SessionId,
        generation: u32,
        spec: &SessionSpec,
        terms: Terms,
        shard: Arc<ShardPort>,
        bell: Arc<Bell>,
    ) -> Self {
        let Terms { input, .. } = terms;
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
            events: AtomicBool::new(spec.events),
            refused: AtomicBool::new(false),
            traced: spec.traced,
            output: terms.output,
            lead_us: terms.lead_us,
            voice: terms.voice,
            history: ArcSwapOption::new((!spec.history.is_empty()).then(|| Arc::new(spec.history.clone()))),
            opening: Mutex::new(Some(terms.opening)),
            wakers: Wakers { output: WakerSlot::new(spec.waker.clone()), credit: WakerSlot::new(None) },
            staging: Mutex::new(Vec::new()),
            shard,
            bell,
        };
        let port = Arc::new(port);
        Self { presence: Arc::new(Presence::of(&port)), port }
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

    /// Format of the audio that leaves; `None` = the scene puts out no audio.
    pub fn output(&self) -> Option<Format> {
        self.port.output
    }

    /// Whether the session or the whole engine is gone: nothing more will come than [`poll`](Self::poll) has now, and
    /// the name is free again.
    pub fn is_closed(&self) -> bool {
        self.port.is_closed()
    }

    /// What was said and what of the answers was heard, as far as both are certain: a segment is in it once its end
    /// holds, an answer once it was heard to its end or broken off. Also after the session has closed.
    pub fn history(&self) -> Arc<History> {
        self.port.history()
    }

    /// An empty block of `len` samples (at most 20 ms) to fill and [`push`](Self::push).
    pub fn lease(&self, len: usize) -> Block {
        self.port.lease(len)
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
            let Some(cost) = port.take_credit(port.cost(staging.len() / channels)) else {
                return Err(Full(block));
            };
            port.send_staged(&mut staging, cost, stamp.arrived_us);
        }
        let Some(cost) = port.take_credit(port.cost(frames)) else { return Err(Full(block)) };
        port.send(block, cost, stamp);
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
        let need: u32 = blocks.clone().map(|len| port.cost(len / channels)).sum();
        // Rounding up to whole arrivals must not make a second cost more than the whole credit.
        let taken = port.take_credit(need.min(port.credits_max())).ok_or(PushError::Full)?;
        let mut credit = Credit { port, left: taken };
        let mut at = 0;
        for len in blocks {
            let mut block = port.lease(len);
            let out = block.try_mut().expect("a leased block has one owner");
            // All staged samples go into the first block.
            let from_staged = staging.len();
            out[..from_staged].copy_from_slice(&staging);
            if from_staged < len {
                fill(at + from_staged - staged, &mut out[from_staged..]);
            }
            at += len;
            let cost = port.cost(len / channels).min(credit.left);
            credit.left -= cost;
            let stamp = Stamp { arrived_us, ..Stamp::default() };
            port.send(block, cost, stamp);
            staging.clear();
        }
        Ok(())
    }

    /// Ends the input: the engine finishes what was pushed and still answers, then the session closes.
    pub fn finish(&self) {
        self.port.finish();
    }

    /// Hangs up: everything under way is cancelled, and the session closes at the next tick.
    pub fn close(&self) {
        self.port.hang_up();
    }

    /// Takes the next output, if there is one.
    pub fn poll(&self) -> Option<Out> {
        self.port.poll()
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
    /// [`ControlError::Overflow`] when [`CONTROLS_MAX`](crate::edge::CONTROLS_MAX) wait; [`ControlError::TooLong`] for
    /// a text or parameters beyond their bound; [`ControlError::Ended`] when the session is gone.
    pub fn control(&self, message: ControlIn) -> Result<(), ControlError> {
        self.port.control(message)
    }

    /// Sets whom to wake when an output is ready or the session has closed, in place of
    /// [`SessionSpec::waker`](crate::SessionSpec::waker).
    pub fn wake_on_output(&self, waker: Option<Waker>) {
        self.port.wakers.output.set(waker);
    }

    /// Sets whom to wake when there is credit again after a push was refused.
    pub fn wake_on_credit(&self, waker: Option<Waker>) {
        self.port.wakers.credit.set(waker);
    }

    /// Splits the session into its ends: two for audio callbacks, whose calls are wait-free, and one for everybody else.
    /// The rings are made here, by this thread. What was pushed through the handle comes before what the ends push; what
    /// it has not polled yet is dropped, except texts and events.
    ///
    /// The session hangs up when all three ends are dropped.
    ///
    /// # Errors
    /// [`SplitError`] gives the handle back: it has clones.
    pub fn split(self) -> Result<(AudioIn, AudioOut, SessionControl), SplitError> {
        if Arc::strong_count(&self.presence) > 1 {
            return Err(SplitError(self));
        }
        let Self { port, presence } = self;
        Ok(ends(&port, presence))
    }
}
