//! Signal processing on plain sample slices: no entities, no clock, no threads.

pub mod convert;
pub mod downmix;
pub mod resampler;
#[cfg(test)]
mod tests;
