//! The rings of samples between audio callbacks and the tick. Each has one producer and one consumer, so that neither
//! side ever waits: where many threads meet (arrivals of a shard, events of a session) crossbeam's queues stay.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_platform::cell::SyncCell;

use crate::base::sync::{AtomicU64, Consumer, Producer, ring};
use crate::base::time::frames_to_us;
use crate::scene::Format;

/// Audio that a ring holds at most, ms: a second, and what comes during a tick.
pub const RING_MS_MAX: u32 = 1_100;
/// Audio that an output ring holds beyond the lead, ms: a block, and what a late callback leaves.
const BEYOND_LEAD_MS: u32 = 300;
/// Beginnings and ends of answers that may lie in an output ring.
const MARKS_MAX: usize = 64;

/// Samples of `ms` in this format, whole sample frames.
pub(crate) fn samples_in(format: Format, ms: u32) -> usize {
    (u64::from(format.rate_hz) * u64::from(ms) / 1_000) as usize * usize::from(format.channels)
}

/// What the reader of an output ring and the tick tell each other. Positions count samples from the session's first.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// Everything before this was read.
    pub(crate) read_to: AtomicU64,
    /// Everything before this is void: the reader skips what is left of it.
    pub(crate) flush_to: AtomicU64,
    /// Marks that were read.
    pub(crate) marks_read: AtomicU64,
}

/// Where in an output ring an answer begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutMark {
    /// Position of the first sample of the answer, or behind its last.
    pub(crate) at: u64,
    /// The turn that is answered.
    pub(crate) turn: u32,
    /// Whether the answer ends here; otherwise it begins.
    pub(crate) ends: bool,
}

/// The tick's end of the output ring of a session that was split.
pub(crate) struct OutputRing {
    samples: SyncCell<Producer<f32>>,
    marks: SyncCell<Producer<OutMark>>,
    positions: Arc<Positions>,
    format: Format,
    capacity: u64,
    written: u64,
    marks_written: u64,
    /// Position of the first sample of the answer that leaves at present.
    began_at: u64,
}

/// The host's end of an output ring.
#[derive(Debug)]
pub(crate) struct OutputEnd {
    pub(crate) samples: Consumer<f32>,
    pub(crate) marks: Consumer<OutMark>,
    pub(crate) positions: Arc<Positions>,
}

impl OutputRing {
    /// A ring for audio in `format` that leaves at most `lead_ms` ahead of the ear; `None`: as fast as it is made.
    pub(crate) fn new(format: Format, lead_ms: Option<u32>) -> (Self, OutputEnd) {
        let ms = lead_ms.map_or(RING_MS_MAX, |ms| ms.saturating_add(BEYOND_LEAD_MS).min(RING_MS_MAX));
        let capacity = samples_in(format, ms);
        let (samples, read) = ring(capacity);
        let (marks, read_marks) = ring(MARKS_MAX);
        let positions = Arc::new(Positions::default());
        let end = OutputEnd { samples: read, marks: read_marks, positions: Arc::clone(&positions) };
        let ring = Self {
            samples: SyncCell::new(samples),
            marks: SyncCell::new(marks),
            positions,
            format,
            capacity: capacity as u64,
            written: 0,
            marks_written: 0,
            began_at: 0,
        };
        (ring, end)
    }

    /// Whether a block of `samples` fits, with its marks.
    pub(crate) fn has_room(&self, samples: usize) -> bool {
        let read = self.positions.read_to.load(Ordering::Acquire);
        let marks = self.marks_written - self.positions.marks_read.load(Ordering::Acquire);
        self.written + samples as u64 <= read + self.capacity && marks + 2 <= MARKS_MAX as u64
    }

    /// Appends samples; [`has_room`](Self::has_room) was asked.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        // More than the ring holds is refused by `has_room`, and only the tick pushes.
        if self.samples.get().push_entire_slice(samples).is_ok() {
            self.written += samples.len() as u64;
        }
    }

    /// An answer begins with the next sample.
    pub(crate) fn begin(&mut self, turn: u32) {
        self.began_at = self.written;
        self.mark(turn, false);
    }

    /// The answer ends behind the last sample; returns that position.
    pub(crate) fn end(&mut self, turn: u32) -> u64 {
        self.mark(turn, true);
        self.written
    }

    fn mark(&mut self, turn: u32, ends: bool) {
        // An end follows the samples for which there was room; one beyond that is lost with nobody to read it.
        if self.marks.get().push(OutMark { at: self.written, turn, ends }).is_ok() {
            self.marks_written += 1;
        }
    }

    /// Voids all that was not read yet.
    pub(crate) fn flush(&mut self) {
        self.positions.flush_to.store(self.written, Ordering::Release);
    }

    /// Whether everything before `at` was read or is void.
    pub(crate) fn has_played(&self, at: u64) -> bool {
        self.played() >= at
    }

    fn played(&self) -> u64 {
        let read = self.positions.read_to.load(Ordering::Acquire);
        read.max(self.positions.flush_to.load(Ordering::Relaxed))
    }

    /// Audio before `at` that nobody has read and that is not void, microseconds.
    pub(crate) fn unread_before_us(&self, at: u64) -> u64 {
        self.us(at.saturating_sub(self.played()))
    }

    /// Audio that nobody has read yet, microseconds.
    pub(crate) fn unread_us(&self) -> u64 {
        self.us(self.written.saturating_sub(self.played()))
    }

    /// How much of the answer that leaves at present was read, microseconds.
    pub(crate) fn heard_us(&self) -> u64 {
        let read = self.positions.read_to.load(Ordering::Acquire);
        self.us(read.clamp(self.began_at, self.written) - self.began_at)
    }

    /// Samples that wait to be read.
    pub(crate) fn unread(&self) -> u64 {
        self.written.saturating_sub(self.played())
    }

    fn us(&self, samples: u64) -> u64 {
        frames_to_us(samples / u64::from(self.format.channels), self.format.rate_hz)
    }
}

/// The tick's end of the input ring of a session that was split.
pub(crate) struct InputRing {
    samples: SyncCell<Consumer<f32>>,
}

impl InputRing {
    /// A ring for 1.1 s of audio in `format`, and its producer.
    pub(crate) fn new(format: Format) -> (Producer<f32>, Self) {
        let (write, samples) = ring(samples_in(format, RING_MS_MAX));
        (write, Self { samples: SyncCell::new(samples) })
    }

    /// Samples that have arrived.
    pub(crate) fn len(&mut self) -> usize {
        self.samples.get().slots()
    }

    /// Takes the oldest samples; as many as `out` has must be there.
    pub(crate) fn take(&mut self, out: &mut [f32]) {
        // Only the tick takes, so what was counted is still there.
        let _all = self.samples.get().pop_entire_slice(out);
    }
}

/// The tick's ends of the rings of a session that was split.
pub(crate) struct AudioRings {
    pub(crate) input: InputRing,
    /// `None`: the scene puts out no audio.
    pub(crate) output: Option<OutputRing>,
}

impl std::fmt::Debug for AudioRings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioRings").finish_non_exhaustive()
    }
}
