//! Whole clips from one sample rate to another, before a session starts or after it has ended (the stream itself is never
//! converted here).

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Frames per step of the converter; only speed depends on it.
const CHUNK_FRAMES: usize = 1_024;

/// `samples` (mono, finite) at `to_hz` instead of `from_hz`: ceil(n * to / from) samples, start delay trimmed, so an
/// instant of the clip stays where it was. Deterministic for one build and one set of CPU features.
///
/// # Errors
/// The converter's own words, with both rates, when it cannot be made for them (a rate of 0).
pub fn convert(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>, String> {
    if from_hz == to_hz || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let failed = |what: String| format!("cannot convert {from_hz} Hz to {to_hz} Hz: {what}");
    let mut converter = Fft::<f32>::new(from_hz as usize, to_hz as usize, CHUNK_FRAMES, 1, FixedSync::Both)
        .map_err(|error| failed(error.to_string()))?;
    let frames = samples.len();
    let input = InterleavedSlice::new(samples, 1, frames).map_err(|error| failed(error.to_string()))?;
    let output = converter.process_all(&input, frames, None).map_err(|error| failed(error.to_string()))?;
    Ok(output.take_data())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impulse_stays_at_its_time() {
        for (from_hz, to_hz) in
            [(16_000, 48_000), (16_000, 44_100), (16_000, 8_000), (48_000, 16_000), (11_025, 16_000)]
        {
            let mut samples = vec![0.0; from_hz as usize];
            samples[from_hz as usize / 2] = 1.0;
            let converted = convert(&samples, from_hz, to_hz).unwrap();
            assert_eq!(converted.len(), to_hz as usize, "{from_hz} -> {to_hz}");
            let peak = (0..converted.len()).max_by(|&a, &b| converted[a].total_cmp(&converted[b])).unwrap();
            let late_us =
                peak as f64 * 1e6 / f64::from(to_hz) - (from_hz / 2) as f64 * 1e6 / f64::from(from_hz);
            assert!(late_us.abs() < 150.0, "{from_hz} -> {to_hz}: {late_us} us late");
        }
    }

    #[test]
    fn equal_rates_copy_and_no_rate_is_an_error() {
        assert_eq!(convert(&[0.1, -0.2], 16_000, 16_000).unwrap(), [0.1, -0.2]);
        assert!(convert(&[0.1], 16_000, 0).unwrap_err().contains("16000"));
    }
}
