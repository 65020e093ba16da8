//! What voices cost in a frame, and what went wrong.
#![expect(clippy::disallowed_methods, reason = "what a frame costs is measured by the wall clock")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bevy_ecs::resource::Resource;

/// What the voices' systems took in the frame, by the wall clock. Written in `PreUpdate`.
#[derive(Resource, Debug, Default)]
pub struct VoiceCost {
    frame_ns: AtomicU64,
    tick_ns: AtomicU64,
}

impl VoiceCost {
    /// All systems of this frame together, microseconds.
    pub fn frame_us(&self) -> f64 {
        self.frame_ns.load(Ordering::Relaxed) as f64 / 1e3
    }

    /// The ticks of this frame, microseconds; where engines have threads of their own, their ticks since the last frame,
    /// which are no part of it.
    pub fn tick_us(&self) -> f64 {
        self.tick_ns.load(Ordering::Relaxed) as f64 / 1e3
    }

    /// A frame begins.
    pub(crate) fn reset(&self) {
        self.frame_ns.store(0, Ordering::Relaxed);
        self.tick_ns.store(0, Ordering::Relaxed);
    }

    /// Runs work of a frame.
    pub(crate) fn measure<R>(&self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let done = work();
        self.frame_ns.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    /// Notes ticks of other threads.
    pub(crate) fn note_ticks(&self, us: u64) {
        self.tick_ns.fetch_add(us * 1_000, Ordering::Relaxed);
    }

    /// Runs ticks of a frame.
    pub(crate) fn measure_tick<R>(&self, ticks: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let done = ticks();
        let ns = start.elapsed().as_nanos() as u64;
        self.frame_ns.fetch_add(ns, Ordering::Relaxed);
        self.tick_ns.fetch_add(ns, Ordering::Relaxed);
        done
    }
}

/// Counts of sessions that are over.
#[derive(Resource, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) holes: u64,
    pub(crate) refused: u64,
}
