//! Reads and writes WAV files. Reading takes what recorders, telephones and pipes really write: 8 to 32-bit integers,
//! 32 and 64-bit floats, A-law and mu-law, up to eight channels, RF64 and BW64, headers whose figures do not fit the
//! file. Where they do not, the actual content is read and reported; other files are refused with the reason.

mod chunks;
mod encoding;
mod fault;
mod levels;
mod limits;
mod write;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

pub use fault::{Doubt, WavError, WavFault};
pub use levels::Cancelling;
pub use write::{write, write_to};

use chunks::Layout;
use mynah_files::terminal;

/// Most bytes of a recording, 4 GiB: a pipe that never ends must not fill the memory.
const BYTES_MAX: u64 = 1 << 32;
/// Bytes that tell a WAV file from everything else.
const SIGNATURE_BYTES: u64 = 12;

/// A recording in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Sample rate, Hz, 8000..=192000.
    pub rate: u32,
    /// 1..=8.
    pub channels: u16,
    /// Interleaved, full scale is 1.0; integers lie in -1..1, floats are as the file has them, finite or not.
    pub samples: Vec<f32>,
}

/// A recording and the bytes it came from.
#[derive(Debug)]
pub struct Loaded {
    /// What they say.
    pub recording: Recording,
    /// xxh3 of all of them. A pipe cannot be read again to find it.
    pub xxh3: u64,
}

/// Reads a whole recording into memory, from a file or a pipe; a notice on stderr says where header and file disagree.
///
/// # Errors
/// [`WavError`] with one [`WavFault`] for each way a file can be unusable.
pub fn read(path: &Path) -> Result<Recording, WavError> {
    load(path).map(|loaded| loaded.recording)
}

/// [`read`], with the hash of what was read.
///
/// # Errors
/// As [`read`].
pub fn load(path: &Path) -> Result<Loaded, WavError> {
    let failed = |fault: WavFault| WavError { path: path.to_path_buf(), fault };
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => failed(WavFault::Missing),
        _ => failed(WavFault::Io(error)),
    })?;
    load_from(path, file).map_err(|error| match error.fault {
        WavFault::Io(_) if path.is_dir() => failed(WavFault::Folder),
        _ => error,
    })
}

/// [`load`] from anything that can be read to its end; messages call it `name`.
///
/// # Errors
/// As [`read`].
pub fn load_from(name: &Path, source: impl Read) -> Result<Loaded, WavError> {
    let loaded = gather(source, BYTES_MAX).and_then(|bytes| {
        let (recording, doubts) = decode(&bytes)?;
        for doubt in doubts {
            terminal::notice(&format!("warning: {}: {doubt}", name.display()));
        }
        Ok(Loaded { recording, xxh3: xxh3_64(&bytes) })
    });
    loaded.map_err(|fault| WavError { path: name.to_path_buf(), fault })
}

/// All bytes of a source that begins as a WAV file does; of another one, the first bytes.
fn gather(mut source: impl Read, bytes_max: u64) -> Result<Vec<u8>, WavFault> {
    let mut bytes = Vec::new();
    source.by_ref().take(SIGNATURE_BYTES).read_to_end(&mut bytes).map_err(WavFault::Io)?;
    if chunks::begins_as_wav(&bytes) {
        let rest_max = bytes_max - SIGNATURE_BYTES;
        let rest = source.take(rest_max + 1).read_to_end(&mut bytes).map_err(WavFault::Io)?;
        if rest as u64 > rest_max {
            return Err(WavFault::TooLong(bytes_max));
        }
    }
    Ok(bytes)
}

/// Reads a whole recording from the bytes of a file, and says where its header is not to be believed. It never takes
/// more memory than a small multiple of the bytes.
///
/// # Errors
/// One [`WavFault`] for each way a file can be unusable.
pub fn decode(bytes: &[u8]) -> Result<(Recording, Vec<Doubt>), WavFault> {
    let Layout { encoding, channels, rate_hz: rate, data, doubts } = chunks::layout(bytes)?;
    Ok((Recording { rate, channels, samples: encoding.samples(data) }, doubts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_given_up() {
        let endless = || b"RIFF\0\0\0\0WAVE".chain(io::repeat(7));
        assert!(matches!(gather(endless(), 1_000), Err(WavFault::TooLong(1_000))));
        assert_eq!(gather(endless().take(1_000), 1_000).unwrap().len(), 1_000);
        assert_eq!(gather(io::repeat(7), 1_000).unwrap().len(), 12, "no WAV file: not read further");
    }
}
