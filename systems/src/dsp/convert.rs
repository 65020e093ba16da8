//! Converts audio between formats at the edge of a scene: for sessions that hear in another format than the scene's, and
//! for recordings that hosts have played.

use bevy_platform::cell::SyncCell;
use mynah_engine::scene::{Format, FormatConverter};

use crate::dsp::downmix::downmix;
use crate::dsp::resampler::{self, Kernel, Mode, Quality, RateConverter, ResampleSpec};

/// Rates by the streaming resampler; channels by their mean where fewer leave, by copies of the mean where more do.
struct Converter {
    from: u8,
    to: u8,
    rate: SyncCell<Box<dyn RateConverter>>,
    /// What is converted at present, with as many channels as pass the resampler.
    folded: Vec<f32>,
    converted: Vec<f32>,
}

/// Makes the converter from one format to another.
///
/// # Errors
/// A rate or a number of channels that the resampler does not take.
pub fn build(from: Format, to: Format) -> Result<Box<dyn FormatConverter>, String> {
    if !resampler::CHANNELS.contains(&to.channels) {
        let (least, most) = (resampler::CHANNELS.start(), resampler::CHANNELS.end());
        return Err(format!("{} channels are out of range; expected {least} to {most}", to.channels));
    }
    let channels = if from.channels == to.channels { from.channels } else { 1 };
    let spec = ResampleSpec {
        from_hz: from.rate_hz,
        to_hz: to.rate_hz,
        channels,
        quality: Quality::Standard,
        mode: Mode::Streaming,
        kernel: Kernel::Auto,
    };
    let rate = SyncCell::new(resampler::build(spec).map_err(|error| error.to_string())?);
    Ok(Box::new(Converter {
        from: from.channels,
        to: to.channels,
        rate,
        folded: Vec::new(),
        converted: Vec::new(),
    }))
}

impl Converter {
    /// Appends what was converted, with as many channels as leave.
    fn spread(&self, output: &mut Vec<f32>) {
        if self.from == self.to || self.to == 1 {
            return output.extend_from_slice(&self.converted);
        }
        let copies = usize::from(self.to);
        output.extend(self.converted.iter().flat_map(|sample| std::iter::repeat_n(*sample, copies)));
    }
}

impl FormatConverter for Converter {
    fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.converted.clear();
        if self.from == self.to {
            self.rate.get().push(input, &mut self.converted);
        } else {
            self.folded.clear();
            self.folded.extend_from_slice(input);
            downmix(&mut self.folded, self.from);
            self.rate.get().push(&self.folded, &mut self.converted);
        }
        self.spread(output);
    }

    fn flush(&mut self, output: &mut Vec<f32>) {
        self.converted.clear();
        self.rate.get().flush(&mut self.converted);
        self.spread(output);
    }

    fn reset(&mut self) {
        self.rate.get().reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONO_16K: Format = Format { rate_hz: 16_000, channels: 1 };
    const STEREO_44K: Format = Format { rate_hz: 44_100, channels: 2 };

    #[test]
    fn a_stream_in_pieces_is_the_stream_at_once() {
        let input: Vec<f32> = (0..16_000).map(|at| (at as f32 * 0.05).sin() * 0.5).collect();
        let convert = |piece: usize| {
            let (mut converter, mut output) = (build(MONO_16K, STEREO_44K).unwrap(), Vec::new());
            input.chunks(piece).for_each(|piece| converter.push(piece, &mut output));
            converter.flush(&mut output);
            output
        };
        let whole = convert(input.len());
        assert_eq!(whole.len(), 2 * 44_100);
        assert!(whole.as_chunks::<2>().0.iter().all(|[left, right]| left == right));
        for piece in [1, 37, 320, 4_096] {
            let far = convert(piece).iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-6, "{piece}: {far}");
        }
    }

    #[test]
    fn fewer_channels_leave_as_their_mean() {
        let (mut converter, mut output) =
            (build(STEREO_44K, Format { channels: 1, ..STEREO_44K }).unwrap(), Vec::new());
        converter.push(&[0.5, -0.25, 1.0, 1.0], &mut output);
        converter.flush(&mut output);
        assert_eq!(output, [0.125, 1.0]);
    }
}
