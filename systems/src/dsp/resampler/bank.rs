//! Filter banks: a windowed sinc, sampled for every position an output can have between two input frames.
//!
//! All streams of equal ratio and quality share one bank. It lives as long as one of them does; the list of banks
//! is locked only while a stream is opened.

use std::f64::consts::{PI, TAU};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rubato::WindowFunction;

use super::rows::Rows;
use super::spec::{Filter, Quality, Ratio};

/// Banks in use anywhere in this process.
static BANKS: Mutex<Vec<(Ratio, Quality, Weak<Rows>)>> = Mutex::new(Vec::new());

/// The bank of `filter`, which must be the exact filter of `ratio` and `quality`.
pub(super) fn shared(ratio: Ratio, quality: Quality, filter: &Filter) -> Arc<Rows> {
    // A bank enters the list whole, so a list left behind by a panic is valid.
    let mut banks = BANKS.lock().unwrap_or_else(PoisonError::into_inner);
    banks.retain(|(_, _, bank)| bank.strong_count() > 0);
    let known = banks.iter().find(|(of, at, _)| (*of, *at) == (ratio, quality));
    if let Some(bank) = known.and_then(|(_, _, bank)| bank.upgrade()) {
        return bank;
    }
    let bank = Arc::new(Rows::pack(filter.taps, &taps(ratio, filter)));
    banks.push((ratio, quality, Arc::downgrade(&bank)));
    bank
}

/// All rows, one after the other. Row `r` of `up` has its peak at tap `taps / 2 - 1 + (r + 1) / up`.
fn taps(ratio: Ratio, filter: &Filter) -> Vec<f32> {
    let up = ratio.up as usize;
    let points = filter.taps * up;
    // The lower of both Nyquist frequencies, relative to the input's.
    let lower = (ratio.up as f64 / ratio.down as f64).min(1.0);
    let step = f64::from(filter.cutoff) * lower / up as f64;
    let curve: Vec<f32> = (0..points)
        .map(|n| {
            let (x, centre) = (n as f64 / points as f64, points as f64 / 2.0);
            (window(filter.window, x) * sinc((n as f64 - centre) * step)) as f32
        })
        .collect();
    // A row adds up to 1, on the average of all. The sum is rubato's, with its roundings: they are a gain of up to
    // 1e-5, in which the kernels would differ otherwise.
    let sum = curve.iter().sum::<f32>() / up as f32;
    let row = |r: usize| curve[up - 1 - r..].iter().step_by(up).map(move |value| value / sum);
    (0..up).flat_map(row).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// A window of length 1, periodic, at `x`.
fn window(function: WindowFunction, x: f64) -> f64 {
    let cosines = |terms: [f64; 4]| {
        let cosine = |k: usize| (k as f64 * TAU * x).cos();
        terms[0] - terms[1] * cosine(1) + terms[2] * cosine(2) - terms[3] * cosine(3)
    };
    let blackman = || cosines([0.42, 0.5, 0.08, 0.0]);
    let blackman_harris = || cosines([0.358_75, 0.488_29, 0.141_28, 0.011_68]);
    let hann = || cosines([0.5, 0.5, 0.0, 0.0]);
    match function {
        WindowFunction::Blackman => blackman(),
        WindowFunction::Blackman2 => blackman().powi(2),
        WindowFunction::BlackmanHarris => blackman_harris(),
        WindowFunction::BlackmanHarris2 => blackman_harris().powi(2),
        WindowFunction::Hann => hann(),
        WindowFunction::Hann2 => hann().powi(2),
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{Phases, design};
    use super::*;

    fn bank(from_hz: u32, to_hz: u32, quality: Quality) -> Arc<Rows> {
        shared(Ratio::of(from_hz, to_hz), quality, &design(from_hz, to_hz, quality))
    }

    #[test]
    fn streams_of_one_ratio_and_quality_share_a_bank() {
        let first = bank(192_000, 64_000, Quality::High);
        assert!(Arc::ptr_eq(&first, &bank(96_000, 32_000, Quality::High)), "the ratio is the same");
        assert!(!Arc::ptr_eq(&first, &bank(96_000, 32_000, Quality::Fast)));
        assert!(!Arc::ptr_eq(&first, &bank(96_000, 48_000, Quality::High)));
    }

    #[test]
    fn a_bank_goes_with_its_last_stream() {
        let ratio = Ratio::of(10_000, 9_000);
        let listed =
            || BANKS.lock().expect("no test panics in it").iter().filter(|(of, ..)| *of == ratio).count();
        let streams = [bank(10_000, 9_000, Quality::Fast), bank(10_000, 9_000, Quality::Fast)];
        assert_eq!(listed(), 1);
        let watch = Arc::downgrade(&streams[0]);
        drop(streams);
        assert!(watch.upgrade().is_none());
        let other = bank(10_000, 8_000, Quality::Fast);
        assert_eq!(listed(), 0, "the next stream that opens clears the list");
        drop(other);
    }

    #[test]
    fn every_row_passes_a_constant_unchanged() {
        for (from_hz, to_hz) in [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000)] {
            let filter = design(from_hz, to_hz, Quality::Standard);
            let Phases::Exact(rows) = filter.phases else { panic!("customary rates have exact filters") };
            let taps = taps(Ratio::of(from_hz, to_hz), &filter);
            assert_eq!(taps.len(), rows * filter.taps);
            for row in taps.chunks(filter.taps) {
                let sum: f64 = row.iter().map(|&tap| f64::from(tap)).sum();
                assert!((sum - 1.0).abs() < 2e-5, "{from_hz} to {to_hz}: {sum}");
            }
        }
    }
}
