//! Writes WAV files: 16-bit PCM.

use std::io::{Cursor, Seek, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::fault::{WavError, WavFault};
use mynah_files::outputs;

/// Writes interleaved samples as 16-bit PCM: the inverse of [`read`](super::read) bit for bit; what lies beyond -1.0 or
/// 32767/32768 is clipped to them, NaN becomes 0. More than two channels get an extensible header.
///
/// # Errors
/// [`WavError`] when the file cannot be written, or the samples are no whole number of frames.
pub fn write(path: &Path, rate: u32, channels: u16, samples: &[f32]) -> Result<(), WavError> {
    let mut bytes = Cursor::new(Vec::new());
    let written = write_to(&mut bytes, rate, channels, samples)
        .and_then(|()| outputs::write(path, bytes.get_ref()).map_err(WavFault::Io));
    written.map_err(|fault| WavError { path: path.to_path_buf(), fault })
}

/// [`write()`] to anything that can be written from its beginning.
///
/// # Errors
/// As [`write()`], without the path.
pub fn write_to(out: impl Write + Seek, rate: u32, channels: u16, samples: &[f32]) -> Result<(), WavFault> {
    whole(channels, samples)?;
    let encoder = |error: hound::Error| match error {
        hound::Error::IoError(error) => WavFault::Io(error),
        other => WavFault::Format(other.to_string()),
    };
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = WavWriter::new(out, spec).map_err(encoder)?;
    for sample in samples {
        file.write_sample((sample * 32_768.0).round() as i16).map_err(encoder)?;
    }
    file.finalize().map_err(encoder)
}

/// Whether the samples are whole frames: asked before a file is touched.
fn whole(channels: u16, samples: &[f32]) -> Result<(), WavFault> {
    match channels {
        0 => Err(WavFault::Channels(0)),
        _ if samples.len().is_multiple_of(usize::from(channels)) => Ok(()),
        _ => Err(WavFault::Ragged(samples.len(), channels)),
    }
}
