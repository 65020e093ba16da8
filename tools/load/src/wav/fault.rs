//! Errors of WAV files, doubts about them, and remedies.

use std::fmt;
use std::path::PathBuf;

use super::limits::{CHANNELS, RATE_HZ};

/// What is wrong with which file.
#[derive(Debug)]
pub struct WavError {
    /// The file that is refused.
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
    /// It has more bytes than this.
    TooLong(u64),
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
    /// It has a header and no whole frame of samples.
    NoSamples,
    /// Samples to write, and the channels they are no multiple of.
    Ragged(usize, u16),
    /// The encoder refused it for a reason of its own.
    Format(String),
}

/// Where the header of a file that can be read is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The length of the samples.
    Length {
        /// Bytes of samples as the header has it.
        announced: u64,
        /// Bytes that are there.
        found: u64,
        /// Bytes of those that are whole frames; these were read.
        read: u64,
    },
    /// The bytes of a frame.
    Block {
        /// As the header has it.
        announced: u16,
        /// Number of channels.
        channels: u16,
        /// Bits of a sample; with the channels they make the frames that were read.
        bits: u16,
    },
    /// Bytes behind the samples that are no chunks; they were not read.
    Strays(u64),
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
            Self::TooLong(most) => {
                write!(f, "more than {most} bytes; expected a recording that ends before: cut it into pieces")
            }
            Self::NotWav(first) => write!(
                f,
                "it begins with \"{}\"; expected \"RIFF\", \"RF64\" or \"BW64\", and \"WAVE\": convert it to WAV, \
                 e.g. with `ffmpeg -i FILE out.wav`",
                first.escape_ascii()
            ),
            Self::Header(what) => {
                write!(f, "{what}; expected a fmt and a data chunk: record or copy it again")
            }
            Self::Codec(tag) => write!(
                f,
                "compressed samples (format tag 0x{tag:04x}); expected PCM (0x0001), float (0x0003), A-law (0x0006) \
                 or mu-law (0x0007): convert it, e.g. with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
            ),
            Self::Bits(bits, kind) => write!(
                f,
                "{bits}-bit {kind} samples; expected integers of up to 32 bits, or 32 or 64-bit floats: convert it, \
                 e.g. with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
            ),
            Self::Channels(count) => write!(
                f,
                "{count} channels; expected {} to {}: mix it down, e.g. with `ffmpeg -i FILE -ac 1 out.wav`",
                CHANNELS.start(),
                CHANNELS.end()
            ),
            Self::Rate(hz) => write!(
                f,
                "{hz} Hz; expected {} to {} Hz: convert it, e.g. with `ffmpeg -i FILE -ar 16000 out.wav`",
                RATE_HZ.start(),
                RATE_HZ.end()
            ),
            Self::NoSamples => write!(f, "0 samples; expected at least 1: record it again"),
            Self::Ragged(samples, channels) => {
                write!(f, "{samples} samples; expected a multiple of {channels}, one for each channel")
            }
            Self::Format(what) => write!(f, "{what}; expected 16-bit PCM that a WAV file can hold"),
        }
    }
}

impl std::error::Error for WavError {}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { announced, found, read } => write!(
                f,
                "the header announces {announced} bytes of samples, the file has {found}: {read} were read, up to \
                 the last whole frame"
            ),
            Self::Block { announced, channels, bits } => write!(
                f,
                "the header announces {announced} bytes a frame, {channels} x {bits} bits are {}: it was read by \
                 its bits",
                u32::from(*channels) * u32::from(bits.div_ceil(8))
            ),
            Self::Strays(bytes) => write!(
                f,
                "{bytes} bytes behind the samples are no chunks and were not read; if they are samples, mend the \
                 header, e.g. with `ffmpeg -ignore_length 1 -i FILE out.wav`"
            ),
        }
    }
}
