//! The streaming converter: rubato's asynchronous sinc filter, its chunk set to the length of every push.
//!
//! rubato places its first output at an arbitrary point of the input grid. A few frames of silence in front,
//! their number chosen by `start`, move the grid so that one output falls exactly on the first input frame; the
//! outputs before it are dropped.
//!
//! rubato adds up positions in `f64`. Over a day of sound that gathers at most 3e-5 input frames of rounding, and an
//! exact filter snaps to its nearest row, at least 7e-4 away: no drift for weeks, and any flush or reset clears it.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, Resizable, SincInterpolationParameters, SincInterpolationType};

use super::spec::{CHANNELS, Filter, FrameCount, Ledger, Phases, RateConverter, Ratio, whole_frames};

/// Most frames converted in one call; longer pushes are cut. 2048 frames are 43 ms at 48 kHz.
const BLOCK_FRAMES: usize = 2048;
/// Most frames of silence searched through for an exact start: all of them for `down` up to 4096, which covers
/// every pair of customary rates; for others the start is off by less than `1 / (2 * 4096)` output periods.
const PRIMER_FRAMES_MAX: u64 = 4096;
/// Silence for as many channels as a stream may have.
static SILENCE: [f32; CHANNELS_MAX * BLOCK_FRAMES] = [0.0; CHANNELS_MAX * BLOCK_FRAMES];
const CHANNELS_MAX: usize = *CHANNELS.end() as usize;

/// A streaming converter for any ratio.
pub(super) struct Sinc {
    filter: Async<f32>,
    /// Output of one block, interleaved.
    scratch: Vec<f32>,
    start: Start,
    ledger: Ledger,
    /// Input frames that push every frame of the stream through the filter.
    tail_frames: usize,
    delay_us: u32,
}

/// How a stream starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    /// Frames of silence in front of the stream.
    primer_frames: usize,
    /// Output frames that sound before the stream.
    skip_frames: usize,
}

impl Sinc {
    pub(super) fn new(from_hz: u32, to_hz: u32, channels: usize, design: Filter) -> Self {
        let ratio = Ratio::of(from_hz, to_hz);
        let (rows, interpolation) = match design.phases {
            Phases::Exact(rows) => (rows, SincInterpolationType::Nearest),
            Phases::Interpolated(rows) => (rows, SincInterpolationType::Cubic),
        };
        let parameters = SincInterpolationParameters::new(design.taps, design.window)
            .f_cutoff(design.cutoff)
            .oversampling_factor(rows)
            .interpolation(interpolation);
        let scale = f64::from(to_hz) / f64::from(from_hz);
        let filter = Async::new_sinc(scale, 1.0, &parameters, BLOCK_FRAMES, channels, FixedAsync::Input)
            .expect("the ratio is positive and so is the block");
        let scratch = vec![0.0; filter.output_frames_max() * channels];
        let start = start(ratio, design.taps as u64, rows as u64);
        // The newest output uses all but the last two input frames, and its centre is half a filter back.
        let delay_frames = design.taps as u64 / 2 + 2;
        let mut sinc = Self {
            filter,
            scratch,
            start,
            ledger: Ledger::new(ratio, channels, start.skip_frames),
            tail_frames: delay_frames as usize + ratio.down.div_ceil(ratio.up) as usize + 1,
            delay_us: (delay_frames * 1_000_000).div_ceil(u64::from(from_hz)) as u32,
        };
        sinc.reset();
        sinc
    }

    /// Converts one block of at most `BLOCK_FRAMES` into the scratch and returns its output frames.
    fn convert(&mut self, block: &[f32]) -> usize {
        let channels = self.ledger.channels;
        let frames = block.len() / channels;
        self.filter.set_chunk_size(frames).expect("a block has 1 to BLOCK_FRAMES frames");
        let room = self.scratch.len() / channels;
        let input = InterleavedSlice::new(block, channels, frames).expect("a block is whole frames");
        let mut output = InterleavedSlice::new_mut(&mut self.scratch, channels, room)
            .expect("the scratch is whole frames");
        let (_, fresh) = self
            .filter
            .process_into_buffer(&input, &mut output, None)
            .expect("the scratch holds a block's output");
        fresh
    }
}

impl RateConverter for Sinc {
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let channels = self.ledger.channels;
        self.ledger.count.consumed += whole_frames(input, channels) as u64;
        for block in input.chunks(BLOCK_FRAMES * channels) {
            let fresh = self.convert(block);
            self.ledger.append(&self.scratch[..fresh * channels], u64::MAX, output);
        }
    }

    fn flush(&mut self, output: &mut Vec<f32>) {
        let channels = self.ledger.channels;
        let mut owed = self.ledger.owed();
        while owed > 0 {
            let fresh = self.convert(&SILENCE[..self.tail_frames.min(BLOCK_FRAMES) * channels]);
            self.ledger.append(&self.scratch[..fresh * channels], owed, output);
            owed = self.ledger.owed();
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.filter.reset();
        self.ledger = Ledger::new(self.ledger.ratio, self.ledger.channels, self.start.skip_frames);
        let mut left = self.start.primer_frames;
        while left > 0 {
            let frames = left.min(BLOCK_FRAMES);
            let fresh = self.convert(&SILENCE[..frames * self.ledger.channels]);
            self.ledger.skip =
                self.ledger.skip.checked_sub(fresh).expect("silence in front sounds before the stream");
            left -= frames;
        }
    }

    fn delay_us(&self) -> u32 {
        self.delay_us
    }

    fn frames(&self) -> FrameCount {
        self.ledger.count
    }

    fn output_frames_max(&self, input_frames: usize) -> usize {
        self.ledger.ratio.frames_out_max(input_frames)
    }

    fn tail_frames_max(&self) -> usize {
        self.ledger.ratio.frames_out_max(self.tail_frames)
    }
}

/// Finds the silence that puts an output on the first input frame.
///
/// rubato's output `k` (from 0) after `z` frames of silence is centred at `(k + 1) * down / up + 1 / rows - taps / 2
/// - z` input frames: its index starts at `1 - taps` and is stepped before use, row `r` of `rows` has its peak at
/// tap `taps / 2 - 1 + (r + 1) / rows`. Zero needs `(taps / 2 + z) * up - up / rows` to be a multiple of `down`;
/// everything times `rows` stays whole.
fn start(ratio: Ratio, taps: u64, rows: u64) -> Start {
    let period = ratio.down * rows;
    let position = |silence: u64| (taps / 2 + silence) * ratio.up * rows - ratio.up;
    let distance = |silence: u64| {
        let past = position(silence) % period;
        past.min(period - past)
    };
    let primer = (0..ratio.down.min(PRIMER_FRAMES_MAX))
        .min_by_key(|&silence| distance(silence))
        .expect("at least no silence at all is a candidate");
    let steps = (position(primer) + period / 2) / period;
    Start { primer_frames: primer as usize, skip_frames: (steps - 1) as usize }
}
