//! Labelled recordings as they are and with noise mixed in at 10 dB, and what the gate makes of them.

use super::judge::Figures;
use super::labels::{Labelled, Set};
use super::noise::{mixed, pink, white};
use super::stage::{Outcome, Part, run};

pub(crate) const SCENE: &str = "speculative_vad";
pub(crate) const PAD_MS: u64 = 200;
const NOISE_SAMPLES: usize = 16_000 * 20;

pub(crate) fn heard(files: &[Labelled], sets: &[&str]) -> Vec<Outcome> {
    let parts: Vec<Part> = files.iter().map(|f| Part::new(&f.file, f.rate, f.samples.clone())).collect();
    run(SCENE, sets, &parts, None).outcomes
}

pub(crate) fn judged(files: &[Labelled], sets: &[&str]) -> (Figures, Vec<Outcome>) {
    let outcomes = heard(files, sets);
    // What is always forwarded has no pre-roll.
    let pad_ms = if sets.contains(&"gate.forward=Always") { 0 } else { PAD_MS };
    (Figures::of(files, &outcomes, pad_ms), outcomes)
}

/// The recordings that came without noise, as they are and with noise at 10 dB.
pub(crate) fn conditions(set: &Set) -> Vec<(&'static str, Vec<Labelled>)> {
    let clean = set.noisy(false);
    let (white, pink) = (white(1, NOISE_SAMPLES), pink(1, NOISE_SAMPLES));
    let noises = [
        ("keys 10 dB", set.bed("keys")),
        ("music 10 dB", set.bed("music")),
        ("white 10 dB", &white),
        ("pink 10 dB", &pink),
    ];
    let noisy = noises.map(|(name, noise)| (name, mixed(&clean, noise, 10.0)));
    std::iter::once(("clean", clean)).chain(noisy).collect()
}

/// Name of a condition and how many recordings it has.
pub(crate) type Sizes = Vec<(&'static str, usize)>;

/// All conditions as sessions of one run: the detector works on them together.
pub(crate) fn all_conditions(set: &Set) -> (Sizes, Vec<Labelled>) {
    let conditions = conditions(set);
    let sizes = conditions.iter().map(|(name, files)| (*name, files.len())).collect();
    let rename = |name: &str, file: Labelled| Labelled { file: format!("{} {name}", file.file), ..file };
    let all = conditions.into_iter().flat_map(|(name, files)| {
        let renamed: Vec<_> = files.into_iter().map(|file| rename(name, file)).collect();
        renamed
    });
    (sizes, all.collect())
}
