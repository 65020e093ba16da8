//! A simulated network: the items under way between two ends in virtual time.
//!
//! The network carries anything and looks at nothing. The sender gives each item its [`Fate`] (a link with steady
//! faults draws it, a chaos run takes it from its plan); the network keeps, orders, doubles, loses and counts.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;

/// How a network carries items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carriage {
    /// Each for itself: everything in a [`Fate`] applies.
    #[default]
    Datagrams,
    /// In order and without loss, as over a transport that sees to that itself: only `delay_us` of a [`Fate`] applies,
    /// and what is behind a late item waits for it.
    Stream,
}

/// What happens to one item; the default: it arrives at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// It never arrives.
    pub lost: bool,
    /// How long it takes, microseconds.
    pub delay_us: u64,
    /// How long it is held back on top of that, so that later items overtake it, microseconds.
    pub held_back_us: u64,
    /// How long a second copy takes, microseconds; `None`: there is none.
    pub copy_delay_us: Option<u64>,
}

/// Counts of a network: sent + duplicated = lost + delivered + under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkFigures {
    /// Items given to the network.
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

/// One direction of a simulated network. Equal sends with equal fates give equal arrivals. It holds what is under way:
/// at most what is sent within its delays.
#[derive(Clone, Debug)]
pub struct SimulatedNetwork<T> {
    carriage: Carriage,
    flying: BinaryHeap<Flight<T>>,
    /// Copies put on their way; ties arrive in this order.
    copies: u64,
    latest_due_us: u64,
    /// Nothing that is sent from now on arrives before.
    stalled_until_us: u64,
    /// The greatest number of an item that has arrived.
    newest: u64,
    figures: NetworkFigures,
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

impl<T> Default for SimulatedNetwork<T> {
    fn default() -> Self {
        Self::new(Carriage::default())
    }
}

impl<T> SimulatedNetwork<T> {
    /// An empty network.
    #[must_use]
    pub fn new(carriage: Carriage) -> Self {
        Self {
            carriage,
            flying: BinaryHeap::new(),
            copies: 0,
            latest_due_us: 0,
            stalled_until_us: 0,
            newest: 0,
            figures: NetworkFigures::default(),
        }
    }

    /// Nothing that is sent from now on arrives before `until_us`, unless a longer stall was said before: a shorter one
    /// within it ends nothing, or what was held back would be overtaken.
    pub fn stall(&mut self, until_us: u64) {
        self.stalled_until_us = self.stalled_until_us.max(until_us);
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

    /// When the next item arrives, microseconds; `None` when nothing is under way.
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
    pub fn figures(&self) -> NetworkFigures {
        self.figures
    }

    fn fly(&mut self, due_us: u64, item: T) {
        self.copies += 1;
        let due_us = due_us.max(self.stalled_until_us);
        self.flying.push(Flight { due_us, copy: self.copies, number: self.figures.sent, item });
    }
}

impl<T: Clone> SimulatedNetwork<T> {
    /// Gives `item` to the network at `now_us`.
    pub fn send(&mut self, now_us: u64, item: T, fate: Fate) {
        self.figures.sent += 1;
        let due_us = now_us.saturating_add(fate.delay_us);
        if self.carriage == Carriage::Stream {
            self.latest_due_us = self.latest_due_us.max(due_us);
            return self.fly(self.latest_due_us, item);
        }
        if fate.lost {
            self.figures.lost += 1;
            return;
        }
        if let Some(delay_us) = fate.copy_delay_us {
            self.figures.duplicated += 1;
            self.fly(now_us.saturating_add(delay_us), item.clone());
        }
        self.fly(due_us.saturating_add(fate.held_back_us), item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(network: &mut SimulatedNetwork<u32>) -> Vec<(u64, u32)> {
        let mut arrived = Vec::new();
        while let Some(due_us) = network.next_due_us() {
            arrived.extend(network.receive(due_us).map(|item| (due_us, item)));
        }
        arrived
    }

    #[test]
    fn each_item_has_its_own_fate_and_every_fate_is_counted() {
        let mut network = SimulatedNetwork::new(Carriage::Datagrams);
        let delayed = |delay_us| Fate { delay_us, ..Fate::default() };
        network.send(0, 1, Fate { lost: true, ..delayed(5) });
        network.send(0, 2, Fate { copy_delay_us: Some(30), ..delayed(10) });
        network.send(0, 3, Fate { held_back_us: 100, ..delayed(10) });
        network.send(0, 4, delayed(10));
        assert_eq!(network.under_way(), 4);
        assert_eq!(arrivals(&mut network), [(10, 2), (10, 4), (30, 2), (110, 3)]);
        let figures = NetworkFigures { sent: 4, lost: 1, duplicated: 1, reordered: 2, delivered: 4 };
        assert_eq!(network.figures(), figures);
    }

    #[test]
    fn a_stream_heeds_only_the_delay_and_keeps_its_order() {
        let mut network = SimulatedNetwork::new(Carriage::Stream);
        for (item, delay_us) in [(1, 50), (2, 0)] {
            let fate = Fate { lost: true, delay_us, held_back_us: 9, copy_delay_us: Some(1) };
            network.send(0, item, fate);
        }
        assert_eq!(arrivals(&mut network), [(50, 1), (50, 2)]);
    }

    #[test]
    fn a_shorter_stall_within_a_longer_one_ends_nothing() {
        let mut network = SimulatedNetwork::default();
        network.send(0, 1, Fate::default());
        network.stall(100);
        network.send(1, 2, Fate::default());
        network.stall(50);
        network.send(2, 3, Fate::default());
        network.send(101, 4, Fate::default());
        assert_eq!(arrivals(&mut network), [(0, 1), (100, 2), (100, 3), (101, 4)]);
    }
}
