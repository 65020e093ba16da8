//! Matrices times columns, on panels of 16 rows, as [`crate::vad::product`] has them; weights of one byte are unpacked
//! on the way.
//!
//! Every output is one chain of multiply-adds over the depth, scaled and shifted at its end. Columns and panels that are
//! taken together change only which chains run side by side, so a column gives the same bits in any batch.

use crate::vad::product::{Arithmetic, Fused, PANEL, Row, Split};

/// Sixteen weights of one byte each, of as many rows.
pub(super) type ByteRow = [u8; PANEL];

/// Most columns that are computed side by side.
const SIX: usize = 6;
/// From this many columns on, a panel of bytes is unpacked once for all of them.
const MANY: usize = 4;

/// Panels of a matrix: `[panel][depth]`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Panels<'a> {
    /// Weights as numbers.
    Floats(&'a [Row]),
    /// Weights `(byte - zero) * scale`.
    Bytes { rows: &'a [ByteRow], zero: f32, scale: f32 },
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
    /// For one unpacked panel.
    pub(super) unpacked: &'a mut Vec<Row>,
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

#[derive(Clone, Copy)]
struct Packed<'a>(&'a [ByteRow], f32);

impl Panel for Packed<'_> {
    #[inline(always)]
    fn row(&self, k: usize) -> Row {
        let mut row = Row([0.0; PANEL]);
        for (number, byte) in row.0.iter_mut().zip(self.0[k]) {
            *number = f32::from(byte) - self.1;
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
    scale: f32,
    bias: &'a [f32],
}

impl Outputs<'_> {
    #[inline(always)]
    fn put(&mut self, panel: usize, column: usize, sums: [f32; PANEL]) {
        let first = panel * PANEL;
        let count = PANEL.min(self.rows - first);
        let places = &mut self.output[column * self.width + first..][..count];
        if self.bias.is_empty() {
            for (place, sum) in places.iter_mut().zip(sums) {
                *place = sum * self.scale;
            }
        } else {
            for ((place, sum), bias) in places.iter_mut().zip(sums).zip(&self.bias[first..]) {
                *place = sum * self.scale + bias;
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
}

impl Product<'_> {
    #[inline(always)]
    fn all<A: Arithmetic>(self, arithmetic: A) {
        let Self { panels, rows, depth, reach, bias, input, apart, columns, output, width, unpacked } = self;
        let inputs = Inputs { input, apart, depth, columns };
        let count = rows.div_ceil(PANEL);
        match panels {
            Panels::Floats(all) => {
                let mut outputs = Outputs { output, width, rows, scale: 1.0, bias };
                let panel = |at: usize| &all[at * reach..][..depth];
                sweep(arithmetic, count, panel, inputs, &mut outputs);
            }
            Panels::Bytes { rows: all, zero, scale } => {
                let mut outputs = Outputs { output, width, rows, scale, bias };
                let panel = |at: usize| Packed(&all[at * reach..][..depth], zero);
                if columns < MANY {
                    sweep(arithmetic, count, panel, inputs, &mut outputs);
                    return;
                }
                for at in 0..count {
                    let packed = panel(at);
                    unpacked.clear();
                    unpacked.extend((0..depth).map(|k| packed.row(k)));
                    strip::<A, _, 1>(arithmetic, at, [&unpacked[..]], inputs, &mut outputs);
                }
            }
        }
    }
}

/// All panels, as many at a time as few columns need to keep both multiply-add units busy.
#[inline(always)]
fn sweep<A: Arithmetic, W: Panel>(
    arithmetic: A,
    count: usize,
    panel: impl Fn(usize) -> W,
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) {
    let mut at = 0;
    if inputs.columns == 1 {
        while at + 4 <= count {
            let panels = [panel(at), panel(at + 1), panel(at + 2), panel(at + 3)];
            strip::<A, W, 4>(arithmetic, at, panels, inputs, outputs);
            at += 4;
        }
    }
    if inputs.columns <= 3 {
        while at + 2 <= count {
            strip::<A, W, 2>(arithmetic, at, [panel(at), panel(at + 1)], inputs, outputs);
            at += 2;
        }
    }
    while at < count {
        strip::<A, W, 1>(arithmetic, at, [panel(at)], inputs, outputs);
        at += 1;
    }
}

/// `P` panels with all columns: sixes, but fours where fewer than four would be left.
#[inline(always)]
fn strip<A: Arithmetic, W: Panel, const P: usize>(
    arithmetic: A,
    first: usize,
    panels: [W; P],
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) {
    let mut column = 0;
    while column < inputs.columns {
        column += match (P, inputs.columns - column) {
            (_, 1) => tile::<A, W, P, 1>(arithmetic, first, panels, column, inputs, outputs),
            (_, 2) => tile::<A, W, P, 2>(arithmetic, first, panels, column, inputs, outputs),
            (2.., _) | (_, 3) => tile::<A, W, P, 3>(arithmetic, first, panels, column, inputs, outputs),
            (_, 4 | 7 | 8) => tile::<A, W, P, 4>(arithmetic, first, panels, column, inputs, outputs),
            (_, 5) => tile::<A, W, P, 5>(arithmetic, first, panels, column, inputs, outputs),
            _ => tile::<A, W, P, SIX>(arithmetic, first, panels, column, inputs, outputs),
        };
    }
}

/// `P` panels by `C` columns, all sums in registers; gives back `C`.
#[inline(always)]
fn tile<A: Arithmetic, W: Panel, const P: usize, const C: usize>(
    arithmetic: A,
    first: usize,
    mut panels: [W; P],
    column: usize,
    inputs: Inputs<'_>,
    outputs: &mut Outputs<'_>,
) -> usize {
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
    C
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
        let bias: Vec<f32> = (0..rows).map(|row| row as f32).collect();
        let mut bytes = vec![[0; PANEL]; rows.div_ceil(PANEL) * depth];
        for (row, k) in (0..rows).flat_map(|row| (0..depth).map(move |k| (row, k))) {
            bytes[row / PANEL * depth + k][row % PANEL] = byte(row, k);
        }
        let floats: Vec<Row> = bytes.iter().map(|row| Row(row.map(|byte| f32::from(byte) - 128.0))).collect();
        for columns in 1..=40 {
            let input = inputs(columns * depth);
            for panels in [Panels::Floats(&floats), Panels::Bytes { rows: &bytes, zero: 128.0, scale: 1.0 }] {
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
                    unpacked: &mut Vec::new(),
                }
                .run();
                for (at, got) in output.iter().enumerate() {
                    let (column, row) = (at / rows, at % rows);
                    let product = |k: usize| (f32::from(byte(row, k)) - 128.0) * input[column * depth + k];
                    let want = (0..depth).map(product).sum::<f32>() + row as f32;
                    assert!(*got == want, "{columns} columns, column {column}, row {row}: {got} for {want}");
                }
            }
        }
    }
}
