//! How many sessions there may be: a place is reserved when a client is accepted, before anything is upgraded or opened,
//! so that a burst cannot overshoot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::refused::Refused;

/// Reasons of refusals, as `mynah_admission_refused_total` has them.
const REASONS: [&str; 8] =
    ["capacity", "draining", "no_key", "bad_key", "expired", "origin", "unknown_model", "rate"];

/// Places for sessions, and counts of who got none.
#[derive(Debug)]
pub struct Admission {
    sessions_max: u32,
    taken: AtomicU32,
    admitted: AtomicU64,
    shut: AtomicBool,
    refused: [AtomicU64; REASONS.len()],
    other: AtomicU64,
}

/// What was admitted and refused so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionFigures {
    /// Places taken now.
    pub taken: u32,
    /// Places in all.
    pub sessions_max: u32,
    /// Places given so far.
    pub admitted: u64,
    /// Refusals by reason; every reason stands here.
    pub refused: Vec<(&'static str, u64)>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Reservation(Arc<Admission>);

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    /// Places for `sessions_max` sessions.
    #[must_use]
    pub fn new(sessions_max: u32) -> Arc<Self> {
        Arc::new(Self {
            sessions_max,
            taken: AtomicU32::new(0),
            admitted: AtomicU64::new(0),
            shut: AtomicBool::new(false),
            refused: Default::default(),
            other: AtomicU64::new(0),
        })
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`Refused`] with 503: all are taken, or none is given any more. Counted.
    pub fn reserve(self: &Arc<Self>) -> Result<Reservation, Refused> {
        if self.shut.load(Ordering::Acquire) {
            let what = "this server ends and takes no more sessions: try another one";
            return Err(self.refuse(Refused::new(503, "draining", what).again_after(1)));
        }
        let most = self.sessions_max;
        let took = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| (taken < most).then_some(taken + 1));
        if took.is_err() {
            let what = format!("all {most} places are taken: try again, or another server");
            return Err(self.refuse(Refused::new(503, "capacity", what).again_after(1)));
        }
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Ok(Reservation(Arc::clone(self)))
    }

    /// Gives no more places.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::Release);
    }

    /// Counts a refusal, and gives it back.
    pub fn refuse(&self, refused: Refused) -> Refused {
        let at = REASONS.iter().position(|reason| *reason == refused.code);
        at.map_or(&self.other, |at| &self.refused[at]).fetch_add(1, Ordering::Relaxed);
        refused
    }

    /// Places taken now.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> AdmissionFigures {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let named = REASONS.iter().copied().zip(self.refused.iter().map(count));
        AdmissionFigures {
            taken: self.taken(),
            sessions_max: self.sessions_max,
            admitted: count(&self.admitted),
            refused: named.chain([("bad_request", count(&self.other))]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_up_to_the_bound_and_come_back() {
        let admission = Admission::new(2);
        let first = admission.reserve().expect("there is room");
        let _second = admission.reserve().expect("there is room");
        let refused = admission.reserve().expect_err("both are taken");
        assert_eq!((refused.status, refused.code, refused.retry_after_s), (503, "capacity", Some(1)));
        drop(first);
        let _third = admission.reserve().expect("one came back");
        admission.shut();
        assert_eq!(admission.reserve().expect_err("it ends").code, "draining");
        let figures = admission.figures();
        assert_eq!((figures.taken, figures.admitted), (2, 3));
        assert_eq!(figures.refused[..2], [("capacity", 1), ("draining", 1)]);
    }

    #[test]
    fn a_burst_of_threads_never_overshoots() {
        let admission = Admission::new(7);
        let got: usize = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..5).filter_map(|_| admission.reserve().ok()).collect::<Vec<_>>()))
                .collect();
            let held: Vec<_> = takers.into_iter().map(|taker| taker.join().expect("no panic")).collect();
            held.iter().map(Vec::len).sum()
        });
        assert_eq!((got, admission.figures().admitted), (7, 7));
    }
}
