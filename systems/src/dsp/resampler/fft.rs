//! The fixed-chunk converter, for comparison with streaming: rubato's FFT filter over chunks of equal size.
//!
//! It holds frames back until a chunk is full, which costs tens of milliseconds; only the last chunk of a stream
//! is padded. Its delay is cut in whole output frames, so frames may sound half an output frame early.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::spec::{FrameCount, Ledger, RateConverter, Ratio, whole_frames};

/// The loudest sample that goes into a transform, 200 dB over full scale: a louder one overflows inside, and the
/// transform panics.
const LOUDEST: f32 = 1e10;

/// A fixed-chunk converter.
pub(super) struct FixedChunk {
    filter: Fft<f32>,
    /// Input frames waiting for a full chunk, interleaved.
    held: Vec<f32>,
    /// Output of one chunk, interleaved.
    scratch: Vec<f32>,
    chunk_frames: usize,
    skip_frames: usize,
    ledger: Ledger,
    delay_us: u32,
}

impl FixedChunk {
    pub(super) fn new(from_hz: u32, to_hz: u32, channels: usize, chunk_frames: usize) -> Self {
        let filter = Fft::new(from_hz as usize, to_hz as usize, chunk_frames, channels, FixedSync::Input)
            .expect("rates and chunk are positive");
        let skip_frames = filter.output_delay();
        // A chunk and a transform can each lack one frame, and the filter is centred in its transform.
        let transform = filter.fft_size_in();
        let delay_frames = (chunk_frames + transform + transform.div_ceil(2)) as u64;
        Self {
            held: Vec::with_capacity(chunk_frames * channels),
            scratch: vec![0.0; filter.output_frames_max() * channels],
            chunk_frames,
            skip_frames,
            ledger: Ledger::new(Ratio::of(from_hz, to_hz), channels, skip_frames),
            delay_us: (delay_frames * 1_000_000).div_ceil(u64::from(from_hz)) as u32,
            filter,
        }
    }

    /// Converts the held chunk, appends at most `limit` frames, and empties the chunk.
    fn convert(&mut self, limit: u64, output: &mut Vec<f32>) {
        let channels = self.ledger.channels;
        let room = self.scratch.len() / channels;
        for sample in &mut self.held {
            *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-LOUDEST, LOUDEST) };
        }
        let input =
            InterleavedSlice::new(&self.held, channels, self.chunk_frames).expect("the chunk is full");
        let mut fresh = InterleavedSlice::new_mut(&mut self.scratch, channels, room)
            .expect("the scratch is whole frames");
        let (_, frames) = self
            .filter
            .process_into_buffer(&input, &mut fresh, None)
            .expect("the scratch holds a chunk's output");
        self.ledger.append(&self.scratch[..frames * channels], limit, output);
        self.held.clear();
    }
}

impl RateConverter for FixedChunk {
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let full = self.chunk_frames * self.ledger.channels;
        self.ledger.count.consumed += whole_frames(input, self.ledger.channels) as u64;
        let mut left = input;
        while !left.is_empty() {
            let (taken, rest) = left.split_at(left.len().min(full - self.held.len()));
            self.held.extend_from_slice(taken);
            left = rest;
            if self.held.len() == full {
                self.convert(u64::MAX, output);
            }
        }
    }

    fn flush(&mut self, output: &mut Vec<f32>) {
        let full = self.chunk_frames * self.ledger.channels;
        let mut owed = self.ledger.owed();
        while owed > 0 {
            self.held.resize(full, 0.0);
            self.convert(owed, output);
            owed = self.ledger.owed();
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.filter.reset();
        self.held.clear();
        self.ledger = Ledger::new(self.ledger.ratio, self.ledger.channels, self.skip_frames);
    }

    fn delay_us(&self) -> u32 {
        self.delay_us
    }

    fn frames(&self) -> FrameCount {
        self.ledger.count
    }

    fn output_frames_max(&self, input_frames: usize) -> usize {
        let held_most = self.chunk_frames + self.filter.fft_size_in();
        self.ledger.ratio.frames_out_max(input_frames + held_most)
    }

    fn tail_frames_max(&self) -> usize {
        let held_most = self.chunk_frames + 2 * self.filter.fft_size_in();
        self.ledger.ratio.frames_out_max(held_most)
    }
}
