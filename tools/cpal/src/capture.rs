//! What the callback of a microphone does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cpal::{FromSample, Sample};
use mynah_engine::PushError;
use mynah_engine::edge::AudioIn;

use crate::convert::{PIECE, rechannel};
use crate::counters::{Counters, Meter, Shared};
use crate::devices::CHANNELS_MAX;

/// Time over which the level is measured, milliseconds.
pub(crate) const LEVEL_MS: usize = 20;

/// Pushes what a device records into a session, whatever the device's sample format and channels. For any callback, also
/// of other sound systems: nothing here allocates, locks or waits.
#[derive(Debug)]
pub struct Capture {
    input: AudioIn,
    channels: usize,
    meter: Meter,
    shared: Arc<Shared>,
}

impl Capture {
    /// For a session, and a device of `channels` channels (1 to 8; others count as the nearest of these) at the
    /// session's rate.
    pub fn new(input: AudioIn, channels: u16) -> Self {
        Self::counted(input, channels, Arc::default())
    }

    pub(crate) fn counted(input: AudioIn, channels: u16, shared: Arc<Shared>) -> Self {
        let format = input.format();
        let meter = Meter::new(format.rate_hz as usize * LEVEL_MS / 1_000 * usize::from(format.channels));
        Self { input, channels: usize::from(channels.clamp(1, CHANNELS_MAX)), meter, shared }
    }

    /// The session's end.
    pub fn input(&self) -> &AudioIn {
        &self.input
    }

    /// Opens it for a device of other channels.
    pub(crate) fn set_channels(&mut self, channels: u16) {
        self.channels = usize::from(channels.clamp(1, CHANNELS_MAX));
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.shared.read()
    }

    /// Takes interleaved samples, whole frames: half a frame at the end is left out. What the session has no room for is
    /// lost and [counted](Counters::refused).
    pub fn take<T: Sample>(&mut self, samples: &[T])
    where
        f32: FromSample<T>,
    {
        let Self { input, channels, meter, shared } = self;
        shared.call(samples.len() / *channels, || {
            let mut piece = [0.0; PIECE];
            let whole = PIECE - PIECE % *channels;
            for samples in samples.chunks(whole) {
                let piece = &mut piece[..samples.len()];
                for (to, from) in piece.iter_mut().zip(samples) {
                    *to = f32::from_sample(*from);
                }
                forward(input, piece, *channels, meter, shared);
            }
        });
    }

    /// [`take`](Self::take) for samples that need no conversion.
    pub fn take_f32(&mut self, samples: &[f32]) {
        let Self { input, channels, meter, shared } = self;
        shared.call(samples.len() / *channels, || forward(input, samples, *channels, meter, shared));
    }
}

/// Pushes samples of `from` channels.
fn forward(input: &mut AudioIn, samples: &[f32], from: usize, meter: &mut Meter, shared: &Shared) {
    let to = usize::from(input.format().channels);
    if from == to {
        // A second of audio does not fit in at once where the device hung for that long; what does is kept.
        let most = input.format().rate_hz as usize / 10 * to;
        for samples in samples[..samples.len() - samples.len() % to].chunks(most) {
            push(input, samples, meter, shared);
        }
        return;
    }
    let mut made = [0.0; PIECE];
    for source in samples.chunks(PIECE / from.max(to) * from) {
        let made = &mut made[..source.len() / from * to];
        rechannel(source, from, made, to);
        push(input, made, meter, shared);
    }
}

fn push(input: &mut AudioIn, samples: &[f32], meter: &mut Meter, shared: &Shared) {
    if input.push(samples) == Err(PushError::Full) {
        let frames = samples.len() / usize::from(input.format().channels);
        shared.refused.fetch_add(frames as u64, Ordering::Relaxed);
    }
    if let Some(level) = meter.take(samples) {
        shared.show(level);
    }
}
