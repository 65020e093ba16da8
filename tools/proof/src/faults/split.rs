//! A host whose session is split: audio callbacks that push and read what they like, and a thread that hears what
//! happens.

use mynah_engine::base::rng::Rng;
use mynah_engine::edge::{AudioIn, AudioOut, Read, SessionControl, SplitError};
use mynah_engine::{PushError, SessionHandle};

use super::events::Events;
use super::pushed::Pushed;

/// Longest that a callback may read at once, sample frames.
const READ_MAX: usize = 4_800;
/// Sample frames of a tiny push.
const TINY: u64 = 8;

/// The three ends of a session, and what its host has seen of it.
#[derive(Debug)]
pub(super) struct Split {
    input: AudioIn,
    output: AudioOut,
    /// What the host wants, and is told.
    pub control: SessionControl,
    /// Most sample frames of a push and of a read.
    frames_max: u64,
    /// Audio that is put together for one push, and of how many samples that shall be.
    pending: Vec<f32>,
    wanted: usize,
    buffer: Vec<f32>,
    /// Engine time up to which the loudspeaker was fed.
    fed_us: u64,
    /// An answer has begun and not ended; `None`: who reads cannot tell.
    answers: Option<bool>,
    /// Samples read, and withdrawn before that.
    pub read: u64,
    /// See `read`.
    pub skipped: u64,
    /// What it was told.
    pub events: Events,
}

impl Split {
    /// Splits a session at `now_us`; pushes and reads have up to `frames_max` sample frames.
    ///
    /// # Errors
    /// The session has other handles, and stays whole.
    pub(super) fn new(handle: SessionHandle, frames_max: u64, now_us: u64) -> Result<Self, SplitError> {
        let (input, output, control) = handle.split()?;
        Ok(Self {
            input,
            output,
            control,
            frames_max: frames_max.max(1),
            pending: Vec::new(),
            wanted: 0,
            buffer: Vec::new(),
            fed_us: now_us,
            answers: Some(false),
            read: 0,
            skipped: 0,
            events: Events::default(),
        })
    }

    /// Pushes a packet: as it is, in tiny pieces, or together with those that follow.
    pub(super) fn push(&mut self, samples: &[f32], rng: &mut Rng, pushed: &mut Pushed) {
        let channels = usize::from(self.input.format().channels);
        if !samples.len().is_multiple_of(channels) {
            return self.push_at_once(samples, pushed);
        }
        if self.pending.is_empty() {
            match rng.below(3) {
                0 => return self.push_at_once(samples, pushed),
                1 => {
                    let tiny = 1 + rng.below(self.frames_max.min(TINY)) as usize;
                    samples.chunks(tiny * channels).for_each(|piece| self.push_at_once(piece, pushed));
                    return;
                }
                _ => self.wanted = (1 + rng.below(self.frames_max)) as usize * channels,
            }
        }
        self.pending.extend_from_slice(samples);
        if self.pending.len() >= self.wanted {
            self.push_pending(pushed);
        }
    }

    fn push_pending(&mut self, pushed: &mut Pushed) {
        let pending = std::mem::take(&mut self.pending);
        self.push_at_once(&pending, pushed);
        self.pending = pending;
        self.pending.clear();
    }

    fn push_at_once(&mut self, samples: &[f32], pushed: &mut Pushed) {
        let channels = usize::from(self.input.format().channels);
        match self.input.push(samples) {
            Ok(()) => pushed.frames += (samples.len() / channels) as u64,
            Err(PushError::Full) => pushed.full += 1,
            Err(PushError::Ended) => pushed.late += 1,
            Err(PushError::BadLength { .. }) => pushed.bad += 1,
        }
    }

    /// Pushes nothing, and half a sample frame; what the ends should not have done goes into `wrong`.
    pub(super) fn push_malformed(&mut self, pushed: &mut Pushed, wrong: &mut Vec<String>) {
        if let Err(error) = self.input.push(&[])
            && error != PushError::Ended
        {
            wrong.push(format!("{}: an empty push is refused: {error}", self.control.name()));
        }
        if self.input.format().channels > 1 {
            self.expect_bad(321, pushed, wrong);
        }
    }

    /// Pushes more than fits at all.
    pub(super) fn push_oversized(&mut self, pushed: &mut Pushed, wrong: &mut Vec<String>) {
        let format = self.input.format();
        self.expect_bad(format.rate_hz as usize * 2 * usize::from(format.channels), pushed, wrong);
    }

    fn expect_bad(&mut self, samples: usize, pushed: &mut Pushed, wrong: &mut Vec<String>) {
        match self.input.push(&vec![0.1; samples]) {
            Err(PushError::BadLength { .. }) => pushed.bad += 1,
            other => wrong.push(format!("{}: {samples} samples at once: {other:?}", self.control.name())),
        }
    }

    /// Ends the input, behind all that is put together.
    pub(super) fn finish(&mut self, pushed: &mut Pushed) {
        if !self.pending.is_empty() {
            self.push_pending(pushed);
        }
        self.control.finish();
    }

    /// The loudspeaker has stood still until `now_us`.
    pub(super) fn skips_to(&mut self, now_us: u64) {
        self.fed_us = now_us;
    }

    /// The loudspeaker takes what it plays until `now_us`, or all that there is if `at_once`; `take` gets the sound.
    pub(super) fn listen(
        &mut self,
        now_us: u64,
        at_once: bool,
        rng: &mut Rng,
        take: &mut dyn FnMut(&[f32]),
        wrong: &mut Vec<String>,
    ) {
        if at_once {
            self.fed_us = now_us;
            // Once more when nothing is left: marks and withdrawals are told by a read.
            while self.read(READ_MAX, take, wrong).frames > 0 {}
            return;
        }
        let rate_hz = u64::from(self.output.format().rate_hz);
        loop {
            let frames = 1 + rng.below(self.frames_max.min(READ_MAX as u64));
            let us = (frames * 1_000_000).div_ceil(rate_hz);
            if self.fed_us + us > now_us {
                return;
            }
            self.fed_us += us;
            self.read(frames as usize, take, wrong);
        }
    }

    fn read(&mut self, frames: usize, take: &mut dyn FnMut(&[f32]), wrong: &mut Vec<String>) -> Read {
        let channels = usize::from(self.output.format().channels);
        let available = self.output.available();
        self.buffer.clear();
        self.buffer.resize(frames * channels, f32::NAN);
        let read = self.output.read(&mut self.buffer);
        let (sound, silence) = self.buffer.split_at(read.frames * channels);
        take(sound);
        self.read += sound.len() as u64;
        self.skipped += (read.skipped * channels) as u64;
        if read.frames + read.skipped < available.min(frames) || silence.iter().any(|sample| *sample != 0.0) {
            let name = self.control.name();
            wrong.push(format!("{name}: {available} sample frames were there, {frames} asked for: {read:?}"));
        }
        if !self.follows(read) {
            wrong.push(format!("{}: an answer ended that had not begun: {read:?}", self.control.name()));
        }
        read
    }

    /// Whether the marks of a read go on with those before it: what ended had begun.
    fn follows(&mut self, read: Read) -> bool {
        let before = if read.cut { Some(false) } else { self.answers };
        let (answers, follows) = match (before, read.began, read.ended) {
            (before, false, false) => (before, true),
            (_, true, false) => (Some(true), true),
            (before, false, true) => (Some(false), before != Some(false)),
            // Whichever came first.
            (_, true, true) => (None, true),
        };
        self.answers = answers;
        follows
    }

    /// Samples that nobody has read.
    pub(super) fn unread(&self) -> u64 {
        (self.output.available() * usize::from(self.output.format().channels)) as u64
    }
}
