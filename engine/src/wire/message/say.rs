//! Lines of a host in JSON: text, or a recording with its samples in base64.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::edge::line::{Line, Words};
use crate::media::clip::Clip;
use crate::scene::Format;

use super::fields::{Shared, fields, needed, once};

/// How samples stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Encoding {
    #[serde(rename = "f32")]
    F32,
    /// Full scale is 32768.
    #[serde(rename = "s16")]
    S16,
}

impl Encoding {
    /// The shortest that loses nothing.
    pub(super) fn of(samples: &[f32]) -> Self {
        let exact = |sample: &f32| from_s16(to_s16(*sample)).to_bits() == sample.to_bits();
        if samples.iter().all(exact) { Self::S16 } else { Self::F32 }
    }

    pub(super) fn sample_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::S16 => 2,
        }
    }

    fn samples(self, bytes: &[u8]) -> Arc<[f32]> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            Self::S16 => bytes.as_chunks().0.iter().map(|two| from_s16(i16::from_le_bytes(*two))).collect(),
        }
    }
}

fn to_s16(sample: f32) -> i16 {
    // Saturates: what is beyond full scale comes back as another value, and so is no s16.
    (sample * 32_768.0) as i16
}

fn from_s16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Writes the value of `Say`. Allocates nothing.
pub(super) fn serialize<S: Serializer>(line: &Line, serializer: S) -> Result<S::Ok, S::Error> {
    let mut keys = serializer.serialize_struct("Say", 4)?;
    match &line.words {
        Words::Text(text) => keys.serialize_field("text", &**text)?,
        Words::Clip(clip) => keys.serialize_field("clip", &ClipKeys(clip))?,
    }
    keys.serialize_field("interruptible", &line.say.interruptible)?;
    keys.serialize_field("priority", &line.say.priority)?;
    keys.serialize_field("wait", &line.say.wait)?;
    keys.end()
}

struct ClipKeys<'a>(&'a Clip);

impl Serialize for ClipKeys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Clip { subtitle, format, samples } = self.0;
        let encoding = Encoding::of(samples);
        let mut keys = serializer.serialize_struct("Clip", 5)?;
        keys.serialize_field("subtitle", &**subtitle)?;
        keys.serialize_field("rate_hz", &format.rate_hz)?;
        keys.serialize_field("channels", &format.channels)?;
        keys.serialize_field("encoding", &encoding)?;
        keys.serialize_field("samples", &Base64 { samples, encoding })?;
        keys.end()
    }
}

struct Base64<'a> {
    samples: &'a [f32],
    encoding: Encoding,
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes encoded at a time: whole samples, and whole groups of base64, so that only the last part is padded.
const PART_BYTES: usize = 384;

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut bytes, mut digits) = ([0; PART_BYTES], [0; PART_BYTES / 3 * 4]);
        let width = self.encoding.sample_bytes();
        for part in self.samples.chunks(PART_BYTES / width) {
            for (sample, place) in part.iter().zip(bytes.chunks_exact_mut(width)) {
                match self.encoding {
                    Encoding::F32 => place.copy_from_slice(&sample.to_le_bytes()),
                    Encoding::S16 => place.copy_from_slice(&to_s16(*sample).to_le_bytes()),
                }
            }
            let bytes = &bytes[..part.len() * width];
            let length = STANDARD.encode_slice(bytes, &mut digits).expect("a part fits into its digits");
            f.write_str(str::from_utf8(&digits[..length]).expect("base64 is ASCII"))?;
        }
        Ok(())
    }
}

fields! {
    /// A recording as it stands in the text.
    ClipBody, "an object with subtitle, rate_hz, channels, encoding and samples" {
        subtitle: Shared = "subtitle",
        rate_hz: u32 = "rate_hz",
        channels: u8 = "channels",
        encoding: Encoding = "encoding",
        samples: Bytes = "samples",
    }
}

impl ClipBody {
    pub(super) fn clip<E: Error>(self) -> Result<Arc<Clip>, E> {
        let subtitle = self.subtitle.map_or_else(|| "".into(), |Shared(text)| text);
        let (rate_hz, channels) = (needed(self.rate_hz, "rate_hz")?, needed(self.channels, "channels")?);
        let encoding = needed(self.encoding, "encoding")?;
        let Bytes(bytes) = needed(self.samples, "samples")?;
        let width = encoding.sample_bytes();
        if !bytes.len().is_multiple_of(width) {
            let found = bytes.len();
            return Err(E::custom(format_args!("samples: {found} bytes, expected {width} for each sample")));
        }
        let samples = encoding.samples(&bytes);
        Ok(Arc::new(Clip { subtitle, format: Format { rate_hz, channels }, samples }))
    }
}

/// What base64 says.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("samples in base64")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                let bytes = STANDARD.decode(text);
                bytes
                    .map(Bytes)
                    .map_err(|error| E::custom(format_args!("expected base64 with padding: {error}")))
            }
        }
        deserializer.deserialize_str(BytesVisitor)
    }
}
