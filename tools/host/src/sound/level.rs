//! How loud a block is.

/// What silence measures, in dBFS: below 24 bits, above minus infinity.
pub const SILENCE_DBFS: f32 = -150.0;

/// The loudness of a block, linear: 1 is full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Root of the mean square, over all channels.
    pub rms: f32,
    /// Greatest magnitude.
    pub peak: f32,
}

impl Level {
    /// Of a block of samples, of any number of channels; samples that are no numbers count as silence. Nothing is
    /// silent.
    pub fn of(samples: &[f32]) -> Self {
        let (mut squares, mut peak) = (0.0_f64, 0.0_f32);
        for sample in samples.iter().filter(|sample| sample.is_finite()) {
            squares += f64::from(*sample) * f64::from(*sample);
            peak = peak.max(sample.abs());
        }
        let rms = (squares / samples.len().max(1) as f64).sqrt() as f32;
        Self { rms, peak }
    }

    /// [`rms`](Self::rms) in dB of full scale, at least [`SILENCE_DBFS`]. A sine at full scale has -3.01.
    pub fn rms_dbfs(self) -> f32 {
        dbfs(self.rms)
    }

    /// [`peak`](Self::peak) in dB of full scale, at least [`SILENCE_DBFS`].
    pub fn peak_dbfs(self) -> f32 {
        dbfs(self.peak)
    }
}

fn dbfs(magnitude: f32) -> f32 {
    (20.0 * magnitude.log10()).max(SILENCE_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_what_they_are_called() {
        let sine: Vec<f32> = (0..480).map(|i| (i as f32 * std::f32::consts::TAU / 48.0).sin()).collect();
        let rows: [(&[f32], f32, f32); 7] = [
            (&[], SILENCE_DBFS, SILENCE_DBFS),
            (&[0.0; 9], SILENCE_DBFS, SILENCE_DBFS),
            (&[1.0, -1.0], 0.0, 0.0),
            (&[0.5; 4], -6.02, -6.02),
            (&sine, -3.01, 0.0),
            (&[f32::NAN, 1.0, f32::INFINITY, -1.0], -3.01, 0.0),
            (&[1e-9; 4], SILENCE_DBFS, SILENCE_DBFS),
        ];
        for (samples, rms, peak) in rows {
            let level = Level::of(samples);
            let got = (level.rms_dbfs(), level.peak_dbfs());
            assert!((got.0 - rms).abs() < 0.01 && (got.1 - peak).abs() < 0.01, "{samples:?}: {got:?}");
        }
    }
}
