//! The settings of a resampler, the trait of every kind of resampler, and their shared parts: filter, ratio, count of
//! frames.

use std::fmt;
use std::ops::RangeInclusive;

use rubato::WindowFunction;
use serde::{Deserialize, Serialize};

/// Sample rates a stream may have, in Hz: telephony to studio.
pub const RATE_HZ: RangeInclusive<u32> = 8_000..=192_000;

/// Channels a stream may have.
pub const CHANNELS: RangeInclusive<u8> = 1..=8;

/// Frames a fixed chunk may have.
pub const CHUNK_FRAMES: RangeInclusive<u32> = 1..=16_384;

/// How much filter delay and work a conversion may spend on purity.
///
/// Nyquist means half the lower of both rates. In all three, tones up to 7/8 of it pass, and what folds back from
/// 9/8 of the output's and above stays under -109 dB. They differ in the band between, and in the delay, which is
/// half the taps: it doubles when the lower rate is 8 kHz, and is a third when both are near 48 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Quality {
    /// 48 taps per output period (144 at 48 to 16 kHz): 1.5 ms there, a tenth less work. 0.25 dB down at 7/8
    /// of Nyquist; a tone 3 % above it folds back at -24 dB.
    Fast,
    /// 64 taps per output period (192 at 48 to 16 kHz): 2 ms there. 0.06 dB down at 7/8 of Nyquist; a tone 3 %
    /// above it folds back at -39 dB.
    #[default]
    Standard,
    /// 96 taps per output period (288 at 48 to 16 kHz): 3 ms there, a third more work. 0.01 dB down at 7/8 of
    /// Nyquist; a tone 3 % above it folds back at -63 dB, from 9/8 on nothing above -130 dB.
    High,
}

/// Which code runs the streaming filter. The filter is the same: outputs differ by at most 1e-5 of full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Kernel {
    /// `Batched` where the ratio is exact, `Rubato` elsewhere.
    #[default]
    Auto,
    /// rubato's asynchronous sinc filter, with tables of its own for every stream.
    Rubato,
    /// One bank of taps for all streams of equal ratio and quality; a stream's outputs are computed several at
    /// once. Only where `is_exact` holds.
    Batched,
}

/// When a conversion returns its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// After every push, everything that a causal filter can give.
    #[default]
    Streaming,
    /// Waits until `frames` input frames are there, then converts them by FFT at its own fixed quality. Exists for
    /// comparison with streaming.
    FixedChunk {
        /// Input frames per chunk, 1 to 16384.
        frames: u32,
    },
}

/// One conversion of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResampleSpec {
    /// Rate of the input in Hz, 8000 to 192000.
    pub from_hz: u32,
    /// Rate of the output in Hz, 8000 to 192000.
    pub to_hz: u32,
    /// Interleaved channels, 1 to 8.
    pub channels: u8,
    /// How much delay and work the filter may cost.
    pub quality: Quality,
    /// When frames come out.
    pub mode: Mode,
    /// Which code runs the streaming filter; a fixed chunk knows only one.
    pub kernel: Kernel,
}

/// Frames counted since the start of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameCount {
    /// Input frames taken.
    pub consumed: u64,
    /// Output frames given. The next one sounds `emitted / to_hz` seconds after the stream's first input frame.
    pub emitted: u64,
}

/// A sample-rate converter of one stream: any chunk size in, everything the filter can give out.
pub trait RateConverter: Send {
    /// Converts `input` (interleaved, any number of frames) and appends to `output` (interleaved). Never pads,
    /// never withholds more than `delay_us`. Allocates nothing once `output` has room for `output_frames_max`.
    ///
    /// # Panics
    /// If `input` is not whole frames.
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>);

    /// Ends the stream: appends what the filter still holds, so that the stream gave exactly
    /// `round(consumed * to_hz / from_hz)` frames (halves up), then resets for the next one. Gives nothing when
    /// nothing was pushed. Appends at most `tail_frames_max` frames.
    fn flush(&mut self, output: &mut Vec<f32>);

    /// Forgets the stream; the next push starts a new one.
    fn reset(&mut self);

    /// Most age of the newest output right after a push, in microseconds of audio: `consumed / from_hz - emitted /
    /// to_hz` never exceeds it.
    fn delay_us(&self) -> u32;

    /// Frames since the start of the stream.
    fn frames(&self) -> FrameCount;

    /// Most output frames one push of `input_frames` can give.
    fn output_frames_max(&self, input_frames: usize) -> usize;

    /// Most output frames a flush can give.
    fn tail_frames_max(&self) -> usize;
}

/// Why a conversion cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResampleError {
    /// The input rate is outside `RATE_HZ`.
    InputRate(u32),
    /// The output rate is outside `RATE_HZ`.
    OutputRate(u32),
    /// The number of channels is outside `CHANNELS`.
    Channels(u8),
    /// The fixed chunk is outside `CHUNK_FRAMES`.
    ChunkFrames(u32),
    /// The ratio of these rates, from and to, is not exact, and the kernel has no other filters.
    NoBank(u32, u32),
}

impl fmt::Display for ResampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InputRate(hz) => write!(f, "resampler: input rate {hz} Hz is outside {RATE_HZ:?} Hz"),
            Self::OutputRate(hz) => write!(f, "resampler: output rate {hz} Hz is outside {RATE_HZ:?} Hz"),
            Self::Channels(channels) => {
                write!(f, "resampler: {channels} channels is outside {CHANNELS:?}; fold them to mono first")
            }
            Self::ChunkFrames(frames) => {
                write!(f, "resampler: a chunk of {frames} frames is outside {CHUNK_FRAMES:?}")
            }
            Self::NoBank(from_hz, to_hz) => write!(
                f,
                "resampler: {from_hz} to {to_hz} Hz has no bank for the kernel `Batched`; take `Auto` or `Rubato`"
            ),
        }
    }
}

impl std::error::Error for ResampleError {}

/// The filter of one conversion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Filter {
    /// Length in input frames, a multiple of 8.
    pub(super) taps: usize,
    /// Window over the sinc.
    pub(super) window: WindowFunction,
    /// -6 dB point relative to the lower of both Nyquist frequencies.
    pub(super) cutoff: f32,
    /// How the filter is sampled between input frames.
    pub(super) phases: Phases,
}

/// How a filter is sampled between input frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phases {
    /// A row of taps for every position an output frame can have: exact polyphase.
    Exact(usize),
    /// Cubic interpolation between this many rows; a power of two, so that positions scale without rounding.
    Interpolated(usize),
}

/// Chooses the filter for a pair of rates.
///
/// Taps count input frames, so they must grow with the decimation: a window spans `taps * to / from` periods of
/// the output rate, and that alone decides how steep the stop band is. rubato's automatic cutoff does not see
/// this (a tone 3 % above the output's Nyquist frequency would fold back at -31 dB), hence the explicit one.
pub(super) fn design(from_hz: u32, to_hz: u32, quality: Quality) -> Filter {
    let ratio = Ratio::of(from_hz, to_hz);
    let (periods, window, cutoff) = match quality {
        Quality::Fast => (48, WindowFunction::BlackmanHarris, 0.96),
        Quality::Standard => (64, WindowFunction::BlackmanHarris, 0.955),
        // The side lobes of the squared window lie 20 dB lower, but its main lobe needs the length.
        Quality::High => (96, WindowFunction::Blackman2, 0.95),
    };
    let taps = (periods * ratio.down.max(ratio.up)).div_ceil(ratio.up).next_multiple_of(8);
    let phases = if ratio.up * taps <= EXACT_TAPS_MAX {
        Phases::Exact(ratio.up as usize)
    } else {
        Phases::Interpolated(64)
    };
    Filter { taps: taps as usize, window, cutoff, phases }
}

/// Most coefficients of an exact filter, 256 KB per bank. Every pair of customary rates up to 48 kHz stays
/// below; an exact filter does a third of the work of an interpolated one, whatever its size.
const EXACT_TAPS_MAX: u64 = 65_536;

/// `to_hz / from_hz` in lowest terms: `up` output frames for `down` input frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) up: u64,
    pub(super) down: u64,
}

impl Ratio {
    pub(super) fn of(from_hz: u32, to_hz: u32) -> Self {
        let (mut a, mut b) = (from_hz, to_hz);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { up: u64::from(to_hz / a), down: u64::from(from_hz / a) }
    }

    /// Output frames of a whole stream of `input_frames`: rounded to nearest, halves up.
    pub(super) fn frames_out(self, input_frames: u64) -> u64 {
        (2 * input_frames * self.up + self.down) / (2 * self.down)
    }

    /// Most output frames that `input_frames` more can set free: one for the grid, one for rounding of positions.
    pub(super) fn frames_out_max(self, input_frames: usize) -> usize {
        (input_frames as u64 * self.up).div_ceil(self.down) as usize + 1
    }
}

/// Frames in and out of one stream, and how much of the filter's start is still to be cut off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ledger {
    pub(super) ratio: Ratio,
    pub(super) channels: usize,
    pub(super) count: FrameCount,
    /// Leading output frames that sound before the stream starts.
    pub(super) skip: usize,
}

impl Ledger {
    pub(super) fn new(ratio: Ratio, channels: usize, skip: usize) -> Self {
        Self { ratio, channels, count: FrameCount::default(), skip }
    }

    /// Appends `fresh` without what sounds before the start, and without frames beyond `limit`.
    pub(super) fn append(&mut self, fresh: &[f32], limit: u64, output: &mut Vec<f32>) {
        let frames = fresh.len() / self.channels;
        let cut = self.skip.min(frames);
        self.skip -= cut;
        let kept = ((frames - cut) as u64).min(limit) as usize;
        output.extend_from_slice(&fresh[cut * self.channels..(cut + kept) * self.channels]);
        self.count.emitted += kept as u64;
    }

    /// Output frames still missing if the stream ended now.
    pub(super) fn owed(&self) -> u64 {
        let total = self.ratio.frames_out(self.count.consumed);
        total.checked_sub(self.count.emitted).expect("a causal filter is behind its input")
    }
}

/// Frames in interleaved `samples`, which must be whole.
pub(super) fn whole_frames(samples: &[f32], channels: usize) -> usize {
    assert!(samples.len().is_multiple_of(channels), "samples must be whole frames of {channels} channels");
    samples.len() / channels
}
