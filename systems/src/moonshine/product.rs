//! Matrices times columns, on panels of 16 rows, as [`crate::vad::product`] has them; weights of one byte are unpacked
//! on the way.
//!
//! Every output is one chain of multiply-adds over the depth, shifted and scaled at its end. Columns and panels that are
//! taken together change only which chains run side by side, so a column gives the same bits in any batch.

use std::iter::StepBy;
use std::ops::Range;

use crate::vad::product::{Arithmetic, Fused, PANEL, Row, Split};

/// Rows of two panels whose bytes lie side by side: memory is then read from one end to the other, which a processor
/// foresees; of several places by turns it foresees little.
pub(super) const PAIR: usize = 2 * PANEL;

/// Weights of one byte each, less 128, of as many rows.
pub(super) type ByteRow = [i8; PAIR];

/// What they are less.
const ZERO: f32 = 128.0;
/// Most columns that are computed side by side.
const SIX: usize = 6;
/// Bytes of weights that all columns are multiplied with before the next ones are: they stay in the second cache, and
/// are taken there in one go.
const BLOCK: usize = 192 * 1024;

/// Panels of a matrix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Panels<'a> {
    /// Weights as numbers: `[panel][depth]`.
    Floats(&'a [Row]),
    /// Weights `(byte - zero) * scale`: `[pair of panels][depth]`.
    Bytes { rows: &'a [ByteRow], zero: f32, scale: f32 },
}

impl Panels<'_> {
    /// Those from row number `row` of weights on, of all panels.
    pub(super) fn starting_at(self, row: usize) -> Self {
        match self {
            Self::Floats(rows) => Self::Floats(&rows[row..]),
            Self::Bytes { rows, zero, scale } => Self::Bytes { rows: &rows[row..], zero, scale },
        }
    }
}

/// A product: `columns` columns of `depth` inputs, `apart` inputs from one to the next, into outputs that are `width`
/// apart.
pub(super) struct Product<'a> {
    pub(super) panels: Panels<'a>,
    /// Rows of the matrix: outputs of a column.
    pub(super) rows: usize,
    /// Inputs of a column.
    pub(super) depth: usize,
    /// Rows of weights from one panel to the next, at least `depth`.
    pub(super) reach: usize,
    /// Added to each output; empty: nothing is.
    pub(super) bias: &'a [f32],
    pub(super) input: &'a [f32],
    pub(super) apart: usize,
    pub(super) columns: usize,
    pub(super) output: &'a mut [f32],
    pub(super) width: usize,
    /// Room for one number a column.
    pub(super) shifts: &'a mut Vec<f32>,
}

impl Product<'_> {
    /// Computes the outputs.
    ///
    /// # Panics
    /// If weights, inputs or outputs are fewer than the sizes say.
    pub(super) fn run(self) {
        pulp::Arch::new().dispatch(self);
    }
}

impl pulp::WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        match S::F32_LANES {
            _ if cfg!(target_family = "wasm") => self.all(Split),
            16 => self.all(Fused::<S, 1>(simd)),
            8 => self.all(Fused::<S, 2>(simd)),
            4 => self.all(Fused::<S, 4>(simd)),
            _ => self.all(Split),
        }
    }
}

/// One panel, row by row.
trait Panel: Copy {
    fn row(&self, k: usize) -> Row;
    /// The same panel with a known depth.
    fn cut(self, depth: usize) -> Self;
}

impl Panel for &[Row] {
    #[inline(always)]
    fn row(&self, k: usize) -> Row {
        self[k]
    }
    #[inline(always)]
    fn cut(self, depth: usize) -> Self {
        &self[..depth]
    }
}

/// The first or the second of a pair of panels of bytes. Turning them into numbers is next to free where there is
/// enough to multiply, so that is done again for each tile.
#[derive(Clone, Copy)]
struct Half<'a>(&'a [ByteRow], usize);

impl Panel for Half<'_> {
    #[inline(always)]
    fn row(&self, k: usize) -> Row {
        let mut row = Row([0.0; PANEL]);
        for (number, byte) in row.0.iter_mut().zip(&self.0[k].as_chunks::<PANEL>().0[self.1]) {
            *number = f32::from(*byte);
        }
        row
    }
    #[inline(always)]
    fn cut(self, depth: usize) -> Self {
        Self(&self.0[..depth], self.1)
    }
}

/// Where a tile's outputs go, and what is made of its sums.
struct Outputs<'a> {
    output: &'a mut [f32],
    width: usize,
    rows: usize,
    /// Added to a column's sums; empty: nothing is.
    shifts: &'a [f32],
    scale: f32,
    bias: &'a [f32],
}

impl Outputs<'_> {
    #[inline(always)]
    fn put(&mut self, panel: usize, column: usize, sums: [f32; PANEL]) {
        let first = panel * PANEL;
        let count = PANEL.min(self.rows - first);
        let places = &mut self.output[column * self.width + first..][..count];
        let shift = self.shifts.get(column).copied().unwrap_or(0.0);
        if self.bias.is_empty() {
            for (place, sum) in places.iter_mut().zip(sums) {
                *place = (sum + shift) * self.scale;
            }
        } else {
            for ((place, sum), bias) in places.iter_mut().zip(sums).zip(&self.bias[first..]) {
                *place = (sum + shift) * self.scale + bias;
            }
        }
    }
}

/// The columns of a product.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    input: &'a [f32],
    apart: usize,
    depth: usize,
    columns: usize,
}

impl<'a> Inputs<'a> {
    #[inline(always)]
    fn column(self, column: usize) -> &'a [f32] {
        &self.input[column * self.apart..][..self.depth]
    }

    /// The sum of a column, in lanes that are added in one order.
    #[inline(always)]
    fn total(self, column: usize) -> f32 {
        let (whole, rest) = self.column(column).as_chunks::<PANEL>();
        let mut sums = [0.0; PANEL];
        for chunk in whole {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *sum += x;
            }
        }
        sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
    }
}

impl Product<'_> {
    #[inline(always)]
    fn all<A: Arithmetic>(self, arithmetic: A) {
        let Self { panels, rows, depth, reach, bias, input, apart, columns, output, width, shifts } = self;
        let inputs = Inputs { input, apart, depth, columns };
        let count = rows.div_ceil(PANEL);
        shifts.clear();
        match panels {
            Panels::Floats(all) => {
                let mut outputs = Outputs { output, width, rows, shifts, scale: 1.0, bias };
                let panel = |at: usize| &all[at * reach..][..depth];
                if columns == 1 {
                    sweep::<A, _, 4>(arithmetic, count, panel, inputs, &mut outputs);
                    return;
                }
                for at in 0..count {
                    strip::<A, _, 1>(arithmetic, (at..at + 1).step_by(1), panel, inputs, &mut outputs);
                }
            }
            Panels::Bytes { rows: all, zero, scale } => {
                // Weights count from 128, not from their zero: one subtraction a column instead of one a weight.
                shifts.extend((0..columns).map(|column| (ZERO - zero) * inputs.total(column)));
                let mut outputs = Outputs { output, width, rows, shifts, scale, bias };
                let half = |at: usize| Half(&all[at / 2 * reach..][..depth], at % 2);
                if columns <= 2 {
                    sweep::<A, _, 2>(arithmetic, count, half, inputs, &mut outputs);
                    return;
                }
                let block = (BLOCK / (PAIR * depth)).max(1) * 2;
                for first in (0..count).step_by(block) {
                    let last = count.min(first + block);
                    for at in first..last.min(first + 2) {
                        strip::<A, _, 1>(arithmetic, (at..last).step_by(2), half, inputs, &mut outputs);
                    }
                }
            }
        }
    }
}

/// One or two columns: up to `MOST` panels at a time, 2 or 4, keep both multiply-add units busy.
#[inline(always)]
fn sweep<A: Arithmetic, W: Panel, const MOST: usize>(
    arithmetic: A,
    count: usize,
    panel: impl Fn(usize) -> W + Copy,
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) {
    let (fours, twos) = (if MOST == 4 { count & !3 } else { 0 }, count & !1);
    strip::<A, W, 4>(arithmetic, (0..fours).step_by(4), panel, inputs, outputs);
    strip::<A, W, 2>(arithmetic, (fours..twos).step_by(2), panel, inputs, outputs);
    strip::<A, W, 1>(arithmetic, (twos..count).step_by(1), panel, inputs, outputs);
}

/// Panels with all columns, `P` panels at a time: sixes of columns, but fours where fewer than four would be left.
#[inline(always)]
fn strip<A: Arithmetic, W: Panel, const P: usize>(
    arithmetic: A,
    places: StepBy<Range<usize>>,
    panel: impl Fn(usize) -> W + Copy,
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) {
    let mut column = 0;
    while column < inputs.columns {
        let places = places.clone();
        column += match (P, inputs.columns - column) {
            (_, 1) | (4.., _) => tiles::<A, W, P, 1>(arithmetic, places, panel, column, inputs, outputs),
            (2.., _) | (_, 2) => tiles::<A, W, P, 2>(arithmetic, places, panel, column, inputs, outputs),
            (_, 3) => tiles::<A, W, P, 3>(arithmetic, places, panel, column, inputs, outputs),
            (_, 4 | 7 | 8) => tiles::<A, W, P, 4>(arithmetic, places, panel, column, inputs, outputs),
            (_, 5) => tiles::<A, W, P, 5>(arithmetic, places, panel, column, inputs, outputs),
            _ => tiles::<A, W, P, SIX>(arithmetic, places, panel, column, inputs, outputs),
        };
    }
}

#[inline(always)]
fn tiles<A: Arithmetic, W: Panel, const P: usize, const C: usize>(
    arithmetic: A,
    places: StepBy<Range<usize>>,
    panel: impl Fn(usize) -> W,
    column: usize,
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) -> usize {
    for first in places {
        let mut panels = [panel(first); P];
        for (p, place) in panels.iter_mut().enumerate() {
            *place = panel(first + p);
        }
        tile::<A, W, P, C>(arithmetic, first, panels, column, inputs, outputs);
    }
    C
}

/// `P` panels by `C` columns, all sums in registers.
#[inline(always)]
fn tile<A: Arithmetic, W: Panel, const P: usize, const C: usize>(
    arithmetic: A,
    first: usize,
    mut panels: [W; P],
    column: usize,
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) {
    for panel in &mut panels {
        *panel = panel.cut(inputs.depth);
    }
    let mut columns: [&[f32]; C] = [&[]; C];
    for (c, numbers) in columns.iter_mut().enumerate() {
        *numbers = inputs.column(column + c);
    }
    let mut sums = [[arithmetic.load(&Row([0.0; PANEL])); C]; P];
    #[expect(clippy::needless_range_loop, reason = "`k` names a weight of every panel, too")]
    for k in 0..inputs.depth {
        for p in 0..P {
            let row = panels[p].row(k);
            for c in 0..C {
                sums[p][c] = arithmetic.add_scaled(&row, columns[c][k], sums[p][c]);
            }
        }
    }
    for (p, sums) in sums.into_iter().enumerate() {
        for (c, sums) in sums.into_iter().enumerate() {
            outputs.put(first + p, column + c, arithmetic.store(sums));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, so that every sum is exact.
    fn inputs(count: usize) -> Vec<f32> {
        (0..count).map(|at| (at * 7 % 23) as f32 - 11.0).collect()
    }

    #[test]
    fn columns_give_what_a_plain_sum_gives_in_any_batch() {
        let (rows, depth): (usize, usize) = (36, 50);
        let byte = |row: usize, k: usize| ((row * 31 + k * 17) % 256) as u8;
        let zero = 125.0;
        let bias: Vec<f32> = (0..rows).map(|row| row as f32).collect();
        let mut bytes = vec![[0; PAIR]; rows.div_ceil(PAIR) * depth];
        let mut floats = vec![Row([0.0; PANEL]); rows.div_ceil(PANEL) * depth];
        for (row, k) in (0..rows).flat_map(|row| (0..depth).map(move |k| (row, k))) {
            bytes[row / PAIR * depth + k][row % PAIR] = (byte(row, k) ^ 128).cast_signed();
            floats[row / PANEL * depth + k].0[row % PANEL] = f32::from(byte(row, k)) - zero;
        }
        for columns in 1..=40 {
            let input = inputs(columns * depth);
            for panels in [Panels::Floats(&floats), Panels::Bytes { rows: &bytes, zero, scale: 1.0 }] {
                let mut output = vec![f32::NAN; columns * rows];
                Product {
                    panels,
                    rows,
                    depth,
                    reach: depth,
                    bias: &bias,
                    input: &input,
                    apart: depth,
                    columns,
                    output: &mut output,
                    width: rows,
                    shifts: &mut Vec::new(),
                }
                .run();
                for (at, got) in output.iter().enumerate() {
                    let (column, row) = (at / rows, at % rows);
                    let product = |k: usize| (f32::from(byte(row, k)) - zero) * input[column * depth + k];
                    let want = (0..depth).map(product).sum::<f32>() + row as f32;
                    assert!(*got == want, "{columns} columns, column {column}, row {row}: {got} for {want}");
                }
            }
        }
    }
}
