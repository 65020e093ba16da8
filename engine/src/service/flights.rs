//! Calls from the moment they are asked for to their end, and the time that each may take.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use crate::service::call::{Call, CallKey};

/// Most parts of one answer that are taken in one tick: a third of a second of audio. What is made faster waits at the
/// service, where a cancellation still stops it, and does not flood the queues behind.
pub const PARTS_PER_TICK: u32 = 16;

/// How the reason of a call begins that was over its time before its service had room for it.
pub const NOT_STARTED: &str = "timed out: not started";

/// What bounds the calls of one service.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Longest time without a part of an answer that is wanted, microseconds.
    pub(crate) timeout_us: u64,
    /// Further attempts at a call that failed before its first part.
    pub(crate) retries: u8,
    /// What is answered in place of a reply that failed before its first part.
    pub(crate) fallback: Option<Arc<str>>,
    /// What is said before a reply of which nothing has come for so many microseconds.
    pub(crate) filler: Option<(Arc<str>, u64)>,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits at its station, or for another attempt.
    Waiting,
    /// The service works on it.
    Started,
    /// It was taken back; the service has not said yet that its work has stopped.
    Stopping,
    /// It took too long and has failed; the service has not said yet that its work has stopped.
    GivenUp,
    /// It has failed; what is said in its place waits for its turn.
    Failed,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) service: u8,
    pub(crate) state: State,
    /// Counts the calls of the engine.
    order: u64,
    /// Engine time at which the node asked.
    asked_us: u64,
    /// Engine time at which it was first started, if it was.
    pub(crate) started_us: Option<u64>,
    /// Engine time of the last part, or of its release.
    pub(crate) since_us: u64,
    /// Whether some of the answer has come.
    pub(crate) begun: bool,
    /// Whether that was words or sound, and not only something for the host.
    pub(crate) spoke: bool,
    /// Nothing of it is taken.
    pub(crate) held: bool,
    /// The last tick in which parts were taken, and how many.
    pub(crate) parts: (u64, u32),
    /// What may be started again.
    again: Option<Box<Call>>,
}

/// A service that has an answer ready hands it out at the next poll: a call that was held, and has had its time before
/// that, gets this much more, microseconds.
const GRACE_US: u64 = 100_000;

impl Flight {
    /// Parts of the answer that are taken in this tick, beside those that were.
    pub(crate) fn room(&self, tick: u64) -> u32 {
        let taken = if self.parts.0 == tick { self.parts.1 } else { 0 };
        if self.held { 0 } else { PARTS_PER_TICK.saturating_sub(taken) }
    }

    /// When it is given up if nothing more comes; `None`: nobody waits for it.
    fn due_us(&self, timeout_us: u64) -> Option<u64> {
        match self.state {
            State::Stopping | State::GivenUp => Some(self.since_us + timeout_us),
            State::Failed => None,
            State::Waiting | State::Started if self.held => None,
            State::Waiting | State::Started if self.begun => Some(self.since_us + timeout_us),
            State::Waiting | State::Started => {
                Some((self.asked_us + timeout_us).max(self.since_us + GRACE_US.min(timeout_us)))
            }
        }
    }
}

/// When a call is looked at again. Ordered by time, and among equals in the order in which calls were asked for.
#[derive(Debug)]
struct Look {
    at_us: u64,
    order: u64,
    call: CallKey,
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        (self.at_us, self.order) == (other.at_us, other.order)
    }
}

impl Eq for Look {}

impl PartialOrd for Look {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Look {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_us, self.order).cmp(&(other.at_us, other.order))
    }
}

/// A call that has taken too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overdue {
    pub(crate) call: CallKey,
    pub(crate) service: u8,
    /// How far it had come.
    pub(crate) state: State,
    /// Whether its service has begun to work on it, once or again.
    pub(crate) was_started: bool,
}

/// All calls that have not ended. Looked up, and visited in the order of their times; never iterated.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    map: HashMap<CallKey, Flight, BuildHasherDefault<DefaultHasher>>,
    looks: BinaryHeap<Reverse<Look>>,
    asked: u64,
    /// Calls that services work on.
    under_way: usize,
    /// Counts ticks, from 1.
    pub(crate) tick: u64,
}

impl Flights {
    pub(crate) fn get(&self, call: &CallKey) -> Option<&Flight> {
        self.map.get(call)
    }

    pub(crate) fn get_mut(&mut self, call: &CallKey) -> Option<&mut Flight> {
        self.map.get_mut(call)
    }

    /// Calls that services work on.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// A node asks for a call.
    pub(crate) fn ask(&mut self, call: &Call, service: u8, timeout_us: u64) {
        let (asked_us, order) = (call.queued_us, self.asked);
        self.asked += 1;
        let flight = Flight {
            service,
            state: State::Waiting,
            order,
            asked_us,
            started_us: None,
            since_us: asked_us,
            begun: false,
            spoke: false,
            held: false,
            parts: (0, 0),
            again: None,
        };
        if self.map.insert(call.key, flight).is_some_and(|old| old.state == State::Started) {
            // A node has given two calls one name: the first is answered to nobody.
            self.under_way -= 1;
        }
        let at_us = asked_us + timeout_us;
        self.looks.push(Reverse(Look { at_us, order, call: call.key }));
    }

    /// A service begins to work on a call, which may be started again `retries` times in all.
    pub(crate) fn start(&mut self, call: &Call, retries: u8, now_us: u64) {
        let Some(flight) = self.map.get_mut(&call.key).filter(|flight| flight.state == State::Waiting) else {
            return;
        };
        flight.state = State::Started;
        flight.started_us.get_or_insert(now_us);
        // Kept now, as other calls may have been merged into this one while it waited.
        flight.again = (call.attempt < retries).then(|| Box::new(call.clone()));
        self.under_way += 1;
    }

    /// Parts of answers are taken anew from here on.
    pub(crate) fn begin_tick(&mut self) {
        self.tick += 1;
    }

    /// A part of the answer was taken. `speaks`: of what its listener hears.
    pub(crate) fn took(&mut self, call: &CallKey, speaks: bool) {
        if let Some(flight) = self.map.get_mut(call) {
            flight.begun = true;
            flight.spoke |= speaks;
            // Part of an answer is out: a second attempt would say it twice.
            flight.again = None;
        }
    }

    /// The calls at a service that are not over, in the order in which they were asked for.
    pub(crate) fn of(&self, service: u8) -> Vec<CallKey> {
        let ordered = |Reverse(look): &Reverse<Look>| {
            let flight = self.map.get(&look.call).filter(|flight| flight.service == service)?;
            (flight.order == look.order).then_some((look.order, look.call))
        };
        let mut calls: Vec<(u64, CallKey)> = self.looks.iter().filter_map(ordered).collect();
        calls.sort_unstable_by_key(|(order, _)| *order);
        calls.into_iter().map(|(_, call)| call).collect()
    }

    /// Nothing of a call is taken, or it is released.
    pub(crate) fn hold(&mut self, call: &CallKey, held: bool, now_us: u64) {
        if let Some(flight) = self.map.get_mut(call) {
            flight.since_us = if flight.held && !held { now_us } else { flight.since_us };
            flight.held = held;
        }
    }

    /// A call is over.
    pub(crate) fn end(&mut self, call: &CallKey) -> Option<Flight> {
        let flight = self.map.remove(call)?;
        self.under_way -= usize::from(flight.state == State::Started);
        Some(flight)
    }

    /// A call that the service works on is to stop; the service says when it has.
    pub(crate) fn stop(&mut self, call: &CallKey, state: State, now_us: u64) {
        if let Some(flight) = self.map.get_mut(call) {
            self.under_way -= usize::from(flight.state == State::Started);
            (flight.state, flight.since_us, flight.again) = (state, now_us, None);
        }
    }

    /// What is to be started again of a call that failed, if it may be at `now_us`.
    pub(crate) fn again(&mut self, call: &CallKey, timeout_us: u64, now_us: u64) -> Option<Call> {
        let flight = self.map.get_mut(call).filter(|flight| flight.state == State::Started)?;
        if flight.begun || now_us >= flight.asked_us + timeout_us {
            return None;
        }
        let mut again = *flight.again.take()?;
        again.attempt += 1;
        flight.state = State::Waiting;
        self.under_way -= 1;
        Some(again)
    }

    /// The call that is over its time at `now_us` by the longest, and by how long.
    pub(crate) fn most_overdue(&self, now_us: u64, timeout_us: impl Fn(u8) -> u64) -> Option<(CallKey, u64)> {
        let late = |Reverse(look): &Reverse<Look>| {
            let flight = self.map.get(&look.call)?;
            let late_us = now_us.checked_sub(flight.due_us(timeout_us(flight.service))?)?;
            Some((late_us, Reverse(look.order), look.call))
        };
        let latest =
            self.looks.iter().filter_map(late).max_by_key(|(late_us, order, _)| (*late_us, *order))?;
        Some((latest.2, latest.0))
    }

    /// The next call that has taken too long by `now_us`; `timeout_us` gives the bound of a service.
    pub(crate) fn next_overdue(&mut self, now_us: u64, timeout_us: impl Fn(u8) -> u64) -> Option<Overdue> {
        while self.looks.peek().is_some_and(|Reverse(look)| look.at_us <= now_us) {
            let Reverse(look) = self.looks.pop()?;
            let Some(flight) = self.map.get(&look.call) else { continue };
            let due_us = flight.due_us(timeout_us(flight.service)).unwrap_or(now_us + GRACE_US);
            if due_us > now_us {
                self.looks.push(Reverse(Look { at_us: due_us, ..look }));
                continue;
            }
            let (service, state, was_started) = (flight.service, flight.state, flight.started_us.is_some());
            if matches!(state, State::Waiting | State::Started) {
                // A service that is told to stop may say so.
                self.looks.push(Reverse(Look { at_us: now_us + timeout_us(service), ..look }));
            }
            return Some(Overdue { call: look.call, service, state, was_started });
        }
        None
    }
}
