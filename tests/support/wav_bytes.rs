//! WAV files byte by byte, as wrong as a case wants them.
#![allow(dead_code, reason = "every test uses its own part of it")]

/// Format tags.
pub(crate) const PCM: u16 = 0x0001;
pub(crate) const FLOAT: u16 = 0x0003;
pub(crate) const ALAW: u16 = 0x0006;
pub(crate) const MULAW: u16 = 0x0007;

/// A file before it is one.
#[derive(Clone, Debug)]
pub(crate) struct Wav {
    pub(crate) magic: [u8; 4],
    /// Chunks before the format.
    pub(crate) first: Vec<u8>,
    pub(crate) format: Vec<u8>,
    /// Chunks between the format and the samples.
    pub(crate) between: Vec<u8>,
    /// What the header says of the samples' length.
    pub(crate) announced: u32,
    pub(crate) data: Vec<u8>,
    /// What stands behind the samples.
    pub(crate) behind: Vec<u8>,
}

impl Wav {
    /// A file without a fault.
    pub(crate) fn new(format: Vec<u8>, data: Vec<u8>) -> Self {
        let announced = data.len() as u32;
        let (first, between, behind) = (Vec::new(), Vec::new(), Vec::new());
        Self { magic: *b"RIFF", first, format, between, announced, data, behind }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = b"WAVE".to_vec();
        body.extend(&self.first);
        body.extend(chunk(b"fmt ", &self.format));
        body.extend(&self.between);
        body.extend(b"data");
        body.extend(self.announced.to_le_bytes());
        body.extend(&self.data);
        body.extend(&self.behind);
        let mut bytes = self.magic.to_vec();
        bytes.extend(if self.magic == *b"RIFF" { body.len() as u32 } else { u32::MAX }.to_le_bytes());
        bytes.extend(body);
        bytes
    }
}

/// A chunk with the pad byte it should have.
pub(crate) fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = id.to_vec();
    chunk.extend((body.len() as u32).to_le_bytes());
    chunk.extend(body);
    chunk.resize(chunk.len() + body.len() % 2, 0);
    chunk
}

/// The body of a fmt chunk whose figures fit each other.
pub(crate) fn format(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    with_block(tag, channels, rate_hz, bits, channels * bits.div_ceil(8))
}

/// The same with any number of bytes in a frame; the byte rate does not know of it.
pub(crate) fn with_block(tag: u16, channels: u16, rate_hz: u32, bits: u16, block: u16) -> Vec<u8> {
    let frame = u32::from(channels * bits.div_ceil(8));
    let mut format = Vec::new();
    format.extend(tag.to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(rate_hz.to_le_bytes());
    format.extend(rate_hz.wrapping_mul(frame).to_le_bytes());
    format.extend(block.to_le_bytes());
    format.extend(bits.to_le_bytes());
    format
}

/// `WAVE_FORMAT_EXTENSIBLE`, with this sub-format and so many valid bits.
pub(crate) fn extensible(tag: u16, channels: u16, rate_hz: u32, bits: u16, valid: u16) -> Vec<u8> {
    let mut format = format(0xFFFE, channels, rate_hz, bits);
    format.extend(22_u16.to_le_bytes());
    format.extend(valid.to_le_bytes());
    format.extend(0_u32.to_le_bytes());
    format.extend(tag.to_le_bytes());
    format.extend([0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113]);
    format
}

/// A `ds64` chunk: the lengths of the whole, of the samples, and of others by name.
pub(crate) fn ds64(riff: u64, data: u64, table: &[(&[u8; 4], u64)]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(riff.to_le_bytes());
    body.extend(data.to_le_bytes());
    body.extend(0_u64.to_le_bytes());
    body.extend((table.len() as u32).to_le_bytes());
    for (id, length) in table {
        body.extend(*id);
        body.extend(length.to_le_bytes());
    }
    chunk(b"ds64", &body)
}

/// Samples of a ramp that says of each where it stands: no two neighbours are alike, none is 0.
pub(crate) fn ramp(samples: usize) -> Vec<i16> {
    (0..samples).map(|at| (at * 37 % 20_001) as i16 - 10_000).map(|s| if s == 0 { 1 } else { s }).collect()
}

pub(crate) fn sixteen(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}
