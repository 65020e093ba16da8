//! Handles: numbers in the shape of pointers, which no host can make the library follow.
//!
//! A handle names a place and the generation of what lies there. A call with a handle that is closed, made up or of
//! another kind finds nothing. Places are never freed, so looking one up takes neither lock nor heap.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Places of the first chunk; each chunk has twice as many as the one before.
const FIRST: usize = 64;
/// Chunks: 4 million places.
const CHUNKS: usize = 16;
const HALF: u32 = usize::BITS / 2;
/// Lowest bits of a handle: no address has them.
const KIND_BITS: u32 = 2;

/// Places for things of one kind.
pub(crate) struct Table<T: 'static> {
    kind: usize,
    chunks: [OnceLock<Box<[Place<T>]>>; CHUNKS],
    free: Mutex<Free>,
}

/// Where a thing may lie.
pub(crate) struct Place<T> {
    generation: AtomicU32,
    pub(crate) thing: T,
}

#[derive(Default)]
struct Free {
    places: Vec<usize>,
    used: usize,
}

/// A handle taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: usize,
    generation: u32,
}

impl<T: Default> Table<T> {
    /// An empty table of things whose handles end in `kind`, 1 to 3.
    pub(crate) const fn new(kind: usize) -> Self {
        Self {
            kind,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(Free { places: Vec::new(), used: 0 }),
        }
    }

    /// Takes a free place; `None`: there is none any more.
    pub(crate) fn take(&self) -> Option<(Key, &Place<T>)> {
        let mut free = self.free();
        let index = match free.places.pop() {
            Some(index) => index,
            None => {
                let (chunk, _) = chunk_of(free.used);
                let places = || (0..FIRST << chunk).map(|_| Place::default()).collect();
                self.chunks.get(chunk)?.get_or_init(places);
                free.used += 1;
                free.used - 1
            }
        };
        drop(free);
        let place = self.place(index)?;
        // From 1 on: no handle is null.
        let last = place.generation.load(Ordering::Relaxed);
        let generation = last.checked_add(1).filter(|next| u64::from(*next) >> (HALF - 1) == 0).unwrap_or(1);
        place.generation.store(generation, Ordering::Release);
        Some((Key { index, generation }, place))
    }

    /// What the handle names, while it is open.
    pub(crate) fn find(&self, handle: usize) -> Option<(Key, &Place<T>)> {
        if handle & ((1 << KIND_BITS) - 1) != self.kind {
            return None;
        }
        let key = Key {
            index: (handle & ((1 << HALF) - 1)) >> KIND_BITS,
            generation: u32::try_from(handle >> HALF).ok()?,
        };
        let place = self.place(key.index).filter(|place| place.is(key))?;
        Some((key, place))
    }

    /// Gives a place back; what lay there was taken out. From here on its handle names nothing.
    pub(crate) fn release(&self, key: Key) {
        self.free().places.push(key.index);
    }

    /// The handle of a key.
    pub(crate) fn handle(&self, key: Key) -> usize {
        (key.generation as usize) << HALF | key.index << KIND_BITS | self.kind
    }

    /// Everything that was ever opened, in the order of places.
    pub(crate) fn handles(&self) -> Vec<usize> {
        let used = self.free().used;
        let key = |index| {
            let generation = self.place(index)?.generation.load(Ordering::Acquire);
            Some(self.handle(Key { index, generation }))
        };
        (0..used).filter_map(key).collect()
    }

    fn place(&self, index: usize) -> Option<&Place<T>> {
        let (chunk, at) = chunk_of(index);
        self.chunks.get(chunk)?.get()?.get(at)
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

    /// Ends the generation: who comes with its handle finds nothing.
    pub(crate) fn close(&self, key: Key) -> bool {
        let next = key.generation.wrapping_add(1);
        let ended =
            self.generation.compare_exchange(key.generation, next, Ordering::AcqRel, Ordering::Relaxed);
        ended.is_ok()
    }
}

impl<T: Default> Default for Place<T> {
    fn default() -> Self {
        Self { generation: AtomicU32::new(0), thing: T::default() }
    }
}

/// The chunk of a place, and where in it the place is.
fn chunk_of(index: usize) -> (usize, usize) {
    let chunk = (index / FIRST + 1).ilog2() as usize;
    (chunk, index - FIRST * ((1 << chunk) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_one_chunk() {
        let places: Vec<_> = (0..1_000).map(chunk_of).collect();
        assert_eq!((places[0], places[63], places[64]), ((0, 0), (0, 63), (1, 0)));
        assert_eq!((places[191], places[192]), ((1, 127), (2, 0)));
        assert!(places.iter().all(|(chunk, at)| *at < FIRST << chunk));
    }

    #[test]
    fn a_closed_handle_names_nothing_also_when_its_place_is_used_again() {
        static TABLE: Table<()> = Table::new(2);
        let (key, place) = TABLE.take().expect("there is room");
        let handle = TABLE.handle(key);
        assert!(TABLE.find(handle).is_some());
        assert!(place.close(key) && !place.close(key), "closed once");
        TABLE.release(key);
        assert!(TABLE.find(handle).is_none());
        let (again, _) = TABLE.take().expect("there is room");
        assert!(again.index == key.index && TABLE.handle(again) != handle);
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
        let all: Vec<usize> =
            (0..500).map(|_| table.handle(table.take().expect("there is room").0)).collect();
        assert!(all.iter().all(|handle| table.find(*handle).is_some()));
        assert_eq!(table.handles(), all);
    }
}
