//! Finds the samples of a WAV file: the chunks of RIFF, RF64 and BW64.
//!
//! Lengths are claims: pipes leave them open, recorders that die leave them wrong, and some writers count or forget the
//! pad byte. A length says where a chunk ends only as far as there are bytes, and as a chunk begins behind it.

use super::encoding::Encoding;
use super::fault::{Doubt, WavFault};
use super::limits::{CHANNELS, RATE_HZ};

/// Format tags of the fmt chunk (RFC 2361, appendix A).
const TAG_PCM: u16 = 0x0001;
const TAG_FLOAT: u16 = 0x0003;
const TAG_ALAW: u16 = 0x0006;
const TAG_MULAW: u16 = 0x0007;
const TAG_EXTENSIBLE: u16 = 0xFFFE;

/// Says that the length is in the `ds64` chunk (EBU Tech 3306), or that a pipe did not know it.
const ELSEWHERE: u32 = u32::MAX;
/// Chunks that may stand where a pad byte was forgotten.
const KNOWN: [&[u8; 4]; 8] = [b"data", b"fmt ", b"LIST", b"fact", b"bext", b"JUNK", b"cue ", b"id3 "];

/// What a file says about its samples, and the samples.
pub(super) struct Layout<'a> {
    pub(super) encoding: Encoding,
    pub(super) channels: u16,
    pub(super) rate_hz: u32,
    /// Whole frames, at least one.
    pub(super) data: &'a [u8],
    pub(super) doubts: Vec<Doubt>,
}

/// Whether these bytes begin a WAV file.
pub(super) fn begins_as_wav(bytes: &[u8]) -> bool {
    let magic = [b"RIFF", b"RF64", b"BW64"].iter().any(|magic| bytes.starts_with(*magic));
    magic && bytes.get(8..12) == Some(b"WAVE")
}

/// Walks the chunks up to the samples.
pub(super) fn layout(bytes: &[u8]) -> Result<Layout<'_>, WavFault> {
    if bytes.is_empty() {
        return Err(WavFault::NoBytes);
    }
    if !begins_as_wav(bytes) {
        return Err(WavFault::NotWav(bytes[..bytes.len().min(12)].to_vec()));
    }
    let mut rest = &bytes[12..];
    let (mut format, mut lengths) = (None, Lengths::default());
    while let Some(chunk) = Chunk::first(rest, lengths) {
        match (chunk.id, &format) {
            (b"ds64", _) => lengths = Lengths { ds64: chunk.body() },
            (b"fmt ", _) => format = Some(Format::read(chunk.body())?),
            (b"data", None) => return Err(WavFault::Header("no fmt chunk before its samples")),
            (b"data", Some(format)) => return samples(format, &chunk, lengths),
            _ => {}
        }
        rest = chunk.next();
    }
    Err(WavFault::Header(if format.is_some() { "no data chunk" } else { "no fmt chunk" }))
}

/// Lengths beyond 4 GiB: those of `ds64`.
#[derive(Clone, Copy, Default)]
struct Lengths<'a> {
    ds64: &'a [u8],
}

impl Lengths<'_> {
    /// The length of a chunk that leaves it to others.
    fn of(self, id: &[u8; 4]) -> Option<u64> {
        if id == b"data" {
            return u64_at(self.ds64, 8);
        }
        let table = self.ds64.get(28..)?.as_chunks::<12>().0;
        table.iter().find(|row| row.starts_with(id)).and_then(|row| u64_at(row, 4))
    }
}

/// A chunk's head, and all bytes behind it.
struct Chunk<'a> {
    id: &'a [u8; 4],
    announced: u64,
    behind: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn first(bytes: &'a [u8], lengths: Lengths<'_>) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (length, behind) = rest.split_first_chunk()?;
        let announced = match u32::from_le_bytes(*length) {
            ELSEWHERE => lengths.of(id).unwrap_or(u64::from(ELSEWHERE)),
            length => u64::from(length),
        };
        Some(Self { id, announced, behind })
    }

    /// Its bytes, as far as they are there.
    fn body(&self) -> &'a [u8] {
        &self.behind[..self.len()]
    }

    fn len(&self) -> usize {
        self.behind.len().min(usize::try_from(self.announced).unwrap_or(usize::MAX))
    }

    /// Where the next one begins: at an even byte, unless it plainly stands at the odd one.
    fn next(&self) -> &'a [u8] {
        let rest = &self.behind[self.len()..];
        let starts = |bytes: &[u8]| KNOWN.iter().any(|id| bytes.starts_with(*id));
        match rest {
            [_, padded @ ..] if self.announced % 2 == 1 && (!starts(rest) || starts(padded)) => padded,
            _ => rest,
        }
    }
}

/// Whether these bytes are whole chunks to the last, as what follows the samples should be.
fn are_chunks(mut bytes: &[u8], lengths: Lengths<'_>) -> bool {
    while bytes.len() > 1 {
        match Chunk::first(bytes, lengths) {
            Some(chunk) if is_name(chunk.id) && chunk.announced <= chunk.behind.len() as u64 => {
                bytes = chunk.next();
            }
            _ => return false,
        }
    }
    true
}

fn is_name(id: &[u8; 4]) -> bool {
    id.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The fmt chunk.
struct Format {
    tag: u16,
    channels: u16,
    rate_hz: u32,
    bytes_per_s: u32,
    block: u16,
    bits: u16,
}

impl Format {
    fn read(body: &[u8]) -> Result<Self, WavFault> {
        let half = |at: usize| body.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let word = |at: usize| Some(u32::from(half(at)?) | u32::from(half(at + 2)?) << 16);
        let fields = || {
            let tag = match half(0)? {
                // The real tag begins the sub-format's GUID.
                TAG_EXTENSIBLE => half(24)?,
                tag => tag,
            };
            let (channels, rate_hz, bytes_per_s) = (half(2)?, word(4)?, word(8)?);
            Some(Self { tag, channels, rate_hz, bytes_per_s, block: half(12)?, bits: half(14)? })
        };
        fields().ok_or(WavFault::Header("its fmt chunk is cut short"))
    }

    /// The encoding that the bits name.
    fn encoding(&self) -> Result<Encoding, WavFault> {
        match (self.tag, self.bits) {
            (TAG_PCM, bits) => Encoding::int(bits.div_ceil(8)).ok_or(WavFault::Bits(bits, "integer")),
            (TAG_FLOAT, 32) => Ok(Encoding::Float32),
            (TAG_FLOAT, 64) => Ok(Encoding::Float64),
            (TAG_FLOAT, bits) => Err(WavFault::Bits(bits, "float")),
            // One byte a sample, whatever is said of the bits.
            (TAG_ALAW, _) => Ok(Encoding::ALaw),
            (TAG_MULAW, _) => Ok(Encoding::MuLaw),
            (tag, _) => Err(WavFault::Codec(tag)),
        }
    }

    /// The wider integers in whose upper bytes the samples stand: if block and byte rate say so, and all bytes below are 0.
    /// One alone proves nothing: a block can be wrong, and a channel silent.
    fn container(&self, bits: Encoding, data: &[u8]) -> Option<Encoding> {
        let wide = Encoding::int(self.block / self.channels)?;
        let spare = wide.bytes().checked_sub(bits.bytes()).filter(|spare| *spare > 0)?;
        if self.tag != TAG_PCM || bits == Encoding::Int8 || !self.block.is_multiple_of(self.channels) {
            return None;
        }
        let said = u64::from(self.bytes_per_s) == u64::from(self.rate_hz) * u64::from(self.block);
        let mut below =
            data.chunks_exact(usize::from(wide.bytes())).flat_map(|sample| &sample[..usize::from(spare)]);
        (said && below.all(|byte| *byte == 0)).then_some(wide)
    }
}

fn samples<'a>(format: &Format, chunk: &Chunk<'a>, lengths: Lengths<'_>) -> Result<Layout<'a>, WavFault> {
    let Format { channels, rate_hz, block, .. } = *format;
    let by_bits = format.encoding()?;
    if !CHANNELS.contains(&channels) {
        return Err(WavFault::Channels(channels));
    }
    if !RATE_HZ.contains(&rate_hz) {
        return Err(WavFault::Rate(rate_hz));
    }
    // A recorder that dies before it knows the length, or a pipe, leaves 0.
    let open = chunk.announced == 0 && !are_chunks(chunk.behind, lengths);
    let data = if open { chunk.behind } else { chunk.body() };
    let encoding = format.container(by_bits, data).unwrap_or(by_bits);
    let frame = channels * encoding.bytes();
    let (whole, _) = data.split_at(data.len() - data.len() % usize::from(frame));
    if whole.is_empty() {
        return Err(WavFault::NoSamples);
    }
    let mut doubts = Vec::new();
    if block != frame {
        doubts.push(Doubt::Block { announced: block, channels, bits: encoding.bytes() * 8 });
    }
    let (found, read) = (data.len() as u64, whole.len() as u64);
    if chunk.announced != read {
        doubts.push(Doubt::Length { announced: chunk.announced, found, read });
    }
    let tail = chunk.next();
    if !open && !are_chunks(tail, lengths) {
        doubts.push(Doubt::Strays(tail.len() as u64));
    }
    Ok(Layout { encoding, channels, rate_hz, data: whole, doubts })
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}
