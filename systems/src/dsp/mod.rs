//! Signal processing on plain sample slices: no entities, no clock, no threads.

pub mod downmix;
pub mod resampler;
mod resampler_fft;
mod resampler_sinc;
#[cfg(test)]
mod tests;
