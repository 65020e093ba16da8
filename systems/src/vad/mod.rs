//! Voice activity detectors: the probability of speech in each hop of samples.
//!
//! A [`VadLane`] is what a detector remembers of one session; a [`VadKernel`] holds what all sessions share (weights,
//! scratch) and computes up to [`VadKernel::TILE`] lanes at once. The invariant of the folder: **a lane's probability
//! and memory are the same bits whatever lanes are computed beside it and whatever its slot**, so sessions can move
//! between shards and tiles without a replay noticing.
//!
//! The bits of `Silero` do depend on whether the processor has fused multiply-add: there is one order of
//! operations with it (AVX2, NEON) and one without, three times slower (`product::Arithmetic`).

pub(crate) mod activation;
mod earshot;
mod energy;
pub(crate) mod plausible;
pub(crate) mod product;
mod silero;
mod spectrum;
mod weights;

use std::cell::RefCell;

use earshot::EarshotMemory;
use energy::EnergyMemory;
use silero::{SileroMemory, SileroTile};

/// Which detector listens (scene data).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub enum VadKind {
    /// Silero v6: a small neural network on 32 ms hops; the fewest errors in noise.
    #[default]
    Silero,
    /// `earshot`: a smaller recurrent network on 16 ms hops; one eighth of the memory and of the first
    /// delay, several times the false alarms.
    Earshot,
    /// Energy over an adaptive noise floor on 20 ms hops; a baseline that fires on every loud sound.
    Energy,
}

impl VadKind {
    /// Samples of 16 kHz mono that one probability needs: 512 (32 ms), 256 (16 ms) or 320 (20 ms).
    #[must_use]
    pub const fn hop(self) -> usize {
        match self {
            Self::Silero => silero::HOP,
            Self::Earshot => earshot::HOP,
            Self::Energy => energy::HOP,
        }
    }
}

/// Samples per second that every detector expects.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// What a detector remembers of one session. Only [`VadKernel::take`] and [`VadLane::reset`] change it.
#[derive(Debug)]
pub struct VadLane {
    memory: Memory,
}

/// Boxed where it is large, so that a lane of the cheap detectors stays small.
#[derive(Debug)]
enum Memory {
    Silero(Box<SileroMemory>),
    Earshot(Box<EarshotMemory>),
    Energy(EnergyMemory),
}

impl VadLane {
    /// A lane that has heard nothing yet. Allocates, for `Silero` (1.3 kB) and `Earshot` (8 kB).
    #[must_use]
    pub fn new(kind: VadKind) -> Self {
        let memory = match kind {
            VadKind::Silero => Memory::Silero(Box::default()),
            VadKind::Earshot => Memory::Earshot(Box::default()),
            VadKind::Energy => Memory::Energy(EnergyMemory::default()),
        };
        Self { memory }
    }

    /// The detector this lane belongs to.
    #[must_use]
    pub const fn kind(&self) -> VadKind {
        match self.memory {
            Memory::Silero(_) => VadKind::Silero,
            Memory::Earshot(_) => VadKind::Earshot,
            Memory::Energy(_) => VadKind::Energy,
        }
    }

    /// Forgets everything heard, in place: afterwards the lane equals a new one.
    pub fn reset(&mut self) {
        match &mut self.memory {
            Memory::Silero(memory) => **memory = SileroMemory::default(),
            Memory::Earshot(memory) => memory.reset(),
            Memory::Energy(memory) => *memory = EnergyMemory::default(),
        }
    }
}

/// Weights and scratch: stage up to [`Self::TILE`] lanes, run, take each back, clear.
///
/// Weights are read once per process and shared. Everything is allocated in [`Self::new`]; the other
/// calls never allocate.
#[derive(Debug)]
pub struct VadKernel {
    work: Work,
    staged: usize,
    computed: usize,
}

/// Detectors without arithmetic to share keep only the hops, and compute when the lane is taken back.
#[derive(Debug)]
enum Work {
    Silero(Box<SileroTile>),
    Earshot(Box<[[f32; earshot::HOP]]>),
    Energy(Box<[[f32; energy::HOP]]>),
}

impl VadKernel {
    /// Most lanes one run takes.
    pub const TILE: usize = 32;

    /// Lends `work` this thread's kernel of that kind, empty. The scratch of `Silero` takes 360 kB: if each shard had
    /// its own, it would be cold in every tick, and so would the data it drives out of the cache. A kernel keeps
    /// nothing from one run to the next, so any thread's kernel gives the same result. Allocates once a thread.
    pub fn lend<R>(kind: VadKind, work: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static KERNELS: RefCell<Vec<VadKernel>> = const { RefCell::new(Vec::new()) };
        }
        let kept = KERNELS.with_borrow_mut(|kernels| {
            kernels.iter().position(|kernel| kernel.kind() == kind).map(|at| kernels.swap_remove(at))
        });
        let mut kernel = kept.unwrap_or_else(|| Self::new(kind));
        kernel.clear();
        let result = work(&mut kernel);
        KERNELS.with_borrow_mut(|kernels| kernels.push(kernel));
        result
    }

    /// A kernel with an empty tile.
    #[must_use]
    pub fn new(kind: VadKind) -> Self {
        let work = match kind {
            VadKind::Silero => Work::Silero(Box::new(SileroTile::new(Self::TILE, pulp::Arch::new()))),
            VadKind::Earshot => Work::Earshot(vec![[0.0; earshot::HOP]; Self::TILE].into_boxed_slice()),
            VadKind::Energy => Work::Energy(vec![[0.0; energy::HOP]; Self::TILE].into_boxed_slice()),
        };
        Self { work, staged: 0, computed: 0 }
    }

    /// The detector this kernel computes.
    #[must_use]
    pub const fn kind(&self) -> VadKind {
        match self.work {
            Work::Silero(_) => VadKind::Silero,
            Work::Earshot(_) => VadKind::Earshot,
            Work::Energy(_) => VadKind::Energy,
        }
    }

    /// Lanes in the tile.
    #[must_use]
    pub const fn staged(&self) -> usize {
        self.staged
    }

    /// Copies one hop and what the lane remembers into the tile; returns the tile slot.
    ///
    /// `hop`: exactly [`VadKind::hop`] samples, 16 kHz mono, full scale 1.0. Samples that are not finite or
    /// beyond ±8 count as 0.
    ///
    /// # Panics
    /// If the tile is full, the hop has another length, or the lane belongs to another detector.
    pub fn stage(&mut self, lane: &VadLane, hop: &[f32]) -> usize {
        let slot = self.staged;
        assert!(slot < Self::TILE, "a tile takes {} lanes: run, take and clear it first", Self::TILE);
        assert_eq!(hop.len(), self.kind().hop(), "a hop of {:?} has a fixed length", self.kind());
        match (&mut self.work, &lane.memory) {
            (Work::Silero(tile), Memory::Silero(memory)) => tile.stage(slot, memory, hop),
            (Work::Earshot(hops), Memory::Earshot(_)) => hops[slot].copy_from_slice(hop),
            (Work::Energy(hops), Memory::Energy(_)) => hops[slot].copy_from_slice(hop),
            _ => panic!("a lane of {:?} was staged on a kernel of {:?}", lane.kind(), self.kind()),
        }
        self.staged += 1;
        slot
    }

    /// Computes every staged lane. The cost of `Earshot` and `Energy` falls in [`Self::take`].
    pub fn run(&mut self) {
        if let Work::Silero(tile) = &mut self.work {
            tile.run(self.staged);
        }
        self.computed = self.staged;
    }

    /// Probability of speech in the hop of `slot`, 0..=1; writes the new memory back into the lane.
    ///
    /// Take each slot once, with the lane that was staged there.
    ///
    /// # Panics
    /// If the slot was not staged and run, or the lane belongs to another detector.
    pub fn take(&mut self, slot: usize, lane: &mut VadLane) -> f32 {
        assert!(slot < self.computed, "slot {slot} was not staged and run");
        match (&self.work, &mut lane.memory) {
            (Work::Silero(tile), Memory::Silero(memory)) => tile.take(slot, memory),
            (Work::Earshot(hops), Memory::Earshot(memory)) => memory.hear(&hops[slot]),
            (Work::Energy(hops), Memory::Energy(memory)) => memory.hear(&hops[slot]),
            _ => panic!("a lane of {:?} was taken from a kernel of {:?}", lane.kind(), self.kind()),
        }
    }

    /// Empties the tile. Lanes that were not taken back keep the memory they had before.
    pub fn clear(&mut self) {
        self.staged = 0;
        self.computed = 0;
    }
}

#[cfg(test)]
mod tests;
