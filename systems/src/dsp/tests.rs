//! Measures what a conversion promises: purity, delay, frame counts, and that cutting the input changes nothing.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::resampler::{Kernel, Mode, Quality, RateConverter, ResampleError, ResampleSpec, build};

/// Rates in Hz, from and to: down, up, and between the families of 44.1 and 48 kHz.
const PAIRS: [(u32, u32); 12] = [
    (48_000, 16_000),
    (44_100, 16_000),
    (24_000, 48_000),
    (16_000, 48_000),
    (8_000, 16_000),
    (96_000, 16_000),
    (48_000, 8_000),
    (192_000, 16_000),
    (22_050, 16_000),
    (11_025, 16_000),
    (48_000, 44_100),
    // No common factor: the interpolated filter.
    (15_999, 16_000),
];

/// Both kernels (rubato takes what has no exact filter), and the fixed chunk.
const WAYS: [(Mode, Kernel); 3] = [
    (Mode::Streaming, Kernel::Auto),
    (Mode::Streaming, Kernel::Rubato),
    (Mode::FixedChunk { frames: 1024 }, Kernel::Auto),
];

pub(super) fn spec(from_hz: u32, to_hz: u32) -> ResampleSpec {
    ResampleSpec {
        from_hz,
        to_hz,
        channels: 1,
        quality: Quality::Standard,
        mode: Mode::Streaming,
        kernel: Kernel::Auto,
    }
}

fn streaming(from_hz: u32, to_hz: u32) -> Box<dyn RateConverter> {
    build(spec(from_hz, to_hz)).expect("the rates are within range")
}

/// `frames` samples of a sine of `hz` at -1 dB.
pub(super) fn sine(frames: usize, hz: f64, rate_hz: u32) -> Vec<f32> {
    (0..frames).map(|n| (0.89 * (TAU * hz * n as f64 / f64::from(rate_hz)).sin()) as f32).collect()
}

/// Seeded noise in [-1, 1); xorshift64*.
pub(super) fn noise(frames: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..frames).map(|_| (random.below(1 << 24) as f32 / (1 << 23) as f32) - 1.0).collect()
}

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

pub(super) fn whole(resampler: &mut dyn RateConverter, input: &[f32]) -> Vec<f32> {
    let mut output = Vec::new();
    resampler.push(input, &mut output);
    resampler.flush(&mut output);
    output
}

/// What became of a tone of known frequency.
struct Tone {
    gain_db: f64,
    snr_db: f64,
    /// How late it is against the time stamps, in microseconds.
    late_us: f64,
}

/// Sends a tone through and fits sine and cosine of its frequency to the steady part of the output.
fn tone(resampler: &mut dyn RateConverter, from_hz: u32, to_hz: u32, hz: f64) -> Tone {
    let output = whole(resampler, &sine(from_hz as usize / 4, hz, from_hz));
    let edge = output.len() / 8;
    let step = TAU * hz / f64::from(to_hz);
    let steady: Vec<(f64, f64, f64)> = (edge..output.len() - edge)
        .map(|k| ((step * k as f64).sin(), (step * k as f64).cos(), f64::from(output[k])))
        .collect();
    let sum = |f: &dyn Fn(&(f64, f64, f64)) -> f64| steady.iter().map(f).sum::<f64>();
    let (ss, cc, sc) = (sum(&|x| x.0 * x.0), sum(&|x| x.1 * x.1), sum(&|x| x.0 * x.1));
    let (sy, cy) = (sum(&|x| x.0 * x.2), sum(&|x| x.1 * x.2));
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((sy * cc - cy * sc) / determinant, (cy * ss - sy * sc) / determinant);
    let signal = sum(&|x| (a * x.0 + b * x.1).powi(2));
    let rest = sum(&|x| (x.2 - a * x.0 - b * x.1).powi(2));
    Tone {
        gain_db: 20.0 * (a.hypot(b) / 0.89).log10(),
        snr_db: 10.0 * (signal / rest).log10(),
        late_us: -b.atan2(a) / (TAU * hz) * 1e6,
    }
}

/// What is left of a tone that the output rate cannot carry, in dB of the tone.
fn alias_db(resampler: &mut dyn RateConverter, from_hz: u32, hz: f64) -> f64 {
    let output = whole(resampler, &sine(from_hz as usize / 4, hz, from_hz));
    let steady = &output[output.len() / 8..output.len() - output.len() / 8];
    let power = steady.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / steady.len() as f64;
    10.0 * (power / (0.5 * 0.89 * 0.89)).log10()
}

/// What a pair of rates measures; decibels and microseconds.
struct Row {
    pair: (u32, u32),
    kernel: Kernel,
    snr_db: f64,
    /// Worst of all tones from 9/8 of the output's Nyquist frequency on; absent where the input cannot hold one.
    alias_db: Option<f64>,
    gain_db: f64,
    late_us: f64,
    age_mean_us: f64,
    age_max_us: f64,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let alias = self.alias_db.map_or("-".to_string(), |db| format!("{db:.1}"));
        write!(
            f,
            "{:>6} {:>6} {:?} | snr {:6.1} alias {alias:>6} gain {:6.3} dB | late {:7.4} age mean {:6.0} max {:6.0} us",
            self.pair.0,
            self.pair.1,
            self.kernel,
            self.snr_db,
            self.gain_db,
            self.late_us,
            self.age_mean_us,
            self.age_max_us,
        )
    }
}

fn measure(pair: (u32, u32), quality: Quality, kernel: Kernel) -> Row {
    let (from_hz, to_hz) = pair;
    let mut resampler = build(ResampleSpec { quality, kernel, ..spec(from_hz, to_hz) }).expect("valid");
    let nyquist = f64::from(from_hz.min(to_hz)) / 2.0;
    let tones: Vec<Tone> = (0..=32)
        .map(|i| tone(&mut *resampler, from_hz, to_hz, nyquist * (0.05 + 0.825 * f64::from(i) / 32.0)))
        .collect();
    let alias_db = (0..=32)
        .map(|i| 1.125 * 10f64.powf(f64::from(i) / 32.0) * f64::from(to_hz) / 2.0)
        .filter(|&hz| hz < f64::from(from_hz) / 2.0)
        .map(|hz| alias_db(&mut *resampler, from_hz, hz))
        .reduce(f64::max);
    let ages = ages_us(&mut *resampler, from_hz, to_hz);
    Row {
        pair,
        kernel,
        snr_db: tones.iter().map(|t| t.snr_db).fold(f64::MAX, f64::min),
        alias_db,
        gain_db: tones[32].gain_db,
        late_us: tones.iter().map(|t| t.late_us.abs()).fold(0.0, f64::max),
        age_mean_us: ages.iter().sum::<f64>() / ages.len() as f64,
        age_max_us: ages.iter().copied().fold(0.0, f64::max),
    }
}

/// Age of the newest output after each of many pushes of 1 to 2048 frames, in microseconds, once running.
fn ages_us(resampler: &mut dyn RateConverter, from_hz: u32, to_hz: u32) -> Vec<f64> {
    let (mut random, silence, mut output) = (Random(7), [0.0; 2048], Vec::new());
    resampler.reset();
    let ages = (0..400).map(|_| {
        resampler.push(&silence[..1 + random.below(2048) as usize], &mut output);
        let frames = resampler.frames();
        1e6 * (frames.consumed as f64 / f64::from(from_hz) - frames.emitted as f64 / f64::from(to_hz))
    });
    ages.skip(20).collect()
}

/// Measures all pairs with both kernels; prints the whole table if one of them is beyond its limits.
fn hold(quality: Quality, within: impl Fn(&Row) -> bool) {
    let kernels = [Kernel::Auto, Kernel::Rubato];
    let rows: Vec<Row> =
        PAIRS.iter().flat_map(|&pair| kernels.map(|kernel| measure(pair, quality, kernel))).collect();
    let lines: Vec<String> =
        rows.iter().map(|row| format!("{} {row}", if within(row) { " " } else { "!" })).collect();
    assert!(
        rows.iter().all(within),
        "rows with ! are beyond the limits of {quality:?}:\n{}",
        lines.join("\n")
    );
}

/// Mean delay at standard quality in milliseconds: half of 64 periods of the lower rate, rounded up to whole taps.
fn standard_delay_ms(pair: (u32, u32)) -> f64 {
    match pair {
        (48_000 | 96_000 | 192_000, 16_000) => 1.98,
        (44_100, 16_000) => 2.19,
        (24_000, 48_000) => 1.38,
        (16_000, 48_000) => 2.10,
        (8_000, 16_000) => 4.13,
        (48_000, 8_000) => 3.97,
        (22_050, 16_000) => 2.24,
        (11_025, 16_000) => 3.05,
        (48_000, 44_100) => 0.79,
        _ => 2.10,
    }
}

#[test]
fn standard_quality_holds_its_table() {
    hold(Quality::Standard, |row| {
        // Going up, the images of a tone are part of its noise, and they are as low as the side lobes: -111 dB.
        let snr_min_db = if row.pair.1 > row.pair.0 { 110.0 } else { 115.0 };
        row.snr_db >= snr_min_db
            && row.alias_db.is_none_or(|db| db <= -109.0)
            && row.gain_db >= -0.1
            && row.late_us <= 0.01
            && row.age_mean_us <= 1e3 * (standard_delay_ms(row.pair) + 0.1)
    });
}

#[test]
fn fast_quality_trades_the_band_edge_for_delay() {
    hold(Quality::Fast, |row| {
        row.snr_db >= 107.0
            && row.alias_db.is_none_or(|db| db <= -109.0)
            && row.gain_db >= -0.3
            && row.age_mean_us <= 780.0 * standard_delay_ms(row.pair)
    });
}

#[test]
fn high_quality_is_cleaner_at_half_more_delay() {
    hold(Quality::High, |row| {
        row.snr_db >= 125.0
            && row.alias_db.is_none_or(|db| db <= -128.0)
            && row.gain_db >= -0.03
            && row.age_mean_us <= 1550.0 * standard_delay_ms(row.pair)
    });
}

#[test]
fn newest_output_is_never_older_than_the_delay_says() {
    for (mode, kernel) in WAYS {
        for (from_hz, to_hz) in PAIRS {
            if from_hz == 15_999 && mode != Mode::Streaming {
                continue; // Its transform is as long as its period, a second.
            }
            let mut resampler = build(ResampleSpec { mode, kernel, ..spec(from_hz, to_hz) }).expect("valid");
            let oldest = ages_us(&mut *resampler, from_hz, to_hz).into_iter().fold(0.0, f64::max);
            assert!(
                oldest <= f64::from(resampler.delay_us()),
                "{from_hz} to {to_hz} {mode:?} {kernel:?}: {oldest:.0} us > {} us",
                resampler.delay_us()
            );
        }
    }
}

#[test]
fn a_stream_gives_its_rounded_share_of_frames() {
    for (mode, kernel) in WAYS {
        for (from_hz, to_hz) in PAIRS {
            if from_hz == 15_999 && mode != Mode::Streaming {
                continue;
            }
            let mut resampler = build(ResampleSpec { mode, kernel, ..spec(from_hz, to_hz) }).expect("valid");
            for frames in [0, 1, 2, 7, 95, 320, 882, 1023, 1024, 2049, 5000, 44_100, 48_001] {
                let output = whole(&mut *resampler, &noise(frames, 1 + frames as u64));
                let exact = frames as f64 * f64::from(to_hz) / f64::from(from_hz);
                let expected = (exact + 0.5).floor() as usize;
                assert_eq!(
                    output.len(),
                    expected,
                    "{from_hz} to {to_hz} {mode:?} {kernel:?}: {frames} frames"
                );
            }
        }
    }
}

#[test]
fn fixed_chunks_carry_a_tone_at_its_time() {
    let fixed = ResampleSpec { mode: Mode::FixedChunk { frames: 1024 }, ..spec(48_000, 16_000) };
    let heard = tone(&mut *build(fixed).expect("valid"), 48_000, 16_000, 1000.0);
    assert!(
        heard.snr_db > 115.0 && heard.gain_db.abs() < 0.01,
        "{:.1} dB {:.3} dB",
        heard.snr_db,
        heard.gain_db
    );
    assert!(heard.late_us.abs() <= 32.0, "more than half an output frame: {} us", heard.late_us);
}

/// A push never exceeds the room it announced, nor does a flush.
fn push_within_room(
    resampler: &mut dyn RateConverter,
    input: &[f32],
    channels: usize,
    output: &mut Vec<f32>,
) {
    let before = output.len();
    resampler.push(input, output);
    let room = resampler.output_frames_max(input.len() / channels);
    assert!(
        output.len() - before <= room * channels,
        "{} samples in room for {room} frames",
        output.len() - before
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_the_input_changes_nothing(
        pair in prop::sample::select(PAIRS.to_vec()),
        kernel in prop::sample::select(vec![Kernel::Auto, Kernel::Rubato]),
        channels in 1..=8u8,
        cuts in prop::collection::vec(prop_oneof![0..4usize, 1..2049usize, 2048..5000usize], 1..24),
        seed in 1..u64::MAX,
    ) {
        let stream = ResampleSpec { channels, kernel, ..spec(pair.0, pair.1) };
        let width = usize::from(channels);
        let input = noise(cuts.iter().sum::<usize>() * width, seed);
        let at_once = whole(&mut *build(stream).expect("valid"), &input);
        let mut resampler = build(stream).expect("valid");
        let (mut output, mut rest) = (Vec::new(), &input[..]);
        for frames in cuts {
            let (piece, after) = rest.split_at(frames * width);
            push_within_room(&mut *resampler, piece, width, &mut output);
            rest = after;
        }
        let before = output.len();
        let room = resampler.tail_frames_max();
        resampler.flush(&mut output);
        prop_assert!(output.len() - before <= room * width);
        prop_assert_eq!(output.len(), at_once.len());
        for (k, (a, b)) in output.iter().zip(&at_once).enumerate() {
            prop_assert!((a - b).abs() <= 1e-6, "sample {}: {} against {}", k, a, b);
        }
    }
}

#[test]
fn every_channel_is_a_mono() {
    for (from_hz, to_hz) in PAIRS {
        for (channels, (mode, kernel)) in [(2, WAYS[0]), (8, WAYS[0]), (8, WAYS[1]), (3, WAYS[2])] {
            if from_hz == 15_999 && mode != Mode::Streaming {
                continue; // Its transform is as long as its period, a second.
            }
            let with = |channels| ResampleSpec { channels, mode, kernel, ..spec(from_hz, to_hz) };
            let sides: Vec<Vec<f32>> = (0..channels).map(|n| noise(3000, 11 + u64::from(n))).collect();
            let all: Vec<f32> = (0..3000).flat_map(|at| sides.iter().map(move |side| side[at])).collect();
            let together = whole(&mut *build(with(channels)).expect("valid"), &all);
            for (place, side) in sides.iter().enumerate() {
                let alone = whole(&mut *build(with(1)).expect("valid"), side);
                let mine = together.iter().skip(place).step_by(usize::from(channels));
                assert_eq!(together.len(), usize::from(channels) * alone.len());
                let apart = mine.zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(
                    apart <= 1e-6,
                    "{from_hz} to {to_hz}, {place} of {channels}, {mode:?} {kernel:?}: {apart}"
                );
            }
        }
    }
}

#[test]
fn one_small_push_gives_output_at_once() {
    let (mut resampler, mut output) = (streaming(48_000, 16_000), Vec::new());
    resampler.push(&[0.1; 320], &mut output);
    assert_eq!(output.len(), 75, "(320 - 96) / 3: all but half a filter");
}

#[test]
fn a_flushed_or_reset_stream_starts_afresh() {
    for (mode, kernel) in WAYS {
        let mut resampler = build(ResampleSpec { mode, kernel, ..spec(44_100, 16_000) }).expect("valid");
        let input = noise(5000, 5);
        let first = whole(&mut *resampler, &input);
        assert_eq!(first, whole(&mut *resampler, &input), "after a flush, {mode:?} {kernel:?}");
        resampler.push(&input[..777], &mut Vec::new());
        resampler.reset();
        assert_eq!(resampler.frames().consumed, 0);
        assert_eq!(first, whole(&mut *resampler, &input), "after a reset, {mode:?} {kernel:?}");
    }
}

/// Noise that repeats with the grid must come out repeating: bit for bit, even after an hour, or the position has
/// drifted. rubato adds up positions in `f64`; rounding would have to reach half a filter row to show.
#[test]
fn an_hour_drifts_by_nothing() {
    for (from_hz, to_hz, kernel) in [
        (44_100, 16_000, Kernel::Auto),
        (48_000, 16_000, Kernel::Auto),
        (44_100, 16_000, Kernel::Rubato),
        (48_000, 16_000, Kernel::Rubato),
    ] {
        let (period_in, period_out) = (from_hz as usize / 100, to_hz as usize / 100);
        let second: Vec<f32> = noise(period_in, 9).repeat(100);
        let mut resampler = build(ResampleSpec { kernel, ..spec(from_hz, to_hz) }).expect("valid");
        let (mut output, mut reference) = (Vec::new(), Vec::new());
        for s in 1..=3600 {
            output.clear();
            resampler.push(&second, &mut output);
            let frames = resampler.frames();
            let owed = frames.consumed as f64 * f64::from(to_hz) / f64::from(from_hz) - frames.emitted as f64;
            let most = f64::from(resampler.delay_us()) * 1e-6 * f64::from(to_hz);
            assert!((0.0..=most).contains(&owed), "{from_hz} to {to_hz}: {owed} frames behind after {s} s");
            let phase = (frames.emitted as usize - output.len()) % period_out;
            output.rotate_right(phase);
            if s == 2 {
                reference.clone_from(&output[period_out..2 * period_out].to_vec());
            } else if s == 3600 {
                assert_eq!(reference, output[period_out..2 * period_out], "{from_hz} to {to_hz}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "whole frames of 2 channels")]
fn half_a_frame_is_refused() {
    let stereo = ResampleSpec { channels: 2, ..spec(48_000, 16_000) };
    build(stereo).expect("valid").push(&[0.0; 3], &mut Vec::new());
}

#[test]
fn equal_rates_copy() {
    let mut resampler = streaming(16_000, 16_000);
    let input = noise(100, 3);
    assert_eq!(whole(&mut *resampler, &input), input);
    assert_eq!(resampler.delay_us(), 0);
}

#[test]
fn errors_name_value_and_range() {
    let fine = spec(48_000, 16_000);
    let cases = [
        (
            ResampleSpec { from_hz: 7_999, ..fine },
            "resampler: input rate 7999 Hz is outside 8000..=192000 Hz",
        ),
        (
            ResampleSpec { to_hz: 192_001, ..fine },
            "resampler: output rate 192001 Hz is outside 8000..=192000 Hz",
        ),
        (
            ResampleSpec { channels: 0, ..fine },
            "resampler: 0 channels is outside 1..=8; fold them to mono first",
        ),
        (
            ResampleSpec { channels: 9, ..fine },
            "resampler: 9 channels is outside 1..=8; fold them to mono first",
        ),
        (
            ResampleSpec { mode: Mode::FixedChunk { frames: 0 }, ..fine },
            "resampler: a chunk of 0 frames is outside 1..=16384",
        ),
        (
            ResampleSpec { to_hz: 15_999, kernel: Kernel::Batched, ..fine },
            "resampler: 48000 to 15999 Hz has no bank for the kernel `Batched`; take `Auto` or `Rubato`",
        ),
    ];
    for (spec, text) in cases {
        let error: Option<ResampleError> = build(spec).err();
        assert_eq!(error.map(|e| e.to_string()).as_deref(), Some(text));
    }
}
