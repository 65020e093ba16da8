//! The utterances simulated callers share: synthesized once at load, then only mixed.
//!
//! Everything follows from the seed. Half of the texts have a comma; a third of the clips get a pause inside a
//! sentence, because answering into such a pause is the mistake a voice system must be caught at.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mynah_engine::base::rng::Rng;
use mynah_systems::speech::flite::{Flite, FliteError, RATE_HZ, VoiceStyle};
use rayon::prelude::*;

use super::heard::Part;
use super::noise::Noise;
use super::truth::{self, Stretch, Truth};
use super::{rate, texts};

/// Most clips a bank holds; at 48 kHz they take about 70 MB.
pub const CLIPS_MAX: usize = 256;

/// Median and logarithmic deviation of the pause put inside a turn, and its limits, microseconds: log-normal, as
/// silent pauses in speech are. The median is our choice: one pause in eight outlasts a hang-over of 570 ms.
const PAUSE_MEDIAN_US: f64 = 350_000.0;
const PAUSE_SIGMA: f64 = 0.42;
const PAUSE_US: Range<f64> = 200_000.0..1_000_000.0;

/// The voice of the clips, named as labels name it.
const VOICE: &str = "flite:kal16";

/// How callers differ; about what one speaker's voice can be bent to without sounding broken.
const PITCH: Range<f32> = 0.85..1.2;
const RATE: Range<f32> = 0.9..1.15;
/// Amplitude against the voice's own, so that clips peak between about -15 and -5 dBFS.
const LEVEL: Range<f32> = 0.5..1.3;

/// Dry sound kept before the first and after the last speech, microseconds; it is below the truth's floor.
const LEAD_US: u64 = 20_000;
const TAIL_US: u64 = 40_000;
/// Samples of that faded at each end, so that a cut makes no click (5 ms).
const FADE: usize = 80;

/// Purposes of the random streams (see [`Rng::new`]); the stream is the clip's index.
const PURPOSE_ORDER: u64 = 0x0b01;
const PURPOSE_STYLE: u64 = 0x0b02;
const PURPOSE_PAUSE: u64 = 0x0b03;
const PURPOSE_BREATH: u64 = 0x0b04;

/// What is left of the silence that the voice makes at a comma (200 to 300 ms, more than most callers take),
/// microseconds: below the shortest pause above, so that a third of the clips pauses and the others do not.
const BREATH_US: Range<u64> = 30_000..90_000;

/// What a bank is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BankConfig {
    /// Names everything random in it.
    pub seed: u64,
    /// How many clips, 1..=256.
    pub clips: usize,
    /// Sample rate of the sessions' input, Hz.
    pub rate_hz: u32,
}

impl Default for BankConfig {
    fn default() -> Self {
        Self { seed: 1, clips: 256, rate_hz: 16_000 }
    }
}

/// Why there is no bank.
#[derive(Clone, Debug, PartialEq)]
pub enum BankError {
    /// The number of clips asked for is not in 1..=256.
    Count(usize),
    /// The operating system refuses threads; why.
    Threads(String),
    /// The voice failed.
    Voice(FliteError),
    /// This text gave no speech.
    Silent(Arc<str>),
    /// The clips cannot be brought to the sessions' rate; both rates are in the text.
    Rate(String),
}

impl std::fmt::Display for BankError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(found) => write!(f, "load: {found} clips, expected 1 to {CLIPS_MAX}"),
            Self::Threads(why) => write!(
                f,
                "load: no threads for the callers' speech: {why}; raise the limit of processes (`ulimit -u`) or of memory"
            ),
            Self::Voice(error) => write!(f, "load: {error}"),
            Self::Silent(text) => write!(f, "load: the voice says nothing for \"{text}\""),
            Self::Rate(error) => write!(f, "load: {error}"),
        }
    }
}

impl std::error::Error for BankError {}

impl BankError {
    fn threads(error: rayon::ThreadPoolBuildError) -> Self {
        Self::Threads(error.to_string())
    }
}

/// One utterance as every caller that has it says it.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Dry mono speech at the bank's rate; 32768 is full scale.
    pub samples: Arc<[i16]>,
    /// The words of the clip.
    pub text: Arc<str>,
    /// Its words in pieces, between which the inserted pause lies: one or two, on the clip's clock.
    pub parts: Vec<Part>,
    /// Where its speech is, on the clip's clock.
    pub truth: Truth,
    /// How it is spoken.
    pub style: VoiceStyle,
}

/// The clips and the room of a load, shared by all callers.
#[derive(Debug)]
pub struct Bank {
    clips: Vec<Clip>,
    noise: Noise,
    rate_hz: u32,
    voice: Arc<str>,
}

impl Bank {
    /// Synthesizes the bank on the rayon pool it is called in, or one of its own; the result does not depend on the
    /// threads. `progress` is told
    /// (clips done, clips in all) after each clip, from any thread, each count once but not always in order.
    ///
    /// # Errors
    /// [`BankError`]; the first clip in order that failed names it.
    pub fn build(config: BankConfig, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Self, BankError> {
        let BankConfig { seed, clips: count, rate_hz } = config;
        if !(1..=CLIPS_MAX).contains(&count) {
            return Err(BankError::Count(count));
        }
        let voice = Flite::new().map_err(BankError::Voice)?;
        let recipes = recipes(seed, count);
        let done = AtomicUsize::new(0);
        let make = |recipe: &Recipe| {
            let clip = recipe.make(&voice, rate_hz);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, count);
            clip
        };
        let make_all = || -> Vec<Result<Clip, BankError>> { recipes.par_iter().map(make).collect() };
        let made = match rayon::current_thread_index() {
            Some(_) => make_all(),
            // Rayon's global pool panics where no threads are to be had.
            None => rayon::ThreadPoolBuilder::new().build().map_err(BankError::threads)?.install(make_all),
        };
        let clips = made.into_iter().collect::<Result<Vec<Clip>, BankError>>()?;
        Ok(Self { clips, noise: Noise::new(seed, rate_hz), rate_hz, voice: VOICE.into() })
    }

    /// The clips, in an order that the seed decides.
    #[must_use]
    pub fn clips(&self) -> &[Clip] {
        &self.clips
    }

    /// The room's noise and its non-speech sounds.
    #[must_use]
    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    /// Name of the voice that speaks all clips.
    #[must_use]
    pub fn voice(&self) -> &Arc<str> {
        &self.voice
    }

    /// Sample rate of every sound in it, Hz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }
}

/// What one clip is made from.
struct Recipe {
    text: &'static str,
    style: VoiceStyle,
    pause: Option<Pause>,
    breath_us: u64,
}

/// A silence put between two words.
struct Pause {
    words_before: usize,
    len_us: u64,
}

/// Decides texts, styles and pauses: exactly every second clip with a comma, exactly a third with a pause.
fn recipes(seed: u64, count: usize) -> Vec<Recipe> {
    let mut order = Rng::new(seed, 0, PURPOSE_ORDER);
    let (mut plain, mut with_comma) = (texts::PLAIN, texts::WITH_COMMA);
    order.shuffle(&mut plain);
    order.shuffle(&mut with_comma);
    let mut pausing: Vec<bool> = (0..count).map(|index| index * 3 < count).collect();
    order.shuffle(&mut pausing);
    let recipe = |(index, pauses): (usize, bool)| {
        let texts = if index % 2 == 0 { &with_comma } else { &plain };
        let text = texts[index / 2 % texts.len()];
        let mut style = Rng::new(seed, index as u64, PURPOSE_STYLE);
        Recipe {
            text,
            style: VoiceStyle {
                pitch: style.range_f32(PITCH),
                rate: style.range_f32(RATE),
                level: style.range_f32(LEVEL),
            },
            breath_us: Rng::new(seed, index as u64, PURPOSE_BREATH).range_u64(BREATH_US),
            pause: pauses.then(|| Pause::draw(text, &mut Rng::new(seed, index as u64, PURPOSE_PAUSE))),
        }
    };
    pausing.into_iter().enumerate().map(recipe).collect()
}

impl Pause {
    /// Anywhere between two words, with two words on each side where there are that many.
    fn draw(text: &str, rng: &mut Rng) -> Self {
        let words = text.split_whitespace().count();
        let keep = if words >= 4 { 2 } else { 1 };
        let words_before = rng.range_u64(keep as u64..(words - keep + 1) as u64) as usize;
        let len_us = rng.log_normal(PAUSE_MEDIAN_US, PAUSE_SIGMA).clamp(PAUSE_US.start, PAUSE_US.end) as u64;
        Self { words_before, len_us }
    }
}

impl Recipe {
    fn make(&self, voice: &Flite, rate_hz: u32) -> Result<Clip, BankError> {
        let mut dry: Vec<f32> = Vec::new();
        let mut parts = Vec::with_capacity(2);
        for (index, text) in self.part_texts().into_iter().enumerate() {
            if let (1.., Some(pause)) = (index, &self.pause) {
                let silence_us = pause.len_us - LEAD_US - TAIL_US;
                dry.resize(dry.len() + samples_in(silence_us), 0.0);
            }
            let begins_us = us_of(dry.len());
            let (trimmed, speech) = speak(voice, text.clone(), self.style, self.breath_us)?;
            dry.extend_from_slice(&trimmed);
            parts.push(Part { text, at: speech.later(begins_us) });
        }
        let text: Arc<str> = self.text.into();
        let truth = truth::find(&dry, RATE_HZ).ok_or_else(|| BankError::Silent(Arc::clone(&text)))?;
        let converted = rate::convert(&dry, RATE_HZ, rate_hz).map_err(BankError::Rate)?;
        let samples = converted.iter().map(|&sample| (sample * 32_768.0) as i16).collect();
        Ok(Clip { samples, text, parts, truth, style: self.style })
    }

    /// The text, or its two halves around the pause.
    fn part_texts(&self) -> Vec<Arc<str>> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let (before, after) =
            words.split_at(self.pause.as_ref().map_or(words.len(), |pause| pause.words_before));
        [before, after]
            .into_iter()
            .filter(|half| !half.is_empty())
            .map(|half| half.join(" ").into())
            .collect()
    }
}

/// Speech at 16 kHz, cut to [`LEAD_US`] before and [`TAIL_US`] after it, and where the speech is in the cut.
fn speak(
    voice: &Flite,
    text: Arc<str>,
    style: VoiceStyle,
    breath_us: u64,
) -> Result<(Vec<f32>, Stretch), BankError> {
    let mut samples = voice.speak(&text, style).map_err(BankError::Voice)?;
    if let Some(truth) = truth::find(&samples, RATE_HZ) {
        shorten_pauses(&mut samples, &truth, breath_us);
    }
    let truth = truth::find(&samples, RATE_HZ).ok_or(BankError::Silent(text))?;
    let (from, to) = (samples_in(truth.start_us()), samples_in(truth.end_us()));
    let (lead, tail) = (samples_in(LEAD_US), samples_in(TAIL_US));
    // The voice begins and ends with silence, but not always with that much of it.
    let missing = lead.saturating_sub(from);
    samples.splice(0..0, std::iter::repeat_n(0.0, missing));
    let from = from + missing - lead;
    let to = to + missing + tail;
    samples.resize(samples.len().max(to), 0.0);
    let mut cut = samples[from..to].to_vec();
    let length = cut.len();
    for step in 0..FADE.min(length) {
        let gain = step as f32 / FADE as f32;
        cut[step] *= gain;
        cut[length - 1 - step] *= gain;
    }
    let end_us = LEAD_US + truth.end_us() - truth.start_us();
    Ok((cut, Stretch { start_us: LEAD_US, end_us }))
}

/// Cuts the middle out of every pause that is longer than `breath_us`.
fn shorten_pauses(samples: &mut Vec<f32>, truth: &Truth, breath_us: u64) {
    let pauses: Vec<Stretch> = truth.pauses().filter(|pause| pause.len_us() > breath_us).collect();
    for pause in pauses.into_iter().rev() {
        let from = samples_in(pause.start_us + breath_us / 2);
        let to = samples_in(pause.end_us - breath_us / 2);
        samples.drain(from..to);
    }
}

fn samples_in(us: u64) -> usize {
    (us * u64::from(RATE_HZ) / 1_000_000) as usize
}

fn us_of(samples: usize) -> u64 {
    samples as u64 * 1_000_000 / u64::from(RATE_HZ)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn bank(seed: u64, clips: usize, rate_hz: u32) -> Bank {
        Bank::build(BankConfig { seed, clips, rate_hz }, &|_, _| {}).unwrap()
    }

    #[test]
    fn a_third_pauses_and_half_has_a_comma() {
        for seed in [1, 2] {
            let bank = bank(seed, 96, 16_000);
            let commas = bank.clips().iter().filter(|clip| clip.text.contains(',')).count();
            let pausing: Vec<&Clip> = bank.clips().iter().filter(|clip| clip.parts.len() == 2).collect();
            assert_eq!((commas, pausing.len()), (48, 32), "seed {seed}");
            for clip in pausing {
                let put = Stretch { start_us: clip.parts[0].at.end_us, end_us: clip.parts[1].at.start_us };
                assert!((200_000..=1_000_100).contains(&put.len_us()), "seed {seed} {}: {put:?}", clip.text);
                // The quieter half may end below the floor that the louder half sets.
                let found = clip.truth.pauses().any(|pause| {
                    pause.start_us <= put.start_us + 15_000
                        && pause.end_us + 15_000 >= put.end_us
                        && pause.len_us() < put.len_us() + 120_000
                });
                assert!(found, "seed {seed} {}: {put:?} not in {:?}", clip.text, clip.truth);
            }
        }
    }

    #[test]
    fn every_clip_is_one_to_four_seconds_of_speech() {
        for (seed, rate_hz) in [(1, 16_000), (2, 44_100)] {
            for clip in bank(seed, 96, rate_hz).clips() {
                let put_us =
                    clip.parts.windows(2).map(|pair| pair[1].at.start_us - pair[0].at.end_us).sum::<u64>();
                let speech_us = clip.truth.end_us() - clip.truth.start_us() - put_us;
                assert!(
                    (1_000_000..=4_000_000).contains(&speech_us),
                    "seed {seed} {}: {speech_us} us",
                    clip.text
                );
                let length_us = clip.samples.len() as u64 * 1_000_000 / u64::from(rate_hz);
                // A soft first half may begin below the floor that a louder second half sets.
                assert!(clip.truth.start_us() <= LEAD_US + 60_000, "{}: {:?}", clip.text, clip.truth);
                assert!(clip.truth.end_us() <= length_us, "{}: {:?}", clip.text, clip.truth);
                assert!(length_us <= clip.truth.end_us() + 150_000, "{}", clip.text);
                let peak = clip.samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
                assert!((3_000..30_000).contains(&peak), "{} peaks at {peak}", clip.text);
            }
        }
    }

    #[test]
    fn parts_are_the_text_in_order() {
        for clip in bank(1, 12, 16_000).clips() {
            let joined = clip.parts.iter().map(|part| &*part.text).collect::<Vec<_>>().join(" ");
            assert_eq!(joined, &*clip.text);
            for part in &clip.parts {
                assert!(clip.truth.start_us() <= part.at.start_us + 60_000, "{}", clip.text);
                assert!(part.at.start_us < part.at.end_us, "{}", clip.text);
                assert!(part.at.end_us <= clip.samples.len() as u64 * 1_000 / 16, "{}", clip.text);
            }
        }
    }

    #[test]
    fn truth_is_the_same_at_every_rate_and_holds_in_the_converted_clip() {
        let (slow, fast) = (bank(3, 12, 16_000), bank(3, 12, 48_000));
        for (slow, fast) in slow.clips().iter().zip(fast.clips()) {
            assert_eq!((&slow.truth, &slow.text), (&fast.truth, &fast.text));
            assert_eq!(slow.samples.len() * 3, fast.samples.len());
            let as_float: Vec<f32> =
                fast.samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
            let found = truth::find(&as_float, 48_000).unwrap();
            assert!(found.start_us().abs_diff(fast.truth.start_us()) <= 10_000, "{}: {found:?}", fast.text);
            assert!(found.end_us().abs_diff(fast.truth.end_us()) <= 10_000, "{}: {found:?}", fast.text);
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        let build = |seed, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bank(seed, 8, 48_000))
        };
        let (one, three, other) = (build(5, 1), build(5, 3), build(6, 3));
        assert!(
            one.clips().iter().zip(three.clips()).all(|(a, b)| a.samples == b.samples && a.text == b.text)
        );
        assert!(one.clips().iter().zip(other.clips()).all(|(a, b)| a.samples != b.samples));
    }

    #[test]
    fn progress_counts_every_clip_and_bad_counts_are_errors() {
        let told = Mutex::new(Vec::new());
        Bank::build(BankConfig { clips: 5, ..BankConfig::default() }, &|done, all| {
            told.lock().unwrap().push((done, all));
        })
        .unwrap();
        let mut told = told.into_inner().unwrap();
        told.sort_unstable();
        assert_eq!(told, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
        for clips in [0, CLIPS_MAX + 1] {
            let error = Bank::build(BankConfig { clips, ..BankConfig::default() }, &|_, _| {}).unwrap_err();
            assert_eq!(error, BankError::Count(clips));
        }
        let error = Bank::build(BankConfig { rate_hz: 0, clips: 1, seed: 1 }, &|_, _| {}).unwrap_err();
        assert!(matches!(error, BankError::Rate(_)), "{error}");
    }
}
