//! The output of a session as one recording: the caller's own audio at its media time, answers at the time of their
//! release, silence between; or everything one after the other.

use mynah_engine::scene::Format;

use crate::run::peaks::Peaks;

/// What becomes of the gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// They are silent.
    Placed,
    /// They are left out.
    Packed,
}

/// Blocks that begin this close to the end of the ones before follow them without a seam. Times are whole
/// microseconds, so they say to which sample frame only nearly; blocks of their own are never this near.
const SEAM_US: u64 = 1_000;

/// Audio on a time axis, interleaved.
#[derive(Debug, Default)]
struct Strip {
    samples: Vec<f32>,
    /// Frame behind the block placed last.
    end: usize,
}

/// One released block.
#[derive(Clone, Copy, Debug)]
pub struct Released<'a> {
    /// Interleaved, in the track's format.
    pub samples: &'a [f32],
    /// Media time of the first sample.
    pub pts_us: u64,
    /// Engine time of the release; media time 0 is engine time 0.
    pub released_us: u64,
    /// The segment it belongs to or answers.
    pub segment: u32,
    /// The revision it was derived from; 0 = the caller's own audio.
    pub revision: u32,
    /// The turn; 0 = none.
    pub turn: u32,
}

/// An answer as it sounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The segment it answers.
    pub segment: u32,
    /// The revision it was derived from.
    pub revision: u32,
    /// The turn it belongs to; 0 = none.
    pub turn: u32,
    /// Engine time at which it begins to sound.
    pub from_us: u64,
    /// Engine time at which it is over, or was taken back.
    pub to_us: u64,
}

/// The output of one session.
#[derive(Debug)]
pub struct Track {
    format: Format,
    placement: Placement,
    own: Strip,
    answer: Strip,
    answers: Vec<Answer>,
    frames: u64,
}

impl Track {
    /// An empty track.
    pub fn new(format: Format, placement: Placement) -> Self {
        let (own, answer) = (Strip::default(), Strip::default());
        Self { format, placement, own, answer, answers: Vec::new(), frames: 0 }
    }

    /// Format of the track.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The answers in it.
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// Sample frames released.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How everything placed so far sounds together. A packed track has no places: it shows as silence.
    pub fn peaks(&self) -> Peaks {
        let mut peaks = Peaks::new(u64::MAX);
        if self.placement == Placement::Placed {
            for strip in [&self.own, &self.answer] {
                peaks.add(0, &strip.samples, usize::from(self.format.channels), self.format.rate_hz);
            }
        }
        peaks
    }

    /// Places one block.
    pub fn add(&mut self, block: Released<'_>) {
        let channels = usize::from(self.format.channels);
        self.frames += (block.samples.len() / channels) as u64;
        if block.revision > 0 {
            self.add_answer(block);
            return;
        }
        let at = match self.placement {
            Placement::Packed => self.own.end,
            Placement::Placed => self.seam(self.own.end, block.pts_us),
        };
        self.own.put(at, block.samples, channels);
    }

    /// `end`, if `us` is nearly there; the frame at `us` otherwise.
    fn seam(&self, end: usize, us: u64) -> usize {
        let at = self.frame_at(us);
        let near = (SEAM_US * u64::from(self.format.rate_hz) / 1_000_000) as usize;
        if at.abs_diff(end) <= near { end } else { at }
    }

    fn add_answer(&mut self, block: Released<'_>) {
        let channels = usize::from(self.format.channels);
        let Released { segment, revision, turn, released_us, .. } = block;
        let goes_on = self.answers.last().is_some_and(|a| (a.segment, a.revision) == (segment, revision));
        if self.placement == Placement::Packed {
            let at = self.own.end;
            self.own.put(at, block.samples, channels);
        } else {
            let released = self.frame_at(released_us);
            // What is handed over ahead of time is played behind what is still playing.
            let at = if goes_on { self.answer.end } else { self.answer.end.max(released) };
            self.answer.put(at, block.samples, channels);
        }
        if !goes_on {
            let from_us = self.answers.last().map_or(released_us, |a| a.to_us.max(released_us));
            self.answers.push(Answer { segment, revision, turn, from_us, to_us: from_us });
        }
        let us = (block.samples.len() / channels) as u64 * 1_000_000 / u64::from(self.format.rate_hz);
        if let Some(answer) = self.answers.last_mut() {
            answer.to_us += us;
        }
    }

    /// An answer was taken back after it had begun to leave: what has not sounded at `now_us` never does. A packed
    /// track keeps it.
    pub fn flush(&mut self, segment: u32, revision: u32, now_us: u64) {
        let Some(last) = self.answers.last_mut() else { return };
        if (last.segment, last.revision) != (segment, revision) || last.to_us <= now_us {
            return;
        }
        last.to_us = now_us.max(last.from_us);
        if self.placement == Placement::Placed {
            let keep = self.frame_at(now_us).min(self.answer.end);
            self.answer.samples.truncate(keep * usize::from(self.format.channels));
            self.answer.end = keep;
        }
    }

    fn frame_at(&self, us: u64) -> usize {
        ((us * u64::from(self.format.rate_hz) + 500_000) / 1_000_000) as usize
    }

    /// The finished recording, interleaved; ends with the last released sample.
    pub fn into_samples(self) -> Vec<f32> {
        if self.own.samples.len() >= self.answer.samples.len() {
            mixed(self.own.samples, &self.answer.samples)
        } else {
            mixed(self.answer.samples, &self.own.samples)
        }
    }

    /// The recording so far, interleaved.
    pub fn samples(&self) -> Vec<f32> {
        let (own, answer) = (&self.own.samples, &self.answer.samples);
        if own.len() >= answer.len() { mixed(own.clone(), answer) } else { mixed(answer.clone(), own) }
    }

    /// Whether gaps are left out.
    pub fn is_packed(&self) -> bool {
        self.placement == Placement::Packed
    }
}

/// Two sounds at once; `long` is at least as long as `short`.
fn mixed(mut long: Vec<f32>, short: &[f32]) -> Vec<f32> {
    for (sum, sample) in long.iter_mut().zip(short) {
        *sum += sample;
    }
    long
}

impl Strip {
    fn put(&mut self, at: usize, samples: &[f32], channels: usize) {
        let (from, to) = (at * channels, at * channels + samples.len());
        if self.samples.len() < to {
            self.samples.resize(to, 0.0);
        }
        self.samples[from..to].copy_from_slice(samples);
        self.end = to / channels;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format { rate_hz: 1_000, channels: 1 };

    fn own(samples: &[f32], pts_us: u64) -> Released<'_> {
        Released { samples, pts_us, released_us: pts_us + 50_000, segment: 1, revision: 0, turn: 1 }
    }

    fn answer(samples: &[f32], released_us: u64, revision: u32) -> Released<'_> {
        Released { samples, pts_us: 0, released_us, segment: 1, revision, turn: 1 }
    }

    fn track(placement: Placement, blocks: &[Released<'_>]) -> Track {
        let mut track = Track::new(FORMAT, placement);
        for block in blocks {
            track.add(*block);
        }
        track
    }

    #[test]
    fn the_callers_audio_lies_at_its_media_time_without_seams() {
        // 2 ms late by rounding is a gap, 1 ms is none.
        let blocks = [own(&[1.0, 2.0], 3_000), own(&[3.0], 5_900), own(&[4.0], 8_000)];
        let placed = track(Placement::Placed, &blocks).into_samples();
        assert_eq!(placed, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 4.0]);
        assert_eq!(track(Placement::Packed, &blocks).into_samples(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn pre_roll_that_was_forwarded_before_is_not_doubled() {
        let blocks = [own(&[1.0, 2.0, 3.0, 4.0], 0), own(&[3.0, 4.0, 5.0], 2_000)];
        assert_eq!(track(Placement::Placed, &blocks).into_samples(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn an_answer_begins_at_its_release_and_has_no_gaps() {
        let blocks = [answer(&[1.0, 1.0], 2_000, 1), answer(&[2.0], 9_000, 1), answer(&[3.0], 4_000, 2)];
        let track = track(Placement::Placed, &blocks);
        let spans: Vec<_> = track.answers().iter().map(|a| (a.revision, a.from_us, a.to_us)).collect();
        assert_eq!(spans, [(1, 2_000, 5_000), (2, 5_000, 6_000)]);
        assert_eq!(track.into_samples(), [0.0, 0.0, 1.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn an_answer_taken_back_falls_silent_at_once() {
        let mut track = track(Placement::Placed, &[answer(&[1.0; 6], 0, 1)]);
        track.flush(1, 1, 2_000);
        track.add(answer(&[2.0], 4_000, 2));
        assert_eq!(track.answers()[0].to_us, 2_000);
        assert_eq!(track.into_samples(), [1.0, 1.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn answers_sound_over_the_callers_own_audio() {
        let blocks = [own(&[1.0, 1.0, 1.0], 0), answer(&[0.5], 1_000, 1)];
        assert_eq!(track(Placement::Placed, &blocks).into_samples(), [1.0, 1.5, 1.0]);
    }
}
