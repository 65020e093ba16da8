//! Rows of taps applied to a signal: the inner product of a polyphase filter, over the taps of one stream.
//!
//! Neighbouring outputs are computed in groups, so that one load of taps serves all of them where they share a
//! row, and enough chains run side by side to keep both multiply-add units busy. Every output has its own eight
//! running sums, over taps `0, 8, 16, ...`, `1, 9, 17, ...` and so on, added up at the end in one fixed order:
//! how outputs are grouped, and so how a stream is cut into pushes, changes no bit.

/// Taps that are added up side by side: one AVX register, two NEON registers.
pub(super) const CHUNK: usize = 8;
/// Chains side by side: as many as two units of four cycles' latency need.
const GROUP: usize = 8;
/// Chains in half a group.
const FEW: usize = GROUP / 2;

/// Eight taps, aligned so that a load never touches two cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(32))]
pub(super) struct Chunk(pub(super) [f32; CHUNK]);

/// A filter's rows, one for every position an output can have between two input frames.
#[derive(Debug)]
pub(super) struct Rows {
    arch: pulp::Arch,
    /// `[row][chunk]`.
    chunks: Vec<Chunk>,
    /// Chunks of a row.
    width: usize,
}

/// Where the next output's window begins, and with which row it is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// First frame of the window.
    pub(super) at: usize,
    /// Row of taps.
    pub(super) row: usize,
}

/// How far outputs lie apart: `whole` frames and `rows` rows of `of`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stride {
    pub(super) whole: usize,
    pub(super) rows: usize,
    pub(super) of: usize,
}

impl Stride {
    /// Frames between two outputs of one row.
    #[inline(always)]
    pub(super) fn period(self) -> usize {
        self.whole * self.of + self.rows
    }

    /// The position of the output after the one at `position`.
    #[inline(always)]
    pub(super) fn next(self, position: Position) -> Position {
        let row = position.row + self.rows;
        let carry = usize::from(row >= self.of);
        Position { at: position.at + self.whole + carry, row: row - carry * self.of }
    }
}

/// Where outputs go: every `width`-th sample from `channel` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) channel: usize,
    pub(super) width: usize,
}

impl Rows {
    /// Packs `rows` rows of `taps` taps, which must be a multiple of [`CHUNK`].
    pub(super) fn pack(taps: usize, rows: &[f32]) -> Self {
        Self::for_arch(pulp::Arch::new(), taps, rows)
    }

    fn for_arch(arch: pulp::Arch, taps: usize, rows: &[f32]) -> Self {
        assert!(taps.is_multiple_of(CHUNK) && rows.len().is_multiple_of(taps), "rows are whole chunks");
        let chunks = rows.as_chunks().0.iter().map(|&chunk| Chunk(chunk)).collect();
        Self { arch, chunks, width: taps / CHUNK }
    }

    /// Taps of a row.
    pub(super) fn taps(&self) -> usize {
        self.width * CHUNK
    }

    /// Fills `lane` of `output` with outputs from `first` on.
    ///
    /// # Panics
    /// If a window reaches beyond the end of `signal`.
    pub(super) fn run(
        &self,
        signal: &[f32],
        first: Position,
        stride: Stride,
        output: &mut [f32],
        lane: Lane,
    ) {
        if output.is_empty() {
            return;
        }
        self.arch.dispatch(Pass { rows: self, signal, first, stride, output, lane });
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &[Chunk] {
        &self.chunks[row * self.width..][..self.width]
    }
}

/// One run, compiled once per instruction set.
struct Pass<'a> {
    rows: &'a Rows,
    signal: &'a [f32],
    first: Position,
    stride: Stride,
    output: &'a mut [f32],
    lane: Lane,
}

impl pulp::WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        // `Arch::dispatch` calls this with the instruction set already switched on. WebAssembly has vectors
        // but no fused multiply-add; wider registers than a chunk are left unused.
        match S::F32_LANES {
            _ if cfg!(target_family = "wasm") => self.sweep(Split),
            8 => self.sweep(Fused::<S, 1>(simd)),
            4 => self.sweep(Fused::<S, 2>(simd)),
            _ => self.sweep(Split),
        }
    }
}

impl Pass<'_> {
    #[inline(always)]
    fn sweep<A: Arithmetic>(self, arithmetic: A) {
        let frames = self.output.len() / self.lane.width;
        if frames >= FEW * self.stride.of {
            self.by_row(arithmetic, frames);
        } else {
            self.by_time(arithmetic, frames);
        }
    }

    /// Row after row, for each the outputs it weighs: few rows, many outputs.
    #[inline(always)]
    fn by_row<A: Arithmetic>(self, arithmetic: A, frames: usize) {
        let Self { rows, signal, first, stride, output, lane } = self;
        let mut position = first;
        for residue in 0..stride.of {
            let run =
                Run { row: rows.row(position.row), signal: &signal[position.at..], step: stride.period() };
            let count = (frames - residue).div_ceil(stride.of);
            let places = Places {
                output: &mut output[residue * lane.width + lane.channel..],
                apart: stride.of * lane.width,
            };
            run.fill(arithmetic, count, places);
            position = stride.next(position);
        }
    }

    /// Output after output, each with its own row.
    #[inline(always)]
    fn by_time<A: Arithmetic>(self, arithmetic: A, frames: usize) {
        let Self { rows, signal, first, stride, output, lane } = self;
        let mut position = first;
        let mut places = Places { output: &mut output[lane.channel..], apart: lane.width };
        let mut n = 0;
        while n + FEW <= frames {
            let mut positions = [position; FEW];
            for at in &mut positions {
                *at = position;
                position = stride.next(position);
            }
            places.put(n, arithmetic.totals(rows.apart(arithmetic, signal, &positions)));
            n += FEW;
        }
        while n < frames {
            let [sums] = rows.apart(arithmetic, signal, &[position]);
            places.put(n, [arithmetic.total(sums)]);
            position = stride.next(position);
            n += 1;
        }
    }
}

/// Every `apart`-th sample of the output.
struct Places<'a> {
    output: &'a mut [f32],
    apart: usize,
}

impl Places<'_> {
    #[inline(always)]
    fn put<const G: usize>(&mut self, n: usize, sums: [f32; G]) {
        if self.apart == 1 {
            *self.output[n..].first_chunk_mut().expect("there is a place for every output") = sums;
        } else {
            for (g, sum) in sums.into_iter().enumerate() {
                self.output[(n + g) * self.apart] = sum;
            }
        }
    }
}

/// The outputs that one row weighs, `step` frames apart.
struct Run<'a> {
    row: &'a [Chunk],
    signal: &'a [f32],
    step: usize,
}

impl Run<'_> {
    /// The first `count` outputs.
    #[inline(always)]
    fn fill<A: Arithmetic>(&self, arithmetic: A, count: usize, mut places: Places<'_>) {
        let mut n = 0;
        if 2 * self.step <= self.row.len() {
            while n + 2 * CHUNK <= count {
                for n in [n, n + FEW] {
                    let [early, late] = self.pairs(arithmetic, n);
                    places.put(n, arithmetic.totals(early));
                    places.put(n + CHUNK, arithmetic.totals(late));
                }
                n += 2 * CHUNK;
            }
        }
        while n + FEW <= count {
            let sums: [_; FEW] = self.few(arithmetic, n);
            places.put(n, arithmetic.totals(sums));
            n += FEW;
        }
        while n < count {
            let [sums] = self.few(arithmetic, n);
            places.put(n, [arithmetic.total(sums)]);
            n += 1;
        }
    }

    /// `chunks` chunks of frames from the window of output `n` on.
    #[inline(always)]
    fn frames(&self, n: usize, chunks: usize) -> &[[f32; CHUNK]] {
        &self.signal[n * self.step..].as_chunks().0[..chunks]
    }

    /// Outputs `n` to `n + G`.
    #[inline(always)]
    fn few<A: Arithmetic, const G: usize>(&self, arithmetic: A, n: usize) -> [A::Wide; G] {
        let mut windows: [&[[f32; CHUNK]]; G] = [&[]; G];
        for (g, window) in windows.iter_mut().enumerate() {
            *window = self.frames(n + g, self.row.len());
        }
        let mut sums = [arithmetic.zero(); G];
        accumulate(arithmetic, self.row, windows, &mut sums);
        sums
    }

    /// Outputs `n` to `n + G`, and those eight later: their windows are `step` whole chunks apart, so that one
    /// load of frames serves two outputs.
    #[inline(always)]
    fn pairs<A: Arithmetic, const G: usize>(&self, arithmetic: A, n: usize) -> [[A::Wide; G]; 2] {
        let (step, width) = (self.step, self.row.len());
        let mut windows: [&[[f32; CHUNK]]; G] = [&[]; G];
        for (g, window) in windows.iter_mut().enumerate() {
            *window = self.frames(n + g, width + step);
        }
        let (mut early, mut late) = ([arithmetic.zero(); G], [arithmetic.zero(); G]);
        accumulate(arithmetic, &self.row[..step], windows, &mut early);
        let ahead = &self.row[step..];
        let behind = &self.row[..ahead.len()];
        let mut both = windows;
        for window in &mut both {
            *window = &window[step..][..ahead.len()];
        }
        for k in 0..ahead.len() {
            let (ahead, behind) = (arithmetic.load(&ahead[k].0), arithmetic.load(&behind[k].0));
            for g in 0..G {
                let frames = arithmetic.load(&both[g][k]);
                early[g] = arithmetic.mul_add(ahead, frames, early[g]);
                late[g] = arithmetic.mul_add(behind, frames, late[g]);
            }
        }
        let end = &self.row[width - step..];
        for window in &mut windows {
            *window = &window[width..];
        }
        accumulate(arithmetic, end, windows, &mut late);
        [early, late]
    }
}

/// Adds the products of one row with each of the windows.
#[inline(always)]
fn accumulate<A: Arithmetic, const G: usize>(
    arithmetic: A,
    row: &[Chunk],
    mut windows: [&[[f32; CHUNK]]; G],
    sums: &mut [A::Wide; G],
) {
    for window in &mut windows {
        *window = &window[..row.len()];
    }
    for (k, taps) in row.iter().enumerate() {
        let taps = arithmetic.load(&taps.0);
        for g in 0..G {
            sums[g] = arithmetic.mul_add(taps, arithmetic.load(&windows[g][k]), sums[g]);
        }
    }
}

impl Rows {
    /// `G` outputs, each of its own row.
    #[inline(always)]
    fn apart<A: Arithmetic, const G: usize>(
        &self,
        arithmetic: A,
        signal: &[f32],
        positions: &[Position; G],
    ) -> [A::Wide; G] {
        let width = self.width;
        let mut rows: [&[Chunk]; G] = [&[]; G];
        let mut windows: [&[[f32; CHUNK]]; G] = [&[]; G];
        for (g, position) in positions.iter().enumerate() {
            rows[g] = self.row(position.row);
            windows[g] = &signal[position.at..].as_chunks().0[..width];
        }
        let mut sums = [arithmetic.zero(); G];
        for k in 0..width {
            for g in 0..G {
                let taps = arithmetic.load(&rows[g][k].0);
                sums[g] = arithmetic.mul_add(taps, arithmetic.load(&windows[g][k]), sums[g]);
            }
        }
        sums
    }
}

/// Multiply-add in the way the processor at hand does it best; see the VAD's products.
trait Arithmetic: Copy {
    /// [`CHUNK`] running sums.
    type Wide: Copy;

    fn zero(self) -> Self::Wide;

    fn load(self, numbers: &[f32; CHUNK]) -> Self::Wide;

    /// `taps * frames + sums`, number by number.
    fn mul_add(self, taps: Self::Wide, frames: Self::Wide, sums: Self::Wide) -> Self::Wide;

    fn store(self, sums: Self::Wide) -> [f32; CHUNK];

    /// The running sums of four outputs, added up: halves onto halves. Four at a time, as that is what the
    /// optimiser turns into vectors.
    #[inline(always)]
    fn totals(self, sums: [Self::Wide; FEW]) -> [f32; FEW] {
        let [a, b, c, d] = sums;
        let (a, b, c, d) = (self.halves(a), self.halves(b), self.halves(c), self.halves(d));
        let ab = [a[0] + a[2], a[1] + a[3], b[0] + b[2], b[1] + b[3]];
        let cd = [c[0] + c[2], c[1] + c[3], d[0] + d[2], d[1] + d[3]];
        [ab[0] + ab[1], ab[2] + ab[3], cd[0] + cd[1], cd[2] + cd[3]]
    }

    /// The same for one output.
    #[inline(always)]
    fn total(self, sums: Self::Wide) -> f32 {
        let a = self.halves(sums);
        (a[0] + a[2]) + (a[1] + a[3])
    }

    #[inline(always)]
    fn halves(self, sums: Self::Wide) -> [f32; CHUNK / 2] {
        let [a, b, c, d, e, f, g, h] = self.store(sums);
        [a + e, b + f, c + g, d + h]
    }
}

/// One rounding: AVX2 with FMA, NEON. `V` registers of `S` hold a chunk.
#[derive(Clone, Copy)]
struct Fused<S, const V: usize>(S);

/// Two roundings: everything else, by plain loops.
#[derive(Clone, Copy)]
struct Split;

impl<S: pulp::Simd, const V: usize> Arithmetic for Fused<S, V> {
    type Wide = [S::f32s; V];

    #[inline(always)]
    fn zero(self) -> Self::Wide {
        [self.0.splat_f32s(0.0); V]
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; CHUNK]) -> Self::Wide {
        *registers::<S, V>(numbers)
    }

    #[inline(always)]
    fn mul_add(self, taps: Self::Wide, frames: Self::Wide, mut sums: Self::Wide) -> Self::Wide {
        for v in 0..V {
            sums[v] = self.0.mul_add_f32s(taps[v], frames[v], sums[v]);
        }
        sums
    }

    #[inline(always)]
    fn store(self, sums: Self::Wide) -> [f32; CHUNK] {
        let mut numbers = [0.0; CHUNK];
        S::as_mut_simd_f32s(&mut numbers).0.copy_from_slice(&sums);
        numbers
    }
}

/// A chunk as the registers that hold it.
#[inline(always)]
fn registers<S: pulp::Simd, const V: usize>(chunk: &[f32; CHUNK]) -> &[S::f32s; V] {
    S::as_simd_f32s(chunk).0.as_array().expect("V registers hold a chunk")
}

impl Arithmetic for Split {
    type Wide = [f32; CHUNK];

    #[inline(always)]
    fn zero(self) -> Self::Wide {
        [0.0; CHUNK]
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; CHUNK]) -> Self::Wide {
        *numbers
    }

    #[inline(always)]
    fn mul_add(self, taps: Self::Wide, frames: Self::Wide, mut sums: Self::Wide) -> Self::Wide {
        for (sum, (tap, frame)) in sums.iter_mut().zip(taps.iter().zip(frames)) {
            *sum += tap * frame;
        }
        sums
    }

    #[inline(always)]
    fn store(self, sums: Self::Wide) -> [f32; CHUNK] {
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::noise;
    use super::*;

    /// Ratios, up and down, and chunks of a row: all ways through the kernel, and their ends.
    const SHAPES: [(usize, usize, usize); 8] =
        [(1, 3, 24), (1, 1, 8), (3, 1, 8), (2, 3, 12), (1, 9, 10), (5, 7, 9), (160, 441, 23), (147, 160, 9)];

    fn outputs(
        rows: &Rows,
        signal: &[f32],
        first: Position,
        stride: Stride,
        count: usize,
        lane: Lane,
    ) -> Vec<f32> {
        let mut output = vec![0.0; count * lane.width];
        rows.run(signal, first, stride, &mut output, lane);
        output[lane.channel..].iter().step_by(lane.width).copied().collect()
    }

    #[test]
    fn every_output_is_its_rows_product_however_many_are_computed() {
        const MONO: Lane = Lane { channel: 0, width: 1 };
        for arch in [pulp::Arch::new(), pulp::Arch::Scalar] {
            for (up, down, width) in SHAPES {
                let taps = noise(up * width * CHUNK, 7);
                let rows = Rows::for_arch(arch, width * CHUNK, &taps);
                let stride = Stride { whole: down / up, rows: down % up, of: up };
                let first = Position { at: 2, row: up - 1 };
                let signal = noise(3 + 700 * down / up + width * CHUNK, 8);
                let whole = outputs(&rows, &signal, first, stride, 700, MONO);
                let mut position = first;
                for (n, &output) in whole.iter().enumerate() {
                    let window = &signal[position.at..][..width * CHUNK];
                    let row = &taps[position.row * width * CHUNK..][..width * CHUNK];
                    let exact: f64 = window.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    assert!(
                        (exact - f64::from(output)).abs() < 1e-4,
                        "{up}/{down} {n}: {output} for {exact}"
                    );
                    let alone = outputs(&rows, &signal, position, stride, 1, MONO);
                    assert_eq!(alone[0].to_bits(), output.to_bits(), "{up}/{down} {n}: alone");
                    position = stride.next(position);
                }
                for count in [2, 3, 4, 15, 16, 17, 31, 333] {
                    let fewer = outputs(&rows, &signal, first, stride, count, MONO);
                    assert_eq!(fewer, whole[..count], "{up}/{down}: {count} outputs");
                    let right = outputs(&rows, &signal, first, stride, count, Lane { channel: 1, width: 2 });
                    assert_eq!(right, fewer, "{up}/{down}: {count} outputs of one side");
                }
            }
        }
    }
}
