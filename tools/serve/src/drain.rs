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
    /// When nobody is taken any more.
    ending_us: AtomicU64,
    /// When everything is cancelled. Set first: without it the drain has not begun.
    over_us: AtomicU64,
}

impl Drain {
    /// `grace_s`: time until nobody is taken any more. `max_s`: time from the beginning until everything is cancelled, not
    /// less than `grace_s`.
    #[must_use]
    pub fn new(grace_s: u32, max_s: u32) -> Self {
        let us = |seconds: u32| u64::from(seconds) * 1_000_000;
        Self {
            grace_us: us(grace_s),
            max_us: us(max_s.max(grace_s)),
            ending_us: AtomicU64::new(NOT_YET),
            over_us: AtomicU64::new(NOT_YET),
        }
    }

    /// Begins, unless that has happened. Returns whether it has now.
    pub fn begin(&self, now_us: u64) -> bool {
        let over_us = now_us.saturating_add(self.max_us);
        let begun =
            self.over_us.compare_exchange(NOT_YET, over_us, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if begun {
            // Whoever was in haste meanwhile counts.
            self.ending_us.fetch_min(now_us.saturating_add(self.grace_us), Ordering::AcqRel);
        }
        begun
    }

    /// Begins, or goes on, without the time of grace: nobody routes to this server who would have to notice. Returns whether
    /// it has begun now.
    pub fn begin_at_once(&self, now_us: u64) -> bool {
        let begun = self.begin(now_us);
        self.ending_us.fetch_min(now_us, Ordering::AcqRel);
        begun
    }

    /// Cancels what goes on, at once.
    pub fn hurry(&self, now_us: u64) {
        self.over_us.fetch_min(now_us, Ordering::AcqRel);
    }

    /// What happens at `now_us`.
    #[must_use]
    pub fn phase(&self, now_us: u64) -> DrainPhase {
        match self.over_us.load(Ordering::Acquire) {
            NOT_YET => DrainPhase::Serving,
            over_us if now_us >= over_us => DrainPhase::Over,
            _ if now_us >= self.ending_us.load(Ordering::Acquire) => DrainPhase::Ending,
            _ => DrainPhase::Grace,
        }
    }

    /// When the next phase begins; `None`: none does by itself.
    #[must_use]
    pub fn next_us(&self, now_us: u64) -> Option<u64> {
        match self.phase(now_us) {
            DrainPhase::Grace => Some(self.ending_us.load(Ordering::Acquire)),
            DrainPhase::Ending => Some(self.over_us.load(Ordering::Acquire)),
            DrainPhase::Serving | DrainPhase::Over => None,
        }
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
    }

    #[test]
    fn whoever_is_in_haste_is_heeded_at_any_time() {
        // A second after the start: earlier than any of the times that are waited for.
        let drain = Drain::new(5, 300);
        assert!(drain.begin_at_once(1_000_000));
        assert_eq!(drain.phase(1_000_000), DrainPhase::Ending, "without grace");
        assert_eq!(drain.next_us(1_000_000), Some(301_000_000), "turns have their time all the same");
        assert!(!drain.begin(2_000_000) && !drain.begin_at_once(2_000_000), "it begins once");
        drain.hurry(3_000_000);
        assert_eq!(drain.phase(3_000_000), DrainPhase::Over);
        drain.hurry(4_000_000);
        assert_eq!(drain.phase(3_500_000), DrainPhase::Over, "it does not come back");

        let drain = Drain::new(5, 300);
        drain.begin(1_000_000);
        assert_eq!(drain.phase(2_000_000), DrainPhase::Grace);
        assert!(!drain.begin_at_once(2_000_000));
        assert_eq!(drain.phase(2_000_000), DrainPhase::Ending, "a grace that is under way ends");
        assert_eq!(drain.next_us(2_000_000), Some(301_000_000), "counted from the beginning");
    }
}
