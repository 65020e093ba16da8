//! Signal processing on plain sample slices: no entities, no clock, no threads.

pub mod downmix;
pub mod resampler;
mod resampler_bank;
mod resampler_fft;
mod resampler_polyphase;
mod resampler_rows;
mod resampler_sinc;
#[cfg(test)]
mod tests;
