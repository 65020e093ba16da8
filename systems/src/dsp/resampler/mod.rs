//! Streaming sample-rate conversion: chooses the filter for a conversion and counts its frames.
//!
//! The one invariant: output frame `k` sounds at input time `k * from_hz / to_hz` frames after the first input
//! frame, however the input was cut into pushes. So a frame's time stamp is arithmetic, never measurement, and
//! a whole stream of `n` frames gives exactly `round(n * to_hz / from_hz)`.

mod bank;
mod fft;
mod polyphase;
mod rows;
mod sinc;
mod spec;

use fft::FixedChunk;
use polyphase::Polyphase;
use sinc::Sinc;
pub use spec::{
    CHANNELS, CHUNK_FRAMES, FrameCount, Kernel, Mode, Quality, RATE_HZ, RateConverter, ResampleError,
    ResampleSpec,
};
use spec::{Phases, design, whole_frames};

/// Builds the converter of `spec`, with all memory it will ever need. Equal rates give one that copies.
///
/// # Errors
/// A rate, channel count or chunk outside its range, or the kernel `Batched` for a ratio that is not exact.
pub fn build(spec: ResampleSpec) -> Result<Box<dyn RateConverter>, ResampleError> {
    if !RATE_HZ.contains(&spec.from_hz) {
        return Err(ResampleError::InputRate(spec.from_hz));
    }
    if !RATE_HZ.contains(&spec.to_hz) {
        return Err(ResampleError::OutputRate(spec.to_hz));
    }
    if !CHANNELS.contains(&spec.channels) {
        return Err(ResampleError::Channels(spec.channels));
    }
    if let Mode::FixedChunk { frames } = spec.mode
        && !CHUNK_FRAMES.contains(&frames)
    {
        return Err(ResampleError::ChunkFrames(frames));
    }
    let channels = usize::from(spec.channels);
    if spec.from_hz == spec.to_hz {
        return Ok(Box::new(Copying { channels, count: FrameCount::default() }));
    }
    Ok(match spec.mode {
        Mode::Streaming => {
            let filter = design(spec.from_hz, spec.to_hz, spec.quality);
            match (spec.kernel, filter.phases) {
                (Kernel::Auto | Kernel::Batched, Phases::Exact(_)) => {
                    Box::new(Polyphase::new(spec.from_hz, spec.to_hz, channels, spec.quality, &filter))
                }
                (Kernel::Batched, Phases::Interpolated(_)) => {
                    return Err(ResampleError::NoBank(spec.from_hz, spec.to_hz));
                }
                (Kernel::Rubato, _) | (Kernel::Auto, Phases::Interpolated(_)) => {
                    Box::new(Sinc::new(spec.from_hz, spec.to_hz, channels, filter))
                }
            }
        }
        Mode::FixedChunk { frames } => {
            Box::new(FixedChunk::new(spec.from_hz, spec.to_hz, channels, frames as usize))
        }
    })
}

/// True if the ratio of both rates has a filter with a row of taps for every position: it has where few outputs pass
/// until positions repeat, as between all customary rates up to 48 kHz. Equal rates need no filter at all.
pub fn is_exact(from_hz: u32, to_hz: u32, quality: Quality) -> bool {
    from_hz == to_hz || matches!(design(from_hz, to_hz, quality).phases, Phases::Exact(_))
}

/// The converter of equal rates.
struct Copying {
    channels: usize,
    count: FrameCount,
}

impl RateConverter for Copying {
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.count.consumed += whole_frames(input, self.channels) as u64;
        output.extend_from_slice(input);
        self.count.emitted = self.count.consumed;
    }

    fn flush(&mut self, _output: &mut Vec<f32>) {
        self.reset();
    }

    fn reset(&mut self) {
        self.count = FrameCount::default();
    }

    fn delay_us(&self) -> u32 {
        0
    }

    fn frames(&self) -> FrameCount {
        self.count
    }

    fn output_frames_max(&self, input_frames: usize) -> usize {
        input_frames
    }

    fn tail_frames_max(&self) -> usize {
        0
    }
}
