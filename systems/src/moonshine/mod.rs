//! Moonshine tiny-en: speech to English text, in the process, on any thread.
//!
//! 16 kHz mono in, words out; the weights are read from a file or from memory, once a process. The model's own paper:
//! Moonshine, Useful Sensors, 2024; weights under MIT. Activations are `f32` throughout: rounded to bytes, as the
//! model's own runtime has them, they cost accuracy.
//!
//! The same samples give the same words in any batch, on any thread and on every processor with fused multiply-add.

mod attention;
mod decoder;
mod encoder;
mod listeners;
mod pointwise;
mod product;
mod rotary;
mod service;
mod tokens;
mod weights;

pub(crate) use listeners::HeardText;
pub(crate) use service::register;
pub use service::{Moonshine, build_in};
pub use weights::ModelError;

use decoder::{Decoder, Utterance, tokens_max};
use encoder::{Encoder, frames_of};
use rotary::Rotary;
use tokens::Tokens;
use weights::Weights;

/// Samples a second that the model hears.
pub const RATE_HZ: u32 = 16_000;
/// Longest audio of one utterance, samples: half a minute. What is longer is cut.
pub const SAMPLES_MAX: usize = 30 * RATE_HZ as usize;

/// Weights and tokens, shared by every [`Recognizer`]. 30 MB.
#[derive(Debug)]
pub struct Model {
    weights: Weights,
    tokens: Tokens,
    rotary: Rotary,
}

impl Model {
    /// Reads files of weights and of tokens.
    pub fn read(weights: &[u8], tokens: &[u8]) -> Result<Self, ModelError> {
        let positions = frames_of(SAMPLES_MAX).max(tokens_max(SAMPLES_MAX) + 1);
        let tokens = Tokens::read(tokens)?;
        Ok(Self { weights: Weights::read(weights)?, tokens, rotary: Rotary::new(positions) })
    }

    /// The text of tokens, of which each is below 32,768.
    pub fn text(&self, tokens: &[u32]) -> String {
        self.tokens.text(tokens)
    }
}

/// One thread's room for recognising. Grows to the longest audio and the largest batch it has seen.
#[derive(Debug, Default)]
pub struct Recognizer {
    encoder: Encoder,
    decoder: Decoder,
    utterances: Vec<Utterance>,
    heard: Vec<f32>,
}

impl Recognizer {
    /// Tokens of each of the utterances, samples at 16 kHz of which those beyond [`SAMPLES_MAX`] are cut off; samples that
    /// are no sound count as silence.
    ///
    /// `tell(n, tokens)` is called once for utterance number `n`, as soon as it is done.
    ///
    /// `stops(n)` is asked between layers and steps whether utterance number `n` is still wanted; one that is not ends
    /// there, with the tokens that it has.
    pub fn recognize(
        &mut self,
        model: &Model,
        utterances: &[&[f32]],
        stops: &dyn Fn(usize) -> bool,
        mut tell: impl FnMut(usize, &[u32]),
    ) {
        let Model { weights, rotary, .. } = model;
        if self.utterances.len() < utterances.len() {
            self.utterances.resize_with(utterances.len(), Utterance::default);
        }
        let batch = &mut self.utterances[..utterances.len()];
        for (at, (samples, utterance)) in utterances.iter().zip(&mut *batch).enumerate() {
            let samples = &samples[..samples.len().min(SAMPLES_MAX)];
            self.heard.clear();
            self.heard.extend(samples.iter().map(|sample| crate::vad::plausible::plausible(*sample)));
            match self.encoder.encode(weights, rotary, &self.heard, &|| stops(at)) {
                Some(frames) => self.decoder.begin(weights, frames, samples.len(), utterance),
                None => utterance.give_up(),
            }
        }
        loop {
            for (at, utterance) in batch.iter_mut().enumerate() {
                if !utterance.is_over() && stops(at) {
                    utterance.end();
                }
            }
            let goes_on = self.decoder.step(weights, rotary, batch);
            for (at, utterance) in batch.iter_mut().enumerate() {
                if utterance.is_newly_over() {
                    tell(at, utterance.tokens());
                }
            }
            if !goes_on {
                break;
            }
        }
    }
}
