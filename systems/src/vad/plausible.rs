//! Replaces samples that a detector must not hear.

/// Largest sample magnitude taken for sound; full scale is 1.0, resamplers overshoot it a little.
const SAMPLE_MAX: f32 = 8.0;

/// The sample, or silence for one that is not finite or far beyond full scale: a recurrent network would remember it
/// for ever.
#[inline(always)]
pub(crate) fn plausible(sample: f32) -> f32 {
    if sample.abs() <= SAMPLE_MAX { sample } else { 0.0 }
}
