//! Sums over the last 1, 5 and 15 minutes, from slots of 5 s and of a minute.
//!
//! At the moment of a rotation a window holds nothing older than its name says. The window of a minute is exact;
//! those of 5 and 15 minutes drop whole minutes, so that they reach back between 4 and 5 (14 and 15) minutes.

use hdrhistogram::Histogram;

/// Length of a slot in microseconds of engine time: windows move in steps of this length.
pub const SLOT_US: u64 = 5_000_000;

/// Number of windows.
pub const WINDOWS: usize = 3;

/// Slots in a minute, and minutes that are kept.
const SLOTS: u64 = 12;
const MINUTES: u64 = 15;

/// Minutes in the two longer windows, the present one included.
const LONGER: [u64; 2] = [5, MINUTES];

/// After this many empty slots all windows are empty.
pub(super) const SLOTS_MAX: u64 = SLOTS * MINUTES;

/// A quantity that can be summed over time.
pub(super) trait Tally {
    /// Adds `other`.
    fn add(&mut self, other: &Self);
    /// Subtracts what was added before.
    fn remove(&mut self, other: &Self);
    /// Sets the quantity to nothing.
    fn clear(&mut self);
}

/// Moves the values of `from` into `into`. Costs what is recorded, not the range, as `Histogram::add` does.
pub(super) fn pour(from: &Histogram<u32>, into: &mut Histogram<u32>) {
    if from.is_empty() {
        // Its iterator would look for something in the whole range.
        return;
    }
    for value in from.iter_recorded() {
        into.saturating_record_n(value.value_iterated_to(), value.count_at_value());
    }
}

impl Tally for Histogram<u32> {
    fn add(&mut self, other: &Self) {
        if self.is_empty() {
            // Of an empty one this copies.
            Self::add(self, other).expect("all histograms have one range");
        } else if !other.is_empty() {
            pour(other, self);
        }
    }

    fn remove(&mut self, other: &Self) {
        if self.len() == other.len() {
            Tally::clear(self);
        } else if self.subtract(other).is_err() {
            // Only after four thousand million equal values within a window; then the histogram starts again.
            Tally::clear(self);
        }
    }

    fn clear(&mut self) {
        if !self.is_empty() {
            self.reset();
        }
    }
}

/// One quantity over all windows. Allocates when it is made and never later.
#[derive(Debug)]
pub(super) struct Ring<T> {
    slots: Vec<T>,
    minutes: Vec<T>,
    totals: [T; WINDOWS],
}

impl<T: Tally> Ring<T> {
    pub(super) fn new(make: impl Fn() -> T) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| make()).collect(),
            minutes: (0..MINUTES).map(|_| make()).collect(),
            totals: [make(), make(), make()],
        }
    }

    /// Closes slot number `slot` (engine time divided by [`SLOT_US`]) with what happened in it; `None`: nothing. To
    /// be called for each slot in turn.
    pub(super) fn close(&mut self, slot: u64, with: Option<&T>) {
        let (minute, old) = (slot / SLOTS, &mut self.slots[(slot % SLOTS) as usize]);
        self.totals[0].remove(old);
        old.clear();
        if slot.is_multiple_of(SLOTS) {
            for (total, minutes) in self.totals[1..].iter_mut().zip(LONGER) {
                total.remove(&self.minutes[((minute + MINUTES - minutes) % MINUTES) as usize]);
            }
            self.minutes[(minute % MINUTES) as usize].clear();
        }
        if let Some(with) = with {
            old.add(with);
            self.minutes[(minute % MINUTES) as usize].add(with);
            self.totals.iter_mut().for_each(|total| total.add(with));
        }
    }

    /// Empties all windows.
    pub(super) fn clear(&mut self) {
        let kept = self.slots.iter_mut().chain(&mut self.minutes).chain(&mut self.totals);
        kept.for_each(Tally::clear);
    }

    /// The last 1, 5 and 15 minutes, as of the last slot that was closed.
    pub(super) fn windows(&self) -> &[T; WINDOWS] {
        &self.totals
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::histogram::latency_histogram;

    impl Tally for u64 {
        fn add(&mut self, other: &Self) {
            *self += other;
        }
        fn remove(&mut self, other: &Self) {
            *self -= other;
        }
        fn clear(&mut self) {
            *self = 0;
        }
    }

    /// The sums that the windows hold by definition, after slot `last` was closed.
    fn wanted(slots: &[u64], last: usize) -> [u64; WINDOWS] {
        let sum = |from: usize| slots[from..=last].iter().sum();
        let minute = last / 12;
        let from_minute = |minutes: usize| (minute + 1).saturating_sub(minutes) * 12;
        [sum((last + 1).saturating_sub(12)), sum(from_minute(5)), sum(from_minute(15))]
    }

    proptest! {
        #[test]
        fn windows_are_the_sums_of_their_slots(
            slots in prop::collection::vec(prop_oneof![Just(0u64), 1u64..1_000], 1..420),
        ) {
            let mut ring = Ring::new(|| 0);
            for (slot, value) in slots.iter().enumerate() {
                ring.close(slot as u64, (*value > 0).then_some(value));
                prop_assert_eq!(*ring.windows(), wanted(&slots, slot), "slot {}", slot);
            }
        }

        #[test]
        fn histograms_come_and_go_like_counts(
            slots in prop::collection::vec(prop::collection::vec(0u64..2_000_000, 0..4), 1..240),
        ) {
            let mut ring = Ring::new(latency_histogram);
            for (slot, values) in slots.iter().enumerate() {
                let mut live = latency_histogram();
                values.iter().for_each(|value| live.saturating_record(*value));
                ring.close(slot as u64, (!values.is_empty()).then_some(&live));
                let mut plain = latency_histogram();
                let from = ((slot / 12) + 1).saturating_sub(5) * 12;
                slots[from..=slot].iter().flatten().for_each(|value| plain.saturating_record(*value));
                let five = &ring.windows()[1];
                prop_assert_eq!(five.len(), plain.len());
                let same = [0.5, 0.95, 0.99].map(|q| five.value_at_quantile(q) == plain.value_at_quantile(q));
                prop_assert_eq!(same, [true; 3], "slot {}", slot);
            }
        }
    }
}
