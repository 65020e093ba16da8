//! A form with a recording, as `multipart/form-data` (RFC 7578).

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};
use mynah_engine::media::Sound;

/// Most sample frames of a recording: ten minutes at 192 kHz.
const FRAMES_MAX: u64 = 600 * 192_000;

/// A form in the making.
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// A form whose `file` is `sound`, as a WAV file of 16 bits.
    ///
    /// # Errors
    /// The recording is too long for such a file.
    pub(crate) fn of(sound: &Sound) -> Result<Self, String> {
        let wav = wav(sound)?;
        let boundary = boundary(&wav);
        let mut form = Self { boundary, body: Vec::with_capacity(wav.len() + 2_048) };
        form.part("file", "; filename=\"speech.wav\"\r\nContent-Type: audio/wav", &wav);
        Ok(form)
    }

    /// Adds a field.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        // No value may end its part.
        let value = value.replace(&format!("--{}", self.boundary), "");
        self.part(name, "", value.as_bytes());
    }

    fn part(&mut self, name: &str, more: &str, value: &[u8]) {
        let boundary = &self.boundary;
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(value);
        self.body.extend_from_slice(b"\r\n");
    }

    /// The content type, and the body.
    pub(crate) fn finish(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }
}

/// What does not occur in `bytes`.
fn boundary(bytes: &[u8]) -> String {
    let occurs = |boundary: &str| bytes.windows(boundary.len()).any(|window| window == boundary.as_bytes());
    let mut number = 0_u32;
    loop {
        let boundary = format!("mynah-form-{number:08x}");
        if !occurs(&boundary) {
            return boundary;
        }
        number += 1;
    }
}

/// A WAV file of 16 bits, in memory.
fn wav(sound: &Sound) -> Result<Vec<u8>, String> {
    if sound.frames() > FRAMES_MAX {
        return Err(format!("the recording has {} frames; at most {FRAMES_MAX} are sent", sound.frames()));
    }
    let spec = WavSpec {
        channels: sound.format.channels.into(),
        sample_rate: sound.format.rate_hz,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let wrong = |cause: hound::Error| format!("the recording cannot be written as WAV: {cause}");
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).map_err(wrong)?;
    for sample in sound.samples() {
        // NaN is silence.
        let sample = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        writer.write_sample(sample).map_err(wrong)?;
    }
    writer.finalize().map_err(wrong)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_engine::Block;
    use mynah_engine::scene::Format;

    #[test]
    fn a_recording_comes_back_as_it_was() {
        let samples = [0.0, 0.5, -1.0, 2.0, f32::NAN];
        let sound = Sound {
            format: Format { rate_hz: 16_000, channels: 1 },
            blocks: vec![Block::from_samples(&samples[..2]), Block::from_samples(&samples[2..])],
        };
        let mut form = Form::of(&sound).unwrap();
        form.field("model", "whisper-1");
        let (content_type, body) = form.finish();
        let boundary = content_type.split_once("boundary=").unwrap().1;
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(text.starts_with(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename"
        )));
        assert!(text.ends_with(&format!("name=\"model\"\r\n\r\nwhisper-1\r\n--{boundary}--\r\n")));
        let at = body.windows(4).position(|four| four == b"RIFF").unwrap();
        let reader = hound::WavReader::new(&body[at..]).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels, reader.len()), (16_000, 1, 5));
        let heard: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
        assert_eq!(heard, [0, 16_384, -32_768, 32_767, 0]);
    }

    #[test]
    fn a_boundary_occurs_nowhere() {
        assert_eq!(boundary(b"mynah-form-00000000"), "mynah-form-00000001");
    }
}
