//! The decoder: frames to tokens, step by step, several utterances at a time.

use super::attention::{Memory, Products};
use super::pointwise::Pointwise;
use super::product::PAIR;
use super::rotary::Rotary;
use super::weights::{DecoderLayer, INNER, LAYERS, TOKENS, WIDTH, Weights};

/// The token that begins a text.
const BEGIN: u32 = 1;
/// The token that ends it.
const END: u32 = 2;
/// Tokens whose logits are computed together: they stay in the nearest cache, and what matters of them is little.
const TOKENS_AT_ONCE: usize = 512;
const LANES: usize = 16;
const _: () = assert!(TOKENS.is_multiple_of(TOKENS_AT_ONCE) && TOKENS_AT_ONCE.is_multiple_of(PAIR));
/// Tokens a second of audio, at most, and beside that.
const TOKENS_PER_S: f64 = 6.5;
const TOKENS_MORE: usize = 6;
/// Samples a second.
const RATE_HZ: f64 = 16_000.0;

/// Most tokens of the text of `samples` samples.
pub(super) fn tokens_max(samples: usize) -> usize {
    (samples as f64 / RATE_HZ * TOKENS_PER_S) as usize + TOKENS_MORE
}

/// One utterance that is being decoded.
#[derive(Debug, Default)]
pub(super) struct Utterance {
    /// What was said so far, by layer.
    own: [Memory; LAYERS],
    /// What was heard, by layer.
    heard: [Memory; LAYERS],
    /// The tokens so far, the first of which begins the text.
    tokens: Vec<u32>,
    limit: usize,
    is_over: bool,
    is_told: bool,
}

impl Utterance {
    /// The text.
    pub(super) fn tokens(&self) -> &[u32] {
        self.tokens.get(1..).unwrap_or_default()
    }

    /// Takes it out of the steps that follow.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// There is nothing to decode.
    pub(super) fn give_up(&mut self) {
        self.tokens.clear();
        (self.is_over, self.is_told) = (true, false);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether it is over and this was not asked since.
    pub(super) fn is_newly_over(&mut self) -> bool {
        self.is_over && !std::mem::replace(&mut self.is_told, self.is_over)
    }
}

/// Room for the steps of a batch. Grows to the largest batch seen, then allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    products: Products,
    frames: Vec<f32>,
    normed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    attended: Vec<f32>,
    inner: Vec<f32>,
    gated: Vec<f32>,
    scores: Vec<f32>,
    /// Of some tokens.
    logits: Vec<f32>,
    likeliest: Vec<Likeliest>,
}

impl Decoder {
    /// Begins an utterance of `samples` samples that were encoded to `frames`.
    pub(super) fn begin(
        &mut self,
        weights: &Weights,
        frames: &[f32],
        samples: usize,
        utterance: &mut Utterance,
    ) {
        let count = frames.len() / WIDTH;
        let Self { products, key, value, .. } = self;
        key.resize(frames.len(), 0.0);
        value.resize(frames.len(), 0.0);
        let limit = tokens_max(samples);
        for (layer, weights) in weights.decoder.iter().enumerate() {
            products.apply(&weights.heard.key, count, frames, key);
            products.apply(&weights.heard.value, count, frames, value);
            let heard = &mut utterance.heard[layer];
            heard.clear(count);
            for (key, value) in key.chunks_exact(WIDTH).zip(value.chunks_exact(WIDTH)) {
                heard.push(key, value);
            }
            utterance.own[layer].clear(limit + 1);
        }
        utterance.tokens.clear();
        utterance.tokens.reserve(limit + 1);
        utterance.tokens.push(BEGIN);
        (utterance.limit, utterance.is_over, utterance.is_told) = (limit, false, false);
    }

    /// One more token for every utterance that is not over; false: all are.
    pub(super) fn step(&mut self, weights: &Weights, rotary: &Rotary, utterances: &mut [Utterance]) -> bool {
        self.frames.clear();
        for utterance in utterances.iter().filter(|utterance| !utterance.is_over) {
            let token = utterance.tokens.last().copied().unwrap_or(BEGIN);
            self.frames.extend(weights.embedding.row(token as usize));
        }
        let columns = self.frames.len() / WIDTH;
        if columns == 0 {
            return false;
        }
        for numbers in [&mut self.normed, &mut self.query, &mut self.key, &mut self.value, &mut self.attended]
        {
            numbers.resize(columns * WIDTH, 0.0);
        }
        self.inner.resize(columns * 2 * INNER, 0.0);
        self.gated.resize(columns * INNER, 0.0);
        self.logits.resize(columns * TOKENS_AT_ONCE, 0.0);
        for (at, layer) in weights.decoder.iter().enumerate() {
            self.layer(at, layer, rotary, columns, utterances);
        }
        let Self { products, frames, normed, logits, likeliest, .. } = self;
        Pointwise::Norm(frames, &weights.decoded, normed).run();
        likeliest.clear();
        likeliest.resize(columns, Likeliest::default());
        for first in (0..TOKENS).step_by(TOKENS_AT_ONCE) {
            products.apply_some(&weights.logits, first..first + TOKENS_AT_ONCE, columns, normed, logits);
            for (likeliest, logits) in likeliest.iter_mut().zip(logits.chunks_exact(TOKENS_AT_ONCE)) {
                likeliest.look_at(first, logits);
            }
        }
        let going = utterances.iter_mut().filter(|utterance| !utterance.is_over);
        for (utterance, likeliest) in going.zip(likeliest) {
            match likeliest.token {
                END => utterance.is_over = true,
                _ if utterance.tokens.len() > utterance.limit => utterance.is_over = true,
                token => utterance.tokens.push(token),
            }
        }
        true
    }

    fn layer(
        &mut self,
        at: usize,
        layer: &DecoderLayer,
        rotary: &Rotary,
        columns: usize,
        utterances: &mut [Utterance],
    ) {
        let Self { products, frames, normed, query, key, value, attended, inner, gated, scores, .. } = self;
        Pointwise::Norm(frames, &layer.before, normed).run();
        products.apply(&layer.own.query, columns, normed, query);
        products.apply(&layer.own.key, columns, normed, key);
        products.apply(&layer.own.value, columns, normed, value);
        let going = utterances.iter_mut().filter(|utterance| !utterance.is_over);
        for (column, utterance) in going.enumerate() {
            let place = column * WIDTH..(column + 1) * WIDTH;
            let position = utterance.tokens.len() - 1;
            let (query, key) = (&mut query[place.clone()], &mut key[place.clone()]);
            rotary.turn(query, position);
            rotary.turn(key, position);
            utterance.own[at].push(key, &value[place.clone()]);
            utterance.own[at].attend(products, query, scores, &mut attended[place]);
        }
        products.apply(&layer.own.out, columns, attended, normed);
        Pointwise::Add(frames, normed).run();
        Pointwise::Norm(frames, &layer.between, normed).run();
        products.apply(&layer.heard.query, columns, normed, query);
        let going = utterances.iter().filter(|utterance| !utterance.is_over);
        for (column, utterance) in going.enumerate() {
            let place = column * WIDTH..(column + 1) * WIDTH;
            utterance.heard[at].attend(products, &query[place.clone()], scores, &mut attended[place]);
        }
        products.apply(&layer.heard.out, columns, attended, normed);
        Pointwise::Add(frames, normed).run();
        Pointwise::Norm(frames, &layer.after, normed).run();
        products.apply(&layer.widen, columns, normed, inner);
        Pointwise::SwiGlu(inner, gated, INNER).run();
        products.apply(&layer.narrow, columns, gated, normed);
        Pointwise::Add(frames, normed).run();
    }
}

/// The first token of the largest logit so far.
#[derive(Clone, Copy, Debug)]
struct Likeliest {
    logit: f32,
    token: u32,
}

impl Default for Likeliest {
    fn default() -> Self {
        Self { logit: f32::NEG_INFINITY, token: 0 }
    }
}

impl Likeliest {
    /// The logits of the tokens from `first` on.
    fn look_at(&mut self, first: usize, logits: &[f32]) {
        // Most have none that is larger, which is quickly seen side by side.
        let mut tops = [f32::NEG_INFINITY; LANES];
        for chunk in logits.as_chunks::<LANES>().0 {
            for (top, logit) in tops.iter_mut().zip(chunk) {
                *top = if *logit > *top { *logit } else { *top };
            }
        }
        let top = tops.into_iter().fold(f32::NEG_INFINITY, f32::max);
        if top > self.logit {
            let at = logits.iter().position(|logit| *logit == top).unwrap_or(0);
            *self = Self { logit: top, token: (first + at) as u32 };
        }
    }
}
