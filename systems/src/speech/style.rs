//! How a voice speaks, and why it does not.

use std::ops::RangeInclusive;

/// Sample rate of everything [`Flite`](super::flite::Flite) speaks, Hz.
pub const RATE_HZ: u32 = 16_000;

/// Multipliers of pitch and speed that stay intelligible; outside, [`Flite::synthesize`](super::flite::Flite::synthesize) refuses.
pub(crate) const STYLE_FACTOR: RangeInclusive<f32> = 0.5..=2.0;
/// Multipliers of the amplitude that are accepted.
pub(crate) const STYLE_LEVEL: RangeInclusive<f32> = 0.0..=4.0;
/// How a text is spoken. Each field multiplies the voice's own value, so 1.0 is its natural way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VoiceStyle {
    /// Mean of the pitch contour, 0.5..=2.0 (1.0: about 95 Hz).
    pub pitch: f32,
    /// Speed of speech, 0.5..=2.0; 2.0 takes half the time.
    pub rate: f32,
    /// Amplitude, 0.0..=4.0; the voice peaks at 0.25 to 0.5 by itself, and the product is clipped to -1..=1.
    pub level: f32,
}

impl VoiceStyle {
    /// Refuses what is out of range; NaN is in none.
    pub(crate) fn check(&self) -> Result<(), FliteError> {
        let fields = [
            ("pitch", self.pitch, STYLE_FACTOR),
            ("rate", self.rate, STYLE_FACTOR),
            ("level", self.level, STYLE_LEVEL),
        ];
        for (field, value, range) in fields {
            if !range.contains(&value) {
                return Err(FliteError::Style { field, value, range: (*range.start(), *range.end()) });
            }
        }
        Ok(())
    }

    /// A sample of the voice as it is heard, -1..=1.
    pub(crate) fn scaled(&self, sample: i16) -> f32 {
        (f32::from(sample) * (self.level / 32_768.0)).clamp(-1.0, 1.0)
    }
}

impl Default for VoiceStyle {
    fn default() -> Self {
        Self { pitch: 1.0, rate: 1.0, level: 1.0 }
    }
}

/// Why a text was not spoken.
#[derive(Clone, Debug, PartialEq)]
pub enum FliteError {
    /// The voice inside the program is damaged or not the 16 kHz one; the text says which part.
    VoiceData(String),
    /// A field of [`VoiceStyle`] is outside its range.
    Style {
        /// Name of the field.
        field: &'static str,
        /// The value.
        value: f32,
        /// Lowest and highest accepted value.
        range: (f32, f32),
    },
}

impl std::fmt::Display for FliteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::VoiceData(part) => write!(f, "the built-in voice cannot be used: {part}"),
            Self::Style { field, value, range: (low, high) } => {
                write!(f, "voice style: {field} is {value}, expected {low} to {high}")
            }
        }
    }
}

impl std::error::Error for FliteError {}
