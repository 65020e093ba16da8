//! Handles: numbers in the shape of pointers, which no host can make the library follow.
//!
//! A handle names a place and the generation of what lies there. A call with a handle that is closed, made up or of
//! another kind finds nothing. Places are never freed, so looking one up takes neither lock nor heap.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Places of the first chunk; each chunk has twice as many as the one before.
const FIRST: usize = 64;
/// Chunks: 4 million places; with 32-bit addresses there are bits for 3,008, and generations come round after 32,768 uses.
const CHUNKS: usize = 1 << CHUNK_BITS;

// A handle is, from its lowest bit: the kind, the chunk, the place in the chunk, and in the upper half the generation.
const HALF: u32 = usize::BITS / 2;
/// No address of anything has the lowest bits set.
const KIND_BITS: u32 = 2;
const CHUNK_BITS: u32 = 4;
const AT_BITS: u32 = HALF - KIND_BITS - CHUNK_BITS;
/// Greatest generation, which is odd as all open ones.
const LAST: u32 = (u32::MAX >> (32 - HALF)) & !1 | 1;

/// Places for things of one kind.
pub(crate) struct Table<T: 'static> {
    kind: usize,
    chunks: [OnceLock<Box<[Place<T>]>>; CHUNKS],
    free: Mutex<Free>,
}

/// Where a thing may lie.
pub(crate) struct Place<T> {
    /// Odd while something lies here.
    generation: AtomicU32,
    pub(crate) thing: T,
}

#[derive(Default)]
struct Free {
    /// The one that is free for longest comes first: its old handles are old by then.
    spots: VecDeque<Spot>,
    used: usize,
}

/// Where a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    chunk: usize,
    at: usize,
}

/// A handle taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    spot: Spot,
    generation: u32,
}

impl<T: Default> Table<T> {
    /// An empty table of things whose handles end in `kind`, 1 to 3.
    pub(crate) const fn new(kind: usize) -> Self {
        Self {
            kind,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(Free { spots: VecDeque::new(), used: 0 }),
        }
    }

    /// Takes a free place, which no handle names until it is [published](Place::publish); `None`: there is none any more.
    pub(crate) fn take(&self) -> Option<(Key, &Place<T>)> {
        let mut free = self.free();
        let spot = match free.spots.pop_front() {
            Some(spot) => spot,
            None => {
                let spot = Spot::of(free.used).filter(|spot| spot.at >> AT_BITS == 0)?;
                let places = || (0..FIRST << spot.chunk).map(|_| Place::default()).collect();
                self.chunks[spot.chunk].get_or_init(places);
                free.used += 1;
                spot
            }
        };
        drop(free);
        let place = self.place(spot)?;
        let last = place.generation.load(Ordering::Relaxed);
        // Even: something lay here, or nothing yet. Behind the last one comes 1 again.
        let generation = (last & LAST) + 1;
        Some((Key { spot, generation }, place))
    }

    /// What the handle names, while it is open.
    pub(crate) fn find(&self, handle: usize) -> Option<(Key, &Place<T>)> {
        let bits = |from: u32, count: u32| (handle >> from) & ((1 << count) - 1);
        let spot = Spot { chunk: bits(KIND_BITS, CHUNK_BITS), at: bits(KIND_BITS + CHUNK_BITS, AT_BITS) };
        let key = Key { spot, generation: (handle >> HALF) as u32 };
        let is_open = bits(0, KIND_BITS) == self.kind && key.generation & 1 == 1;
        let place = self.place(spot).filter(|place| is_open && place.is(key))?;
        Some((key, place))
    }

    /// Gives a place back that was closed, or never published; what lay there was taken out.
    pub(crate) fn release(&self, key: Key) {
        self.free().spots.push_back(key.spot);
    }

    /// The handle of a key.
    pub(crate) fn handle(&self, key: Key) -> usize {
        let Key { spot: Spot { chunk, at }, generation } = key;
        (generation as usize) << HALF | at << (KIND_BITS + CHUNK_BITS) | chunk << KIND_BITS | self.kind
    }

    /// Everything that is open, in the order of places.
    pub(crate) fn handles(&self) -> Vec<usize> {
        let used = self.free().used;
        let handle = |index| {
            let spot = Spot::of(index)?;
            let generation = self.place(spot)?.generation.load(Ordering::Acquire);
            (generation & 1 == 1).then(|| self.handle(Key { spot, generation }))
        };
        (0..used).filter_map(handle).collect()
    }

    fn place(&self, spot: Spot) -> Option<&Place<T>> {
        self.chunks.get(spot.chunk)?.get()?.get(spot.at)
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        // Each change is one step, so a panic leaves it whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Place<T> {
    /// Whether what lies here is what the key was made for.
    pub(crate) fn is(&self, key: Key) -> bool {
        self.generation.load(Ordering::Acquire) == key.generation
    }

    /// From here on the key's handle names what lies here.
    pub(crate) fn publish(&self, key: Key) {
        self.generation.store(key.generation, Ordering::Release);
    }

    /// Ends the generation: who comes with its handle finds nothing. False: it was ended already.
    pub(crate) fn close(&self, key: Key) -> bool {
        let next = key.generation.wrapping_add(1);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        self.generation.compare_exchange(key.generation, next, order.0, order.1).is_ok()
    }
}

impl<T: Default> Default for Place<T> {
    fn default() -> Self {
        Self { generation: AtomicU32::new(0), thing: T::default() }
    }
}

impl Spot {
    /// The place with this number, counted through all chunks; `None`: there are not so many chunks.
    fn of(index: usize) -> Option<Self> {
        let chunk = (index / FIRST + 1).ilog2() as usize;
        (chunk < CHUNKS).then(|| Self { chunk, at: index - FIRST * ((1 << chunk) - 1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_one_chunk() {
        let spots: Vec<_> = (0..1_000).map(|index| Spot::of(index).expect("there are chunks")).collect();
        let at = |index: usize| (spots[index].chunk, spots[index].at);
        assert_eq!((at(0), at(63), at(64)), ((0, 0), (0, 63), (1, 0)));
        assert_eq!((at(191), at(192)), ((1, 127), (2, 0)));
        assert!(spots.iter().all(|spot| spot.at < FIRST << spot.chunk));
        assert_eq!(Spot::of(usize::MAX / 2), None);
    }

    #[test]
    fn a_closed_handle_names_nothing_also_when_its_place_is_used_again() {
        static TABLE: Table<()> = Table::new(2);
        let (key, place) = TABLE.take().expect("there is room");
        let handle = TABLE.handle(key);
        assert!(TABLE.find(handle).is_none() && TABLE.handles().is_empty(), "nothing lies there yet");
        place.publish(key);
        assert!(TABLE.find(handle).is_some());
        assert!(place.close(key) && !place.close(key), "closed once");
        TABLE.release(key);
        assert!(TABLE.find(handle).is_none() && TABLE.find(handle + (1 << HALF)).is_none());
        assert!(TABLE.handles().is_empty());
        let (again, place) = TABLE.take().expect("there is room");
        place.publish(again);
        assert!(again.spot == key.spot && TABLE.handle(again) != handle);
        assert!(TABLE.find(handle).is_none());
        for made_up in
            [0, 1, 2, 3, 4, 7, usize::MAX, 1 << HALF, (9 << HALF) | 2, (1 << HALF) | (99_999 << 2) | 2]
        {
            assert!(TABLE.find(made_up).is_none(), "{made_up:#x}");
        }
        let other: Table<()> = Table::new(1);
        assert!(other.find(TABLE.handle(again)).is_none(), "of another kind");
    }

    #[test]
    fn a_table_grows_and_keeps_what_it_has() {
        let table: Table<()> = Table::new(1);
        let open = || {
            let (key, place) = table.take().expect("there is room");
            place.publish(key);
            table.handle(key)
        };
        let all: Vec<usize> = (0..500).map(|_| open()).collect();
        assert!(all.iter().all(|handle| table.find(*handle).is_some()));
        assert_eq!(table.handles(), all);
    }
}
