//! The encoder: samples to frames of 288 numbers, one for each 24 ms.

use super::attention::{Memory, Products};
use super::pointwise::Pointwise;
use super::rotary::Rotary;
use super::weights::{BETWEEN, EncoderLayer, FIRST, INNER, SECOND, THIRD, WIDTH, Weights};

/// Fewest samples that give a frame; shorter audio gets silence behind.
pub(super) const SAMPLES_MIN: usize = 895;

/// Results of a convolution with `taps` taps and steps of `step` over `count` inputs.
fn outputs(count: usize, (taps, step): (usize, usize)) -> usize {
    (count - taps) / step + 1
}

/// Frames of `samples` samples.
pub(super) fn frames_of(samples: usize) -> usize {
    let samples = samples.max(SAMPLES_MIN);
    outputs(outputs(outputs(samples, FIRST), SECOND), THIRD)
}

/// Room for one encoding. Grows to the longest audio seen, then allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    products: Products,
    padded: Vec<f32>,
    /// Behind the first convolution, and behind the third.
    wide: Vec<f32>,
    between: Vec<f32>,
    frames: Vec<f32>,
    normed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    attended: Vec<f32>,
    inner: Vec<f32>,
    scores: Vec<f32>,
    memory: Memory,
}

/// The first `count` numbers of `numbers`, which grows if need be.
fn part(numbers: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if numbers.len() < count {
        numbers.resize(count, 0.0);
    }
    &mut numbers[..count]
}

impl Encoder {
    /// Encodes `samples` at 16 kHz: frames one after the other. `None`: `stops` said so, which is asked before every
    /// layer.
    pub(super) fn encode(
        &mut self,
        weights: &Weights,
        rotary: &Rotary,
        samples: &[f32],
        stops: &dyn Fn() -> bool,
    ) -> Option<&[f32]> {
        let count = self.convolve(weights, samples, stops)?;
        for layer in &weights.encoder {
            if stops() {
                return None;
            }
            self.layer(layer, rotary, count);
        }
        let normed = part(&mut self.normed, count * WIDTH);
        Pointwise::Norm(&self.frames[..count * WIDTH], &weights.encoded, normed).run();
        Some(normed)
    }

    /// Three convolutions; the number of frames.
    fn convolve(&mut self, weights: &Weights, samples: &[f32], stops: &dyn Fn() -> bool) -> Option<usize> {
        let Self { products, padded, wide, between, frames, .. } = self;
        let samples = if samples.len() < SAMPLES_MIN {
            padded.clear();
            padded.extend_from_slice(samples);
            padded.resize(SAMPLES_MIN, 0.0);
            &padded[..]
        } else {
            samples
        };
        let first = outputs(samples.len(), FIRST);
        let wide = part(wide, first * WIDTH);
        products.windows(&weights.first, first, FIRST.1, samples, wide);
        Pointwise::Tanh(wide).run();
        Pointwise::GroupNorm(wide, &weights.group.0, &weights.group.1).run();
        if stops() {
            return None;
        }
        let second = outputs(first, SECOND);
        let between = part(between, second * BETWEEN);
        products.windows(&weights.second, second, SECOND.1 * WIDTH, wide, between);
        Pointwise::Gelu(between).run();
        if stops() {
            return None;
        }
        let third = outputs(second, THIRD);
        let frames = part(frames, third * WIDTH);
        products.windows(&weights.third, third, THIRD.1 * BETWEEN, between, frames);
        Pointwise::Gelu(frames).run();
        Some(third)
    }

    fn layer(&mut self, layer: &EncoderLayer, rotary: &Rotary, count: usize) {
        let size = count * WIDTH;
        let Self { products, frames, normed, query, key, value, attended, inner, scores, memory, .. } = self;
        let frames = part(frames, size);
        let (normed, query, key, value) =
            (part(normed, size), part(query, size), part(key, size), part(value, size));
        Pointwise::Norm(frames, &layer.before, normed).run();
        products.apply(&layer.attention.query, count, normed, query);
        products.apply(&layer.attention.key, count, normed, key);
        products.apply(&layer.attention.value, count, normed, value);
        memory.clear(count);
        for at in 0..count {
            let place = at * WIDTH..(at + 1) * WIDTH;
            rotary.turn(&mut query[place.clone()], at);
            rotary.turn(&mut key[place.clone()], at);
            memory.push(&key[place.clone()], &value[place]);
        }
        let attended = part(attended, size);
        memory.attend(products, query, scores, attended);
        products.apply(&layer.attention.out, count, attended, normed);
        Pointwise::Add(frames, normed).run();
        Pointwise::Norm(frames, &layer.after, normed).run();
        let inner = part(inner, count * INNER);
        products.apply(&layer.widen, count, normed, inner);
        Pointwise::Gelu(inner).run();
        products.apply(&layer.narrow, count, inner, normed);
        Pointwise::Add(frames, normed).run();
    }
}
