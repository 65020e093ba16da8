//! Audio that goes to a service with a call.

use crate::media::block::Block;
use crate::scene::Format;

/// Audio of one session, in order.
#[derive(Debug)]
pub struct Sound {
    /// Layout of the samples.
    pub format: Format,
    /// At most 20 ms each.
    pub blocks: Vec<Block>,
}

impl Sound {
    /// Sample frames in all blocks.
    pub fn frames(&self) -> u64 {
        let samples: usize = self.blocks.iter().map(Block::len).sum();
        (samples / usize::from(self.format.channels).max(1)) as u64
    }

    /// The samples, interleaved.
    pub fn samples(&self) -> impl Iterator<Item = f32> {
        self.blocks.iter().flat_map(|block| block.samples().iter().copied())
    }

    /// Appends `us` microseconds of silence, rounded to sample frames.
    pub(crate) fn pause(&mut self, us: u64) {
        let frames = ((us * u64::from(self.format.rate_hz) + 500_000) / 1_000_000) as usize;
        let most = (self.format.rate_hz as usize / 50).max(1);
        let channels = usize::from(self.format.channels);
        let lengths = (0..frames).step_by(most).map(|from| most.min(frames - from));
        self.blocks.extend(lengths.map(|length| Block::zeroed(length * channels)));
    }
}

/// The copy shares the samples.
impl Clone for Sound {
    fn clone(&self) -> Self {
        Self { format: self.format, blocks: self.blocks.iter().map(Block::share).collect() }
    }
}
