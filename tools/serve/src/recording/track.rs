//! Two voices on one time line, in one rate: frames of left and right, complete up to a time.

use std::collections::VecDeque;

/// One voice: pieces that begin at a time or follow without a gap.
#[derive(Debug, Default)]
struct Voice {
    /// Frame of `samples[0]` on the time line.
    first: u64,
    samples: VecDeque<f32>,
}

impl Voice {
    fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    /// Puts a piece at frame `at`, or behind what is there already; a gap is silent.
    fn put(&mut self, at: u64, piece: impl Iterator<Item = f32>) {
        let silent = at.saturating_sub(self.end());
        self.samples.extend(std::iter::repeat_n(0.0, silent as usize));
        self.samples.extend(piece);
    }

    /// Its frame `at`, which is taken out; silent where there is none.
    fn next(&mut self, at: u64) -> f32 {
        if at < self.first {
            return 0.0;
        }
        self.first = at + 1;
        self.samples.pop_front().unwrap_or(0.0)
    }
}

/// The time line.
#[derive(Debug)]
pub(super) struct Track {
    rate_hz: u64,
    voices: [Voice; 2],
    /// Frames taken out.
    taken: u64,
}

/// Which voice.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Caller,
    Scene,
}

impl Track {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self { rate_hz: u64::from(rate_hz.max(1)), voices: Default::default(), taken: 0 }
    }

    /// Puts mono `samples` at `rate_hz` where they sound: at `at_us` since the beginning, or behind what its voice has
    /// said until then. Between the rates the nearest sample is taken: these files are to be listened to.
    pub(super) fn put(&mut self, side: Side, at_us: u64, rate_hz: u32, samples: &[f32]) {
        let (from, to) = (u64::from(rate_hz.max(1)), self.rate_hz);
        let frames = samples.len() as u64 * to / from;
        let at = (at_us * to / 1_000_000).max(self.taken);
        let piece = (0..frames).map(|frame| samples[(frame * from / to) as usize]);
        self.voices[side as usize].put(at, piece);
    }

    /// Takes out what is complete up to `until_us`: frames of left and right.
    pub(super) fn take(&mut self, until_us: u64, out: &mut Vec<f32>) {
        let until = until_us * self.rate_hz / 1_000_000;
        while self.taken < until {
            let [caller, scene] = &mut self.voices;
            out.extend([caller.next(self.taken), scene.next(self.taken)]);
            self.taken += 1;
        }
    }

    /// When the last voice ends, microseconds.
    pub(super) fn end_us(&self) -> u64 {
        let end = self.voices.iter().map(Voice::end).max().unwrap_or(0).max(self.taken);
        (end * 1_000_000).div_ceil(self.rate_hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_lie_where_they_sound_and_gaps_are_silent() {
        let mut track = Track::new(1_000);
        track.put(Side::Caller, 1_000, 1_000, &[0.5, 0.5]);
        track.put(Side::Scene, 4_000, 2_000, &[0.25; 4]);
        // Behind what the voice has said already, although it came early.
        track.put(Side::Caller, 2_000, 1_000, &[0.75]);
        let mut frames = Vec::new();
        track.take(2_000, &mut frames);
        assert_eq!(frames, [0.0, 0.0, 0.5, 0.0]);
        assert_eq!(track.end_us(), 6_000);
        track.take(track.end_us(), &mut frames);
        let right: Vec<f32> = frames.iter().skip(1).step_by(2).copied().collect();
        let left: Vec<f32> = frames.iter().step_by(2).copied().collect();
        assert_eq!(left, [0.0, 0.5, 0.5, 0.75, 0.0, 0.0]);
        assert_eq!(right, [0.0, 0.0, 0.0, 0.0, 0.25, 0.25]);
    }
}
