//! One call as a modelled service works on it: when its parts are made, and when they are due.

use std::sync::Arc;

use mynah_engine::scene::Timing;
use mynah_engine::service::{Call, CallKey};

use crate::service::outside::{Next, OutsideAnswer};
use crate::service::work::{Made, Work, made_by};
use crate::speech::flite::RATE_HZ;

/// A call that a worker works on, or whose answer is made and not yet handed out.
pub(super) struct Job {
    pub(super) key: CallKey,
    /// Attempts before it.
    pub(super) attempt: u8,
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
    /// It was taken back, and waits until what works on it outside has stopped.
    pub(super) is_stopping: bool,
    /// How far an answer from outside was handed out, and how far it is known to be made.
    out: Cursor,
    made: Cursor,
}

/// A place in an answer from outside.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    part: usize,
    pieces: usize,
    samples: usize,
}

impl Cursor {
    fn pass(&mut self, next: Next) {
        self.part += 1;
        match next {
            Next::Piece => self.pieces += 1,
            Next::Samples(count) => self.samples += count,
            Next::Aside | Next::Paused | Next::NotYet | Next::End => {}
        }
    }

    /// Time of the place after the first part, by the model.
    fn offset_us(&self, rate_hz: u32, timing: &Timing) -> u64 {
        let words =
            if timing.words_per_s > 0.0 { self.pieces as f64 * 1e6 / timing.words_per_s } else { 0.0 };
        (words + self.samples as f64 * 1e6 / f64::from(rate_hz) / timing.speed) as u64
    }
}

/// When nothing is due.
pub(super) const NEVER_US: u64 = u64::MAX / 2;
/// Time to wait for speech that is still being made.
const AGAIN_US: u64 = 1_000;

impl Job {
    pub(super) fn new(
        call: &Call,
        work: Work,
        batch: u64,
        items: u64,
        (started_us, first_us): (u64, u64),
    ) -> Self {
        let pieces = match &work {
            Work::Text(parts) => parts.len(),
            Work::Speech(_) | Work::Words(_) | Work::Outside(_) | Work::Failure(_) => 0,
        };
        let (at, again_us, made_us, held) = (0, 0, None, false);
        let (is_stopping, out, made) = (false, Cursor::default(), Cursor::default());
        Self {
            key: call.key,
            attempt: call.attempt,
            work,
            batch,
            items,
            started_us,
            first_us,
            pieces,
            at,
            again_us,
            made_us,
            held,
            is_stopping,
            out,
            made,
        }
    }

    /// Follows the making up to `now_us`.
    pub(super) fn make(&mut self, timing: &Timing, wall: bool, now_us: u64) {
        if let Work::Outside(answer) = &self.work {
            let answer = Arc::clone(answer);
            self.made_us = self.make_outside(&answer, timing, wall, now_us);
            return;
        }
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
            Work::Speech(_) | Work::Outside(_) => None,
        };
        self.made_us = whole_us.filter(|us| *us <= now_us);
    }

    /// Follows the making of an answer from outside: when all of it was made, if that is by `now_us`.
    fn make_outside(
        &mut self,
        answer: &OutsideAnswer,
        timing: &Timing,
        wall: bool,
        now_us: u64,
    ) -> Option<u64> {
        if wall {
            let over = if self.is_stopping { answer.has_stopped() } else { answer.end().is_some() };
            return over.then_some(now_us);
        }
        loop {
            let due_us = self.first_us + self.made.offset_us(answer.rate_hz(), timing);
            if due_us > now_us {
                return None;
            }
            match answer.at(self.made.part, true) {
                Next::End => return Some(due_us),
                Next::Paused | Next::NotYet => return None,
                next => self.made.pass(next),
            }
        }
    }

    /// What of an answer from outside is due by `now_us`.
    pub(super) fn next_outside(&self, answer: &OutsideAnswer, wall: bool) -> Next {
        answer.at(self.out.part, !wall)
    }

    /// A part of an answer from outside was handed out.
    pub(super) fn pass(&mut self, next: Next) {
        self.out.pass(next);
    }

    /// The host has answered all that was asked of it: what follows takes the time of a first part again.
    pub(super) fn resume(&mut self, timing: &Timing, now_us: u64) {
        if let Work::Outside(answer) = &self.work {
            let latency_us = self.first_us.saturating_sub(self.started_us).min(NEVER_US / 2);
            let offset_us = self.out.offset_us(answer.rate_hz(), timing);
            self.first_us = self.first_us.max((now_us + latency_us).saturating_sub(offset_us));
        }
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
            Work::Outside(answer) if self.is_stopping => {
                if answer.has_stopped() {
                    0
                } else {
                    NEVER_US
                }
            }
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
            Work::Outside(answer) if wall => match answer.at(self.out.part, false) {
                // Its writer wakes the driver, and so does whoever answers a tool call.
                Next::NotYet | Next::Paused => NEVER_US,
                _ => self.started_us,
            },
            Work::Outside(answer) => match answer.at(self.out.part, false) {
                Next::Paused => NEVER_US,
                _ => self.first_us + self.out.offset_us(answer.rate_hz(), timing),
            },
            Work::Words(_) | Work::Failure(_) => self.first_us,
            Work::Speech(_) => self.sample_us(self.at, timing),
        }
    }

    /// When more of the answer may have been made; `None`: all of it is made.
    pub(super) fn next_made_us(&self, timing: &Timing, wall: bool) -> Option<u64> {
        match &self.work {
            _ if self.made_us.is_some() => None,
            Work::Text(_) => Some(self.piece_us(self.pieces.saturating_sub(1), timing)),
            Work::Words(_) | Work::Outside(_) if wall => None,
            Work::Outside(answer) => match answer.at(self.made.part, false) {
                Next::Paused => None,
                _ => Some(self.first_us + self.made.offset_us(answer.rate_hz(), timing)),
            },
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
            Work::Outside(answer) => answer.stop(),
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
