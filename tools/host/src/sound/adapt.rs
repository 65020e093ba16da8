//! Sound in the format that a device wants.

use std::fmt;

use mynah_engine::scene::Format;
use mynah_systems::dsp::resampler::{
    Kernel, Mode, Quality, RateConverter, ResampleError, ResampleSpec, build,
};

/// Sample frames that are asked for at once, at most.
const CHUNK_FRAMES: usize = 256;

/// Reads sound of one format and gives it in another: of another rate, with other channels.
///
/// Channels: one goes to all; all become one by their mean; otherwise the first ones stay what they are, and others
/// are silent. The delay is that of the filter ([`delay_us`](Self::delay_us)) and does not change.
pub struct Adapt {
    from: Format,
    to: Format,
    /// Channels in the filter: the fewer ones.
    width: usize,
    converter: Box<dyn RateConverter>,
    /// As it is read.
    source: Vec<f32>,
    /// With the filter's channels.
    mixed: Vec<f32>,
    /// Converted, not yet given.
    waiting: Vec<f32>,
}

impl Adapt {
    /// Between two formats.
    ///
    /// # Errors
    /// [`ResampleError`]: a rate outside 8,000 to 192,000 Hz, or not 1 to 8 channels.
    pub fn new(from: Format, to: Format, quality: Quality) -> Result<Self, ResampleError> {
        for channels in [from.channels, to.channels] {
            if !mynah_systems::dsp::resampler::CHANNELS.contains(&channels) {
                return Err(ResampleError::Channels(channels));
            }
        }
        let channels = from.channels.min(to.channels);
        let spec = ResampleSpec {
            from_hz: from.rate_hz,
            to_hz: to.rate_hz,
            channels,
            quality,
            mode: Mode::Streaming,
            kernel: Kernel::Auto,
        };
        let mut converter = build(spec)?;
        let width = usize::from(channels);
        let most = converter.output_frames_max(CHUNK_FRAMES) + CHUNK_FRAMES;
        let (mixed, mut waiting) = (vec![0.0; CHUNK_FRAMES * width], Vec::with_capacity(most * width));
        // The filter takes its memory here, not in an audio callback.
        converter.push(&mixed, &mut waiting);
        converter.reset();
        waiting.clear();
        Ok(Self {
            source: vec![0.0; CHUNK_FRAMES * usize::from(from.channels)],
            mixed,
            waiting,
            from,
            to,
            width,
            converter,
        })
    }

    /// Fills `out` (interleaved, whole frames of the format that is given). `read` fills what it gets, frames of the
    /// format that is read, with the next of the sound: as often as needed, a few hundred frames at most each time.
    pub fn fill(&mut self, out: &mut [f32], mut read: impl FnMut(&mut [f32])) {
        let wide = usize::from(self.to.channels);
        // No more at once than there is room for in what waits.
        for piece in out.chunks_mut(CHUNK_FRAMES * wide) {
            let frames = piece.len() / wide;
            while self.waiting.len() < frames * self.width {
                let missing = frames - self.waiting.len() / self.width;
                self.convert(missing, &mut read);
            }
            let given = &self.waiting[..frames * self.width];
            for (to, from) in piece.chunks_mut(wide).zip(given.chunks(self.width)) {
                spread(from, to);
            }
            self.waiting.drain(..frames * self.width);
        }
    }

    /// Most audio that the filter withholds, microseconds.
    pub fn delay_us(&self) -> u32 {
        self.converter.delay_us()
    }

    /// Reads about what becomes `missing` frames.
    fn convert(&mut self, missing: usize, read: &mut impl FnMut(&mut [f32])) {
        let (from_hz, to_hz) = (self.from.rate_hz as usize, self.to.rate_hz as usize);
        let frames = (missing * from_hz).div_ceil(to_hz).clamp(1, CHUNK_FRAMES);
        let source = &mut self.source[..frames * usize::from(self.from.channels)];
        read(source);
        self.mixed.clear();
        for frame in source.chunks(usize::from(self.from.channels)) {
            match self.width {
                1 => self.mixed.push(frame.iter().sum::<f32>() / frame.len() as f32),
                width => self.mixed.extend_from_slice(&frame[..width]),
            }
        }
        self.converter.push(&self.mixed, &mut self.waiting);
    }
}

fn spread(from: &[f32], to: &mut [f32]) {
    if let [one] = from {
        return to.fill(*one);
    }
    to.fill(0.0);
    to[..from.len()].copy_from_slice(from);
}

impl fmt::Debug for Adapt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapt").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(rate_hz: u32, channels: u8) -> Format {
        Format { rate_hz, channels }
    }

    /// Sound that never repeats within a test.
    fn source(at: usize) -> f32 {
        (at as f32 * 0.013).sin() * 0.5 + (at as f32 * 0.11).sin() * 0.3
    }

    /// A reader of the source, the same in every channel but for its sign in the second.
    fn reader(channels: usize) -> impl FnMut(&mut [f32]) {
        let mut at = 0;
        move |samples| {
            for frame in samples.chunks_mut(channels) {
                frame
                    .iter_mut()
                    .enumerate()
                    .for_each(|(c, s)| *s = if c == 1 { -source(at) } else { source(at) });
                at += 1;
            }
        }
    }

    fn adapted(from: Format, to: Format, blocks: &[usize]) -> Vec<f32> {
        let mut adapt = Adapt::new(from, to, Quality::Standard).expect("customary formats");
        let mut read = reader(usize::from(from.channels));
        let mut all = Vec::new();
        for frames in blocks {
            let mut block = vec![f32::NAN; frames * usize::from(to.channels)];
            adapt.fill(&mut block, &mut read);
            all.extend_from_slice(&block);
        }
        all
    }

    #[test]
    fn it_is_the_resampler_however_it_is_asked() {
        for (from_hz, to_hz) in [(16_000, 48_000), (48_000, 44_100), (44_100, 16_000), (24_000, 24_000)] {
            let spec = ResampleSpec {
                from_hz,
                to_hz,
                channels: 1,
                quality: Quality::Standard,
                mode: Mode::Streaming,
                kernel: Kernel::Auto,
            };
            let mut outside = Vec::new();
            let whole: Vec<f32> = (0..40_000).map(source).collect();
            build(spec).expect("customary rates").push(&whole, &mut outside);
            for blocks in [vec![1; 3_000], vec![128; 40], vec![4_800, 16, 1_024], vec![441; 9]] {
                let all = adapted(format(from_hz, 1), format(to_hz, 1), &blocks);
                let far = all.iter().zip(&outside).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 1e-6, "{from_hz} to {to_hz} Hz, {} blocks: {far} apart", blocks.len());
            }
        }
    }

    #[test]
    fn channels_go_where_they_belong() {
        let rows: [(u8, u8, &[f32]); 6] = [
            (1, 2, &[1.0, 1.0]),
            (2, 1, &[0.0]),
            (2, 2, &[1.0, -1.0]),
            (1, 6, &[1.0; 6]),
            (2, 4, &[1.0, -1.0, 0.0, 0.0]),
            (4, 2, &[1.0, -1.0]),
        ];
        for (from, to, gains) in rows {
            let all = adapted(format(16_000, from), format(16_000, to), &[300]);
            for (at, frame) in all.chunks(usize::from(to)).enumerate() {
                let want: Vec<f32> = gains.iter().map(|gain| gain * source(at)).collect();
                assert_eq!(frame, want, "{from} to {to} channels, frame {at}");
            }
        }
    }

    #[test]
    fn formats_that_do_not_exist_are_refused() {
        let good = format(48_000, 2);
        for bad in [format(1_000, 2), format(48_000, 0), format(48_000, 9)] {
            assert!(Adapt::new(bad, good, Quality::Fast).is_err(), "{bad:?}");
            assert!(Adapt::new(good, bad, Quality::Fast).is_err(), "{bad:?}");
        }
    }
}
