//! What a character says, for whatever mixes the game's sound.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_engine::crossbeam::queue::ArrayQueue;
use mynah_engine::edge::Read;
use mynah_engine::scene::Format;
use mynah_host::Reader;

/// What was measured of a voice where it was read; shared by the game and the device's thread.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    level: AtomicU32,
    gaps: AtomicU64,
    resumed: AtomicU64,
}

impl Meter {
    /// Root mean square of what was read last, 0 to 1.
    pub(crate) fn level(&self) -> f32 {
        f32::from_bits(self.level.load(Ordering::Relaxed))
    }

    /// Silences inside answers, less those in which an answer waited for the player.
    pub(crate) fn holes(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed).saturating_sub(self.resumed.load(Ordering::Relaxed))
    }

    /// An answer that waited goes on: the device hears that as a gap.
    pub(crate) fn note_resumed(&self) {
        self.resumed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Readers on their way between the game and the device's thread.
struct Exchange {
    next: ArrayQueue<Box<Reader>>,
    /// Freed by the game.
    back: ArrayQueue<Box<Reader>>,
}

/// Reads what a character says, in the format of a device: with fades at cuts and holes. Made with its
/// [`VoiceOutput`](crate::VoiceOutput), and taken from there once. It stays the same when the voice is opened, closed
/// and opened again, and gives silence while it is not.
///
/// For the thread of a sound device: nothing here allocates, locks or waits.
pub struct VoiceReader {
    format: Format,
    current: Option<Box<Reader>>,
    exchange: Arc<Exchange>,
    meter: Arc<Meter>,
    /// The answer that was read last goes on.
    in_answer: bool,
    /// Silence came where it should.
    in_gap: bool,
}

impl VoiceReader {
    /// The device's format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Silences inside answers since the start, less those in which an answer waited for the player.
    pub fn holes(&self) -> u64 {
        self.meter.holes()
    }

    /// Fills `out` with interleaved samples, whole sample frames: the next of what the character says, then silence.
    /// What is told of it is as [`mynah_host::Reader::read`] tells it.
    pub fn read(&mut self, out: &mut [f32]) -> Read {
        if let Some(next) = self.exchange.next.pop() {
            let old = self.current.replace(next);
            // There is room for one; a second before the game has looked is freed here.
            drop(old.map(|old| self.exchange.back.push(old)));
            (self.in_answer, self.in_gap) = (false, false);
        }
        let Some(reader) = &mut self.current else {
            out.fill(0.0);
            return Read::default();
        };
        let read = reader.read(out);
        // Who has hung up leaves no hole.
        let closed = reader.output().is_closed();
        self.measure(&read, out.len() / usize::from(self.format.channels.max(1)), closed);
        read
    }

    fn measure(&mut self, read: &Read, frames: usize, closed: bool) {
        self.meter.level.store(read.level.to_bits(), Ordering::Relaxed);
        if read.cut || closed {
            (self.in_answer, self.in_gap) = (false, false);
        }
        if self.in_gap && read.frames > 0 {
            self.meter.gaps.fetch_add(u64::from(!read.began), Ordering::Relaxed);
            self.in_gap = false;
        }
        // Told of the last sample that was read; silence belongs to none.
        self.in_answer = if read.frames > 0 { read.turn != 0 } else { self.in_answer } && !read.ended;
        self.in_gap |= self.in_answer && read.frames < frames;
    }
}

impl fmt::Debug for VoiceReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceReader").field("format", &self.format).finish_non_exhaustive()
    }
}

/// The game's end of a [`VoiceReader`], with the reader itself until somebody takes it.
pub(crate) struct Outlet {
    format: Format,
    exchange: Arc<Exchange>,
    meter: Arc<Meter>,
    /// Never touched by the thread of a device.
    reader: Mutex<Option<VoiceReader>>,
}

impl Outlet {
    pub(crate) fn new(format: Format) -> Self {
        let exchange = Arc::new(Exchange { next: ArrayQueue::new(1), back: ArrayQueue::new(2) });
        let meter = Arc::new(Meter::default());
        let reader = VoiceReader {
            format,
            current: None,
            exchange: Arc::clone(&exchange),
            meter: Arc::clone(&meter),
            in_answer: false,
            in_gap: false,
        };
        Self { format, exchange, meter, reader: Mutex::new(Some(reader)) }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// The sound of a session that was opened, in place of the one before.
    pub(crate) fn connect(&self, reader: Reader) {
        while self.exchange.back.pop().is_some() {}
        drop(self.exchange.next.force_push(Box::new(reader)));
    }

    /// The reader, once.
    pub(crate) fn take(&self) -> Option<VoiceReader> {
        self.reader().take()
    }

    /// Reads `frames` sample frames that nobody else will: so long as nobody has taken the reader, answers pass unheard.
    /// `scratch` is overwritten. False: the reader is taken, for good.
    pub(crate) fn pass_unheard(&self, frames: usize, scratch: &mut Vec<f32>) -> bool {
        let mut reader = self.reader();
        let Some(reader) = &mut *reader else { return false };
        scratch.resize(frames * usize::from(self.format.channels.max(1)), 0.0);
        reader.read(scratch);
        true
    }

    fn reader(&self) -> MutexGuard<'_, Option<VoiceReader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("format", &self.format).finish_non_exhaustive()
    }
}
