use mynah_engine::base::rng::Rng;
use proptest::prelude::*;

use super::*;

const RATE: usize = 16_000;
const WITHOUT_FILTER: Level = Level { high_pass_hz: 0.0, target_dbfs: -9.0, max_gain_db: 30.0 };

fn state_of(node: &Level, rate_hz: u32, channels: u8) -> LevelState {
    node.state(Format { rate_hz, channels }).expect("a filter for every rate")
}

/// What leaves of interleaved samples that come in blocks of these lengths, in turn; the last may be shorter.
fn levelled(node: &Level, rate_hz: u32, channels: u8, samples: &[f32], frames: &[usize]) -> Vec<f32> {
    let (mut state, mut samples) = (state_of(node, rate_hz, channels), samples.to_vec());
    let (mut left, mut lengths) = (&mut samples[..], frames.iter().cycle());
    while !left.is_empty() {
        let length = lengths.next().expect("a cycle") * usize::from(channels);
        let (block, rest) = left.split_at_mut(length.min(left.len()));
        node.level(&mut state, block, usize::from(channels));
        left = rest;
    }
    samples
}

fn mono(node: &Level, samples: &[f32]) -> Vec<f32> {
    levelled(node, RATE as u32, 1, samples, &[320])
}

fn factor(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

fn peak_dbfs(samples: &[f32]) -> f32 {
    20.0 * samples.iter().fold(0.0f32, |peak, s| peak.max(s.abs())).log10()
}

/// White noise with this peak.
fn noise(seed: u64, dbfs: f32, samples: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, 0, 0);
    (0..samples).map(|_| rng.range_f32(-1.0..1.0) * factor(dbfs)).collect()
}

/// Syllables of a low voice, five in two seconds and a pause, in a room 50 dB fainter.
fn voice(dbfs: f32, seconds: usize) -> Vec<f32> {
    let mut samples = noise(7, dbfs - 50.0, seconds * RATE);
    for (at, sample) in samples.iter_mut().enumerate() {
        let s = at as f32 / RATE as f32;
        let (phrase, syllable) = (s % 2.0, s % 0.25 / 0.25);
        if phrase < 1.25 && syllable < 0.8 {
            let swell = (std::f32::consts::PI * syllable / 0.8).sin();
            let tone = |hz: f32| (std::f32::consts::TAU * hz * s).sin();
            *sample += factor(dbfs) * swell * (0.6 * tone(140.0) + 0.4 * tone(700.0));
        }
    }
    samples
}

proptest! {
    #[test]
    fn blocks_of_any_length_give_the_same_samples(
        seed: u64,
        rate_hz in proptest::sample::select(vec![8_000u32, 11_025, 16_000, 44_100, 48_000]),
        channels in 1u8..4,
        level in -50.0f32..6.0,
        high_pass_hz in proptest::sample::select(vec![0.0f32, 80.0, 1_000.0]),
        frames in proptest::collection::vec(1usize..2_000, 1..8),
    ) {
        let node = Level { high_pass_hz, ..Level::default() };
        let quiet = noise(seed, level - 40.0, 6_000);
        let samples: Vec<f32> = quiet.into_iter().chain(noise(seed ^ 1, level, 18_000)).collect();
        let samples = &samples[..samples.len() / usize::from(channels) * usize::from(channels)];
        let whole = levelled(&node, rate_hz, channels, samples, &[usize::MAX / 8]);
        let pieces = levelled(&node, rate_hz, channels, samples, &frames);
        let bits = |samples: &[f32]| samples.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&whole), bits(&pieces));
    }

    #[test]
    fn what_is_no_sound_is_silence_and_is_forgotten(
        seed: u64,
        at in 0usize..8_000,
        bad in proptest::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e30]),
    ) {
        let mut samples = voice(-30.0, 1);
        samples.extend(noise(seed, -40.0, RATE));
        let mut silent = samples.clone();
        samples[at] = bad;
        silent[at] = 0.0;
        prop_assert_eq!(mono(&Level::default(), &samples), mono(&Level::default(), &silent));
    }

    #[test]
    fn nothing_leaves_above_the_ceiling(seed: u64, first in -50.0f32..18.0, then in -50.0f32..18.0) {
        let samples: Vec<f32> = noise(seed, first, RATE).into_iter().chain(noise(seed, then, RATE)).collect();
        prop_assert!(mono(&Level::default(), &samples).iter().all(|sample| sample.abs() <= CEILING));
    }
}

#[test]
fn a_faint_voice_is_brought_up_within_its_first_words_and_stays_there() {
    for dbfs in [-14.0, -20.0, -34.0, -38.0] {
        let out = mono(&Level::default(), &voice(dbfs, 8));
        for (from, to) in [(1, 2), (2, 4), (4, 6), (6, 8)] {
            let peak = peak_dbfs(&out[from * RATE..to * RATE]);
            assert!((-12.0..=-6.0).contains(&peak), "{dbfs} dBFS, seconds {from} to {to}: {peak}");
        }
    }
    let out = mono(&Level { max_gain_db: 12.0, ..Level::default() }, &voice(-34.0, 8));
    let peak = peak_dbfs(&out[4 * RATE..]);
    assert!((-24.0..=-20.0).contains(&peak), "at most 12 dB: {peak}");
}

#[test]
fn a_voice_that_gets_louder_or_fainter_is_followed() {
    for (before, after, seconds) in [(-34.0, -10.0, 2), (-20.0, -34.0, 6)] {
        let samples = [voice(before, 6), voice(after, 20)].concat();
        let peak = peak_dbfs(&mono(&Level::default(), &samples)[(6 + seconds) * RATE..]);
        assert!((-12.0..=-6.0).contains(&peak), "{before} to {after} dBFS: {peak}");
    }
}

#[test]
fn a_loud_voice_passes_as_it_is() {
    for dbfs in [-7.0, -6.0, -3.0] {
        let samples = voice(dbfs, 6);
        assert!(mono(&WITHOUT_FILTER, &samples) == samples, "{dbfs} dBFS");
    }
}

#[test]
fn silence_steady_noise_and_keys_are_not_brought_up() {
    let key = |at: usize| at % (RATE / 6) < RATE / 50;
    for dbfs in [-70.0, -50.0, -34.0, -20.0] {
        let steady = noise(3, dbfs, 10 * RATE);
        let keys: Vec<f32> =
            steady.iter().enumerate().map(|(at, s)| s * if key(at) { 1.0 } else { 0.01 }).collect();
        for (what, samples) in [("silence", vec![0.0; RATE]), ("noise", steady), ("keys", keys)] {
            assert!(mono(&WITHOUT_FILTER, &samples) == samples, "{what} at {dbfs} dBFS");
        }
    }
}

#[test]
fn noise_that_begins_is_taken_for_speech_for_two_seconds_at_most() {
    for dbfs in [-50.0f32, -34.0] {
        let samples = [vec![0.0; 3 * RATE], noise(3, dbfs, 6 * RATE)].concat();
        let peak = peak_dbfs(&mono(&WITHOUT_FILTER, &samples)[6 * RATE..]);
        assert!(peak <= dbfs.max(-35.5), "{dbfs} dBFS: {peak}");
    }
}

#[test]
fn a_voice_hardly_louder_than_its_room_does_not_take_the_room_along() {
    let mut samples = voice(-34.0, 10);
    samples.iter_mut().zip(noise(5, -49.0, 10 * RATE)).for_each(|(sample, noise)| *sample += noise);
    // The last pause.
    let pause = &mono(&Level::default(), &samples)[RATE * 94 / 10..];
    assert!((-40.0..=-34.0).contains(&peak_dbfs(pause)), "{}", peak_dbfs(pause));
}

#[test]
fn channels_share_the_gain() {
    let left = voice(-34.0, 4);
    let both: Vec<f32> = left.iter().flat_map(|sample| [*sample, *sample * 0.25]).collect();
    let out = levelled(&Level::default(), RATE as u32, 2, &both, &[320]);
    let alone = mono(&Level::default(), &left);
    assert_eq!(out.iter().step_by(2).copied().collect::<Vec<_>>(), alone);
    assert!(out.chunks_exact(2).all(|frame| frame[0] * 0.25 == frame[1]), "the image moved");
}

#[test]
fn the_high_pass_takes_what_is_below_a_voice_and_delays_nothing() {
    let off = Level { max_gain_db: 0.0, ..Level::default() };
    let tone = |hz: f32| {
        let samples: Vec<f32> =
            (0..RATE).map(|at| 0.5 * (std::f32::consts::TAU * hz * at as f32 / RATE as f32).sin()).collect();
        peak_dbfs(&mono(&off, &samples)[RATE / 2..]) - peak_dbfs(&samples)
    };
    for (hz, from_db, to_db) in [(20.0, -25.0, -23.0), (80.0, -3.2, -2.8), (300.0, -0.1, 0.0)] {
        let db = tone(hz);
        assert!((from_db..=to_db).contains(&db), "{hz} Hz: {db} dB");
    }
    let constant = mono(&off, &[0.5; RATE]);
    assert!(constant[0] > 0.45 && constant[RATE / 2..].iter().all(|sample| sample.abs() < 1e-6));
}

#[test]
fn a_filter_that_has_faded_is_still() {
    let mut state = state_of(&Level::default(), RATE as u32, 1);
    for samples in [&mut [0.9; RATE], &mut [0.0; RATE]] {
        Level::default().level(&mut state, samples, 1);
    }
    assert_eq!((state.filters[0].s1, state.filters[0].s2), (0.0, 0.0));
}

#[test]
fn settings_out_of_range_are_refused_where_they_stand() {
    let usual = Level::default();
    let cases = [
        (usual, None),
        (Level { high_pass_hz: 0.0, target_dbfs: -40.0, max_gain_db: 0.0 }, None),
        (Level { high_pass_hz: 1_000.0, target_dbfs: -3.0, max_gain_db: 40.0 }, None),
        (Level { high_pass_hz: -1.0, ..usual }, Some(("high_pass_hz", "-1 Hz is out of range"))),
        (Level { high_pass_hz: f32::NAN, ..usual }, Some(("high_pass_hz", "NaN Hz is out of range"))),
        (Level { target_dbfs: 0.0, ..usual }, Some(("target_dbfs", "0 dBFS is out of range"))),
        (Level { target_dbfs: -41.0, ..usual }, Some(("target_dbfs", "-41 dBFS is out of range"))),
        (Level { max_gain_db: 41.0, ..usual }, Some(("max_gain_db", "41 dB is out of range"))),
    ];
    for (node, want) in cases {
        let mut issues = Vec::new();
        node.check(None, &Tick::default(), &mut issues);
        let found: Vec<(&str, &str)> = issues.iter().map(|i| (&i.field[..], &i.message[..])).collect();
        assert_eq!(found, Vec::from_iter(want), "{node:?}");
    }
}
