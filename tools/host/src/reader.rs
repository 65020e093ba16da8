//! A session's sound as a device wants it.

use std::fmt;

use mynah_engine::edge::{AudioOut, Read};
use mynah_engine::scene::Format;
use mynah_systems::dsp::resampler::{Quality, ResampleError};

use crate::sound::{Adapt, Fade, HoleFinder, Holes, Level, Piece};

/// Reads a session's sound in the format of a device: with [`Adapt`] to its rate and channels, with [`Fade`] where it has
/// holes or is cut, and with the [`Level`] of what leaves.
///
/// For the thread of a sound device: nothing here allocates, locks or waits.
pub struct Reader {
    output: AudioOut,
    device: Format,
    adapt: Adapt,
    fade: Fade,
    /// What was read last was not all sound.
    hole: bool,
    /// The turn that was read last.
    turn: u32,
    level: Level,
    holes: HoleFinder,
}

impl Reader {
    /// For the sound of a session, and a device.
    ///
    /// # Errors
    /// [`ResampleError`]: a rate outside 8,000 to 192,000 Hz, or not 1 to 8 channels.
    pub fn new(output: AudioOut, device: Format) -> Result<Self, ResampleError> {
        let from = output.format();
        Ok(Self {
            adapt: Adapt::new(from, device, Quality::Standard)?,
            fade: Fade::new(from.rate_hz, from.channels),
            output,
            device,
            hole: true,
            turn: 0,
            level: Level::default(),
            holes: HoleFinder::default(),
        })
    }

    /// The device's format.
    pub fn format(&self) -> Format {
        self.device
    }

    /// The end that is read.
    pub fn output(&self) -> &AudioOut {
        &self.output
    }

    /// Gives the end back, for a reader in another format; what the filter had is lost.
    pub fn into_output(self) -> AudioOut {
        self.output
    }

    /// How loud the last [`read`](Self::read) was, fades and silence included.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Holes in the answers so far, their length at the device's rate.
    pub fn holes(&self) -> Holes {
        let Holes { count, frames } = self.holes.found();
        let (from_hz, to_hz) = (u64::from(self.output.format().rate_hz), u64::from(self.device.rate_hz));
        Holes { count, frames: (frames * to_hz).div_ceil(from_hz) }
    }

    /// The silence up to the next sound is meant, and no hole: the answer waits, as
    /// [`AnswerPaused`](mynah_engine::SessionEvent::AnswerPaused) says. To be called before each read while it does.
    pub fn expect_silence(&mut self) {
        self.holes.expect_silence();
    }

    /// Sound is heard so much later than it is read, microseconds: the filter's delay. It belongs into
    /// [`latency_ms`](mynah_engine::SessionSpec::latency_ms), beside the device's own.
    pub fn delay_us(&self) -> u32 {
        self.adapt.delay_us()
    }

    /// Fills `out` with interleaved samples, whole sample frames of the device's format. What is told of turns, beginnings,
    /// ends and cuts is that of the sound taken from the session for it; `frames` and `skipped` count at the device's rate, and
    /// `level` the root mean square of `out`.
    pub fn read(&mut self, out: &mut [f32]) -> Read {
        let Self { output, adapt, fade, hole, turn, holes, .. } = self;
        let mut all = Read::default();
        let (mut frames, mut skipped) = (0, 0);
        let channels = usize::from(output.format().channels);
        adapt.fill(out, |source| {
            let read = output.read(source);
            holes.take(read, source.len() / channels);
            fade.apply(source, piece(read, source.len() / channels, *hole));
            *hole = read.frames * channels < source.len();
            *turn = read.turn;
            frames += read.frames;
            skipped += read.skipped;
            all.began |= read.began;
            all.ended |= read.ended;
            all.cut |= read.cut;
        });
        let (from_hz, to_hz) = (output.format().rate_hz as usize, self.device.rate_hz as usize);
        let whole = out.len() / usize::from(self.device.channels);
        all.frames = (frames * to_hz).div_ceil(from_hz).min(whole);
        all.skipped = (skipped * to_hz).div_ceil(from_hz);
        all.turn = *turn;
        self.level = Level::of(out);
        all.level = self.level.rms;
        all
    }
}

/// What a fade has to know of a read of `length` sample frames that follows a hole, or sound.
fn piece(read: Read, length: usize, hole: bool) -> Piece {
    // An answer that follows other sound in the same read begins somewhere in it.
    let began = read.began && (hole || read.cut);
    let ended = read.ended && read.frames < length && (began || !read.began);
    Piece { frames: read.frames, began, ended, cut: read.cut }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("output", &self.output)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}
