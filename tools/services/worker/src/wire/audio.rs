//! Audio of a call: what a recogniser hears, what a voice says.
//!
//! ```text
//! u64 LE call | u32 LE part | u32 LE rate_hz | u16 LE channels | u8 format | u8 flags | samples, interleaved
//! ```

use super::header::{Bytes, finish};
use super::{CodecError, TYPE_AUDIO, WireHead};

/// Bytes before the samples.
const FIXED_BYTES: usize = 8 + 4 + 4 + 2 + 1 + 1;
/// Flag: nothing follows in this direction.
const LAST: u8 = 1;
/// Rates that are read.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;
/// Most channels that are read.
const CHANNELS_MAX: u16 = 8;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
    /// 32 bits, full scale is -1 to 1.
    F32,
    /// 16 bits, full scale is -32768 to 32767.
    S16,
}

impl SampleFormat {
    fn code(self) -> u8 {
        match self {
            Self::F32 => 1,
            Self::S16 => 2,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::S16 => 2,
        }
    }
}

/// A stretch of audio.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioPart {
    /// The call that it belongs to.
    pub call: u64,
    /// Its number among the data messages of its call and direction, from 0.
    pub part: u32,
    /// Media time of the first sample for what is heard, microseconds; 0 for what is said.
    pub from_us: u64,
    /// Sample frames a second, 1000 to 384000.
    pub rate_hz: u32,
    /// Interleaved channels, 1 to 8.
    pub channels: u16,
    /// Nothing follows in this direction.
    pub last: bool,
    /// Samples, whole frames, full scale is -1 to 1. What is no number reads as 0.
    pub samples: Vec<f32>,
}

impl AudioPart {
    pub(super) fn read(head: &WireHead<'_>) -> Result<Self, CodecError> {
        let mut bytes = Bytes::new(head.payload, "audio");
        let (call, part) = (u64::from_le_bytes(bytes.take()?), u32::from_le_bytes(bytes.take()?));
        let (rate_hz, channels) = (u32::from_le_bytes(bytes.take()?), u16::from_le_bytes(bytes.take()?));
        let [format, flags] = bytes.take()?;
        let range = |field, found, expected| Err(CodecError::Range { field, found, expected });
        if !RATES_HZ.contains(&rate_hz) {
            return range("rate_hz", rate_hz.into(), "1000 to 384000");
        }
        if !(1..=CHANNELS_MAX).contains(&channels) {
            return range("channels", channels.into(), "1 to 8");
        }
        let format = match format {
            1 => SampleFormat::F32,
            2 => SampleFormat::S16,
            other => return range("format", other.into(), "1 (f32) or 2 (s16)"),
        };
        let rest = bytes.rest();
        if !rest.len().is_multiple_of(format.bytes() * usize::from(channels)) {
            return range("bytes of samples", rest.len() as u64, "whole sample frames");
        }
        let samples = match format {
            SampleFormat::F32 => rest.as_chunks().0.iter().map(|b| finite(f32::from_le_bytes(*b))).collect(),
            SampleFormat::S16 => {
                let sample = |b: &[u8; 2]| f32::from(i16::from_le_bytes(*b)) / 32_768.0;
                rest.as_chunks().0.iter().map(sample).collect()
            }
        };
        let last = flags & LAST != 0;
        Ok(Self { call, part, from_us: head.timestamp_us, rate_hz, channels, last, samples })
    }

    /// Sample frames that fit into one message.
    pub fn frames_max(channels: u16, format: SampleFormat) -> usize {
        (super::PAYLOAD_BYTES_MAX - FIXED_BYTES) / (format.bytes() * usize::from(channels.max(1)))
    }
}

/// A sample that can be computed with.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

/// Writes audio of `session`; samples beyond full scale are cut in 16 bits.
///
/// # Errors
/// More samples than [`frames_max`](AudioPart::frames_max), a session id beyond its limit.
pub fn encode_audio(session: &str, audio: &AudioPart, format: SampleFormat) -> Result<Vec<u8>, CodecError> {
    let mut out = WireHead::begin(TYPE_AUDIO, session, audio.from_us)?;
    out.reserve(FIXED_BYTES + audio.samples.len() * format.bytes());
    out.extend_from_slice(&audio.call.to_le_bytes());
    out.extend_from_slice(&audio.part.to_le_bytes());
    out.extend_from_slice(&audio.rate_hz.to_le_bytes());
    out.extend_from_slice(&audio.channels.to_le_bytes());
    out.extend_from_slice(&[format.code(), u8::from(audio.last)]);
    match format {
        SampleFormat::F32 => audio.samples.iter().for_each(|sample| out.extend(sample.to_le_bytes())),
        SampleFormat::S16 => {
            // A float that does not fit becomes the nearest that does.
            let sample = |sample: &f32| ((sample * 32_768.0).round() as i16).to_le_bytes();
            audio.samples.iter().for_each(|one| out.extend(sample(one)));
        }
    }
    finish(session, out)
}
