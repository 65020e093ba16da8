//! The words of simulated callers: the audio that goes into a session, and the truth about it.
//!
//! A [`Stream`] is one session's input: a pure function of its configuration and of how many samples were taken, so
//! a run can be repeated, cut into other chunks or watched from outside without changing.

pub mod bank;
pub mod caller;
pub mod heard;
pub mod noise;
pub mod recordings;
pub mod schedule;
pub mod truth;
pub mod words;

mod media_time;
pub mod rate;
mod texts;
mod utterance;

use self::caller::Caller;
use self::heard::PlacedWord;
use self::recordings::Playback;
use self::truth::Stretch;
pub use self::utterance::Utterance;

/// The input of one session. Cloning is cheap (sounds are shared) and keeps the position; a clone that is never
/// filled still answers [`Stream::heard`] for any time.
#[derive(Clone, Debug)]
pub enum Stream {
    /// A simulated caller, endless.
    Caller(Box<Caller>),
    /// A recording with labels, then silence.
    Recording(Playback),
}

impl Stream {
    /// Overwrites `out` with the next mono samples. Allocates nothing, and how the samples are asked for (one by one,
    /// or a minute at once) changes none of them.
    pub fn fill(&mut self, out: &mut [f32]) {
        match self {
            Self::Caller(caller) => caller.fill(out),
            Self::Recording(playback) => playback.fill(out),
        }
    }

    /// Media time of the next sample, microseconds.
    #[must_use]
    pub fn position_us(&self) -> u64 {
        match self {
            Self::Caller(caller) => caller.position_us(),
            Self::Recording(playback) => playback.position_us(),
        }
    }

    /// Appends to `told` the utterances that have begun since the last call; their ends may lie ahead of the position.
    pub fn drain_truth(&mut self, told: &mut Vec<Utterance>) {
        self.drain_truth_until(self.position_us(), told);
    }

    /// Appends to `told` the utterances that begin up to `until_us` of media time, and were not told before; for this
    /// the audio need not have been taken.
    pub fn drain_truth_until(&mut self, until_us: u64, told: &mut Vec<Utterance>) {
        match self {
            Self::Caller(caller) => caller.drain_truth(until_us, told),
            Self::Recording(playback) => playback.drain_truth(until_us, told),
        }
    }

    /// All utterances that have begun up to the position.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        match self {
            Self::Caller(caller) => caller.utterances(),
            Self::Recording(playback) => playback.utterances(),
        }
    }

    /// The words spoken in `from_us..to_us` of media time, separated by spaces; empty when there are none. Where a
    /// word lies within its utterance is estimated from its characters (to some 100 ms).
    #[must_use]
    pub fn heard(&self, from_us: u64, to_us: u64) -> String {
        let within = Stretch { start_us: from_us, end_us: to_us };
        match self {
            Self::Caller(caller) => caller.heard(within),
            Self::Recording(playback) => playback.heard(within),
        }
    }

    /// The same words, each with its place.
    #[must_use]
    pub fn words(&self, from_us: u64, to_us: u64) -> Vec<PlacedWord> {
        let within = Stretch { start_us: from_us, end_us: to_us };
        match self {
            Self::Caller(caller) => caller.words(within),
            Self::Recording(playback) => playback.words(within),
        }
    }
}
