//! Seeded randomness: equal arguments give equal numbers on every platform.
//!
//! A stream is named by (seed, stream, purpose) and is a counter run through a mixing function (SplitMix64: Steele,
//! Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), so two streams share no state and
//! one more draw for one purpose moves no other. Logarithm, exponential and cosine are computed here from
//! `+ - * /` and `sqrt`, which IEEE 754 rounds alike everywhere; the platform's own may differ in the last bit.
//! Not for secrets.

use std::ops::Range;

/// Step of the counter: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// One stream of pseudo-random numbers; 16 bytes, no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    drawn: u64,
}

impl Rng {
    /// The stream of numbers that (`seed`, `stream`, `purpose`) names. `stream` numbers what there are many of
    /// (sessions, clips), `purpose` tells apart the uses within one.
    #[must_use]
    pub const fn new(seed: u64, stream: u64, purpose: u64) -> Self {
        let seeded = mix(seed.wrapping_add(STEP));
        let streamed = mix(seeded ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93).wrapping_add(STEP));
        Self { key: mix(streamed ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F).wrapping_add(STEP)), drawn: 0 }
    }

    /// The next 64 bits, each value equally likely.
    pub const fn next_u64(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        mix(self.key.wrapping_add(self.drawn.wrapping_mul(STEP)))
    }

    /// A number in `0.0..1.0` with 53 random bits.
    pub const fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number in `range.start..range.end`; `range.start` when the range is empty.
    pub fn range_f32(&mut self, range: Range<f32>) -> f32 {
        let width = range.end - range.start;
        // 24 bits, so that the product cannot round up to the width itself for ordinary ranges.
        let unit = (self.next_u64() >> 40) as f32 * (1.0 / (1_u32 << 24) as f32);
        if width > 0.0 { (range.start + width * unit).min(range.end.next_down()) } else { range.start }
    }

    /// An integer in `0..bound`, without modulo bias worth naming (below 2^-32 for 32-bit bounds); 0 for bound 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// An integer in `range.start..range.end`; `range.start` when the range is empty.
    pub const fn range_u64(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// True with the given probability, 0..=1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A draw of the normal distribution, mean 0 and deviation 1 (Box and Muller, 1958). Always two draws of the
    /// stream, so that what follows does not depend on the values.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * ln(1.0 - self.uniform())).sqrt();
        radius * cos_turns(self.uniform())
    }

    /// A draw of the log-normal distribution with this median (its own unit) and this deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// The finalizer of SplitMix64 (variant 13 of Stafford's mixers).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Natural logarithm of a normal positive number, relative error below 1e-14.
fn ln(value: f64) -> f64 {
    let bits = value.to_bits();
    let mut exponent = ((bits >> 52) & 0x7FF) as i32 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)); the argument is below 0.172, so the 11th term is below 1e-17.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let mut series = 0.0;
    for odd in (0..11).rev() {
        series = series * square + 1.0 / f64::from(2 * odd + 1);
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * ratio * series
}

/// e to the power of `value`, which is clamped to -700..=700; relative error below 1e-13.
fn exp(value: f64) -> f64 {
    let value = value.clamp(-700.0, 700.0);
    let exponent = (value * std::f64::consts::LOG2_E).round();
    let rest = value - exponent * std::f64::consts::LN_2;
    // |rest| <= 0.35, so the 15th term of the power series is below 1e-19.
    let mut series = 1.0;
    for term in (1..15).rev() {
        series = 1.0 + rest / f64::from(term) * series;
    }
    series * f64::from_bits(((exponent as i64 + 1023) as u64) << 52)
}

/// Cosine of `turns` full circles, 0..1; absolute error below 1e-14.
fn cos_turns(turns: f64) -> f64 {
    // Folded to a quarter: cos is even about 0.5, and odd about 0.25.
    let half = if turns > 0.5 { 1.0 - turns } else { turns };
    let (quarter, sign) = if half > 0.25 { (0.5 - half, -1.0) } else { (half, 1.0) };
    let angle = quarter * std::f64::consts::TAU;
    let square = angle * angle;
    // |angle| <= pi/2: the term of angle^24 is below 1e-19.
    let mut series = 1.0;
    for term in (1..12).rev() {
        series = 1.0 - square / f64::from((2 * term - 1) * (2 * term)) * series;
    }
    sign * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_never_change() {
        // A recorded run replays only while these stay as they are; integers, so equal on every machine.
        let mut rng = Rng::new(1, 2, 3);
        let drawn = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(
            drawn,
            [15_204_769_854_934_353_675, 13_593_404_210_271_114_556, 11_116_550_771_683_157_020]
        );
        assert_eq!(Rng::new(1, 2, 3).next_u64(), drawn[0]);
    }

    #[test]
    fn seed_stream_and_purpose_each_name_another_stream() {
        let firsts: Vec<u64> = (0..4)
            .flat_map(|a| (0..4).flat_map(move |b| (0..4).map(move |c| Rng::new(a, b, c).next_u64())))
            .collect();
        let mut sorted = firsts.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), firsts.len());
    }

    #[test]
    fn own_functions_agree_with_the_platform() {
        let mut rng = Rng::new(7, 0, 0);
        for _ in 0..20_000 {
            let unit = 1.0 - rng.uniform();
            assert!((ln(unit) - unit.ln()).abs() <= 1e-13 * (1.0 + unit.ln().abs()), "ln {unit}");
            let turns = rng.uniform();
            assert!((cos_turns(turns) - (turns * std::f64::consts::TAU).cos()).abs() < 1e-14, "cos {turns}");
            let power = rng.uniform() * 40.0 - 20.0;
            assert!((exp(power) / power.exp() - 1.0).abs() < 1e-13, "exp {power}");
        }
        for turns in [0.0, 0.25, 0.5, 0.75] {
            assert!((cos_turns(turns) - (turns * std::f64::consts::TAU).cos()).abs() < 1e-14, "cos {turns}");
        }
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = Rng::new(11, 0, 0);
        let count = 200_000;
        let (mut sum, mut squares, mut below_median, mut units) = (0.0, 0.0, 0, 0.0);
        for _ in 0..count {
            let normal = rng.normal();
            sum += normal;
            squares += normal * normal;
            below_median += i32::from(rng.log_normal(0.38, 0.45) < 0.38);
            units += rng.uniform();
        }
        let count = f64::from(count);
        assert!((sum / count).abs() < 0.01, "mean {}", sum / count);
        assert!((squares / count - 1.0).abs() < 0.02, "variance {}", squares / count);
        assert!((f64::from(below_median) / count - 0.5).abs() < 0.01, "median share {below_median}");
        assert!((units / count - 0.5).abs() < 0.005, "uniform mean {}", units / count);
    }

    #[test]
    fn ranges_hold_their_ends() {
        let mut rng = Rng::new(5, 0, 0);
        let mut seen = [0_u32; 5];
        for _ in 0..5_000 {
            let real = rng.range_f32(-1.0..1.0);
            assert!((-1.0..1.0).contains(&real), "{real}");
            seen[rng.range_u64(10..15) as usize - 10] += 1;
        }
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
        assert_eq!(rng.range_f32(2.0..2.0), 2.0);
        assert_eq!(rng.range_u64(3..3), 3);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn shuffle_keeps_all_items_and_moves_them() {
        let mut items: Vec<u32> = (0..100).collect();
        Rng::new(1, 0, 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
