//! A player for sound inside a page that needs no script and no other file.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hound::{SampleFormat, WavSpec, WavWriter};

use crate::picture::figure::{Unit, moment, written};
use crate::picture::svg::{Escaped, push};
use mynah_load::load::rate::convert;

/// Sound that one page holds, bytes, as WAV: 8 minutes of one channel at [`RATE_HZ_MAX`]. Written into the page it takes a
/// third more.
pub const SOUND_BYTES_MAX: usize = 16_000_000;
/// Faster sound is brought down to this rate: speech is understood, and a page stays small.
pub const RATE_HZ_MAX: u32 = 16_000;
/// More channels are mixed into one.
const CHANNELS_MAX: usize = 2;
/// Header of a WAV file.
const HEADER_BYTES: usize = 44;

/// What is left of the sound that a page may hold.
#[derive(Debug)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(SOUND_BYTES_MAX)
    }
}

/// What is to be heard: interleaved samples.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// What it is called on the page.
    pub name: &'a str,
    /// The samples, interleaved.
    pub samples: &'a [f32],
    /// Channels, at least 1.
    pub channels: usize,
    /// Sample rate, Hz, at least 1.
    pub rate_hz: u32,
    /// Where else it can be had, if the page has no room for it; markup.
    pub elsewhere: &'a str,
}

impl Heard<'_> {
    fn frames(&self) -> usize {
        self.samples.len() / self.channels.max(1)
    }

    fn played_hz(&self) -> u32 {
        self.rate_hz.clamp(1, RATE_HZ_MAX)
    }

    /// Size as WAV in the page.
    fn bytes(&self) -> usize {
        let frames =
            self.frames() as u128 * u128::from(self.played_hz()) / u128::from(self.rate_hz.max(1)) + 1;
        HEADER_BYTES + frames as usize * self.played_channels() * 2
    }

    fn played_channels(&self) -> usize {
        if self.channels > CHANNELS_MAX { 1 } else { self.channels.max(1) }
    }

    /// The channels that are played, at the rate at which they are.
    fn played(&self) -> Result<Vec<Vec<f32>>, String> {
        let channels = self.channels.max(1);
        let finite = |sample: &f32| if sample.is_finite() { *sample } else { 0.0 };
        let one = |channel: usize| -> Vec<f32> {
            self.samples.iter().skip(channel).step_by(channels).map(finite).collect()
        };
        let mixed = || -> Vec<f32> {
            let frames = self.samples.chunks_exact(channels);
            frames.map(|frame| frame.iter().map(finite).sum::<f32>() / channels as f32).collect()
        };
        let all = if channels > CHANNELS_MAX { vec![mixed()] } else { (0..channels).map(one).collect() };
        all.iter().map(|samples| convert(samples, self.rate_hz, self.played_hz())).collect()
    }

    fn wav(&self) -> Result<Vec<u8>, String> {
        let channels = self.played()?;
        let spec = WavSpec {
            channels: channels.len() as u16,
            sample_rate: self.played_hz(),
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::with_capacity(self.bytes()));
        let mut file = WavWriter::new(&mut bytes, spec).map_err(|error| error.to_string())?;
        let frames = channels.iter().map(Vec::len).min().unwrap_or(0);
        for frame in 0..frames {
            for channel in &channels {
                let sample = (channel[frame] * 32_768.0).round() as i16;
                file.write_sample(sample).map_err(|error| error.to_string())?;
            }
        }
        file.finalize().map_err(|error| error.to_string())?;
        Ok(bytes.into_inner())
    }
}

/// A player, or the reason why there is none.
pub fn player(budget: &mut Budget, heard: Heard<'_>) -> String {
    let name = Escaped(heard.name);
    let seconds = moment((heard.frames() as f64 / f64::from(heard.rate_hz.max(1)) * 10.0).round() / 10.0);
    if heard.frames() == 0 {
        return format!("<figure><figcaption>{name} <small>no sound</small></figcaption></figure>\n");
    }
    let why = if heard.bytes() > budget.0 {
        let [whole, wanted] =
            [SOUND_BYTES_MAX, heard.bytes()].map(|bytes| written(bytes as f64, Unit::Bytes));
        format!("a page holds {whole} of sound in all, and this takes {wanted}")
    } else {
        match heard.wav() {
            Ok(wav) => {
                budget.0 -= wav.len().min(budget.0);
                return embedded(heard, &seconds, &wav);
            }
            Err(error) => error,
        }
    };
    format!(
        "<figure><figcaption>{name} <small>{seconds}</small></figcaption><p>No player: {}. {}</p></figure>\n",
        Escaped(&why),
        heard.elsewhere
    )
}

fn embedded(heard: Heard<'_>, seconds: &str, wav: &[u8]) -> String {
    let mut as_played = String::new();
    if heard.played_hz() < heard.rate_hz {
        push(&mut as_played, format_args!(", played at {} kHz", RATE_HZ_MAX / 1_000));
    }
    if heard.channels > CHANNELS_MAX {
        push(&mut as_played, format_args!(", {} channels mixed", heard.channels));
    }
    let mut text = String::with_capacity(wav.len() / 3 * 4 + 400);
    push(
        &mut text,
        format_args!(
            "<figure><figcaption>{0} <small>{seconds}{as_played}</small></figcaption><audio controls preload=\"metadata\" \
             aria-label=\"{0}\" src=\"data:audio/wav;base64,",
            Escaped(heard.name)
        ),
    );
    STANDARD.encode_string(wav, &mut text);
    text.push_str("\"></audio></figure>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(samples: &[f32], channels: usize, rate_hz: u32) -> Heard<'_> {
        Heard { name: "input", samples, channels, rate_hz, elsewhere: "Play the file." }
    }

    fn decoded(markup: &str) -> mynah_load::wav::Recording {
        let data = markup.split("base64,").nth(1).and_then(|rest| rest.split('"').next()).expect("a player");
        mynah_load::wav::decode(&STANDARD.decode(data).expect("base64")).expect("a WAV file").0
    }

    #[test]
    fn what_is_played_is_the_sound_at_a_rate_that_keeps_the_page_small() {
        let tone: Vec<f32> = (0..48_000).map(|n| (n as f32 * 0.02).sin() * 0.5).collect();
        for (samples, channels, rate_hz, want) in [
            (&tone[..8_000], 1, 8_000, (8_000, 1, 8_000)),
            (&tone[..], 1, 48_000, (16_000, 1, 16_000)),
            (&tone[..], 2, 24_000, (16_000, 2, 32_000)),
            (&tone[..], 6, 8_000, (8_000, 1, 8_000)),
        ] {
            let markup = player(&mut Budget::default(), heard(samples, channels, rate_hz));
            let recording = decoded(&markup);
            let got = (recording.rate, recording.channels, recording.samples.len());
            assert_eq!(got, want, "{channels} channels at {rate_hz} Hz");
        }
        let odd = player(&mut Budget::default(), heard(&[0.5, f32::NAN, 2.0, -0.25], 1, 8_000));
        assert_eq!(decoded(&odd).samples, [0.5, 0.0, 32_767.0 / 32_768.0, -0.25]);
    }

    #[test]
    fn a_page_holds_only_so_much_sound_and_says_so() {
        let minutes = vec![0.0; 8_000 * 60 * 12];
        let mut budget = Budget::default();
        let first = player(&mut budget, heard(&minutes, 1, 8_000));
        assert!(first.contains("<audio"), "the first has room");
        let second = player(&mut budget, heard(&minutes, 1, 8_000));
        assert!(!second.contains("<audio") && second.len() < 400, "{}", second.len());
        assert!(
            second.contains("holds 16 MB of sound in all") && second.contains("Play the file."),
            "{second}"
        );
        let third = player(&mut budget, heard(&minutes[..8_000], 1, 8_000));
        assert!(third.contains("<audio"), "what is left is used");
        assert!(player(&mut budget, heard(&[], 1, 8_000)).contains("no sound"));
    }
}
