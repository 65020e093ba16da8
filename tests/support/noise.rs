//! Noise to mix into speech by a fixed recipe.
//!
//! Noise is made, or read, at 16 kHz, repeated to the length of the speech, brought to the speech's rate by straight
//! lines between its samples, and scaled so that (power over the labelled speech) / (power of the noise) is the
//! wanted ratio. A recording without speech gets the noise that the others have on average.

use mynah_engine::base::rng::Rng;

use super::labels::{Labelled, Span};

const NOISE_RATE_HZ: u32 = 16_000;

/// Gaussian white noise of 16 kHz (a sum of twelve uniform numbers).
pub(crate) fn white(seed: u64, samples: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, 0, 0x7768);
    (0..samples).map(|_| (0..12).map(|_| rng.range_f32(-0.5..0.5)).sum::<f32>()).collect()
}

/// Pink noise of 16 kHz: three one-pole filters on white noise that together fall by 3 dB an octave.
pub(crate) fn pink(seed: u64, samples: usize) -> Vec<f32> {
    let mut poles = [(0.997_65_f32, 0.099_046_f32, 0.0_f32), (0.963, 0.296_516, 0.0), (0.57, 1.052_691, 0.0)];
    let white = white(seed, samples);
    let step = |w: &f32| {
        for (keep, gain, state) in &mut poles {
            *state = *keep * *state + *gain * w;
        }
        poles.iter().map(|(_, _, state)| state).sum::<f32>() + 0.1848 * w
    };
    white.iter().map(step).collect()
}

/// Mean square of the samples.
pub(crate) fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / samples.len().max(1) as f64
}

/// Power over the labelled speech; `None` without any.
fn speech_power(of: &Labelled) -> Option<f64> {
    let at = |us: u64| ((us * u64::from(of.rate) / 1_000_000) as usize).min(of.samples.len());
    let within = |span: &Span| of.samples[at(span.from_us)..at(span.to_us)].iter().copied();
    let speech: Vec<f32> = of.speech.iter().flat_map(within).collect();
    (!speech.is_empty()).then(|| power(&speech))
}

/// `noise` for `samples` samples at `rate`.
fn stretched(noise: &[f32], rate: u32, samples: usize) -> Vec<f32> {
    let step = f64::from(NOISE_RATE_HZ) / f64::from(rate);
    let value = |index: usize| {
        let at = index as f64 * step;
        let (whole, part) = (at as usize, (at - at.floor()) as f32);
        let (a, b) = (noise[whole % noise.len()], noise[(whole + 1) % noise.len()]);
        a + (b - a) * part
    };
    (0..samples).map(value).collect()
}

/// Every recording with `noise` mixed in at `snr_db`.
pub(crate) fn mixed(files: &[Labelled], noise: &[f32], snr_db: f64) -> Vec<Labelled> {
    let powers: Vec<Option<f64>> = files.iter().map(speech_power).collect();
    let known: Vec<f64> = powers.iter().flatten().copied().collect();
    let average = known.iter().sum::<f64>() / known.len() as f64;
    let mix = |(file, speech): (&Labelled, &Option<f64>)| {
        let noise = stretched(noise, file.rate, file.samples.len());
        let wanted = speech.unwrap_or(average) / 10f64.powf(snr_db / 10.0);
        let gain = (wanted / power(&noise)).sqrt() as f32;
        let samples = file.samples.iter().zip(&noise).map(|(s, n)| s + gain * n).collect();
        Labelled { samples, noisy: true, ..file.clone() }
    };
    files.iter().zip(&powers).map(mix).collect()
}

/// Time between two scraps, and between a scrap and an utterance, at least; microseconds.
const SCRAPS_APART_US: u64 = 800_000;
/// Lengths of scraps in turn, microseconds.
const SCRAPS_US: [u64; 3] = [50_000, 70_000, 90_000];

/// Every recording with scraps of its loudest speech in its gaps, twice as loud: sounds that are speech for a moment.
pub(crate) fn with_scraps(files: &[Labelled]) -> Vec<Labelled> {
    let lent = files.iter().find_map(|file| loudest(file, SCRAPS_US[2])).expect("somebody speaks");
    let scraps_for = |file: &Labelled| {
        let at = |us: u64| (us * u64::from(file.rate) / 1_000_000) as usize;
        let own = loudest(file, SCRAPS_US[2]).unwrap_or_else(|| lent.clone());
        let mut samples = file.samples.clone();
        let (mut from_us, mut lengths) = (SCRAPS_APART_US, SCRAPS_US.iter().cycle());
        while let Some(&length_us) = lengths.next()
            && at(from_us + length_us) <= samples.len()
        {
            let here = Span {
                from_us: from_us.saturating_sub(SCRAPS_APART_US),
                to_us: from_us + length_us + SCRAPS_APART_US,
            };
            if let Some(busy) = file.utterances.iter().find(|utterance| utterance.shared_us(here) > 0) {
                from_us = busy.to_us + SCRAPS_APART_US;
                continue;
            }
            let place = &mut samples[at(from_us)..at(from_us + length_us)];
            let last = place.len() as f32;
            for (index, (sample, scrap)) in place.iter_mut().zip(&own).enumerate() {
                let edge = (0.1 * last).min(index as f32).min(last - index as f32) / (0.1 * last);
                *sample = (*sample + 2.0 * edge * scrap).clamp(-1.0, 1.0);
            }
            from_us += length_us + SCRAPS_APART_US;
        }
        Labelled { samples, ..file.clone() }
    };
    files.iter().map(scraps_for).collect()
}

/// The stretch of labelled speech with the most power; `None` without speech.
fn loudest(of: &Labelled, length_us: u64) -> Option<Vec<f32>> {
    let at = |us: u64| (us * u64::from(of.rate) / 1_000_000) as usize;
    let spoken = of.speech.iter().flat_map(|span| {
        of.samples[at(span.from_us)..at(span.to_us).min(of.samples.len())]
            .windows(at(length_us))
            .step_by(at(5_000))
    });
    spoken.max_by(|a, b| power(a).total_cmp(&power(b))).map(<[f32]>::to_vec)
}
