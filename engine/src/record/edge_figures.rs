//! Counts of what arrives at the edge.

use bevy_ecs::prelude::*;

/// Counts of arrivals, by what became of them.
#[derive(Resource, Debug, Default, Clone, Copy)]
pub struct EdgeFigures {
    /// Blocks for a session that was gone.
    pub homeless: u64,
    /// Samples that were not finite and became 0.
    pub non_finite: u64,
    /// Blocks taken from the ring.
    pub blocks: u64,
    /// Sample frames taken from the ring.
    pub frames: u64,
    /// Blocks of silence that replace lost audio, by the sender's times.
    pub concealed_blocks: u64,
    /// Sample frames of these blocks.
    pub concealed_frames: u64,
    /// Jumps in the sender's times that were too long to fill, or went back further than the tolerance.
    pub discontinuities: u64,
    /// Lines that hosts have had sessions say: frames that entered at `said`.
    pub said: u64,
    /// Texts that hosts sent in the users' name: frames that entered behind the recogniser.
    pub typed: u64,
}

impl EdgeFigures {
    /// Adds another shard's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.homeless += other.homeless;
        self.non_finite += other.non_finite;
        self.blocks += other.blocks;
        self.frames += other.frames;
        self.concealed_blocks += other.concealed_blocks;
        self.concealed_frames += other.concealed_frames;
        self.discontinuities += other.discontinuities;
        self.said += other.said;
        self.typed += other.typed;
    }
}

/// Counts of control messages from hosts.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlFigures {
    /// Messages worked off.
    pub arrived: u64,
    /// Messages that changed nothing: about something unknown or settled, or of no concern to this scene.
    pub without_effect: u64,
}

impl ControlFigures {
    /// Adds another shard's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.without_effect += other.without_effect;
    }
}
