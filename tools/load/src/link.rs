//! A simulated link: what lies between two ends in virtual time, with delay, jitter, loss, duplicates and reordering
//! drawn from a seed.
//!
//! It carries anything and looks at nothing. Each kind of fault has random numbers of its own, and each item draws
//! from all of them, so that more loss moves no delay and turning one fault off leaves the others where they were.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use mynah_engine::base::rng::Rng;
use serde::{Deserialize, Serialize};

const PURPOSE_LOSS: u64 = 0x6c01;
const PURPOSE_DUPLICATE: u64 = 0x6c02;
const PURPOSE_JITTER: u64 = 0x6c03;
const PURPOSE_REORDER: u64 = 0x6c04;

/// Longest of each delay, milliseconds.
const DELAY_MS_MAX: f64 = 60_000.0;

/// What a link does to what it carries; the default does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkFaults {
    /// What every item takes, 0..=60,000.
    pub delay_ms: f64,
    /// On top, drawn for each item, each value up to this equally likely; 0..=60,000.
    pub jitter_ms: f64,
    /// Items that never arrive, 0..=1.
    pub loss_ratio: f64,
    /// Items that arrive twice, with a jitter each, of those not lost; 0..=1.
    pub duplicate_ratio: f64,
    /// Items held back so that later ones overtake them, of those not lost; 0..=1.
    pub reorder_ratio: f64,
    /// How long an item is held back on top of delay and jitter, 0..=60,000.
    pub reorder_extra_ms: f64,
}

impl LinkFaults {
    /// Whether every value is within its range.
    ///
    /// # Errors
    /// One line for each value that is not, with field, value, range and remedy.
    pub fn check(&self) -> Result<(), String> {
        let mut found = Vec::new();
        let delays = [
            ("delay_ms", self.delay_ms),
            ("jitter_ms", self.jitter_ms),
            ("reorder_extra_ms", self.reorder_extra_ms),
        ];
        for (field, value) in delays {
            if !(0.0..=DELAY_MS_MAX).contains(&value) {
                found.push(format!("{field} is {value}: give milliseconds from 0 to {DELAY_MS_MAX}"));
            }
        }
        let ratios = [
            ("loss_ratio", self.loss_ratio),
            ("duplicate_ratio", self.duplicate_ratio),
            ("reorder_ratio", self.reorder_ratio),
        ];
        for (field, value) in ratios {
            if !(0.0..=1.0).contains(&value) {
                found.push(format!("{field} is {value}: give a ratio from 0 to 1 (5 % is 0.05)"));
            }
        }
        if self.reorder_ratio > 0.0 && self.reorder_extra_ms == 0.0 {
            found.push(format!(
                "reorder_extra_ms is 0 with reorder_ratio {}: say for how many ms items are held back, or set \
                 reorder_ratio to 0",
                self.reorder_ratio
            ));
        }
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    }
}

/// How a link carries items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// Each for itself: every fault applies.
    Datagrams,
    /// In order and without loss, as over a transport that sees to that itself: only delay and jitter apply, and what
    /// is behind a late item waits for it.
    Stream,
}

/// Counts of a link: sent + duplicated = lost + delivered + under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkFigures {
    /// Items given to the link.
    pub sent: u64,
    /// Items that will never arrive.
    pub lost: u64,
    /// Second copies made.
    pub duplicated: u64,
    /// Arrivals, copies included, behind that of an item sent later.
    pub reordered: u64,
    /// Arrivals handed out, copies included.
    pub delivered: u64,
}

/// One direction of a simulated link. Equal seeds, streams and sends give equal arrivals. It holds what is under way:
/// at most what is sent within its delays.
#[derive(Clone, Debug)]
pub struct SimulatedLink<T> {
    carriage: Carriage,
    delay_us: u64,
    jitter_us: u64,
    reorder_extra_us: u64,
    faults: LinkFaults,
    loss: Rng,
    duplicate: Rng,
    jitter: Rng,
    reorder: Rng,
    flying: BinaryHeap<Flight<T>>,
    /// Copies put on their way; ties arrive in this order.
    copies: u64,
    latest_due_us: u64,
    /// The greatest number of an item that has arrived.
    newest: u64,
    figures: LinkFigures,
}

#[derive(Clone, Debug)]
struct Flight<T> {
    due_us: u64,
    copy: u64,
    number: u64,
    item: T,
}

impl<T> Flight<T> {
    fn key(&self) -> (u64, u64) {
        (self.due_us, self.copy)
    }
}

impl<T> PartialEq for Flight<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Flight<T> {}

impl<T> PartialOrd for Flight<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Flight<T> {
    /// The earliest is the greatest: a heap hands that out first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<T: Clone> SimulatedLink<T> {
    /// An empty link. `stream` is which of the links with this seed it is (a session and direction, say).
    ///
    /// # Errors
    /// As [`LinkFaults::check`].
    pub fn new(faults: LinkFaults, carriage: Carriage, seed: u64, stream: u64) -> Result<Self, String> {
        faults.check()?;
        let us = |ms: f64| (ms * 1_000.0).round() as u64;
        Ok(Self {
            carriage,
            delay_us: us(faults.delay_ms),
            jitter_us: us(faults.jitter_ms),
            reorder_extra_us: us(faults.reorder_extra_ms),
            faults,
            loss: Rng::new(seed, stream, PURPOSE_LOSS),
            duplicate: Rng::new(seed, stream, PURPOSE_DUPLICATE),
            jitter: Rng::new(seed, stream, PURPOSE_JITTER),
            reorder: Rng::new(seed, stream, PURPOSE_REORDER),
            flying: BinaryHeap::new(),
            copies: 0,
            latest_due_us: 0,
            newest: 0,
            figures: LinkFigures::default(),
        })
    }

    /// From now on it does this to what it is given; what is under way arrives as it would have.
    ///
    /// # Errors
    /// As [`LinkFaults::check`]; then it stays as it is.
    pub fn change(&mut self, faults: LinkFaults) -> Result<(), String> {
        faults.check()?;
        let us = |ms: f64| (ms * 1_000.0).round() as u64;
        (self.delay_us, self.jitter_us) = (us(faults.delay_ms), us(faults.jitter_ms));
        (self.reorder_extra_us, self.faults) = (us(faults.reorder_extra_ms), faults);
        Ok(())
    }

    /// Gives `item` to the link at `now_us`.
    pub fn send(&mut self, now_us: u64, item: T) {
        self.figures.sent += 1;
        let lost = self.loss.chance(self.faults.loss_ratio);
        let duplicated = self.duplicate.chance(self.faults.duplicate_ratio);
        let held_back = self.reorder.chance(self.faults.reorder_ratio);
        let jitters_us = [(); 2].map(|()| self.jitter.range_u64(0..self.jitter_us.saturating_add(1)));
        let [first_us, second_us] =
            jitters_us.map(|jitter_us| now_us.saturating_add(self.delay_us + jitter_us));
        if self.carriage == Carriage::Stream {
            self.latest_due_us = self.latest_due_us.max(first_us);
            return self.fly(self.latest_due_us, item);
        }
        if lost {
            self.figures.lost += 1;
            return;
        }
        if duplicated {
            self.figures.duplicated += 1;
            self.fly(second_us, item.clone());
        }
        let extra_us = if held_back { self.reorder_extra_us } else { 0 };
        self.fly(first_us.saturating_add(extra_us), item);
    }

    fn fly(&mut self, due_us: u64, item: T) {
        self.copies += 1;
        self.flying.push(Flight { due_us, copy: self.copies, number: self.figures.sent, item });
    }

    /// The next item that has arrived by `now_us`; call until there is none.
    pub fn receive(&mut self, now_us: u64) -> Option<T> {
        if self.next_due_us()? > now_us {
            return None;
        }
        let flight = self.flying.pop()?;
        self.figures.delivered += 1;
        self.figures.reordered += u64::from(flight.number < self.newest);
        self.newest = self.newest.max(flight.number);
        Some(flight.item)
    }

    /// When the next item arrives; `None` when nothing is under way.
    #[must_use]
    pub fn next_due_us(&self) -> Option<u64> {
        self.flying.peek().map(|flight| flight.due_us)
    }

    /// Copies under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.flying.len()
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> LinkFigures {
        self.figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    fn link(faults: LinkFaults, carriage: Carriage) -> SimulatedLink<u32> {
        SimulatedLink::new(faults, carriage, 1, 2).unwrap()
    }

    /// Sends `0..count`, one a millisecond, and returns (arrival in us, item) in the order of arrival.
    fn carried(link: &mut SimulatedLink<u32>, count: u32) -> Vec<(u64, u32)> {
        (0..count).for_each(|n| link.send(u64::from(n) * MS, n));
        let mut arrived = Vec::new();
        while let Some(due_us) = link.next_due_us() {
            assert!(due_us == 0 || link.receive(due_us - 1).is_none(), "nothing comes early");
            arrived.extend(link.receive(due_us).map(|item| (due_us, item)));
        }
        arrived
    }

    fn items(arrived: &[(u64, u32)]) -> Vec<u32> {
        arrived.iter().map(|(_, item)| *item).collect()
    }

    #[test]
    fn a_clean_link_hands_over_at_once_and_in_order() {
        for carriage in [Carriage::Datagrams, Carriage::Stream] {
            let mut link = link(LinkFaults::default(), carriage);
            let want: Vec<(u64, u32)> = (0..50).map(|n| (u64::from(n) * MS, n)).collect();
            assert_eq!(carried(&mut link, 50), want);
            assert_eq!(link.figures(), LinkFigures { sent: 50, delivered: 50, ..LinkFigures::default() });
        }
    }

    #[test]
    fn every_fault_happens_as_often_as_asked_and_is_counted() {
        let faults = LinkFaults {
            delay_ms: 20.0,
            jitter_ms: 10.0,
            loss_ratio: 0.1,
            duplicate_ratio: 0.05,
            reorder_ratio: 0.2,
            reorder_extra_ms: 30.0,
        };
        let mut link = link(faults, Carriage::Datagrams);
        let arrived = carried(&mut link, 20_000);
        let figures = link.figures();
        let near = |count: u64, ratio: f64| (count as f64 / 20_000.0 - ratio).abs() < 0.01;
        assert!(near(figures.lost, 0.1) && near(figures.duplicated, 0.05 * 0.9), "{figures:?}");
        assert_eq!(figures.sent + figures.duplicated, figures.lost + figures.delivered);
        let took_us: Vec<u64> = arrived.iter().map(|(at, item)| at - u64::from(*item) * MS).collect();
        let held_back = took_us.iter().filter(|us| **us > 30 * MS).count() as u64;
        assert!(near(held_back, 0.2 * 0.9), "{held_back} held back");
        let mean_us = took_us.iter().filter(|us| **us <= 30 * MS).sum::<u64>() as f64
            / (took_us.len() as u64 - held_back) as f64;
        assert!((mean_us - 25_000.0).abs() < 200.0, "jitter is uniform: mean {mean_us}");
        assert!(
            took_us.iter().all(|us| (20 * MS..=60 * MS).contains(us)),
            "never beyond the sum of the delays"
        );
        let mut newest = 0;
        let overtaken = items(&arrived).into_iter().filter(|item| {
            newest = newest.max(*item);
            *item < newest
        });
        assert_eq!(figures.reordered, overtaken.count() as u64);
    }

    #[test]
    fn a_stream_loses_nothing_and_keeps_its_order() {
        let faults = LinkFaults {
            delay_ms: 5.0,
            jitter_ms: 40.0,
            loss_ratio: 1.0,
            duplicate_ratio: 1.0,
            reorder_ratio: 1.0,
            reorder_extra_ms: 1_000.0,
        };
        let mut link = link(faults, Carriage::Stream);
        let arrived = carried(&mut link, 2_000);
        assert_eq!(items(&arrived), (0..2_000).collect::<Vec<_>>());
        assert!(arrived.iter().all(|(at, n)| (5 * MS..=45 * MS).contains(&(at - u64::from(*n) * MS))));
        let gaps = arrived.windows(2).filter(|pair| pair[1].0 - pair[0].0 != MS).count();
        assert!(gaps > 1_000, "jitter shows: {gaps}");
    }

    #[test]
    fn equal_seeds_and_streams_repeat_and_others_differ() {
        let faults = LinkFaults { jitter_ms: 20.0, loss_ratio: 0.3, ..LinkFaults::default() };
        let run = |seed, stream| {
            carried(&mut SimulatedLink::new(faults, Carriage::Datagrams, seed, stream).unwrap(), 200)
        };
        assert_eq!(run(1, 2), run(1, 2));
        assert_ne!(run(1, 2), run(1, 3));
        assert_ne!(run(1, 2), run(2, 2));
    }

    #[test]
    fn turning_one_fault_up_leaves_the_others_where_they_were() {
        let calm = LinkFaults { jitter_ms: 20.0, ..LinkFaults::default() };
        let lossy = LinkFaults { loss_ratio: 0.3, duplicate_ratio: 0.0, ..calm };
        let all = carried(&mut link(calm, Carriage::Datagrams), 500);
        let some = carried(&mut link(lossy, Carriage::Datagrams), 500);
        assert!((250..450).contains(&some.len()), "{}", some.len());
        assert!(some.iter().all(|arrival| all.contains(arrival)), "who arrives, arrives when it did");
    }

    #[test]
    fn impossible_faults_are_named_with_value_and_remedy() {
        let cases: [(&str, &[&str]); 8] = [
            ("{}", &[]),
            (r#"{"delay_ms": 60000, "loss_ratio": 1}"#, &[]),
            (r#"{"delay_ms": -1}"#, &["delay_ms is -1: give milliseconds from 0 to 60000"]),
            (r#"{"jitter_ms": 60000.5}"#, &["jitter_ms is 60000.5: "]),
            (
                r#"{"loss_ratio": 10, "duplicate_ratio": -0.1}"#,
                &["loss_ratio is 10: ", "duplicate_ratio is -0.1: "],
            ),
            (
                r#"{"reorder_ratio": 0.1}"#,
                &["reorder_extra_ms is 0 with reorder_ratio 0.1: say for how many ms"],
            ),
            (r#"{"lost_ratio": 0.1}"#, &["unknown field `lost_ratio`, expected one of"]),
            (r#"{"delay_ms": "long"}"#, &["invalid type: string \"long\""]),
        ];
        for (text, want) in cases {
            let made = serde_json::from_str::<LinkFaults>(text)
                .map_err(|error| error.to_string())
                .and_then(|faults| SimulatedLink::<u32>::new(faults, Carriage::Datagrams, 1, 1));
            let said = made.err().unwrap_or_default();
            assert_eq!(said.lines().count(), want.len(), "{text}: {said}");
            assert!(want.iter().all(|part| said.contains(part)), "{text}: {said}");
        }
        let odd = LinkFaults { delay_ms: f64::NAN, loss_ratio: f64::INFINITY, ..LinkFaults::default() };
        assert_eq!(odd.check().unwrap_err().lines().count(), 2);
    }
}
