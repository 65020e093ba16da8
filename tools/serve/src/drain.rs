//! How a server ends: in stated phases, so that whoever routes to it has time to notice and no turn is cut before its time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Never begun.
const NOT_YET: u64 = u64::MAX;

/// What a draining server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrainPhase {
    /// It serves.
    Serving,
    /// It says that it is not ready, and still takes who comes: routes change only now.
    Grace,
    /// It takes nobody, and sessions end after their turn.
    Ending,
    /// The time is over: what still goes on is cancelled.
    Over,
}

/// The drain, as a function of time. Microseconds of the server's clock.
#[derive(Debug)]
pub struct Drain {
    grace_us: u64,
    max_us: u64,
    since_us: AtomicU64,
}

impl Drain {
    /// `grace_s`: time until nobody is taken any more. `max_s`: time from the beginning until everything is cancelled, not
    /// less than `grace_s`.
    #[must_use]
    pub fn new(grace_s: u32, max_s: u32) -> Self {
        let us = |seconds: u32| u64::from(seconds) * 1_000_000;
        Self { grace_us: us(grace_s), max_us: us(max_s.max(grace_s)), since_us: AtomicU64::new(NOT_YET) }
    }

    /// Begins, unless that has happened. Returns whether it has now.
    pub fn begin(&self, now_us: u64) -> bool {
        self.since_us.compare_exchange(NOT_YET, now_us, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Cancels what goes on, at once.
    pub fn hurry(&self, now_us: u64) {
        self.since_us.store(now_us.saturating_sub(self.max_us), Ordering::Release);
    }

    /// What happens at `now_us`.
    #[must_use]
    pub fn phase(&self, now_us: u64) -> DrainPhase {
        let since_us = self.since_us.load(Ordering::Acquire);
        if since_us == NOT_YET {
            return DrainPhase::Serving;
        }
        match now_us.saturating_sub(since_us) {
            past if past >= self.max_us => DrainPhase::Over,
            past if past >= self.grace_us => DrainPhase::Ending,
            _ => DrainPhase::Grace,
        }
    }

    /// When the next phase begins; `None`: none does by itself.
    #[must_use]
    pub fn next_us(&self, now_us: u64) -> Option<u64> {
        let since_us = self.since_us.load(Ordering::Acquire);
        let after = match self.phase(now_us) {
            DrainPhase::Grace => self.grace_us,
            DrainPhase::Ending => self.max_us,
            DrainPhase::Serving | DrainPhase::Over => return None,
        };
        Some(since_us + after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_by_the_clock() {
        let drain = Drain::new(5, 300);
        assert_eq!((drain.phase(1_000), drain.next_us(1_000)), (DrainPhase::Serving, None));
        assert!(drain.begin(1_000_000) && !drain.begin(2_000_000), "it begins once");
        let rows = [
            (1_000_000, DrainPhase::Grace, Some(6_000_000)),
            (5_999_999, DrainPhase::Grace, Some(6_000_000)),
            (6_000_000, DrainPhase::Ending, Some(301_000_000)),
            (301_000_000, DrainPhase::Over, None),
        ];
        for (now_us, phase, next_us) in rows {
            assert_eq!((drain.phase(now_us), drain.next_us(now_us)), (phase, next_us), "{now_us}");
        }
        let drain = Drain::new(5, 300);
        drain.begin(400_000_000);
        drain.hurry(401_000_000);
        assert_eq!(drain.phase(401_000_000), DrainPhase::Over);
    }
}
