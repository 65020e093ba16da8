//! No click where sound has a hole or is cut.

use super::CHANNELS_MAX;

/// Length of a fade, milliseconds: short enough to keep every consonant, long enough to be no click.
pub const FADE_MS: u32 = 5;

/// What is known of the block that [`Fade::apply`] gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Sample frames from the beginning that are sound; the rest is a hole.
    pub frames: usize,
    /// An answer begins with the first frame: it is heard as it was recorded.
    pub began: bool,
    /// An answer ends with the last frame of sound: it is heard as it was recorded.
    pub ended: bool,
    /// Something before the first frame was taken out: what was played last does not go on with it.
    pub cut: bool,
}

/// Smooths the edges of holes and cuts in one stream of sound.
///
/// Sound that breaks off has been played already when that is known. So nothing is held back for it: from where it broke
/// off its last sample falls to zero over [`FADE_MS`], and sound that sets in after a hole rises from zero. At a cut
/// both happen at once.
#[derive(Clone, Debug)]
pub struct Fade {
    width: usize,
    /// Length of a fade in sample frames.
    length: usize,
    /// The last sample played of each channel.
    last: [f32; CHANNELS_MAX],
    /// The samples that fall to zero, and how far they still have to go in frames.
    tail: [f32; CHANNELS_MAX],
    tail_left: usize,
    /// How far sound that sets in still has to rise, in frames.
    rise_left: usize,
    /// What comes next does not go on with what was played.
    broken: bool,
}

impl Fade {
    /// For sound of this rate and 1 to 8 channels; more are taken for 8.
    pub fn new(rate_hz: u32, channels: u8) -> Self {
        let width = usize::from(channels.max(1)).min(CHANNELS_MAX);
        Self {
            width,
            length: (rate_hz as usize * FADE_MS as usize / 1_000).max(1),
            last: [0.0; CHANNELS_MAX],
            tail: [0.0; CHANNELS_MAX],
            tail_left: 0,
            rise_left: 0,
            broken: false,
        }
    }

    /// Smooths a block of interleaved samples in place; what stands in its hole is overwritten.
    pub fn apply(&mut self, samples: &mut [f32], piece: Piece) {
        let width = self.width;
        let valid = (piece.frames * width).min(samples.len() / width * width);
        let (sound, hole) = samples.split_at_mut(valid);
        if !sound.is_empty() {
            self.set_in(piece);
        }
        for frame in sound.chunks_exact_mut(width) {
            let gain = self.rise();
            frame.iter_mut().for_each(|sample| *sample *= gain);
            self.play(frame);
        }
        if !sound.is_empty() && piece.ended {
            // A recording that ends is no hole, and the next one is no continuation.
            self.last = [0.0; CHANNELS_MAX];
            self.broken = false;
        } else if !hole.is_empty() && !self.broken {
            self.break_off();
        }
        for frame in hole.chunks_mut(width) {
            frame.fill(0.0);
            self.play(frame);
        }
    }

    /// Before the first sound of a block.
    fn set_in(&mut self, piece: Piece) {
        let follows = !self.broken && !piece.cut && !piece.began;
        if !follows && self.last != [0.0; CHANNELS_MAX] && !self.broken {
            self.break_off();
        }
        // Beside something that still falls even a beginning has to rise.
        if (self.broken || piece.cut) && (!piece.began || self.tail_left > 0) {
            self.rise_left = self.length;
        }
        self.broken = false;
    }

    fn break_off(&mut self) {
        (self.tail, self.tail_left) = (self.last, self.length);
        (self.rise_left, self.broken) = (0, true);
    }

    /// The gain of the next frame of sound.
    fn rise(&mut self) -> f32 {
        let gain = 1.0 - self.rise_left as f32 / self.length as f32;
        self.rise_left = self.rise_left.saturating_sub(1);
        gain
    }

    /// Adds what still falls to a frame, and keeps it as the last one played.
    fn play(&mut self, frame: &mut [f32]) {
        self.tail_left = self.tail_left.saturating_sub(1);
        let gain = self.tail_left as f32 / self.length as f32;
        for (channel, sample) in frame.iter_mut().enumerate() {
            *sample += self.tail[channel] * gain;
            self.last[channel] = *sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 48_000;
    const LENGTH: usize = 240;

    /// A low tone at full scale, whose own steps are below 0.007.
    fn tone(at: usize) -> f32 {
        (at as f32 * 50.0 * std::f32::consts::TAU / RATE_HZ as f32).cos()
    }

    /// Plays blocks of 128 frames and returns the samples and the greatest step between two of them, from silence on.
    fn played(pieces: &[(Piece, usize)]) -> (Vec<f32>, f32) {
        let mut fade = Fade::new(RATE_HZ, 1);
        let mut all = Vec::new();
        for (piece, from) in pieces {
            // What stands in the hole is nonsense.
            let mut block: Vec<f32> =
                (0..128).map(|at| if at < piece.frames { tone(from + at) } else { f32::NAN }).collect();
            fade.apply(&mut block, *piece);
            all.extend_from_slice(&block);
        }
        let steps = all.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        let most = steps.fold(0.0, f32::max);
        assert!(all.iter().all(|sample| sample.is_finite()));
        (all, most)
    }

    fn whole(from: usize) -> (Piece, usize) {
        (Piece { frames: 128, ..Piece::default() }, from)
    }

    /// The tone's own step, and those of a fall and a rise at once.
    const STEP_MAX: f32 = 0.007 + 2.5 / LENGTH as f32;

    #[test]
    fn sound_without_holes_is_left_as_it_is() {
        let first = (Piece { frames: 128, began: true, ..Piece::default() }, 0);
        let last = (Piece { frames: 50, ended: true, ..Piece::default() }, 256);
        let (all, _) = played(&[first, whole(128), last]);
        let as_recorded: Vec<f32> = (0..306).map(tone).collect();
        assert_eq!(all[..306], as_recorded);
        assert!(all[306..].iter().all(|sample| *sample == 0.0), "behind the end is silence");
    }

    #[test]
    fn holes_make_no_step_wherever_they_begin_and_however_long_they_are() {
        for holed in [0, 1, 64, 127] {
            for empty in [0, 1, 2, 5] {
                let first = (Piece { frames: 128, began: true, ..Piece::default() }, 0);
                let holed = (Piece { frames: holed, ..Piece::default() }, 128);
                let mut pieces = vec![first, holed];
                pieces.extend(vec![(Piece::default(), 0); empty]);
                // What comes then begins anywhere in the tone.
                pieces.extend([whole(700), whole(828), whole(956), whole(1084)]);
                let (all, most) = played(&pieces);
                assert!(most <= STEP_MAX, "{holed:?}, {empty} empty: a step of {most}");
                let back = all.len() - 100;
                assert_eq!(all[back..], (1112..1212).map(tone).collect::<Vec<_>>(), "it is the tone again");
            }
        }
    }

    #[test]
    fn cuts_make_no_step_with_or_without_a_hole() {
        let first = (Piece { frames: 128, began: true, ..Piece::default() }, 0);
        let cut = (Piece { frames: 128, cut: true, ..Piece::default() }, 480);
        let other = (Piece { frames: 128, began: true, cut: true, ..Piece::default() }, 480);
        let silenced = (Piece { cut: true, ..Piece::default() }, 0);
        for pieces in [
            vec![first, cut, whole(608), whole(736)],
            vec![first, other, whole(608), whole(736)],
            vec![first, (Piece { cut: false, ..other.0 }, 480), whole(608), whole(736)],
            vec![first, silenced, silenced, silenced],
            vec![first, silenced, cut, whole(608), cut, whole(608), whole(736)],
        ] {
            let (_, most) = played(&pieces);
            assert!(most <= STEP_MAX, "{pieces:?}: a step of {most}");
        }
    }

    #[test]
    fn each_channel_fades_from_its_own_sample() {
        let mut fade = Fade::new(RATE_HZ, 2);
        let mut block = [0.5, -1.0].repeat(10);
        fade.apply(&mut block, Piece { frames: 10, began: true, ..Piece::default() });
        let mut hole = [9.0; 2 * LENGTH];
        fade.apply(&mut hole, Piece::default());
        for (at, frame) in hole.chunks(2).enumerate() {
            let gain = 1.0 - (at + 1) as f32 / LENGTH as f32;
            assert!(
                (frame[0] - 0.5 * gain).abs() < 1e-6 && (frame[1] + gain).abs() < 1e-6,
                "{at}: {frame:?}"
            );
        }
        assert_eq!(hole[2 * LENGTH - 2..], [0.0, 0.0], "silence in 5 ms");
    }
}
