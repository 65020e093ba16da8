//! The data of one session that is drawn.

use mynah_engine::scene::Hearing;

use crate::picture::session::Picture;
use mynah_load::load::Utterance;
use mynah_sim::run::peaks::Peaks;
use mynah_sim::run::track::Answer;

/// Most segments, ends and answers drawn of one session; the page says when there are more.
pub const MARKS_MAX: usize = 1_000;

/// Audio that arrived; interleaved.
#[derive(Clone, Copy, Debug)]
pub struct Sound<'a> {
    /// The samples, interleaved.
    pub samples: &'a [f32],
    /// Channels.
    pub channels: usize,
    /// Sample rate, Hz.
    pub rate_hz: u32,
    /// Media time of the first sample.
    pub from_us: u64,
}

impl Sound<'_> {
    /// Media time behind the last sample.
    pub fn to_us(&self) -> u64 {
        let frames = self.samples.len() / self.channels.max(1);
        self.from_us + frames as u64 * 1_000_000 / u64::from(self.rate_hz.max(1))
    }

    /// The sample that fills the row: the greatest one, but hiss is not blown up to speech.
    pub fn most(&self) -> f32 {
        const LEAST: f32 = 0.05;
        self.samples.iter().copied().filter(|s| s.is_finite()).fold(LEAST, |most, s| most.max(s.abs()))
    }
}

/// Everything that is drawn of one session. All times are media time, which began with the session.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// From when to when.
    pub stretch: (u64, u64),
    /// The audio that arrived.
    pub input: Sound<'a>,
    /// What is truly said, where that is known.
    pub truth: &'a [Utterance],
    /// The events to draw.
    pub picture: &'a Picture,
    /// What was answered.
    pub answers: &'a [Answer],
    /// How it sounded.
    pub output: &'a Peaks,
    /// The gates that judged it.
    pub gates: &'a [Hearing],
    /// Names of the scene's nodes.
    pub nodes: &'a [String],
}
