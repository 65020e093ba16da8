//! The streaming converter of exact ratios: rows of taps, from a bank that all streams share, applied to the frames
//! of one stream.
//!
//! Output `k` is centred at input frame `k * down / up`. Its window is a whole number of frames, so the rest of
//! the position picks the row: with `p = k * down - 1`, row `p mod up`, from frame `floor(p / up) + 1 - taps / 2`
//! on. Positions are whole numbers and never drift.
//!
//! Sessions are not laid side by side for the filter: copying them there and back costs two thirds of what the filter
//! itself does. A stream computes several of its own outputs at once instead, from the block as it came; only windows
//! that begin before the block are put together first.

use std::sync::Arc;

use super::bank;
use super::rows::{Lane, Position, Rows, Stride};
use super::spec::{Filter, FrameCount, Ledger, Quality, RateConverter, Ratio, whole_frames};

/// A streaming converter of an exact ratio.
pub(super) struct Polyphase {
    bank: Arc<Rows>,
    /// Per channel, frames in which windows still to come begin; after a push fewer than two windows.
    held: Vec<Vec<f32>>,
    /// The next window, counted from the first held frame.
    next: Position,
    stride: Stride,
    ledger: Ledger,
    delay_us: u32,
}

impl Polyphase {
    /// `filter` must be the exact filter of the rates and the quality.
    pub(super) fn new(from_hz: u32, to_hz: u32, channels: usize, quality: Quality, filter: &Filter) -> Self {
        let ratio = Ratio::of(from_hz, to_hz);
        let (up, down) = (ratio.up as usize, ratio.down as usize);
        let mut polyphase = Self {
            bank: bank::shared(ratio, quality, filter),
            held: (0..channels).map(|_| Vec::with_capacity(2 * filter.taps)).collect(),
            next: Position { at: 0, row: up - 1 },
            stride: Stride { whole: down / up, rows: down % up, of: up },
            ledger: Ledger::new(ratio, channels, 0),
            // The next output waits for a frame less than half a window behind its centre.
            delay_us: (filter.taps as u64 / 2 * 1_000_000).div_ceil(u64::from(from_hz)) as u32,
        };
        polyphase.reset();
        polyphase
    }

    /// Outputs whose windows end within `frames` frames, counted from where `next` is.
    fn ready(&self, frames: usize) -> usize {
        let Some(last) = frames.checked_sub(self.bank.taps() + self.next.at) else { return 0 };
        ((last + 1) * self.stride.of - self.next.row).div_ceil(self.stride.period())
    }

    /// Steps over `outputs` outputs.
    fn advance(&mut self, outputs: usize) {
        let rows = self.next.row + outputs * self.stride.period();
        self.next = Position { at: self.next.at + rows / self.stride.of, row: rows % self.stride.of };
    }

    /// Drops the held frames before the next window.
    fn forget_used(&mut self) {
        for held in &mut self.held {
            held.drain(..self.next.at);
        }
        self.next.at = 0;
    }

    /// Appends at most `limit` outputs from the held frames.
    fn give_held(&mut self, limit: u64, output: &mut Vec<f32>) {
        let (ready, channels) = (self.ready(self.held[0].len()), self.held.len());
        let outputs = limit.min(ready as u64) as usize;
        let before = output.len();
        output.resize(before + outputs * channels, 0.0);
        for (channel, held) in self.held.iter().enumerate() {
            let lane = Lane { channel, width: channels };
            self.bank.run(held, self.next, self.stride, &mut output[before..], lane);
        }
        self.advance(outputs);
        self.ledger.count.emitted += outputs as u64;
    }

    /// Takes `frames` as far as there is room, appends the outputs that become ready, and returns the rest.
    fn take<'a>(&mut self, input: &'a [f32], output: &mut Vec<f32>) -> &'a [f32] {
        let (channels, taps) = (self.held.len(), self.bank.taps());
        if self.held[0].len() + input.len() / channels > 2 * taps {
            self.forget_used();
        }
        let (taken, rest) = input.split_at(input.len().min(taps * channels));
        for (channel, held) in self.held.iter_mut().enumerate() {
            match channels {
                1 => held.extend_from_slice(taken),
                _ => held.extend(taken.iter().skip(channel).step_by(channels)),
            }
        }
        self.give_held(u64::MAX, output);
        rest
    }

    /// Computes one channel from windows that lie in `input`. `before` frames of `input` are held already, at least a
    /// window.
    fn give_block(&mut self, input: &[f32], before: usize, output: &mut Vec<f32>) {
        self.next.at -= self.held[0].len() - before;
        let outputs = self.ready(input.len());
        let start = output.len();
        output.resize(start + outputs, 0.0);
        let lane = Lane { channel: 0, width: 1 };
        self.bank.run(input, self.next, self.stride, &mut output[start..], lane);
        self.advance(outputs);
        self.ledger.count.emitted += outputs as u64;
        self.held[0].clear();
        self.held[0].extend_from_slice(&input[self.next.at..]);
        self.next.at = 0;
    }
}

impl RateConverter for Polyphase {
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let channels = self.held.len();
        self.ledger.count.consumed += whole_frames(input, channels) as u64;
        let mut rest = self.take(input, output);
        if channels == 1 && !rest.is_empty() {
            self.give_block(input, input.len() - rest.len(), output);
            return;
        }
        while !rest.is_empty() {
            rest = self.take(rest, output);
        }
    }

    fn flush(&mut self, output: &mut Vec<f32>) {
        let owed = self.ledger.owed();
        self.forget_used();
        for held in &mut self.held {
            // Half a window of silence lets the last output's window end.
            held.resize(held.len() + self.bank.taps() / 2, 0.0);
        }
        self.give_held(owed, output);
        debug_assert_eq!(self.ledger.owed(), 0, "half a window sets every output free");
        self.reset();
    }

    fn reset(&mut self) {
        let Self { bank, held, next, stride, ledger, .. } = self;
        for held in held {
            held.clear();
            // The first output is centred at the first frame.
            held.resize(bank.taps() / 2, 0.0);
        }
        *next = Position { at: 0, row: stride.of - 1 };
        *ledger = Ledger::new(ledger.ratio, ledger.channels, 0);
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
        self.ledger.ratio.frames_out_max(self.bank.taps() / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Random, noise, spec, whole};
    use crate::dsp::resampler::{Kernel, Quality, ResampleSpec, build};

    /// Rates in Hz, from and to, all with exact filters.
    const PAIRS: [(u32, u32); 9] = [
        (48_000, 16_000),
        (44_100, 16_000),
        (24_000, 48_000),
        (16_000, 48_000),
        (8_000, 16_000),
        (96_000, 16_000),
        (11_025, 16_000),
        (48_000, 44_100),
        (16_000, 24_000),
    ];

    /// Sounds that filters could differ in, of at most full scale: name, samples.
    fn sounds(frames: usize, channels: usize) -> Vec<(&'static str, Vec<f32>)> {
        let samples = frames * channels;
        // Noise under a slow envelope with pauses, as speech has.
        let speech = noise(samples, 3).into_iter().enumerate().map(|(n, x)| {
            let envelope = (n as f32 / samples as f32 * 20.0).sin().max(0.0);
            x * envelope * envelope
        });
        let sweep = |n: usize| (n as f64 * n as f64 / samples as f64 * 1.5).sin() as f32;
        let impulse = |n: usize| if (n / channels).is_multiple_of(397) { 1.0 } else { 0.0 };
        let step = |n: usize| if n / channels % 800 < 400 { 1.0 } else { -1.0 };
        vec![
            ("speech", speech.collect()),
            ("noise", noise(samples, 4)),
            ("sweep", (0..samples).map(sweep).collect()),
            ("impulses", (0..samples).map(impulse).collect()),
            ("steps", (0..samples).map(step).collect()),
        ]
    }

    #[test]
    fn both_kernels_are_one_filter() {
        for (from_hz, to_hz) in PAIRS {
            for quality in [Quality::Fast, Quality::Standard, Quality::High] {
                for channels in 1..=2 {
                    let with = |kernel| ResampleSpec { channels, quality, kernel, ..spec(from_hz, to_hz) };
                    let mut ours = build(with(Kernel::Batched)).expect("the ratio is exact");
                    let mut theirs = build(with(Kernel::Rubato)).expect("the rates are in range");
                    for (name, input) in sounds(4_000, usize::from(channels)) {
                        let (ours, theirs) = (whole(&mut *ours, &input), whole(&mut *theirs, &input));
                        assert_eq!(ours.len(), theirs.len());
                        let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                        let case = format!("{from_hz} to {to_hz} {quality:?} {channels} channels, {name}");
                        assert!(apart <= 1e-5, "{case}: {apart:e}");
                        assert!(ours.iter().any(|sample| sample.abs() > 0.1), "{case}: nothing came out");
                    }
                }
            }
        }
    }

    #[test]
    fn cuts_change_no_bit() {
        let mut random = Random(99);
        for (from_hz, to_hz) in PAIRS {
            for channels in 1..=2u8 {
                let spec = ResampleSpec { channels, kernel: Kernel::Batched, ..spec(from_hz, to_hz) };
                let width = usize::from(channels);
                let input = noise(12_000 * width, 5);
                let at_once = whole(&mut *build(spec).expect("exact"), &input);
                for most in [1, 7, 64, 500, 4_096] {
                    let (mut resampler, mut output) = (build(spec).expect("exact"), Vec::new());
                    let mut rest = &input[..if most < 7 { 1_500 } else { 12_000 } * width];
                    while !rest.is_empty() {
                        let frames = (1 + random.below(most) as usize).min(rest.len() / width);
                        let (piece, after) = rest.split_at(frames * width);
                        resampler.push(piece, &mut output);
                        rest = after;
                    }
                    let bits = |samples: &[f32]| samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    let same = bits(&output) == bits(&at_once[..output.len()]);
                    assert!(same, "{from_hz} to {to_hz}, {channels} channels, pushes of up to {most}");
                }
            }
        }
    }
}
