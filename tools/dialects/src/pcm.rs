//! Samples as bytes: 16-bit or float, little endian, as all protocols here have them.

use serde::{Deserialize, Serialize};

/// How a sample stands in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// 16-bit, full scale 32768.
    #[default]
    S16,
    /// 32-bit float, full scale 1.
    F32,
}

impl Encoding {
    /// Bytes of a sample.
    #[must_use]
    pub fn sample_bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::F32 => 4,
        }
    }

    /// Appends the samples in `bytes` to `samples`; bytes behind the last whole sample are left.
    pub fn decode(self, bytes: &[u8], samples: &mut Vec<f32>) {
        match self {
            Self::S16 => {
                samples.extend(
                    bytes.as_chunks().0.iter().map(|two| f32::from(i16::from_le_bytes(*two)) / 32_768.0),
                );
            }
            Self::F32 => samples.extend(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four))),
        }
    }

    /// Appends `samples` to `bytes`; what is beyond full scale is limited in 16 bits.
    pub fn encode(self, samples: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::S16 => bytes.extend(samples.iter().flat_map(|sample| to_s16(*sample).to_le_bytes())),
            Self::F32 => bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        }
    }
}

fn to_s16(sample: f32) -> i16 {
    // `as` saturates.
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_and_loud_ones_are_limited() {
        for encoding in [Encoding::S16, Encoding::F32] {
            let (mut bytes, mut back) = (Vec::new(), Vec::new());
            let samples = [0.0, 0.5, -1.0, 32_767.0 / 32_768.0];
            encoding.encode(&samples, &mut bytes);
            assert_eq!(bytes.len(), samples.len() * encoding.sample_bytes());
            encoding.decode(&bytes, &mut back);
            assert_eq!(back, samples, "{encoding:?}");
        }
        let mut bytes = Vec::new();
        Encoding::S16.encode(&[1.5, -7.0, f32::NAN], &mut bytes);
        assert_eq!(bytes, [0xff, 0x7f, 0x00, 0x80, 0, 0]);
    }

    #[test]
    fn half_a_sample_is_left() {
        let mut samples = Vec::new();
        Encoding::S16.decode(&[0, 0x40, 1], &mut samples);
        assert_eq!(samples, [0.5]);
    }
}
