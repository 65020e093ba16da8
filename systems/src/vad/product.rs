//! Weights times columns, on panels of 16 rows packed once.
//!
//! Every output is one chain of multiply-adds over `k`, from the bias upwards. How many columns or panels a
//! pass takes together changes only which chains run side by side, so it never changes a bit.

/// Multiply-add in the way the processor at hand does it best.
///
/// `f32::mul_add` without the instruction is a call into the C library; and where it is an instruction,
/// rounding twice would be slower. Hence one way per feature set, chosen with the kernel. The wide form
/// names vector registers instead of leaving them to the optimiser, which finds them for some tile shapes
/// only; number by number both forms round alike.
pub(crate) trait Arithmetic: Copy {
    /// [`PANEL`] sums.
    type Wide: Copy;

    /// The sums a panel starts from.
    fn load(self, row: &Row) -> Self::Wide;

    /// `row * x + sums`, number by number.
    fn add_scaled(self, row: &Row, x: f32, sums: Self::Wide) -> Self::Wide;

    /// The sums as numbers.
    fn store(self, sums: Self::Wide) -> [f32; PANEL];

    /// `a * b + c`.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// One rounding: AVX2 with FMA, AVX-512, NEON. `V` registers of `S` hold a panel.
#[derive(Clone, Copy)]
pub(crate) struct Fused<S, const V: usize>(pub(crate) S);

/// Two roundings: everything else, by plain loops.
#[derive(Clone, Copy)]
pub(crate) struct Split;

impl<S: pulp::Simd, const V: usize> Arithmetic for Fused<S, V> {
    type Wide = [S::f32s; V];

    #[inline(always)]
    fn load(self, row: &Row) -> Self::Wide {
        *registers::<S, V>(row)
    }

    #[inline(always)]
    fn add_scaled(self, row: &Row, x: f32, mut sums: Self::Wide) -> Self::Wide {
        let (row, x) = (registers::<S, V>(row), self.0.splat_f32s(x));
        for v in 0..V {
            sums[v] = self.0.mul_add_f32s(row[v], x, sums[v]);
        }
        sums
    }

    #[inline(always)]
    fn store(self, sums: Self::Wide) -> [f32; PANEL] {
        let mut row = [0.0; PANEL];
        S::as_mut_simd_f32s(&mut row).0.copy_from_slice(&sums);
        row
    }

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// A row as the registers that hold it.
#[inline(always)]
fn registers<S: pulp::Simd, const V: usize>(row: &Row) -> &[S::f32s; V] {
    S::as_simd_f32s(&row.0).0.as_array().expect("V registers hold a panel")
}

impl Arithmetic for Split {
    type Wide = [f32; PANEL];

    #[inline(always)]
    fn load(self, row: &Row) -> Self::Wide {
        row.0
    }

    #[inline(always)]
    fn add_scaled(self, row: &Row, x: f32, mut sums: Self::Wide) -> Self::Wide {
        for (sum, weight) in sums.iter_mut().zip(row.0) {
            *sum += weight * x;
        }
        sums
    }

    #[inline(always)]
    fn store(self, sums: Self::Wide) -> [f32; PANEL] {
        sums
    }

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// Rows of weights in a panel: two AVX registers.
pub(crate) const PANEL: usize = 16;

/// The weights of [`PANEL`] rows for one `k`. Aligned to a cache line: a load never touches two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Row(pub(crate) [f32; PANEL]);

/// A matrix `[rows][depth]` and its bias, as panels `[rows / 16][depth]` of [`Row`].
#[derive(Debug)]
pub(super) struct Layer {
    depth: usize,
    panels: Vec<Row>,
    bias: Vec<Row>,
}

impl Layer {
    /// Packs row-major weights; `bias` gives the number of rows, a multiple of 64.
    pub(super) fn pack(weights: &[f32], bias: &[f32]) -> Self {
        let (rows, depth) = (bias.len(), weights.len() / bias.len());
        assert!(
            rows.is_multiple_of(4 * PANEL) && weights.len() == rows * depth,
            "rows come in fours of panels"
        );
        let row =
            |panel: usize, k: usize| Row(std::array::from_fn(|r| weights[(panel * PANEL + r) * depth + k]));
        let panels = (0..rows / PANEL).flat_map(|panel| (0..depth).map(move |k| row(panel, k))).collect();
        let bias = bias.as_chunks::<PANEL>().0.iter().map(|&chunk| Row(chunk)).collect();
        Self { depth, panels, bias }
    }

    /// Weights of one panel for `k` in `first..first + K`.
    #[inline(always)]
    fn panel<const K: usize>(&self, panel: usize, first: usize) -> &[Row; K] {
        self.panels[panel * self.depth + first..].first_chunk().expect("a product stays inside its layer")
    }
}

/// What happens to a sum before it is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// Negative sums become 0.
    Relu,
    /// Stored as they are.
    Linear,
}

/// A product: `columns` columns of `K` inputs against the layer's weights `first..first + K`.
///
/// Leaving out the other weights is how taps that only see padding are skipped.
pub(super) struct Product<'a, const K: usize> {
    pub(super) layer: &'a Layer,
    pub(super) first: usize,
    pub(super) columns: usize,
    pub(super) finish: Finish,
}

impl<const K: usize> Product<'_, K> {
    /// Reads column `c` from `input(slots, c)` and writes its rows to `output(slots, c)`.
    #[inline(always)]
    pub(super) fn run<A, S, I, O>(&self, arithmetic: A, slots: &mut [S], input: I, output: O)
    where
        A: Arithmetic,
        I: Fn(&[S], usize) -> &[f32; K],
        O: Fn(&mut [S], usize) -> &mut [f32],
    {
        let whole = self.columns - self.columns % 6;
        // As many chains side by side as the two multiply-add units need to stay busy (8 of 8 lanes).
        match self.columns % 6 {
            0 => self.sweep::<A, S, I, O, 1, 0>(arithmetic, whole, slots, &input, &output),
            1 => self.sweep::<A, S, I, O, 4, 1>(arithmetic, whole, slots, &input, &output),
            2 => self.sweep::<A, S, I, O, 2, 2>(arithmetic, whole, slots, &input, &output),
            3 => self.sweep::<A, S, I, O, 2, 3>(arithmetic, whole, slots, &input, &output),
            4 => self.sweep::<A, S, I, O, 1, 4>(arithmetic, whole, slots, &input, &output),
            _ => self.sweep::<A, S, I, O, 1, 5>(arithmetic, whole, slots, &input, &output),
        }
    }

    /// All panels, `P` at a time: first the sixes of columns, then the `C` that are left.
    #[inline(always)]
    fn sweep<A, S, I, O, const P: usize, const C: usize>(
        &self,
        arithmetic: A,
        whole: usize,
        slots: &mut [S],
        input: &I,
        output: &O,
    ) where
        A: Arithmetic,
        I: Fn(&[S], usize) -> &[f32; K],
        O: Fn(&mut [S], usize) -> &mut [f32],
    {
        for group in (0..self.layer.bias.len()).step_by(P) {
            for panel in group..group + P {
                for column in (0..whole).step_by(6) {
                    self.tile::<A, S, I, O, 1, 6>(arithmetic, panel, column, slots, input, output);
                }
            }
            if C > 0 {
                self.tile::<A, S, I, O, P, C>(arithmetic, group, whole, slots, input, output);
            }
        }
    }

    /// `P` panels by `C` columns, all sums in registers.
    #[inline(always)]
    fn tile<A, S, I, O, const P: usize, const C: usize>(
        &self,
        arithmetic: A,
        panel: usize,
        column: usize,
        slots: &mut [S],
        input: &I,
        output: &O,
    ) where
        A: Arithmetic,
        I: Fn(&[S], usize) -> &[f32; K],
        O: Fn(&mut [S], usize) -> &mut [f32],
    {
        let weights: [&[Row; K]; P] = std::array::from_fn(|p| self.layer.panel(panel + p, self.first));
        let mut sums: [[A::Wide; C]; P] =
            std::array::from_fn(|p| [arithmetic.load(&self.layer.bias[panel + p]); C]);
        {
            // A loop: where `array::from_fn` is a call of its own, the columns leave their registers.
            let mut inputs: [&[f32; K]; C] = [const { &[0.0; K] }; C];
            for (c, column_of) in inputs.iter_mut().enumerate() {
                *column_of = input(slots, column + c);
            }
            for k in 0..K {
                for p in 0..P {
                    for c in 0..C {
                        sums[p][c] = arithmetic.add_scaled(&weights[p][k], inputs[c][k], sums[p][c]);
                    }
                }
            }
        }
        for (p, sums) in sums.into_iter().enumerate() {
            for (c, sums) in sums.into_iter().enumerate() {
                let rows = &mut output(slots, column + c)[(panel + p) * PANEL..][..PANEL];
                for (stored, sum) in rows.iter_mut().zip(arithmetic.store(sums)) {
                    *stored = if self.finish == Finish::Linear || sum > 0.0 { sum } else { 0.0 };
                }
            }
        }
    }
}
