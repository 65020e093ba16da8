//! A real synthetic voice without files or downloads: the CMU "kal" diphone voice at 16 kHz, through `flite-rs`.
//! Pure: equal text and style give equal samples (the synthesis filter is integer arithmetic).

use std::ops::ControlFlow;
use std::sync::Arc;

use flite_rs::language::Language;
use flite_rs::{Flow, KAL16_VOICE_DATA, Voice, VoiceParams, pipeline, voice};

use mynah_engine::media::SpokenTime;

use super::pieces::piece;
use super::times::times;

pub use super::style::{FliteError, RATE_HZ, VoiceStyle};

/// Longest pitch period converted at once, samples (20 ms: 50 Hz); longer ones go out in pieces.
const BLOCK_MAX: usize = 320;

/// The voice, ready to speak. About 1 MB with its models, `Send + Sync`; make one and share it.
pub struct Flite {
    voice: Voice,
    language: Arc<Language>,
    natural: VoiceParams,
}

impl std::fmt::Debug for Flite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flite").field("natural", &self.natural).finish_non_exhaustive()
    }
}

impl Flite {
    /// Parses the voice and the models of English that are part of the program (some milliseconds).
    ///
    /// # Errors
    /// [`FliteError::VoiceData`] when they are damaged: the program was built wrong.
    pub fn new() -> Result<Self, FliteError> {
        let damaged = |error: flite_rs::data::DataError| FliteError::VoiceData(error.to_string());
        // The crate's engine ties the style to a `&mut`; its stages are public, so only the models are used.
        let language = flite_rs::Engine::try_new().map_err(damaged)?.language();
        let voice = Voice::parse(KAL16_VOICE_DATA).map_err(damaged)?;
        if voice.sample_rate != RATE_HZ {
            return Err(FliteError::VoiceData(format!(
                "it speaks at {} Hz, expected {RATE_HZ}",
                voice.sample_rate
            )));
        }
        let natural = voice.params();
        Ok(Self { voice, language, natural })
    }

    /// Speaks `text` into `sink`: mono blocks of at most 20 ms (usually one pitch period, 5 to 15 ms) at [`RATE_HZ`],
    /// -1..=1, as they are made. `Break` from the sink makes that block the last one, and the rest is never computed.
    /// Returns `Break` then, `Continue` when all was spoken; empty text makes no block.
    ///
    /// # Errors
    /// [`FliteError::Style`] before the first block when the style is out of range.
    pub fn synthesize(
        &self,
        text: &str,
        style: VoiceStyle,
        sink: &mut dyn FnMut(&[f32]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FliteError> {
        let mut scaled = [0.0_f32; BLOCK_MAX];
        let mut from = 0;
        let mut flow = ControlFlow::Continue(());
        // A style out of range is one even if there is nothing to say.
        self.params(style)?;
        while flow.is_continue()
            && let Some(end) = self.speak_piece(text, from, style, &mut |_| {}, &mut |samples| {
                for (to, &from) in scaled.iter_mut().zip(samples) {
                    *to = style.scaled(from);
                }
                flow = sink(&scaled[..samples.len()]);
                flow
            })?
        {
            from = end;
        }
        Ok(flow)
    }

    /// Speaks the piece of `text` that begins at byte `from`, where another ended, and returns where it ends; `None`:
    /// the text is over. A piece is a sentence, or a part of a long one cut between two words, and is analysed as a
    /// whole before its first block; then `timed` gets when its words and phones sound, from that block on. Blocks are as
    /// those of [`Flite::synthesize`] before [`VoiceStyle::scaled`].
    ///
    /// # Errors
    /// As [`Flite::synthesize`].
    pub(crate) fn speak_piece(
        &self,
        text: &str,
        from: usize,
        style: VoiceStyle,
        timed: &mut dyn FnMut(Vec<SpokenTime>),
        sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    ) -> Result<Option<usize>, FliteError> {
        let params = self.params(style)?;
        let Some(piece) = piece(text, from) else { return Ok(None) };
        let utterance = pipeline::analyse(&self.language, &piece.tokens, &params);
        timed(times(&utterance, &piece.tokens, from));
        voice::synthesise_streaming(&self.voice, &utterance, &params, &mut |period| {
            let flow = period.chunks(BLOCK_MAX).try_for_each(&mut *sink);
            if flow.is_break() { Flow::Stop } else { Flow::Continue }
        });
        Ok(Some(piece.end))
    }

    /// Speaks like [`Flite::synthesize`], into one vector.
    ///
    /// # Errors
    /// As [`Flite::synthesize`].
    pub fn speak(&self, text: &str, style: VoiceStyle) -> Result<Vec<f32>, FliteError> {
        let mut samples = Vec::new();
        // The sink never breaks, so the flow says nothing.
        self.synthesize(text, style, &mut |block| {
            samples.extend_from_slice(block);
            ControlFlow::Continue(())
        })
        .map(|_all| samples)
    }

    fn params(&self, style: VoiceStyle) -> Result<VoiceParams, FliteError> {
        style.check()?;
        let mut params = self.natural;
        params.f0_shift = style.pitch;
        params.duration_stretch = self.natural.duration_stretch / style.rate;
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Turn the lights off in the kitchen, please.";

    fn voice() -> Flite {
        Flite::new().unwrap()
    }

    /// Strongest lag of the autocorrelation over the loudest 100 ms, as a frequency.
    fn pitch_hz(samples: &[f32]) -> f32 {
        let window = 1600;
        let power = |from: usize| samples[from..from + window].iter().map(|s| s * s).sum::<f32>();
        let loudest =
            (0..samples.len() - 2 * window).step_by(160).max_by(|&a, &b| power(a).total_cmp(&power(b)));
        let at = loudest.unwrap();
        let score = |lag: usize| -> f32 { (at..at + window).map(|i| samples[i] * samples[i + lag]).sum() };
        let lag = (70..300).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap();
        RATE_HZ as f32 / lag as f32
    }

    #[test]
    fn speaks_the_same_samples_each_time_in_range() {
        let voice = voice();
        let first = voice.speak(TEXT, VoiceStyle::default()).unwrap();
        let seconds = first.len() as f32 / RATE_HZ as f32;
        assert!((1.5..4.0).contains(&seconds), "{seconds} s");
        assert_eq!(first, voice.speak(TEXT, VoiceStyle::default()).unwrap());
        let peak = first.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!((0.1..=1.0).contains(&peak), "peak {peak}");
        let loud = voice.speak(TEXT, VoiceStyle { level: 4.0, ..VoiceStyle::default() }).unwrap();
        assert!(loud.iter().all(|s| (-1.0..=1.0).contains(s)));
    }

    #[test]
    fn is_the_voice_of_the_crate() {
        let mut engine = flite_rs::Engine::new();
        assert!(engine.select_voice("kal16"));
        let theirs: Vec<f32> =
            engine.synthesize(TEXT).samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
        assert_eq!(voice().speak(TEXT, VoiceStyle::default()).unwrap(), theirs);
    }

    #[test]
    fn style_changes_time_pitch_and_level() {
        let voice = voice();
        let speak = |style| voice.speak(TEXT, style).unwrap();
        let natural = speak(VoiceStyle::default());
        let fast = speak(VoiceStyle { rate: 1.5, ..VoiceStyle::default() });
        let ratio = natural.len() as f32 / fast.len() as f32;
        assert!((1.4..1.6).contains(&ratio), "rate {ratio}");
        let high = speak(VoiceStyle { pitch: 1.4, ..VoiceStyle::default() });
        let ratio = pitch_hz(&high) / pitch_hz(&natural);
        assert!((1.15..1.7).contains(&ratio), "pitch {} -> {}", pitch_hz(&natural), pitch_hz(&high));
        let soft = speak(VoiceStyle { level: 0.5, ..VoiceStyle::default() });
        assert!(natural.iter().zip(&soft).all(|(n, s)| (n * 0.5 - s).abs() < 1e-6));
    }

    #[test]
    fn a_break_ends_it_with_that_block() {
        let voice = voice();
        for stop_after in [1, 7] {
            let mut blocks = 0;
            let two_sentences = "Good morning to you. How are you today?";
            let flow = voice
                .synthesize(two_sentences, VoiceStyle::default(), &mut |block| {
                    assert!(block.len() <= BLOCK_MAX);
                    blocks += 1;
                    if blocks == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .unwrap();
            assert_eq!((blocks, flow), (stop_after, ControlFlow::Break(())));
        }
    }

    #[test]
    fn refuses_what_it_cannot_speak() {
        let voice = voice();
        for (style, field) in [
            (VoiceStyle { pitch: 0.0, ..VoiceStyle::default() }, "pitch"),
            (VoiceStyle { rate: 9.0, ..VoiceStyle::default() }, "rate"),
            (VoiceStyle { level: f32::NAN, ..VoiceStyle::default() }, "level"),
        ] {
            let error = voice.speak(TEXT, style).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
        for nothing in ["", "   ", "\n"] {
            assert_eq!(
                voice.speak(nothing, VoiceStyle::default()).unwrap(),
                Vec::<f32>::new(),
                "{nothing:?}"
            );
        }
    }

    #[test]
    fn odd_texts_are_values_not_panics() {
        let voice = voice();
        for text in
            ["...", ",", "äöü ß", "日本語", "$3.50, 50% of 10:45!", "a\u{0}b", "🙂", "/", "-", "1e400 0x7f"]
        {
            assert!(voice.speak(text, VoiceStyle::default()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Flite>();
    }
}
