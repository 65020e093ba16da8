//! The encodings of samples in a file, and their conversion to `f32`.

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

/// How one sample is written; all but the 8-bit integers are little-endian and signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Unsigned, 128 is silence.
    Int8,
    Int16,
    Int24,
    Int32,
    Float32,
    Float64,
    /// ITU-T G.711, one byte for 13 bits.
    ALaw,
    /// ITU-T G.711, one byte for 14 bits.
    MuLaw,
}

impl Encoding {
    /// Integers of this many bytes; fewer bits may be valid, they are the upper ones.
    pub(super) fn int(bytes: u16) -> Option<Self> {
        [Self::Int8, Self::Int16, Self::Int24, Self::Int32].into_iter().find(|int| int.bytes() == bytes)
    }

    /// Bytes of one sample.
    pub(super) fn bytes(self) -> u16 {
        match self {
            Self::Int8 | Self::ALaw | Self::MuLaw => 1,
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Int32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// All whole samples of `data`; full scale is 1.0.
    pub(super) fn samples(self, data: &[u8]) -> Vec<f32> {
        match self {
            Self::Int8 => each(data, |[byte]| (f32::from(byte) - 128.0) / 128.0),
            Self::Int16 => each(data, |bytes| sixteen(i16::from_le_bytes(bytes))),
            Self::Int24 => each(data, |[low, middle, high]| full([0, low, middle, high])),
            Self::Int32 => each(data, full),
            Self::Float32 => each(data, f32::from_le_bytes),
            Self::Float64 => each(data, |bytes| f64::from_le_bytes(bytes) as f32),
            Self::ALaw => each(data, |[byte]| sixteen(decode_alaw(byte))),
            Self::MuLaw => each(data, |[byte]| sixteen(decode_ulaw(byte))),
        }
    }
}

fn each<const BYTES: usize>(data: &[u8], sample: impl Fn([u8; BYTES]) -> f32) -> Vec<f32> {
    data.as_chunks().0.iter().map(|bytes| sample(*bytes)).collect()
}

fn sixteen(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Through `f64`, which has room for all 32 bits: rounded once.
fn full(bytes: [u8; 4]) -> f32 {
    (f64::from(i32::from_le_bytes(bytes)) / 2_147_483_648.0) as f32
}
