//! What callbacks count, for whoever looks from another thread.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use mynah_host::sound::{Holes, Level};

/// What a device has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of the device.
    pub callbacks: u64,
    /// Sample frames that it gave or took.
    pub frames: u64,
    /// Sample frames of a microphone for which the session had no room: they are lost.
    pub refused: u64,
    /// Holes in the answers of a loudspeaker, over all that it plays, at its rate.
    pub holes: Holes,
    /// Allocations in the calls; 0 unless the program's allocator is `mynah_alloc::Counting`, and 0 with it.
    pub allocations: u64,
    /// Times that the sound system says it was called too late.
    pub xruns: u64,
    /// Times that the device was lost.
    pub losses: u64,
}

/// The counters as the threads share them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) callbacks: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) holes: AtomicU64,
    pub(crate) hole_frames: AtomicU64,
    pub(crate) allocations: AtomicU64,
    pub(crate) xruns: AtomicU64,
    pub(crate) losses: AtomicU64,
    rms: AtomicU32,
    peak: AtomicU32,
}

impl Shared {
    pub(crate) fn read(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            callbacks: get(&self.callbacks),
            frames: get(&self.frames),
            refused: get(&self.refused),
            holes: Holes { count: get(&self.holes), frames: get(&self.hole_frames) },
            allocations: get(&self.allocations),
            xruns: get(&self.xruns),
            losses: get(&self.losses),
        }
    }

    pub(crate) fn level(&self) -> Level {
        let get = |value: &AtomicU32| f32::from_bits(value.load(Ordering::Relaxed));
        Level { rms: get(&self.rms), peak: get(&self.peak) }
    }

    pub(crate) fn show(&self, level: Level) {
        self.rms.store(level.rms.to_bits(), Ordering::Relaxed);
        self.peak.store(level.peak.to_bits(), Ordering::Relaxed);
    }

    /// A call of the device: counts it, and what it allocates.
    pub(crate) fn call(&self, frames: usize, work: impl FnOnce()) {
        let before = mynah_alloc::of_thread().allocations;
        work();
        self.allocations.fetch_add(mynah_alloc::of_thread().allocations - before, Ordering::Relaxed);
        self.callbacks.fetch_add(1, Ordering::Relaxed);
        self.frames.fetch_add(frames as u64, Ordering::Relaxed);
    }
}

/// The level over stretches of the same length, from pieces of any length: some devices call for a sample at a time.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    stretch: usize,
    samples: usize,
    squares: f64,
    peak: f32,
}

impl Meter {
    /// Over stretches of so many samples, channels included.
    pub fn new(stretch: usize) -> Self {
        Self { stretch: stretch.max(1), samples: 0, squares: 0.0, peak: 0.0 }
    }

    /// Takes a piece; the level, where a stretch is over with it.
    pub fn take(&mut self, piece: &[f32]) -> Option<Level> {
        let level = Level::of(piece);
        self.squares += f64::from(level.rms).powi(2) * piece.len() as f64;
        self.peak = self.peak.max(level.peak);
        self.samples += piece.len();
        if self.samples < self.stretch {
            return None;
        }
        let rms = (self.squares / self.samples as f64).sqrt() as f32;
        let level = Level { rms, peak: self.peak };
        *self = Self::new(self.stretch);
        Some(level)
    }
}
