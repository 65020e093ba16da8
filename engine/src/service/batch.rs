//! Where the items of all sessions wait for one service that cannot run in parallel, and how batches are formed.
//!
//! Pure data: time is an argument, and only the merge rule is called. **Merge within a session, batch across
//! sessions**: items become one only if they answer the same revision of the same segment at the same node; a batch
//! is a list of separate calls.
//!
//! Places in a batch are given in rounds: first the first item of every session, then the second ones, and so on.
//! Within a round the item that is due first goes first, and no item stands before others that were overdue when it
//! came. So a session waits only for what was there before it was due, however much others push.

mod forming;
mod group;
mod hints;
mod policy;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::record::event::FlushReason;
use crate::scene::OverflowPolicy;
use crate::service::call::{Call, CallKey};

use group::Group;
use hints::Hints;
pub use policy::{BatchPolicy, DeadlineRule, Gives, Merge, SENTENCES_MAX, SOUND_MAX_US, Settled};

/// A waiting call.
#[derive(Debug)]
struct Item {
    call: Call,
    /// Engine time of the push.
    pushed_us: u64,
    warned: bool,
}

/// Index of a waiting call, with the fields that every tick reads.
#[derive(Clone, Copy, Debug)]
struct Place {
    session: SessionId,
    /// Index in `slots`.
    slot: u32,
    queued_us: u64,
    deadline_us: u64,
    /// Items that must wait, over all sessions, for this one to be worth a batch.
    worth: u32,
}

/// Items of all sessions that wait for one service.
///
/// At most `bound` items wait inside, from which batches are formed. Under [`OverflowPolicy::Block`] further ones wait
/// at the door, in order and without a limit of its own: their senders are limited.
#[derive(Component, Debug)]
pub struct BatchQueue {
    policy: BatchPolicy,
    hints: Hints,
    /// Items inside: by session, within a session in the order of the pushes.
    places: Vec<Place>,
    slots: Vec<Option<Item>>,
    free: Vec<u32>,
    /// Items at the door. Not empty only while the inside is full.
    door: VecDeque<Item>,
    depth_max: u32,
    // Reused by every flush.
    groups: Vec<Group>,
    texts: Vec<Arc<str>>,
}

impl BatchQueue {
    /// An empty queue. Impossible numbers of the policy (a bound of 0, a `min` above `max`) become the nearest
    /// possible ones.
    pub fn new(policy: BatchPolicy) -> Self {
        let policy = policy.sound();
        Self {
            policy,
            hints: Hints::default(),
            places: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            door: VecDeque::new(),
            depth_max: 0,
            groups: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// Items that wait inside, at most the policy's `bound`.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if nothing waits, neither inside nor at the door.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Items that wait at the door, beside those inside.
    pub fn at_door(&self) -> usize {
        self.door.len()
    }

    /// Engine time at which the oldest item inside was asked for.
    pub fn oldest_us(&self) -> Option<u64> {
        self.places.iter().map(|place| place.queued_us).min()
    }

    /// The waiting items: those inside by session, then those at the door.
    pub fn keys(&self) -> impl Iterator<Item = CallKey> + '_ {
        let inside = (0..self.places.len()).map(|at| self.item(at));
        inside.chain(&self.door).map(|item| item.call.key)
    }

    /// Most items that ever waited inside.
    pub fn depth_max(&self) -> u32 {
        self.depth_max
    }

    /// Adds an item behind the others of its session. At the bound the overflow policy decides, and `settled` gets
    /// the items that it merged or dropped. A `queued_us` after `now_us` counts as `now_us`, 0 sentences as one.
    pub fn push(&mut self, mut call: Call, now_us: u64, settled: &mut Vec<Settled>) {
        call.queued_us = call.queued_us.min(now_us);
        call.sentences = call.sentences.max(1);
        if self.hints.forget_before(&call.key) {
            self.follow_hint(call.key.session);
        }
        let item = Item { call, pushed_us: now_us, warned: false };
        if self.room() {
            self.enter(item);
        } else {
            match self.policy.overflow {
                OverflowPolicy::Block => self.door.push_back(item),
                OverflowPolicy::DropNewest => settled.push(Settled::Dropped(item.call.key)),
                OverflowPolicy::DropOldest => {
                    settled.push(Settled::Dropped(self.drop_oldest(None)));
                    self.enter(item);
                }
                OverflowPolicy::MergeOnOverflow => {
                    // The new item may be one of the only pair.
                    let newcomer = self.enter(item);
                    let gone = self.merge_oldest();
                    let gone = gone.unwrap_or_else(|| Settled::Dropped(self.drop_oldest(Some(newcomer))));
                    settled.push(gone);
                }
            }
        }
        self.depth_max = self.depth_max.max(self.places.len() as u32);
    }

    /// Takes out an item that was not submitted yet; false when none with this key waits (it was submitted, dropped,
    /// or merged into an earlier one).
    pub fn withdraw(&mut self, key: CallKey) -> bool {
        let run = self.run(key.session);
        let found = run.into_iter().find(|&at| self.item(at).call.key == key);
        if let Some(at) = found {
            self.remove(at);
            self.admit();
            return true;
        }
        let found = self.door.iter().position(|item| item.call.key == key);
        found.and_then(|at| self.door.remove(at)).is_some()
    }

    /// Says how many waiting items, over all sessions, are worth a batch to the items of one session, within the policy's
    /// `min` and `max`. To the items of others it stays what it is: a batch goes as soon as it is worth it to one of
    /// the waiting items, and takes along what fits.
    ///
    /// Holds for what waits and what comes, until the next hint of the session, or until the hint or an item of another
    /// session with its id comes: then this one is over.
    pub fn hint(&mut self, session: SessionId, generation: u32, suggested: u32) {
        self.hints.set(session, generation, suggested.clamp(self.policy.min, self.policy.max));
        self.follow_hint(session);
    }

    /// Forms a batch if one is due. To be called while the service can take one, until it returns `None`. `avg_us` is
    /// the usual time of a batch.
    ///
    /// The batch is appended to `batch`, items of one session in the order of their pushes; `settled` gets the items
    /// that were merged into others. Of several reasons "full" comes before "count", and both before the earlier of
    /// "timer" and "deadline".
    pub fn flush(
        &mut self,
        now_us: u64,
        avg_us: u64,
        batch: &mut Vec<Call>,
        settled: &mut Vec<Settled>,
    ) -> Option<FlushReason> {
        let reason = self.reason(now_us, avg_us)?;
        let size = self.size_max(now_us, avg_us) as usize;
        let mut groups = std::mem::take(&mut self.groups);
        self.group(avg_us, &mut groups);
        let reduces = self.policy.rule.is_some_and(|rule| rule.gives == Gives::LowerQuality);
        for group in groups.iter().take(size) {
            let mut call = self.take(group, settled);
            call.reduced |= reduces && self.pressed(call.deadline_us, now_us, avg_us);
            batch.push(call);
        }
        groups.clear();
        self.groups = groups;
        let slots = &self.slots;
        self.places.retain(|place| slots[place.slot as usize].is_some());
        self.admit();
        Some(reason)
    }

    /// Reports every item once, when the time to its deadline is no more than the margin and the work's `avg_us`:
    /// `warned` gets its key and the microseconds to its deadline, 0 when that has passed.
    pub fn warnings(&mut self, now_us: u64, avg_us: u64, warned: &mut Vec<(CallKey, u64)>) {
        if self.policy.rule.is_none() {
            return;
        }
        for at in 0..self.places.len() {
            let Place { slot, deadline_us, .. } = self.places[at];
            if self.pressed(deadline_us, now_us, avg_us) {
                warn(self.slots[slot as usize].as_mut().expect(HELD), now_us, warned);
            }
        }
        for at in 0..self.door.len() {
            if self.pressed(self.door[at].call.deadline_us, now_us, avg_us) {
                warn(&mut self.door[at], now_us, warned);
            }
        }
    }

    /// The time at which [`flush`](Self::flush) would form a batch if nothing is pushed or withdrawn before; it may
    /// have passed. Only means something while the service is free.
    pub fn next_due_us(&self, avg_us: u64) -> Option<u64> {
        self.next_due(avg_us).map(|(at_us, _)| at_us)
    }
}

/// Places and slots are made and emptied together.
const HELD: &str = "every place has its item";

fn warn(item: &mut Item, now_us: u64, warned: &mut Vec<(CallKey, u64)>) {
    if !item.warned {
        item.warned = true;
        warned.push((item.call.key, item.call.deadline_us.saturating_sub(now_us)));
    }
}

/// The waiting items.
impl BatchQueue {
    fn room(&self) -> bool {
        self.places.len() < self.policy.bound as usize
    }

    fn item(&self, at: usize) -> &Item {
        self.slots[self.places[at].slot as usize].as_ref().expect(HELD)
    }

    /// The places of one session.
    fn run(&self, session: SessionId) -> std::ops::Range<usize> {
        let from = self.places.partition_point(|place| place.session < session);
        let count = self.places[from..].iter().take_while(|place| place.session == session).count();
        from..from + count
    }

    /// Puts an item behind the others of its session and returns its place.
    fn enter(&mut self, item: Item) -> usize {
        let Call { key, queued_us, deadline_us, .. } = item.call;
        let (session, worth) = (key.session, self.worth(&key));
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(item);
        let at = self.places.partition_point(|place| place.session <= session);
        self.places.insert(at, Place { session, slot, queued_us, deadline_us, worth });
        at
    }

    fn worth(&self, key: &CallKey) -> u32 {
        self.hints.of(key).unwrap_or(self.policy.min)
    }

    /// What waits of a session follows its hint, or that it has none.
    fn follow_hint(&mut self, session: SessionId) {
        for at in self.run(session) {
            self.places[at].worth = self.worth(&self.item(at).call.key);
        }
    }

    /// Lets items in from the door while there is room.
    fn admit(&mut self) {
        while self.room()
            && let Some(item) = self.door.pop_front()
        {
            self.enter(item);
        }
    }

    /// Takes an item out and leaves its place for the caller to remove.
    fn lift(&mut self, at: usize) -> Item {
        let slot = self.places[at].slot;
        self.free.push(slot);
        self.slots[slot as usize].take().expect(HELD)
    }

    fn remove(&mut self, at: usize) -> Item {
        let item = self.lift(at);
        self.places.remove(at);
        item
    }

    /// Removes the oldest item, of equals that of the lowest session; never the one at `except`.
    fn drop_oldest(&mut self, except: Option<usize>) -> CallKey {
        let candidates = (0..self.places.len()).filter(|at| Some(*at) != except);
        let oldest = candidates.min_by_key(|&at| self.places[at].queued_us);
        self.remove(oldest.expect("a full queue has an item")).call.key
    }

    /// Merges the oldest pair of adjacent items that may be merged, if there is one. The result may have more
    /// sentences than a flush would join, as the alternative is to lose some; but no longer text or sound, or one
    /// session's item would grow for as long as its service is busy.
    fn merge_oldest(&mut self) -> Option<Settled> {
        let merge = &self.policy.merge;
        let joins = |at: &usize| {
            let (first, second) = (&self.item(*at).call, &self.item(at + 1).call);
            let has_room = || merge.has_room([&*first.text, &*second.text].into_iter());
            merge.may_join(first, second) && merge.fits(first, second, 0) && has_room()
        };
        let pairs = (0..self.places.len().saturating_sub(1)).filter(joins);
        let first = pairs.min_by_key(|&at| self.places[at].queued_us)?;
        let mut later = self.remove(first + 1).call;
        let place = &mut self.places[first];
        let call = &mut self.slots[place.slot as usize].as_mut().expect(HELD).call;
        call.text = self.policy.merge.join(&[Arc::clone(&call.text), Arc::clone(&later.text)]);
        self.policy.merge.append(call, &mut later);
        call.absorb(&later);
        (place.queued_us, place.deadline_us) = (call.queued_us, call.deadline_us);
        Some(Settled::Merged(later.key))
    }
}
