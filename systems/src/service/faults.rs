//! Faults of a service, decided beforehand: a function of (seed, service, call), so that a run repeats on any threads
//! and shards.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mynah_engine::base::rng::Rng;
use mynah_engine::service::CallKey;

const PURPOSE_FAILS: u64 = 0x5f01;
const PURPOSE_HANGS: u64 = 0x5f02;
const PURPOSE_SLOW: u64 = 0x5f03;
const PURPOSE_ODD: u64 = 0x5f04;
const PURPOSE_PANICS: u64 = 0x5f05;

/// Faults of one service. The default has none.
#[derive(Clone, Debug, Default)]
pub struct ServiceFaults {
    /// Seed of all random numbers.
    pub seed: u64,
    /// Engine time from which the service is well: nothing that begins later goes wrong.
    pub until_us: u64,
    /// Share of calls that take longer, 0..=1, and the greatest factor (each factor from 1 up equally likely on a
    /// logarithmic scale).
    pub slow: (f64, f64),
    /// Calls that fail when their answer is due, 0..=1.
    pub fail_ratio: f64,
    /// Share of calls of which nothing is ever heard, 0..=1: the hub gives them up.
    pub hang_ratio: f64,
    /// Share of calls that have the service panic, 0..=1.
    pub panic_ratio: f64,
    /// Share of text answers that become hostile, 0..=1, and their greatest length in characters.
    pub odd: (f64, u32),
    /// Engine times at which the service is down. Calls under way are lost then; calls that come meanwhile wait.
    pub down: Vec<Range<u64>>,
    /// Counts of the faults that struck.
    pub strikes: Arc<ServiceStrikes>,
}

/// Counts of the faults that struck. Written from the serial hub step only.
#[derive(Debug, Default)]
pub struct ServiceStrikes {
    /// Calls that took longer.
    pub slow: AtomicU64,
    /// Calls that failed.
    pub failed: AtomicU64,
    /// Calls that hung.
    pub hung: AtomicU64,
    /// Calls that had the service panic.
    pub panicked: AtomicU64,
    /// Times the service went down.
    pub crashes: AtomicU64,
    /// Answers that were made hostile; counted where they are made.
    pub odd: AtomicU64,
}

/// The fate of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallFate {
    /// Factor on its latency, from 1.
    pub slower: f64,
    /// What makes its answer hostile, if that is text.
    pub odd: Option<OddText>,
    /// How the call ends without an answer, if it does.
    pub end: Option<BadEnd>,
}

/// An answer that is not prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddText {
    /// Seed of its random numbers.
    pub seed: u64,
    /// Its approximate length.
    pub characters: u32,
}

/// How a call ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEnd {
    /// The call fails when its answer would have been due.
    Fails,
    /// Nothing is ever heard of the call.
    Hangs,
    /// The service panics.
    Panics,
}

impl ServiceFaults {
    /// The fate of attempt number `attempt` at the call, which begins at `started_us`. `service` tells apart services with
    /// one seed.
    pub fn fate(&self, service: u64, key: &CallKey, attempt: u8, started_us: u64) -> CallFate {
        if started_us >= self.until_us {
            return CallFate { slower: 1.0, odd: None, end: None };
        }
        let stream = u64::from(key.session.0) << 32 | u64::from(key.segment.serial);
        let call = service
            ^ (u64::from(key.revision) << 48)
            ^ (u64::from(key.generation) << 32)
            ^ (u64::from(key.part) << 16)
            ^ (u64::from(attempt) << 8);
        let dice = |purpose: u64| Rng::new(self.seed, stream, call ^ purpose);
        let mut slow = dice(PURPOSE_SLOW);
        let slower = if slow.chance(self.slow.0) { self.slow.1.max(1.0).powf(slow.uniform()) } else { 1.0 };
        let end = if dice(PURPOSE_HANGS).chance(self.hang_ratio) {
            Some(BadEnd::Hangs)
        } else if dice(PURPOSE_PANICS).chance(self.panic_ratio) {
            Some(BadEnd::Panics)
        } else {
            dice(PURPOSE_FAILS).chance(self.fail_ratio).then_some(BadEnd::Fails)
        };
        let mut odd = dice(PURPOSE_ODD);
        let odd = odd.chance(self.odd.0).then(|| OddText {
            // Short texts are as likely as long ones.
            characters: f64::from(self.odd.1.max(1)).powf(odd.uniform()) as u32,
            seed: odd.next_u64(),
        });
        self.count(slower, end);
        CallFate { slower, odd, end }
    }

    fn count(&self, slower: f64, end: Option<BadEnd>) {
        let ServiceStrikes { slow, failed, hung, panicked, .. } = &*self.strikes;
        if slower > 1.0 {
            slow.fetch_add(1, Ordering::Relaxed);
        }
        match end {
            Some(BadEnd::Fails) => failed.fetch_add(1, Ordering::Relaxed),
            Some(BadEnd::Hangs) => hung.fetch_add(1, Ordering::Relaxed),
            Some(BadEnd::Panics) => panicked.fetch_add(1, Ordering::Relaxed),
            None => 0,
        };
    }

    /// The end of the outage that `now_us` lies in.
    pub fn down_until(&self, now_us: u64) -> Option<u64> {
        self.down.iter().find(|outage| outage.contains(&now_us)).map(|outage| outage.end)
    }

    /// Whether an outage began after `last_us` and not after `now_us`.
    pub fn went_down(&self, last_us: u64, now_us: u64) -> bool {
        self.down.iter().any(|outage| last_us < outage.start && outage.start <= now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_engine::base::SegmentKey;
    use mynah_engine::{NodeId, SessionId};

    fn key(session: u32) -> CallKey {
        let segment = SegmentKey { slot: 0, serial: 1 };
        let (session, node) = (SessionId(session), NodeId(0));
        CallKey { session, generation: 1, node, segment, revision: 1, turn: 1, part: 0 }
    }

    #[test]
    fn faults_strike_as_often_as_asked_and_never_after_the_heal() {
        let faults = ServiceFaults {
            seed: 3,
            until_us: 1_000_000,
            slow: (0.5, 100.0),
            fail_ratio: 0.2,
            hang_ratio: 0.1,
            odd: (0.3, 100),
            ..ServiceFaults::default()
        };
        let fates: Vec<CallFate> =
            (0..20_000).map(|session| faults.fate(7, &key(session), 0, 500_000)).collect();
        let share = |is: &dyn Fn(&CallFate) -> bool| {
            fates.iter().filter(|fate| is(fate)).count() as f64 / fates.len() as f64
        };
        let near = |share: f64, want: f64| (share - want).abs() < 0.01;
        assert!(near(share(&|fate| fate.slower > 1.0), 0.5));
        assert!(near(share(&|fate| fate.slower > 10.0), 0.25), "factors are spread on a logarithmic scale");
        assert!(near(share(&|fate| fate.end == Some(BadEnd::Hangs)), 0.1));
        assert!(near(share(&|fate| fate.end == Some(BadEnd::Fails)), 0.2 * 0.9));
        assert!(near(share(&|fate| fate.odd.is_some()), 0.3));
        assert!(near(share(&|fate| fate.odd.is_some_and(|odd| odd.characters >= 10)), 0.15));
        assert_eq!(faults.fate(7, &key(5), 0, 500_000), fates[5], "an attempt has one fate");
        let again = (0..500).filter(|n| faults.fate(7, &key(*n), 1, 500_000) != fates[*n as usize]).count();
        assert!(again > 250, "another attempt has another fate: {again}");
        let well = CallFate { slower: 1.0, odd: None, end: None };
        assert!((0..500).all(|n| faults.fate(7, &key(n), 0, 1_000_000) == well));
        let hung = fates.iter().filter(|fate| fate.end == Some(BadEnd::Hangs)).count() as u64;
        assert!(faults.strikes.hung.load(Ordering::Relaxed) >= hung);
    }

    #[test]
    fn outages_have_a_beginning_and_an_end() {
        let faults = ServiceFaults { down: vec![100..200, 500..600], ..ServiceFaults::default() };
        assert_eq!([99, 100, 199, 200].map(|at| faults.down_until(at)), [None, Some(200), Some(200), None]);
        assert_eq!(
            [(0, 99), (99, 100), (100, 300), (450, 700)].map(|(a, b)| faults.went_down(a, b)),
            [false, true, false, true]
        );
    }
}
