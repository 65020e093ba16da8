//! One call as a modelled service works on it: when its parts are made, and when they are due.

use mynah_engine::scene::Timing;
use mynah_engine::service::CallKey;

use crate::service::work::{Made, Work, made_by};
use crate::speech::flite::RATE_HZ;

/// A call that a worker works on, or whose answer is made and not yet handed out.
pub(super) struct Job {
    pub(super) key: CallKey,
    pub(super) work: Work,
    /// Number of its batch.
    pub(super) batch: u64,
    /// Items of its batch: each bears its share of the time.
    items: u64,
    started_us: u64,
    first_us: u64,
    /// Pieces of text in the answer.
    pieces: usize,
    /// Samples or pieces handed out.
    pub(super) at: usize,
    /// Time at which to ask again, as there was nothing to hand out yet.
    again_us: u64,
    /// Time at which all of the answer was made.
    pub(super) made_us: Option<u64>,
    /// Whether handing out is on hold.
    pub(super) held: bool,
}

/// When nothing is due.
pub(super) const NEVER_US: u64 = u64::MAX / 2;
/// Time to wait for speech that is still being made.
const AGAIN_US: u64 = 1_000;

impl Job {
    pub(super) fn new(
        key: CallKey,
        work: Work,
        batch: u64,
        items: u64,
        (started_us, first_us): (u64, u64),
    ) -> Self {
        let pieces = match &work {
            Work::Text(parts) => parts.len(),
            Work::Speech(_) | Work::Words(_) | Work::Failure(_) => 0,
        };
        let (at, again_us, made_us, held) = (0, 0, None, false);
        Self { key, work, batch, items, started_us, first_us, pieces, at, again_us, made_us, held }
    }

    /// Follows the making up to `now_us`.
    pub(super) fn make(&mut self, timing: &Timing, wall: bool, now_us: u64) {
        let whole_us = match &self.work {
            Work::Text(_) => Some(self.piece_us(self.pieces.saturating_sub(1), timing)),
            Work::Words(words) if wall => words.is_made().then_some(now_us),
            Work::Words(_) | Work::Failure(_) => Some(self.first_us),
            Work::Speech(speech) if wall => match made_by(speech, usize::MAX, true) {
                Made::Whole(_) => Some(now_us),
                Made::InPart => None,
            },
            Work::Speech(speech) if now_us >= self.first_us => {
                let seconds = (now_us - self.first_us) as f64 / 1e6;
                let made = (seconds * timing.speed * f64::from(RATE_HZ)) as usize;
                match made_by(speech, made, false) {
                    Made::Whole(length) => Some(self.sample_us(length, timing)),
                    Made::InPart => None,
                }
            }
            Work::Speech(_) => None,
        };
        self.made_us = whole_us.filter(|us| *us <= now_us);
    }

    /// When a piece of text is ready: the first after the latency, the rest at the service's pace.
    fn piece_us(&self, piece: usize, timing: &Timing) -> u64 {
        let after = if timing.words_per_s > 0.0 { piece as f64 * 1e6 / timing.words_per_s } else { 0.0 };
        self.first_us + after as u64
    }

    fn sample_us(&self, sample: usize, timing: &Timing) -> u64 {
        self.first_us + (sample as f64 * 1e6 / f64::from(RATE_HZ) / timing.speed) as u64
    }

    /// When the next part is due.
    pub(super) fn due_us(&self, timing: &Timing, wall: bool) -> u64 {
        match &self.work {
            Work::Text(_) => self.piece_us(self.at.min(self.pieces.saturating_sub(1)), timing),
            Work::Speech(_) if wall => self.started_us.max(self.again_us),
            // Its thread wakes the driver.
            Work::Words(words) if wall => {
                if words.is_made() {
                    self.started_us
                } else {
                    NEVER_US
                }
            }
            Work::Words(_) | Work::Failure(_) => self.first_us,
            Work::Speech(_) => self.sample_us(self.at, timing),
        }
    }

    /// When more of the answer may have been made; `None`: all of it is made.
    pub(super) fn next_made_us(&self, timing: &Timing, wall: bool) -> Option<u64> {
        match &self.work {
            _ if self.made_us.is_some() => None,
            Work::Text(_) => Some(self.piece_us(self.pieces.saturating_sub(1), timing)),
            Work::Words(_) if wall => None,
            Work::Words(_) | Work::Failure(_) => Some(self.first_us),
            // Its length is unknown; every tick checks whether it is made.
            Work::Speech(_) if self.held => None,
            Work::Speech(_) => Some(self.due_us(timing, wall)),
        }
    }

    pub(super) fn asks_again(&mut self, now_us: u64) {
        self.again_us = now_us + AGAIN_US;
    }

    /// Fails the call: the part of the answer not handed out by `now_us` is lost.
    pub(super) fn fail(&mut self, reason: &str, now_us: u64) {
        self.stop();
        self.work = Work::Failure(reason.into());
        (self.first_us, self.made_us) = (now_us, None);
    }

    /// Nobody wants what is being made any more.
    pub(super) fn stop(&self) {
        match &self.work {
            Work::Speech(speech) => speech.stop(),
            Work::Words(words) => words.stop(),
            Work::Text(_) | Work::Failure(_) => {}
        }
    }

    /// Its share of the time its worker was busy.
    pub(super) fn busy_us(&self) -> u64 {
        self.made_us.unwrap_or(self.first_us).saturating_sub(self.started_us) / self.items
    }

    /// Its share of the time its worker was busy until it was stopped.
    pub(super) fn wasted_us(&self, now_us: u64) -> u64 {
        self.made_us.unwrap_or(now_us).saturating_sub(self.started_us) / self.items
    }
}
