//! What the callback of a loudspeaker does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cpal::{FromSample, Sample};
use mynah_engine::edge::AudioOut;
use mynah_engine::scene::Format;
use mynah_host::Reader;
use mynah_host::sound::Holes;
use mynah_systems::dsp::resampler::ResampleError;

use crate::capture::LEVEL_MS;
use crate::convert::PIECE;
use crate::counters::{Counters, Meter, Shared};

/// Adds up what sessions say, each [read](Reader) in the device's format, in the device's sample format. For any
/// callback, also of other sound systems: nothing here allocates, locks or waits.
#[derive(Debug)]
pub struct Mix {
    readers: Vec<Reader>,
    /// Which of them wait, as their hosts say.
    waiting: Arc<[AtomicBool]>,
    format: Format,
    /// Those of readers that are gone.
    holes: Holes,
    meter: Meter,
    shared: Arc<Shared>,
}

impl Mix {
    /// For sessions, and a device. Without a session it is silent.
    ///
    /// # Errors
    /// [`ResampleError`]: a rate outside 8,000 to 192,000 Hz, or not 1 to 8 channels.
    pub fn new(outputs: Vec<AudioOut>, device: Format) -> Result<Self, ResampleError> {
        let waiting = outputs.iter().map(|_| AtomicBool::new(false)).collect();
        Self::counted(outputs, device, waiting, Arc::default())
    }

    pub(crate) fn counted(
        outputs: Vec<AudioOut>,
        device: Format,
        waiting: Arc<[AtomicBool]>,
        shared: Arc<Shared>,
    ) -> Result<Self, ResampleError> {
        let readers: Result<Vec<Reader>, _> =
            outputs.into_iter().map(|output| Reader::new(output, device)).collect();
        let (meter, holes) = (meter(device), Holes::default());
        Ok(Self { readers: readers?, waiting, format: device, holes, meter, shared })
    }

    /// Goes on for a device of another format; what the filters had is lost.
    ///
    /// # Errors
    /// As [`new`](Self::new); then there is nothing to play any more.
    pub(crate) fn set_format(&mut self, device: Format) -> Result<(), ResampleError> {
        if device == self.format {
            return Ok(());
        }
        for reader in std::mem::take(&mut self.readers) {
            self.holes = sum(self.holes, reader.holes());
            self.readers.push(Reader::new(reader.into_output(), device)?);
        }
        (self.format, self.meter) = (device, meter(device));
        Ok(())
    }

    /// The device's format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// One reader for each session, in their order.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.shared.read()
    }

    /// Fills `out` with interleaved samples, whole frames: half a frame at the end is left silent. Sums beyond full scale
    /// are cut there.
    pub fn fill<T: Sample + FromSample<f32>>(&mut self, out: &mut [T]) {
        let shared = Arc::clone(&self.shared);
        let channels = usize::from(self.format.channels);
        shared.call(out.len() / channels, || {
            let mut piece = [0.0; PIECE];
            for out in out.chunks_mut(PIECE - PIECE % channels) {
                let piece = &mut piece[..out.len()];
                self.add_up(piece);
                for (to, from) in out.iter_mut().zip(piece) {
                    *to = T::from_sample(*from);
                }
            }
        });
    }

    /// [`fill`](Self::fill) for samples that need no conversion.
    pub fn fill_f32(&mut self, out: &mut [f32]) {
        let shared = Arc::clone(&self.shared);
        let channels = usize::from(self.format.channels);
        shared.call(out.len() / channels, || {
            if self.readers.len() > 1 {
                out.chunks_mut(PIECE - PIECE % channels).for_each(|out| self.add_up(out));
            } else {
                self.add_up(out);
            }
        });
    }

    /// At most [`PIECE`] samples, unless there is one session.
    fn add_up(&mut self, out: &mut [f32]) {
        let whole = out.len() - out.len() % usize::from(self.format.channels);
        let (frames, rest) = out.split_at_mut(whole);
        rest.fill(0.0);
        let mut holes = self.holes;
        let mut other = [0.0; PIECE];
        for (at, reader) in self.readers.iter_mut().enumerate() {
            if self.waiting[at].load(Ordering::Relaxed) {
                reader.expect_silence();
            }
            if at == 0 {
                reader.read(frames);
            } else {
                let other = &mut other[..frames.len()];
                reader.read(other);
                frames.iter_mut().zip(other).for_each(|(sum, sample)| *sum += *sample);
            }
            holes = sum(holes, reader.holes());
        }
        match self.readers.len() {
            0 => frames.fill(0.0),
            1 => {}
            _ => frames.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0)),
        }
        self.shared.holes.store(holes.count, Ordering::Relaxed);
        self.shared.hole_frames.store(holes.frames, Ordering::Relaxed);
        if let Some(level) = self.meter.take(frames) {
            self.shared.show(level);
        }
    }
}

fn meter(device: Format) -> Meter {
    Meter::new(device.rate_hz as usize * LEVEL_MS / 1_000 * usize::from(device.channels))
}

fn sum(one: Holes, other: Holes) -> Holes {
    Holes { count: one.count + other.count, frames: one.frames + other.frames }
}
