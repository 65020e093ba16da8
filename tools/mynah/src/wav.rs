//! WAV files in and out. Reading takes what recorders really write (8 to 32-bit integers, 32-bit float, mono or
//! stereo, extensible headers, odd chunks before the data) and says precisely why it refuses the rest.

use std::fmt;
use std::io::{Cursor, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::outputs;

/// Sample rates that are read, Hz: telephone to studio.
const RATE_HZ: RangeInclusive<u32> = 8_000..=192_000;

/// Format tags of the fmt chunk (RFC 2361, appendix A).
const TAG_PCM: u16 = 0x0001;
const TAG_FLOAT: u16 = 0x0003;
const TAG_EXTENSIBLE: u16 = 0xFFFE;

/// A recording in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Sample rate, Hz, 8000..=192000.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Interleaved, full scale is 1.0; integers lie in -1..1, floats are as the file has them, finite or not.
    pub samples: Vec<f32>,
}

/// What is wrong with which file.
#[derive(Debug)]
pub struct WavError {
    /// The file.
    pub path: PathBuf,
    /// What was found, what is expected, what helps.
    pub fault: WavFault,
}

/// What can be wrong with a WAV file.
#[derive(Debug)]
pub enum WavFault {
    /// There is no such file.
    Missing,
    /// It is there, but the system does not let us read or write it.
    Io(std::io::Error),
    /// It is a folder.
    Folder,
    /// It has no bytes at all.
    NoBytes,
    /// It does not begin as a WAV file; the first bytes.
    NotWav(Vec<u8>),
    /// It ends inside its header, or has no `fmt ` or `data` chunk; which.
    Header(&'static str),
    /// Its samples are compressed; the format tag.
    Codec(u16),
    /// Samples of this many bits; the text says integer or float.
    Bits(u16, &'static str),
    /// This many channels.
    Channels(u16),
    /// This sample rate, Hz.
    Rate(u32),
    /// It has a header and no sample.
    NoSamples,
    /// Bytes of samples the header announces, and bytes there are.
    Truncated(u64, u64),
    /// Bytes of samples, and the bytes of one frame they are no multiple of.
    Ragged(u64, u16),
    /// The decoder or encoder refused it for a reason of its own.
    Format(String),
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl fmt::Display for WavFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "no such file; expected a WAV file: check the path"),
            Self::Io(error) => write!(f, "{error}; check the file's permissions and its disk"),
            Self::Folder => {
                write!(f, "this is a folder; expected a WAV file: name the files in it, FOLDER/*.wav")
            }
            Self::NoBytes => write!(f, "the file has 0 bytes; expected a WAV file: record or copy it again"),
            Self::NotWav(first) => {
                let first = first.escape_ascii();
                write!(
                    f,
                    "it begins with \"{first}\"; expected \"RIFF\" and \"WAVE\": convert it to WAV, e.g. with \
                    `ffmpeg -i FILE out.wav`"
                )
            }
            Self::Header(what) => {
                write!(f, "{what}; expected a fmt and a data chunk: record or copy it again")
            }
            Self::Codec(tag) => write!(
                f,
                "compressed samples (format tag 0x{tag:04x}); expected PCM (0x0001) or \
                float (0x0003): convert it, e.g. with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
            ),
            Self::Bits(bits, kind) => write!(
                f,
                "{bits}-bit {kind} samples; expected 8, 16, 24 or 32-bit integer or \
                32-bit float: convert it, e.g. with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
            ),
            Self::Channels(count) => write!(
                f,
                "{count} channels; expected 1 or 2: mix it down, e.g. with \
                `ffmpeg -i FILE -ac 1 out.wav`"
            ),
            Self::Rate(hz) => write!(
                f,
                "{hz} Hz; expected {} to {} Hz: convert it, e.g. with \
                `ffmpeg -i FILE -ar 16000 out.wav`",
                RATE_HZ.start(),
                RATE_HZ.end()
            ),
            Self::NoSamples => write!(f, "0 samples; expected at least 1: record it again"),
            Self::Truncated(announced, present) => write!(
                f,
                "the header announces {announced} bytes of samples, the \
                file has {present}; expected all of them: copy it again, or repair the header, e.g. with \
                `ffmpeg -i FILE out.wav`"
            ),
            Self::Ragged(bytes, frame) => write!(
                f,
                "{bytes} bytes of samples; expected a multiple of {frame}, the \
                bytes of a frame: repair it, e.g. with `ffmpeg -i FILE out.wav`"
            ),
            Self::Format(what) => write!(
                f,
                "{what}; expected plain PCM or float: convert it, e.g. with \
                `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
            ),
        }
    }
}

impl std::error::Error for WavError {}

/// What the header says about the samples.
struct Layout<'a> {
    tag: u16,
    channels: u16,
    rate_hz: u32,
    /// Bits a sample takes up in the file; fewer may be valid, they are the upper ones.
    bits: u16,
    announced: u64,
    data: &'a [u8],
}

/// Reads a whole recording into memory.
///
/// # Errors
/// [`WavError`] with one [`WavFault`] for each way a file can be unusable.
pub fn read(path: &Path) -> Result<Recording, WavError> {
    let found = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => WavFault::Missing,
        _ if path.is_dir() => WavFault::Folder,
        _ => WavFault::Io(error),
    });
    found.and_then(|bytes| decode(&bytes)).map_err(|fault| WavError { path: path.to_path_buf(), fault })
}

/// Writes interleaved samples as 16-bit PCM: the inverse of [`read`] bit for bit; what lies beyond -1.0 or 32767/32768 is clipped to
/// them, NaN becomes 0.
///
/// # Errors
/// [`WavError`] when the file cannot be written, or the samples are no whole number of frames.
pub fn write(path: &Path, rate: u32, channels: u16, samples: &[f32]) -> Result<(), WavError> {
    let failed = |fault: WavFault| WavError { path: path.to_path_buf(), fault };
    let encoder = |error: hound::Error| match error {
        hound::Error::IoError(error) => failed(WavFault::Io(error)),
        other => failed(WavFault::Format(other.to_string())),
    };
    if channels == 0 {
        return Err(failed(WavFault::Channels(0)));
    }
    if !samples.len().is_multiple_of(usize::from(channels)) {
        return Err(failed(WavFault::Ragged(samples.len() as u64 * 2, channels * 2)));
    }
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::new());
    let mut file = WavWriter::new(&mut bytes, spec).map_err(encoder)?;
    for sample in samples {
        file.write_sample((sample * 32_768.0).round() as i16).map_err(encoder)?;
    }
    file.finalize().map_err(encoder)?;
    outputs::write(path, bytes.get_ref()).map_err(|error| failed(WavFault::Io(error)))
}

/// Reads a whole recording from the bytes of a file; it never takes more memory than a small multiple of them.
///
/// # Errors
/// One [`WavFault`] for each way a file can be unusable.
pub fn decode(bytes: &[u8]) -> Result<Recording, WavFault> {
    let layout = layout(bytes)?;
    check(&layout)?;
    let Layout { channels, rate_hz: rate, data, .. } = layout;
    // A plain header of our own in front: the decoder need not cope with what recorders put into theirs.
    let plain = plain_header(&layout);
    let mut reader = WavReader::new(Cursor::new(plain).chain(data))
        .map_err(|error| WavFault::Format(error.to_string()))?;
    let refused = |error: hound::Error| WavFault::Format(error.to_string());
    let samples = if layout.tag == TAG_FLOAT {
        reader.samples::<f32>().collect::<Result<Vec<f32>, _>>().map_err(refused)?
    } else {
        let scale = 1.0 / (1_u64 << (layout.bits - 1)) as f64;
        let scaled =
            |sample: Result<i32, hound::Error>| sample.map(|sample| (f64::from(sample) * scale) as f32);
        reader.samples::<i32>().map(scaled).collect::<Result<Vec<f32>, _>>().map_err(refused)?
    };
    Ok(Recording { rate, channels, samples })
}

/// Walks the chunks up to the samples.
fn layout(bytes: &[u8]) -> Result<Layout<'_>, WavFault> {
    if bytes.is_empty() {
        return Err(WavFault::NoBytes);
    }
    if bytes.len() < 12 || !bytes.starts_with(b"RIFF") || &bytes[8..12] != b"WAVE" {
        return Err(WavFault::NotWav(bytes[..bytes.len().min(12)].to_vec()));
    }
    let mut rest = &bytes[12..];
    let mut format: Option<&[u8]> = None;
    while let Some((head, body)) = rest.split_at_checked(8) {
        let announced = u32_at(head, 4);
        let present = &body[..body.len().min(announced as usize)];
        match (&head[..4], format) {
            (b"fmt ", _) if present.len() < 16 => return Err(WavFault::Header("its fmt chunk is cut short")),
            (b"fmt ", _) => format = Some(present),
            (b"data", None) => return Err(WavFault::Header("no fmt chunk before its samples")),
            (b"data", Some(format)) => return Ok(with_format(format, announced, present)),
            _ => {}
        }
        // Chunks begin at even bytes.
        let next = announced as usize + (announced % 2) as usize;
        rest = body.get(next..).unwrap_or(&[]);
    }
    Err(WavFault::Header(if format.is_some() { "no data chunk" } else { "no fmt chunk" }))
}

fn with_format<'a>(format: &[u8], announced: u32, data: &'a [u8]) -> Layout<'a> {
    let tag = match u16_at(format, 0) {
        // The real tag begins the sub-format's GUID.
        TAG_EXTENSIBLE if format.len() >= 26 => u16_at(format, 24),
        tag => tag,
    };
    let (channels, block) = (u16_at(format, 2), u16_at(format, 12));
    // A frame is what the block says, where it says something whole; 24 bits may take up 32.
    let container =
        if channels > 0 && block.is_multiple_of(channels) { (block / channels).saturating_mul(8) } else { 0 };
    let bits = u16_at(format, 14).max(if container <= 32 { container } else { 0 });
    Layout { tag, channels, rate_hz: u32_at(format, 4), bits, announced: u64::from(announced), data }
}

fn check(layout: &Layout<'_>) -> Result<(), WavFault> {
    let Layout { tag, channels, rate_hz, bits, announced, data } = *layout;
    match (tag, bits) {
        (TAG_PCM, 8 | 16 | 24 | 32) | (TAG_FLOAT, 32) => {}
        (TAG_PCM, _) => return Err(WavFault::Bits(bits, "integer")),
        (TAG_FLOAT, _) => return Err(WavFault::Bits(bits, "float")),
        _ => return Err(WavFault::Codec(tag)),
    }
    if !(1..=2).contains(&channels) {
        return Err(WavFault::Channels(channels));
    }
    if !RATE_HZ.contains(&rate_hz) {
        return Err(WavFault::Rate(rate_hz));
    }
    if announced > data.len() as u64 {
        return Err(WavFault::Truncated(announced, data.len() as u64));
    }
    if data.is_empty() {
        return Err(WavFault::NoSamples);
    }
    let frame = channels * bits / 8;
    if !data.len().is_multiple_of(usize::from(frame)) {
        return Err(WavFault::Ragged(data.len() as u64, frame));
    }
    Ok(())
}

/// The 44 bytes that begin the simplest WAV file with these samples.
fn plain_header(layout: &Layout<'_>) -> Vec<u8> {
    let frame = layout.channels * layout.bits / 8;
    let data = layout.data.len() as u32;
    let mut header = Vec::with_capacity(44);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&data.wrapping_add(36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    header.extend_from_slice(&layout.tag.to_le_bytes());
    header.extend_from_slice(&layout.channels.to_le_bytes());
    header.extend_from_slice(&layout.rate_hz.to_le_bytes());
    header.extend_from_slice(&(layout.rate_hz * u32::from(frame)).to_le_bytes());
    header.extend_from_slice(&frame.to_le_bytes());
    header.extend_from_slice(&layout.bits.to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&data.to_le_bytes());
    header
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own, gone when the test is.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mynah-wav-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    /// A WAV file from its parts; `announced` is what the header says of the data's length.
    fn file(format: &[u8], announced: usize, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        bytes.extend((format.len() as u32).to_le_bytes());
        bytes.extend(format);
        bytes.extend(b"data");
        bytes.extend((announced as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    fn format(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
        let block = channels * bits.div_ceil(8);
        let mut format = Vec::new();
        format.extend(tag.to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate_hz.to_le_bytes());
        format.extend((rate_hz.wrapping_mul(u32::from(block))).to_le_bytes());
        format.extend(block.to_le_bytes());
        format.extend(bits.to_le_bytes());
        format
    }

    fn plain(tag: u16, channels: u16, rate_hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        file(&format(tag, channels, rate_hz, bits), data.len(), data)
    }

    #[test]
    fn reads_every_depth_to_full_scale() {
        let i32s = |samples: &[i32]| samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>();
        let f32s = |samples: &[f32]| samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>();
        let int24 = [0x00, 0x00, 0x80, 0x00, 0x00, 0x40, 0xff, 0xff, 0xff];
        let cases: [(&str, Vec<u8>, Vec<f32>); 6] = [
            ("8", plain(1, 1, 8_000, 8, &[0, 128, 192, 255]), vec![-1.0, 0.0, 0.5, 127.0 / 128.0]),
            ("16", plain(1, 2, 44_100, 16, &[0x00, 0x80, 0x00, 0x40]), vec![-1.0, 0.5]),
            ("24", plain(1, 1, 48_000, 24, &int24), vec![-1.0, 0.5, -1.0 / 8_388_608.0]),
            ("32", plain(1, 1, 192_000, 32, &i32s(&[i32::MIN, 1 << 30])), vec![-1.0, 0.5]),
            ("float", plain(3, 2, 16_000, 32, &f32s(&[1.5, -0.25])), vec![1.5, -0.25]),
            // 24 valid bits in 32, as an extensible header says it: the upper ones count.
            (
                "24 in 32",
                {
                    let mut format = format(0xFFFE, 1, 48_000, 32);
                    format.extend([
                        22, 0, 24, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113,
                    ]);
                    file(&format, 4, &i32s(&[1 << 30]))
                },
                vec![0.5],
            ),
        ];
        let folder = Folder::new("depths");
        for (name, bytes, expected) in cases {
            let recording = read(&folder.file(name, &bytes)).unwrap();
            assert_eq!(recording.samples, expected, "{name}");
        }
    }

    #[test]
    fn non_finite_samples_stay() {
        let folder = Folder::new("nan");
        let data: Vec<u8> = [f32::NAN, f32::INFINITY, 0.5].iter().flat_map(|s| s.to_le_bytes()).collect();
        let samples = read(&folder.file("nan.wav", &plain(3, 1, 16_000, 32, &data))).unwrap().samples;
        assert!(samples[0].is_nan() && samples[1] == f32::INFINITY && samples[2] == 0.5);
    }

    #[test]
    fn chunks_before_the_samples_are_skipped_odd_ones_too() {
        let folder = Folder::new("chunks");
        let plain = plain(1, 1, 16_000, 16, &[0, 64]);
        let mut bytes = plain[..12].to_vec();
        bytes.extend(b"LIST\x03\0\0\0abc\0");
        bytes.extend(&plain[12..]);
        bytes.extend(b"tail of no chunk");
        assert_eq!(read(&folder.file("list.wav", &bytes)).unwrap().samples, [0.5]);
    }

    #[test]
    fn each_bad_file_names_what_was_found() {
        let folder = Folder::new("bad");
        let sound = vec![0_u8; 64];
        let no_data = plain(1, 1, 16_000, 16, &[])[..36].to_vec();
        let short_format = file(&[1, 0, 1, 0], 64, &sound);
        // (file, kind of fault, what the message says)
        let cases: [(&str, Vec<u8>, &str, &str); 20] = [
            ("no bytes", vec![], "NoBytes", "0 bytes"),
            ("text", b"hello, this is no sound".to_vec(), "NotWav", "hello"),
            ("ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0".to_vec(), "NotWav", "OggS"),
            ("avi", b"RIFF\0\0\0\0AVI LIST".to_vec(), "NotWav", "AVI"),
            ("stump", b"RIFF\0\0".to_vec(), "NotWav", "RIFF"),
            ("head only", b"RIFF\0\0\0\0WAVE".to_vec(), "Header", "no fmt chunk"),
            ("data first", b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0".to_vec(), "Header", "before its samples"),
            ("no data", no_data, "Header", "no data chunk"),
            ("short format", short_format, "Header", "cut short"),
            ("adpcm", plain(2, 1, 16_000, 4, &sound), "Codec", "0x0002"),
            ("mu-law", plain(7, 1, 8_000, 8, &sound), "Codec", "0x0007"),
            ("12 bit", plain(1, 1, 16_000, 40, &sound), "Bits", "40-bit integer"),
            ("double", plain(3, 1, 16_000, 64, &sound), "Bits", "64-bit float"),
            ("surround", plain(1, 6, 48_000, 16, &sound), "Channels", "6 channels"),
            ("no channel", plain(1, 0, 48_000, 16, &sound), "Channels", "0 channels"),
            ("slow", plain(1, 1, 7_999, 16, &sound), "Rate", "7999 Hz"),
            ("fast", plain(1, 1, 192_001, 16, &sound), "Rate", "192001 Hz"),
            ("silent", plain(1, 1, 16_000, 16, &[]), "NoSamples", "0 samples"),
            ("cut", file(&format(1, 2, 16_000, 16), 6_400, &sound), "Truncated", "6400 bytes"),
            ("ragged", plain(1, 2, 16_000, 16, &sound[..62]), "Ragged", "62 bytes"),
        ];
        let mut failed = Vec::new();
        for (name, bytes, kind, says) in cases {
            let error = read(&folder.file(name, &bytes)).unwrap_err();
            let (message, fault) = (error.to_string(), format!("{:?}", error.fault));
            let complete = message.contains(name) && message.contains(says) && message.contains("expected");
            if !complete || !fault.starts_with(kind) {
                failed.push(format!("{name}: {fault}: {message}"));
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        let missing = read(&folder.0.join("gone.wav")).unwrap_err();
        assert!(matches!(missing.fault, WavFault::Missing) && missing.to_string().contains("gone.wav"));
        assert!(matches!(read(&folder.0).unwrap_err().fault, WavFault::Folder));
    }

    #[test]
    fn a_file_cut_anywhere_or_with_any_byte_changed_is_a_value() {
        let whole = plain(1, 1, 16_000, 16, &[1; 32]);
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "cut to {length}");
        }
        for at in 0..44 {
            for byte in [0, 1, 3, 127, 128, 254, 255] {
                let mut changed = whole.clone();
                changed[at] = byte;
                // Good or bad, it must not panic.
                decode(&changed).ok();
            }
        }
    }

    #[test]
    fn writes_sixteen_bits_rounded_and_clipped() {
        let folder = Folder::new("write");
        let path = folder.0.join("out.wav");
        let samples = [0.0, 1.0, -1.0, 2.0, f32::NEG_INFINITY, f32::NAN, 0.6 / 32_768.0, -0.6 / 32_768.0];
        write(&path, 22_050, 2, &samples).unwrap();
        let back = read(&path).unwrap();
        let written: Vec<f32> = back.samples.iter().map(|sample| sample * 32_768.0).collect();
        assert_eq!((back.rate, back.channels), (22_050, 2));
        assert_eq!(written, [0.0, 32_767.0, -32_768.0, 32_767.0, -32_768.0, 0.0, 1.0, -1.0]);
        assert!(matches!(write(&path, 16_000, 2, &samples[..3]).unwrap_err().fault, WavFault::Ragged(6, 4)));
        assert!(matches!(write(&path, 16_000, 0, &[]).unwrap_err().fault, WavFault::Channels(0)));
        assert!(matches!(
            write(&folder.0.join("no/out.wav"), 16_000, 1, &[]).unwrap_err().fault,
            WavFault::Io(_)
        ));
    }
}
