//! Finds channels that cancel each other: loud one by one, almost silent in their mix. Cables with two swapped wires
//! make such recordings, and a detector that hears the mix finds nothing in them.

use std::fmt;

use super::Recording;

/// Stretch that is loud or not as a whole, milliseconds.
const STRETCH_MS: usize = 400;
/// RMS above which a channel is loud, dBFS: under quiet speech, over the floor of most rooms.
const LOUD_DBFS: f64 = -50.0;
/// The mix of eight channels lies 18 dB below the only one that sounds; 20 dB below, they cancel.
const LOST_DB: f64 = 20.0;
/// Below the last bit of 16, dBFS.
const SILENT_DBFS: f64 = -96.0;

/// RMS of channels that cancel each other, where at least two of them are loud.
#[derive(Clone, Debug, PartialEq)]
pub struct Cancelling {
    /// Of each channel, dBFS.
    pub channels_dbfs: Vec<f64>,
    /// Of their mean, dBFS.
    pub mix_dbfs: f64,
}

impl Cancelling {
    /// Finds out whether the channels of a recording cancel each other: in the stretches where at least two are above
    /// -50 dBFS the mean of all lies 20 dB or more below the loudest.
    pub fn find(recording: &Recording) -> Option<Self> {
        let channels = usize::from(recording.channels);
        let stretch = (recording.rate as usize * STRETCH_MS / 1_000).max(1) * channels;
        let mut sum = Powers::of(&[], channels);
        for samples in recording.samples.chunks(stretch) {
            let powers = Powers::of(samples, channels);
            if powers.channels.iter().filter(|power| dbfs(**power, powers.frames) > LOUD_DBFS).count() >= 2 {
                sum.add(&powers);
            }
        }
        let channels_dbfs: Vec<f64> = sum.channels.iter().map(|power| dbfs(*power, sum.frames)).collect();
        let mix_dbfs = dbfs(sum.mix, sum.frames);
        let loudest_dbfs = channels_dbfs.iter().copied().fold(SILENT_DBFS, f64::max);
        (sum.frames > 0 && mix_dbfs <= loudest_dbfs - LOST_DB).then_some(Self { channels_dbfs, mix_dbfs })
    }

    /// The loudest channel, counted from 1.
    pub fn loudest(&self) -> usize {
        let louder = |best: usize, at: usize| {
            if self.channels_dbfs[at] > self.channels_dbfs[best] { at } else { best }
        };
        (0..self.channels_dbfs.len()).fold(0, louder) + 1
    }
}

impl fmt::Display for Cancelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its channels cancel each other: ")?;
        for (at, level) in self.channels_dbfs.iter().enumerate() {
            write!(f, "channel {} has {}, ", at + 1, Level(*level))?;
        }
        write!(f, "their mix {}", Level(self.mix_dbfs))
    }
}

/// A level as it is printed.
struct Level(f64);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > SILENT_DBFS { write!(f, "{:.1} dBFS", self.0) } else { f.write_str("silence") }
    }
}

/// Sums of squares over a number of frames.
struct Powers {
    channels: Vec<f64>,
    mix: f64,
    frames: usize,
}

impl Powers {
    fn of(samples: &[f32], channels: usize) -> Self {
        let mut powers = Self { channels: vec![0.0; channels], mix: 0.0, frames: samples.len() / channels };
        for frame in samples.chunks_exact(channels) {
            let mut mix = 0.0;
            for (sample, power) in frame.iter().zip(&mut powers.channels) {
                // What is no number is silence to the engine, too.
                let sample = if sample.is_finite() { f64::from(*sample) } else { 0.0 };
                *power += sample * sample;
                mix += sample;
            }
            powers.mix += (mix / channels as f64).powi(2);
        }
        powers
    }

    fn add(&mut self, other: &Self) {
        self.channels.iter_mut().zip(&other.channels).for_each(|(sum, power)| *sum += power);
        self.mix += other.mix;
        self.frames += other.frames;
    }
}

fn dbfs(power: f64, frames: usize) -> f64 {
    (10.0 * (power / frames.max(1) as f64).log10()).max(SILENT_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two seconds: each channel sounds at its level and sign, with its own share of noise.
    fn recording(gains: &[f32], noise: f32) -> Recording {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from((state >> 16) as i16) / 32_768.0
        };
        let mut frame = |at: usize| -> Vec<f32> {
            let tone = (at as f32 * 300.0 / 16_000.0 * std::f32::consts::TAU).sin();
            gains.iter().map(|gain| gain * tone + noise * random()).collect()
        };
        let samples = (0..32_000).flat_map(&mut frame).collect();
        Recording { rate: 16_000, channels: gains.len() as u16, samples }
    }

    #[test]
    fn only_channels_that_cancel_are_reported() {
        let speech_in_ten_minutes = || {
            let mut recording = recording(&[0.1, -0.1], 0.0);
            recording.samples.resize(2 * 16_000 * 600, 0.0);
            recording
        };
        let cases: [(&str, Recording, Option<usize>); 14] = [
            ("one wire swapped", recording(&[0.1, -0.1], 0.0), Some(1)),
            ("swapped, unequal", recording(&[0.08, -0.09], 0.001), Some(2)),
            ("swapped, in a long silence", speech_in_ten_minutes(), Some(1)),
            ("two of eight", recording(&[0.0, 0.1, 0.0, -0.1, 0.0, 0.0, 0.0, 0.0], 0.0), Some(2)),
            ("mono", recording(&[0.1], 0.0), None),
            ("stereo", recording(&[0.1, 0.1], 0.001), None),
            ("one side only", recording(&[0.5, 0.0], 0.0), None),
            ("one side only, noise on the other", recording(&[0.5, 0.0], 0.01), None),
            ("one of eight", recording(&[0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0), None),
            ("one of eight, noise on all", recording(&[0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.01), None),
            ("swapped, half as loud", recording(&[0.1, -0.05], 0.0), None),
            ("noise of two microphones", recording(&[0.0, 0.0], 0.1), None),
            ("swapped and too quiet", recording(&[0.002, -0.002], 0.0), None),
            ("silence", recording(&[0.0, 0.0], 0.0), None),
        ];
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|(name, recording, want)| {
                let found = Cancelling::find(recording);
                let loudest = found.as_ref().map(Cancelling::loudest);
                (loudest != *want).then(|| format!("{name}: {found:?}, expected {want:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    #[test]
    fn what_is_no_number_is_silence() {
        let mut recording = recording(&[0.1, -0.1], 0.0);
        recording.samples[7] = f32::NAN;
        recording.samples[8] = f32::INFINITY;
        let text = Cancelling::find(&recording).expect("they cancel").to_string();
        assert!(text.contains("channel 1 has -23.0 dBFS, channel 2 has -23.0 dBFS"), "{text}");
    }
}
