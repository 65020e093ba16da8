//! When a voice speaks, a host's other sounds make way.

/// An envelope that rises to 1 while a voice speaks and falls to 0 when it is silent. What a host does with it is its
/// own: `1 - 0.7 * envelope` is a gain that takes 10 dB off the music.
#[derive(Clone, Copy, Debug)]
pub struct Duck {
    /// Change per sample frame.
    rise: f32,
    fall: f32,
    at: f32,
}

/// The envelope over one block: a straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// At its first sample frame, 0..1.
    pub from: f32,
    /// After its last one, 0..1.
    pub to: f32,
}

impl Duck {
    /// At 0. `rise_ms`: the whole way up, 60 is quick and not abrupt; `fall_ms`: the whole way down, 600 bridges the
    /// pauses between sentences. Times below one sample frame count as one.
    pub fn new(rate_hz: u32, rise_ms: f32, fall_ms: f32) -> Self {
        let step = |ms: f32| 1.0 / (ms * rate_hz as f32 / 1_000.0).max(1.0);
        Self { rise: step(rise_ms), fall: step(fall_ms), at: 0.0 }
    }

    /// The envelope over the next `frames` sample frames, in which the voice `speaks` or does not.
    pub fn follow(&mut self, speaks: bool, frames: usize) -> Ramp {
        let from = self.at;
        let step = if speaks { self.rise } else { -self.fall };
        self.at = (from + step * frames as f32).clamp(0.0, 1.0);
        Ramp { from, to: self.at }
    }
}

impl Ramp {
    /// Turns interleaved samples down by the envelope: by `depth` (0..1, linear) where it is 1. The gain changes with
    /// each sample frame, so that no step is heard.
    pub fn duck(self, samples: &mut [f32], channels: u8, depth: f32) {
        let width = usize::from(channels.max(1));
        let frames = samples.len() / width;
        let slope = (self.to - self.from) / frames.max(1) as f32;
        for (at, frame) in samples.chunks_mut(width).enumerate() {
            let gain = 1.0 - depth * (self.from + slope * at as f32);
            frame.iter_mut().for_each(|sample| *sample *= gain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_follows_at_its_times_however_blocks_are_cut() {
        for block in [1, 48, 128, 480] {
            let mut duck = Duck::new(48_000, 50.0, 500.0);
            let mut over = |speaks, ms: usize| {
                let (mut left, mut last) = (ms * 48, duck.at);
                while left > 0 {
                    let frames = block.min(left);
                    let ramp = duck.follow(speaks, frames);
                    assert_eq!(ramp.from, last, "no step between blocks");
                    (left, last) = (left - frames, ramp.to);
                }
                last
            };
            let near = |got: f32, want: f32| assert!((got - want).abs() < 1e-3, "{got}, not {want}: {block}");
            near(over(false, 100), 0.0);
            near(over(true, 25), 0.5);
            near(over(true, 100), 1.0);
            near(over(false, 250), 0.5);
            near(over(true, 100), 1.0);
            near(over(false, 1_000), 0.0);
        }
    }

    #[test]
    fn a_ducked_tone_has_no_steps() {
        let mut duck = Duck::new(48_000, 5.0, 5.0);
        let mut last = 1.0;
        for block in 0..20 {
            let mut music = [1.0; 2 * 128];
            duck.follow((5..10).contains(&block), 128).duck(&mut music, 2, 0.7);
            for frame in music.chunks(2) {
                assert_eq!(frame[0], frame[1], "both channels alike");
                assert!((frame[0] - last).abs() <= 0.7 / 240.0 + 1e-6, "from {last} to {}", frame[0]);
                assert!((0.3 - 1e-6..=1.0).contains(&frame[0]));
                last = frame[0];
            }
        }
    }
}
