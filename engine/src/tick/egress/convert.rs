//! The output of a session in a format of its own: the last conversion before audio leaves.

use crate::scene::{Format, FormatConverter};

/// The formats on both sides of a converter.
#[derive(Clone, Copy)]
pub(crate) struct Formats {
    from: Format,
    to: Format,
}

/// A converter, and what has come out of it.
pub(crate) struct Conversion {
    converter: Box<dyn FormatConverter>,
    formats: Formats,
    /// Samples that leave now.
    pub(crate) out: Vec<f32>,
}

/// Samples that may come out of a converter beyond what went in, as sample frames: those of its delay.
const TAIL_FRAMES: usize = 512;

impl Formats {
    /// Most samples that come out for a block of `samples`, or at an end for none.
    pub(crate) fn out_max(&self, samples: usize) -> usize {
        let frames = samples / usize::from(self.from.channels);
        let converted = (frames as u64 * u64::from(self.to.rate_hz)).div_ceil(u64::from(self.from.rate_hz));
        (converted as usize + TAIL_FRAMES) * usize::from(self.to.channels)
    }
}

impl Conversion {
    pub(crate) fn new(converter: Box<dyn FormatConverter>, from: Format, to: Format) -> Self {
        Self { converter, formats: Formats { from, to }, out: Vec::new() }
    }

    pub(crate) fn formats(&self) -> Formats {
        self.formats
    }

    /// Converts a block of the stream.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.out.clear();
        self.converter.push(samples, &mut self.out);
    }

    /// Ends the stream.
    pub(crate) fn flush(&mut self) {
        self.out.clear();
        self.converter.flush(&mut self.out);
    }

    /// Drops what is left of the stream.
    pub(crate) fn reset(&mut self) {
        self.out.clear();
        self.converter.reset();
    }
}
