//! The head of a WAV file, for servers that send one in place of raw samples.

/// What helps when a server sends something else.
pub(crate) const REMEDY: &str =
    "this asks for `response_format: \"pcm\"`; use a server that sends raw samples, or a WAV file of them";
/// Most bytes before the samples.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Lengths that stand for one that was not known when the file began.
const UNKNOWN_FROM: u32 = 0x7fff_0000;

/// What a head says of the samples that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WavHead {
    /// Bytes of the head.
    pub(crate) length: usize,
    /// Samples in a second.
    pub(crate) rate_hz: u32,
    /// Bytes of samples, if they are known.
    pub(crate) data_bytes: Option<u64>,
}

/// Whether `bytes` begin like a WAV file.
pub(crate) fn is_wav(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE")
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// The head at the start of `bytes`; `None`: it has not ended yet.
///
/// # Errors
/// The samples are not those that can be heard, or there is no end of the head.
pub(crate) fn wav_head(bytes: &[u8]) -> Result<Option<WavHead>, String> {
    let mut at = 12;
    let mut rate_hz = None;
    while let (Some(name), Some(size)) = (bytes.get(at..at + 4), number(bytes, at + 4)) {
        if name == b"data" {
            let Some(rate_hz) = rate_hz else {
                return Err("the server sent a WAV file without a format".into());
            };
            let data_bytes = (1..UNKNOWN_FROM).contains(&size).then_some(u64::from(size));
            return Ok(Some(WavHead { length: at + 8, rate_hz, data_bytes }));
        }
        if size as usize > HEAD_BYTES_MAX || at > HEAD_BYTES_MAX {
            return Err("the server sent a WAV file whose samples do not begin".into());
        }
        if name == b"fmt " {
            let Some(format) = bytes.get(at + 8..at + 8 + size as usize) else { return Ok(None) };
            rate_hz = Some(rate(format)?);
        }
        // Chunks begin at even places.
        at += 8 + (size + size % 2) as usize;
    }
    Ok(None)
}

fn rate(format: &[u8]) -> Result<u32, String> {
    let short = |at: usize| format.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
    let rate_hz = number(format, 4).unwrap_or(0);
    let kind = if short(0) == 0xfffe { short(24) } else { short(0) };
    let (channels, bits) = (short(2), short(14));
    if (kind, channels, bits) == (1, 1, 16) && (8_000..=192_000).contains(&rate_hz) {
        return Ok(rate_hz);
    }
    Err(format!(
        "the server sent a WAV file of {channels} channels, {bits} bits and {rate_hz} Hz (format {kind}); expected mono, \
         16 bits, 8000 to 192000 Hz: {}",
        REMEDY
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of `samples` at `rate_hz`, by a writer that is not ours.
    fn file(rate_hz: u32, channels: u16, bits: u16) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        (0..10).for_each(|sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_head_ends_where_the_samples_begin() {
        let wav = file(22_050, 1, 16);
        let head = WavHead { length: wav.len() - 20, rate_hz: 22_050, data_bytes: Some(20) };
        assert!(is_wav(&wav));
        for end in 12..=wav.len() {
            let wanted = (end >= head.length).then_some(head);
            assert_eq!(wav_head(&wav[..end]), Ok(wanted), "{end}");
        }
        let mut list = wav.clone();
        list.splice(12..12, *b"LIST\x03\0\0\0abc\0");
        assert_eq!(wav_head(&list), Ok(Some(WavHead { length: head.length + 12, ..head })));
        let at = head.length - 4;
        list = wav;
        list[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(wav_head(&list), Ok(Some(WavHead { data_bytes: None, ..head })));
    }

    #[test]
    fn samples_that_cannot_be_heard_are_refused_with_what_helps() {
        for (rate_hz, channels, bits) in [(24_000, 2, 16), (24_000, 1, 24), (4_000, 1, 16)] {
            let wrong = wav_head(&file(rate_hz, channels, bits)).unwrap_err();
            assert!(wrong.contains("expected mono, 16 bits") && wrong.contains("response_format"), "{wrong}");
        }
        let mut endless = b"RIFF\0\0\0\0WAVEjunk".to_vec();
        endless.extend(u32::MAX.to_le_bytes());
        assert!(wav_head(&endless).is_err());
    }
}
