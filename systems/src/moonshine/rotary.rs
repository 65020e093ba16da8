//! Positions as rotations: pairs of the first 32 numbers of each head are turned by angles that grow with the position.

use super::weights::WIDTH;

/// Heads of an attention.
pub(super) const HEADS: usize = 8;
/// Numbers of a head.
pub(super) const HEAD: usize = WIDTH / HEADS;
/// Pairs of a head that are turned.
const PAIRS: usize = 16;

/// Cosines and sines by position.
#[derive(Debug)]
pub(super) struct Rotary {
    turns: Vec<[(f32, f32); PAIRS]>,
}

impl Rotary {
    /// For positions below `positions`.
    pub(super) fn new(positions: usize) -> Self {
        let turn = |position: usize| {
            let mut turns = [(1.0, 0.0); PAIRS];
            for (pair, turn) in turns.iter_mut().enumerate() {
                let angle = position as f64 * 10_000f64.powf(-(pair as f64) / PAIRS as f64);
                *turn = (angle.cos() as f32, angle.sin() as f32);
            }
            turns
        };
        Self { turns: (0..positions).map(turn).collect() }
    }

    /// Turns a frame, all heads of it.
    pub(super) fn turn(&self, frame: &mut [f32], position: usize) {
        for head in frame.chunks_exact_mut(HEAD) {
            for (pair, (cos, sin)) in head.as_chunks_mut::<2>().0.iter_mut().zip(self.turns[position]) {
                let [x, y] = *pair;
                *pair = [x * cos - y * sin, y * cos + x * sin];
            }
        }
    }
}
