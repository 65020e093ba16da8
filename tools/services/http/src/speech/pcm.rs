//! Samples as a server sends them: 16 bits, little endian, mono, cut anywhere; and at the rate of a session.

use mynah_engine::scene::{Format, FormatConverter};
use mynah_systems::dsp::convert;

use crate::speech::wav_head::{REMEDY, is_wav, wav_head};

/// Bytes that tell what a stream is.
const MAGIC_BYTES: usize = 12;
/// How other files begin.
const OTHERS: [(&[u8], &str); 4] =
    [(b"OggS", "Ogg"), (b"fLaC", "FLAC"), (b"ID3", "MP3"), (b"\x1aE\xdf\xa3", "WebM")];

/// Where a stream stands.
#[derive(Debug)]
enum Place {
    /// What it is has not been told: its first bytes.
    Start(Vec<u8>),
    /// Among the samples.
    Samples {
        rate_hz: u32,
        /// Bytes of samples that follow; `None`: all that comes.
        left: Option<u64>,
    },
}

/// A stream of samples so far. Bytes in, samples out.
#[derive(Debug)]
pub(crate) struct PcmStream {
    place: Place,
    /// The rate of samples that come without a head.
    raw_hz: u32,
    /// The first half of a sample.
    half: Option<u8>,
    samples: u64,
}

impl PcmStream {
    pub(crate) fn new(raw_hz: u32) -> Self {
        Self { place: Place::Start(Vec::new()), raw_hz, half: None, samples: 0 }
    }

    /// Samples in a second, once that is known.
    pub(crate) fn rate_hz(&self) -> Option<u32> {
        match self.place {
            Place::Start(_) => None,
            Place::Samples { rate_hz, .. } => Some(rate_hz),
        }
    }

    /// Takes the next bytes; appends their samples, from -1 to 1.
    ///
    /// # Errors
    /// This is no stream of samples.
    pub(crate) fn push(&mut self, bytes: &[u8], samples: &mut Vec<f32>) -> Result<(), String> {
        let Place::Start(head) = &mut self.place else {
            self.take(bytes, samples);
            return Ok(());
        };
        head.extend_from_slice(bytes);
        let head = std::mem::take(head);
        self.begin(head, samples)
    }

    fn begin(&mut self, head: Vec<u8>, samples: &mut Vec<f32>) -> Result<(), String> {
        if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(format!("the server sent {name}: {REMEDY}"));
        }
        if head.len() < MAGIC_BYTES && b"RIFF".starts_with(&head[..head.len().min(4)]) {
            self.place = Place::Start(head);
            return Ok(());
        }
        let (length, rate_hz, left) = if is_wav(&head) {
            match wav_head(&head)? {
                Some(wav) => (wav.length, wav.rate_hz, wav.data_bytes),
                None => {
                    self.place = Place::Start(head);
                    return Ok(());
                }
            }
        } else {
            (0, self.raw_hz, None)
        };
        self.place = Place::Samples { rate_hz, left };
        self.take(&head[length..], samples);
        Ok(())
    }

    fn take(&mut self, mut bytes: &[u8], samples: &mut Vec<f32>) {
        if let Place::Samples { left: Some(left), .. } = &mut self.place {
            // What follows the samples of a file are notes.
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            bytes = &bytes[..bytes.len().min(most)];
            *left -= bytes.len() as u64;
        }
        let before = samples.len();
        let value = |low: u8, high: u8| f32::from(i16::from_le_bytes([low, high])) / 32_768.0;
        if let (Some(low), Some((high, rest))) = (self.half, bytes.split_first()) {
            samples.push(value(low, *high));
            (self.half, bytes) = (None, rest);
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        samples.extend(pairs.iter().map(|[low, high]| value(*low, *high)));
        if let [low] = rest {
            self.half = Some(*low);
        }
        self.samples += (samples.len() - before) as u64;
    }

    /// The stream is over.
    ///
    /// # Errors
    /// There were no samples, or it ended within one or before the length of its file.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.place {
            _ if self.half.is_some() => Err("the server ended the audio within a sample".into()),
            Place::Samples { left: Some(1..), .. } => Err("the server ended the audio early".into()),
            _ if self.samples == 0 => Err("the server sent no audio".into()),
            Place::Start(_) | Place::Samples { .. } => Ok(()),
        }
    }
}

/// Samples of a stream at another rate, in blocks of 20 ms.
pub(crate) struct Resampled {
    to_hz: u32,
    converter: Option<Box<dyn FormatConverter>>,
    ready: Vec<f32>,
}

impl Resampled {
    pub(crate) fn new(to_hz: u32) -> Self {
        Self { to_hz, converter: None, ready: Vec::new() }
    }

    /// Takes samples at `from_hz`, the same each time; `give` gets whole blocks.
    ///
    /// # Errors
    /// A rate that the resampler does not take.
    pub(crate) fn push(
        &mut self,
        from_hz: u32,
        samples: &[f32],
        give: &mut impl FnMut(&[f32]),
    ) -> Result<(), String> {
        if self.converter.is_none() {
            let mono = |rate_hz| Format { rate_hz, channels: 1 };
            self.converter = Some(convert::build(mono(from_hz), mono(self.to_hz))?);
        }
        if let Some(converter) = &mut self.converter {
            converter.push(samples, &mut self.ready);
        }
        let block = (self.to_hz as usize / 50).max(1);
        let whole = self.ready.len() - self.ready.len() % block;
        if whole > 0 {
            give(&self.ready[..whole]);
            self.ready.drain(..whole);
        }
        Ok(())
    }

    /// The stream is over: gives what is left.
    pub(crate) fn finish(mut self, give: &mut impl FnMut(&[f32])) {
        if let Some(converter) = &mut self.converter {
            converter.flush(&mut self.ready);
        }
        if !self.ready.is_empty() {
            give(&self.ready);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], cuts: &[usize]) -> Result<(Vec<f32>, Option<u32>), String> {
        let (mut stream, mut samples, mut from) = (PcmStream::new(24_000), Vec::new(), 0);
        for cut in cuts.iter().copied().filter(|cut| *cut <= bytes.len()).chain([bytes.len()]) {
            if cut >= from {
                stream.push(&bytes[from..cut], &mut samples)?;
                from = cut;
            }
        }
        let rate_hz = stream.rate_hz();
        stream.finish().map(|()| (samples, rate_hz))
    }

    fn wav(samples: &[i16], rate_hz: u32) -> Vec<u8> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wav.extend(rate_hz.to_le_bytes());
        wav.extend((rate_hz * 2).to_le_bytes());
        wav.extend([2, 0, 16, 0]);
        wav.extend(b"data");
        wav.extend((bytes.len() as u32).to_le_bytes());
        wav.extend(bytes);
        wav
    }

    #[test]
    fn other_files_and_cut_streams_are_refused() {
        let cases: [(&[u8], &str); 6] = [
            (b"OggS.......", "sent Ogg"),
            (b"ID3........", "sent MP3"),
            (b"", "no audio"),
            (b"RIF", "no audio"),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0\0", "within a sample"),
            (&wav(&[1; 100], 24_000)[..100], "ended the audio early"),
        ];
        for (bytes, wanted) in cases {
            let end = read(bytes, &[]);
            assert!(end.as_ref().is_err_and(|why| why.contains(wanted)), "{bytes:?}: {end:?}");
        }
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_samples(
            samples in prop::collection::vec(any::<i16>(), 8..200),
            mut cuts in prop::collection::vec(0usize..500, 0..40),
            is_wav in any::<bool>(),
        ) {
            cuts.sort_unstable();
            let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            prop_assume!(is_wav || !["RIFF", "OggS", "fLaC", "ID3"].iter().any(|magic| raw.starts_with(magic.as_bytes())));
            let bytes = if is_wav { let mut file = wav(&samples, 16_000); file.extend(b"LIST"); file } else { raw };
            let (heard, rate_hz) = read(&bytes, &cuts).unwrap();
            let wanted: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
            prop_assert_eq!(heard, wanted);
            prop_assert_eq!(rate_hz, Some(if is_wav { 16_000 } else { 24_000 }));
        }
    }
}
