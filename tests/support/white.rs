//! White noise that is the same every time, and a caller made of it.
#![allow(dead_code, reason = "every test uses its own part of it")]

/// Samples in [-1, 1), all equally likely, from a linear congruential generator.
pub(crate) struct White(u32);

impl Default for White {
    fn default() -> Self {
        Self(1)
    }
}

impl Iterator for White {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(self.0 as i32 as f32 / 2_147_483_648.0)
    }
}

/// Near silence and loud noise of 16 kHz by turns, near silence first; lengths in milliseconds.
pub(crate) fn bursts(stretches_ms: &[usize]) -> Vec<f32> {
    let mut noise = White::default();
    let mut samples = Vec::new();
    for (ms, level) in stretches_ms.iter().zip([0.0005, 0.3].into_iter().cycle()) {
        samples.extend(noise.by_ref().take(ms * 16).map(|sample| level * sample));
    }
    samples
}
