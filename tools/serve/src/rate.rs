//! How often one address may open sessions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::refused::Refused;

/// Addresses that are remembered; beyond, those that were not seen for longest are forgotten.
const ADDRESSES_MAX: usize = 16_384;

/// A bucket for each address: `per_second` fit in, and as many flow in each second.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: u32,
    buckets: Mutex<HashMap<IpAddr, (f64, u64)>>,
}

impl Rate {
    /// 0: any number.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Counts one at `now_us`.
    pub(crate) fn take(&self, address: IpAddr, now_us: u64) -> Result<(), Refused> {
        if self.per_second == 0 {
            return Ok(());
        }
        let most = f64::from(self.per_second);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address) {
            // Who was not seen for a second has a full bucket, as somebody new has.
            buckets.retain(|_, (_, seen_us)| now_us.saturating_sub(*seen_us) < 1_000_000);
            if buckets.len() >= ADDRESSES_MAX {
                buckets.clear();
            }
        }
        let (left, seen_us) = buckets.entry(address).or_insert((most, now_us));
        let flowed = now_us.saturating_sub(*seen_us) as f64 / 1e6 * most;
        (*left, *seen_us) = ((*left + flowed).min(most), now_us);
        if *left < 1.0 {
            let what =
                format!("{} new sessions a second from one address, and these are more", self.per_second);
            return Err(Refused::new(429, "rate", what).again_after(1));
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_as_many_as_flow_in() {
        let rate = Rate::new(2);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let taken = |address, now_us| rate.take(address, now_us).is_ok();
        assert_eq!([taken(one, 0), taken(one, 0), taken(one, 0), taken(other, 0)], [true, true, false, true]);
        assert_eq!([taken(one, 500_000), taken(one, 500_000)], [true, false]);
        assert!((0..100).all(|_| Rate::new(0).take(one, 0).is_ok()));
    }
}
