//! Silero VAD v6 at 16 kHz for a tile of lanes.
//!
//! Per hop of 512 samples, with the 64 before it: four 256-sample frames 128 apart, the last one mirrored
//! at its end -> 129 magnitudes each -> conv 129>128 -> conv 128>64 stride 2 -> conv 64>64 stride 2 ->
//! conv 64>128 (all of three taps, ReLU) -> LSTM of 128 -> ReLU -> dense -> sigmoid.
//!
//! Activations lie `[lane][time][channel]`, so the three taps of a convolution are neighbours in memory and
//! need no gathering; weights lie in panels of 16 rows ([`Layer`](super::product::Layer)), so one lane
//! alone fills the vector units as well as thirty-two, and no lane is ever padded.

use super::activation::{sigmoid, tanh};
use super::product::{Arithmetic, Finish, Fused, Product, Split};
use super::spectrum::{BINS, Spectrum};
use super::weights::Weights;

/// 32 ms at 16 kHz, fixed by the network.
pub(super) const HOP: usize = 512;

/// Samples before the hop that the network sees again.
const CONTEXT: usize = 64;
/// Width of the recurrent layer.
const HIDDEN: usize = 128;
/// Distance of frames.
const STEP: usize = 128;
/// Mirrored samples after the hop that the last frame needs.
const MIRROR: usize = 64;

/// What the network remembers of one session.
#[derive(Clone, Debug)]
pub(super) struct SileroMemory {
    hidden: [f32; HIDDEN],
    cell: [f32; HIDDEN],
    context: [f32; CONTEXT],
}

impl Default for SileroMemory {
    fn default() -> Self {
        Self { hidden: [0.0; HIDDEN], cell: [0.0; HIDDEN], context: [0.0; CONTEXT] }
    }
}

#[cfg(test)]
impl SileroMemory {
    /// Everything remembered, for comparison.
    pub(super) fn numbers(&self) -> Vec<f32> {
        [&self.hidden[..], &self.cell, &self.context].concat()
    }
}

/// One lane's way through the network.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Slot {
    /// Context, hop, mirrored end.
    samples: [f32; CONTEXT + HOP + MIRROR],
    /// `[4 frames][129 bins]`.
    spectra: [f32; 4 * BINS],
    /// `[4][128]`.
    conv1: [f32; 4 * 128],
    /// `[2][64]`.
    conv2: [f32; 2 * 64],
    conv3: [f32; 64],
    /// Input of the LSTM: 128 of the last convolution, then the hidden state.
    seen: [f32; 128 + HIDDEN],
    /// Gates i, o, f, g.
    gates: [f32; 4 * HIDDEN],
    cell: [f32; HIDDEN],
    probability: f32,
}

const SILENT: Slot = Slot {
    samples: [0.0; CONTEXT + HOP + MIRROR],
    spectra: [0.0; 4 * BINS],
    conv1: [0.0; 4 * 128],
    conv2: [0.0; 2 * 64],
    conv3: [0.0; 64],
    seen: [0.0; 128 + HIDDEN],
    gates: [0.0; 4 * HIDDEN],
    cell: [0.0; HIDDEN],
    probability: 0.0,
};

/// Scratch of up to a tile of lanes.
#[derive(Debug)]
pub(super) struct SileroTile {
    arch: pulp::Arch,
    weights: &'static Weights,
    spectrum: Spectrum,
    slots: Vec<Slot>,
}

impl SileroTile {
    pub(super) fn new(lanes: usize, arch: pulp::Arch) -> Self {
        Self { arch, weights: Weights::shared(), spectrum: Spectrum::new(), slots: vec![SILENT; lanes] }
    }

    pub(super) fn stage(&mut self, slot: usize, memory: &SileroMemory, hop: &[f32]) {
        let slot = &mut self.slots[slot];
        slot.samples[..CONTEXT].copy_from_slice(&memory.context);
        for (staged, &sample) in slot.samples[CONTEXT..].iter_mut().zip(hop) {
            *staged = super::plausible::plausible(sample);
        }
        let (heard, mirror) = slot.samples.split_at_mut(CONTEXT + HOP);
        // The last sample is the mirror and is not repeated.
        let before = heard[..CONTEXT + HOP - 1].iter().rev();
        mirror.iter_mut().zip(before).for_each(|(mirrored, &sample)| *mirrored = sample);
        slot.seen[128..].copy_from_slice(&memory.hidden);
        slot.cell = memory.cell;
    }

    /// Computes the first `lanes` slots.
    pub(super) fn run(&mut self, lanes: usize) {
        self.arch.dispatch(Pass {
            weights: self.weights,
            spectrum: &mut self.spectrum,
            slots: &mut self.slots[..lanes],
        });
    }

    pub(super) fn take(&self, slot: usize, memory: &mut SileroMemory) -> f32 {
        let slot = &self.slots[slot];
        memory.hidden.copy_from_slice(&slot.seen[128..]);
        memory.cell = slot.cell;
        memory.context.copy_from_slice(&slot.samples[HOP..HOP + CONTEXT]);
        slot.probability
    }
}

/// One run over staged slots, compiled once per instruction set.
struct Pass<'a> {
    weights: &'a Weights,
    spectrum: &'a mut Spectrum,
    slots: &'a mut [Slot],
}

impl pulp::WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        // `Arch::dispatch` calls this with the instruction set already switched on. WebAssembly has vectors
        // but no fused multiply-add.
        match S::F32_LANES {
            _ if cfg!(target_family = "wasm") => self.network(Split),
            16 => self.network(Fused::<S, 1>(simd)),
            8 => self.network(Fused::<S, 2>(simd)),
            4 => self.network(Fused::<S, 4>(simd)),
            _ => self.network(Split),
        }
    }
}

impl Pass<'_> {
    #[inline(always)]
    fn network<A: Arithmetic>(self, arithmetic: A) {
        let Self { weights, spectrum, slots } = self;
        for slot in &mut *slots {
            let frame = |f: usize| slot.samples[f * STEP..].first_chunk().expect("four frames are staged");
            let (early, late) = slot.spectra.split_at_mut(2 * BINS);
            for (f, bins) in [(0, early), (2, late)] {
                let bins = bins.as_mut_array().expect("the spectra of two frames");
                spectrum.magnitudes::<A>(frame(f), frame(f + 1), bins);
            }
        }
        convolve(arithmetic, weights, slots);
        Product::<{ 128 + HIDDEN }> {
            layer: &weights.lstm,
            first: 0,
            columns: slots.len(),
            finish: Finish::Linear,
        }
        .run(arithmetic, slots, |slots, c| &slots[c].seen, |slots, c| &mut slots[c].gates);
        for slot in slots {
            recur::<A>(slot);
            slot.probability = decide::<A>(weights, slot);
        }
    }
}

/// The four convolutions. Frames before the first and behind the last are zero: their taps are left out.
#[inline(always)]
fn convolve<A: Arithmetic>(arithmetic: A, weights: &Weights, slots: &mut [Slot]) {
    let (layer, finish, lanes) = (&weights.conv1, Finish::Relu, slots.len());
    Product::<{ 2 * BINS }> { layer, first: BINS, columns: lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| window(&slots[c].spectra, 0),
        |slots, c| &mut slots[c].conv1[..128],
    );
    Product::<{ 3 * BINS }> { layer, first: 0, columns: 2 * lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| window(&slots[c / 2].spectra, c % 2 * BINS),
        |slots, c| &mut slots[c / 2].conv1[128 + c % 2 * 128..],
    );
    Product::<{ 2 * BINS }> { layer, first: 0, columns: lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| window(&slots[c].spectra, 2 * BINS),
        |slots, c| &mut slots[c].conv1[3 * 128..],
    );
    let layer = &weights.conv2;
    Product::<{ 2 * 128 }> { layer, first: 128, columns: lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| window(&slots[c].conv1, 0),
        |slots, c| &mut slots[c].conv2[..64],
    );
    Product::<{ 3 * 128 }> { layer, first: 0, columns: lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| window(&slots[c].conv1, 128),
        |slots, c| &mut slots[c].conv2[64..],
    );
    let layer = &weights.conv3;
    Product::<{ 2 * 64 }> { layer, first: 0, columns: lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| &slots[c].conv2,
        |slots, c| &mut slots[c].conv3,
    );
    let layer = &weights.conv4;
    Product::<64> { layer, first: 0, columns: lanes, finish }.run(
        arithmetic,
        slots,
        |slots, c| &slots[c].conv3,
        |slots, c| &mut slots[c].seen[..128],
    );
}

/// `K` neighbours from `first` on.
#[inline(always)]
fn window<const K: usize>(activations: &[f32], first: usize) -> &[f32; K] {
    activations[first..].first_chunk().expect("a tap stays inside its activations")
}

/// One step of the LSTM: gates and old cell to new cell and hidden state.
#[inline(always)]
fn recur<A: Arithmetic>(slot: &mut Slot) {
    let [into, out, keep, fresh]: &[[f32; HIDDEN]; 4] =
        slot.gates.as_chunks().0.as_array().expect("four gates of one width");
    let hidden: &mut [f32; HIDDEN] = slot.seen.last_chunk_mut().expect("the hidden state comes last");
    for j in 0..HIDDEN {
        let taken = sigmoid::<A>(into[j]) * tanh::<A>(fresh[j]);
        let cell = A::mul_add(sigmoid::<A>(keep[j]), slot.cell[j], taken);
        slot.cell[j] = cell;
        hidden[j] = sigmoid::<A>(out[j]) * tanh::<A>(cell);
    }
}

/// Dense layer and sigmoid over the hidden state, in 16 partial sums.
#[inline(always)]
fn decide<A: Arithmetic>(weights: &Weights, slot: &Slot) -> f32 {
    let mut sums = [0.0f32; 16];
    let hidden = slot.seen[128..].as_chunks::<16>().0;
    for (hidden, weights) in hidden.iter().zip(weights.output.as_chunks::<16>().0) {
        for i in 0..16 {
            let active = if hidden[i] > 0.0 { hidden[i] } else { 0.0 };
            sums[i] = A::mul_add(active, weights[i], sums[i]);
        }
    }
    sigmoid::<A>(sums.iter().sum::<f32>() + weights.output_bias)
}
