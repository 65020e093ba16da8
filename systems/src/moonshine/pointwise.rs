//! What is done number by number or row by row: activations, norms, softmax.

use std::f32::consts::FRAC_1_SQRT_2;

use crate::vad::activation::{exp, sigmoid, tanh};
use crate::vad::product::{Arithmetic, Fused, Split};

/// Sums that run side by side.
const LANES: usize = 16;
/// Added to a variance.
const EPSILON: f32 = 1e-5;

/// Something done to numbers in place.
pub(super) enum Pointwise<'a> {
    /// Hyperbolic tangent.
    Tanh(&'a mut [f32]),
    /// `x * P(X <= x)` of a standard normal X.
    Gelu(&'a mut [f32]),
    /// Of each row of `2 * half` numbers: value times gate times sigmoid of the gate, `half` numbers a row, into the
    /// second slice.
    SwiGlu(&'a [f32], &'a mut [f32], usize),
    /// Each row of `width` numbers, of which the first `count` count, times the scale: e^x as a share of their sum; 0 for
    /// the rest.
    Softmax { rows: &'a mut [f32], width: usize, count: usize, scale: f32 },
    /// Each row of as many numbers as there are weights: mean 0, variance 1, times the weights, into the second slice.
    Norm(&'a [f32], &'a [f32], &'a mut [f32]),
    /// All rows together: mean 0, variance 1; then each row times the weights plus the shifts.
    GroupNorm(&'a mut [f32], &'a [f32], &'a [f32]),
    /// Adds the second slice to the first.
    Add(&'a mut [f32], &'a [f32]),
}

impl Pointwise<'_> {
    pub(super) fn run(self) {
        pulp::Arch::new().dispatch(self);
    }
}

impl pulp::WithSimd for Pointwise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        match S::F32_LANES {
            _ if cfg!(target_family = "wasm") => self.all::<Split>(),
            16 => self.all::<Fused<S, 1>>(),
            8 => self.all::<Fused<S, 2>>(),
            4 => self.all::<Fused<S, 4>>(),
            _ => self.all::<Split>(),
        }
    }
}

impl Pointwise<'_> {
    #[inline(always)]
    fn all<A: Arithmetic>(self) {
        match self {
            Self::Tanh(numbers) => numbers.iter_mut().for_each(|x| *x = tanh::<A>(*x)),
            Self::Gelu(numbers) => numbers.iter_mut().for_each(|x| *x = gelu::<A>(*x)),
            Self::SwiGlu(pairs, output, half) => swiglu::<A>(pairs, output, half),
            Self::Softmax { rows, width, count, scale } => {
                rows.chunks_exact_mut(width).for_each(|row| softmax::<A>(row, count, scale));
            }
            Self::Norm(input, weights, output) => norm(input, weights, output),
            Self::GroupNorm(rows, weights, shifts) => group_norm(rows, weights, shifts),
            Self::Add(to, what) => to.iter_mut().zip(what).for_each(|(to, what)| *to += what),
        }
    }
}

/// By Abramowitz and Stegun, 7.1.26: within 1.5e-7 of the error function.
#[inline(always)]
fn gelu<A: Arithmetic>(x: f32) -> f32 {
    let scaled = x * FRAC_1_SQRT_2;
    let size = scaled.abs();
    let t = 1.0 / A::mul_add(0.327_591_1, size, 1.0);
    let mut sum = A::mul_add(1.061_405_4, t, -1.453_152);
    for factor in [1.421_413_8, -0.284_496_72, 0.254_829_6] {
        sum = A::mul_add(sum, t, factor);
    }
    let erf = 1.0 - sum * t * exp::<A>(-(size * size));
    let erf = if scaled < 0.0 { -erf } else { erf };
    0.5 * x * (1.0 + erf)
}

#[inline(always)]
fn swiglu<A: Arithmetic>(pairs: &[f32], output: &mut [f32], half: usize) {
    for (pair, row) in pairs.chunks_exact(2 * half).zip(output.chunks_exact_mut(half)) {
        let (values, gates) = pair.split_at(half);
        for ((out, value), gate) in row.iter_mut().zip(values).zip(gates) {
            *out = gate * sigmoid::<A>(*gate) * value;
        }
    }
}

/// The sum of `of(x)`, in lanes whose sums are added in one order.
#[inline(always)]
fn total(numbers: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in whole {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += of(*x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += of(*x);
    }
    sums.iter().sum()
}

#[inline(always)]
fn softmax<A: Arithmetic>(row: &mut [f32], count: usize, scale: f32) {
    let (row, rest) = row.split_at_mut(count);
    rest.fill(0.0);
    let mut tops = [f32::MIN; LANES];
    for chunk in row.chunks(LANES) {
        for (top, x) in tops.iter_mut().zip(chunk) {
            *top = if *x > *top { *x } else { *top };
        }
    }
    let top = tops.into_iter().fold(f32::MIN, f32::max);
    row.iter_mut().for_each(|x| *x = exp::<A>((*x - top) * scale));
    let share = 1.0 / total(row, |x| x);
    row.iter_mut().for_each(|x| *x *= share);
}

#[inline(always)]
fn norm(input: &[f32], weights: &[f32], output: &mut [f32]) {
    let width = weights.len();
    let share = 1.0 / width as f32;
    for (row, out) in input.chunks_exact(width).zip(output.chunks_exact_mut(width)) {
        let mean = total(row, |x| x) * share;
        let variance = total(row, |x| (x - mean) * (x - mean)) * share;
        let factor = 1.0 / (variance + EPSILON).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(row).zip(weights) {
            *out = (x - mean) * factor * weight;
        }
    }
}

/// The total of all rows: of half a million numbers an f32 would lose the last ones.
#[inline(always)]
fn grand_total(rows: &[f32], width: usize, of: impl Fn(f32) -> f32 + Copy) -> f64 {
    rows.chunks(width).map(|row| f64::from(total(row, of))).sum()
}

#[inline(always)]
fn group_norm(rows: &mut [f32], weights: &[f32], shifts: &[f32]) {
    let width = weights.len();
    let count = rows.len() as f64;
    let mean = (grand_total(rows, width, |x| x) / count) as f32;
    let variance = (grand_total(rows, width, |x| (x - mean) * (x - mean)) / count) as f32;
    let factor = 1.0 / (variance + EPSILON).sqrt();
    for row in rows.chunks_exact_mut(width) {
        for ((x, weight), shift) in row.iter_mut().zip(weights).zip(shifts) {
            *x = (*x - mean) * factor * weight + shift;
        }
    }
}
