//! Pooled sample memory that moves from queue to queue.
//!
//! A frame owns its block alone unless a scene fans audio out: then the branches share the block, and a writer
//! copies. Blocks come from the shard's [`BlockPool`] and go back to it, so that a warm tick never allocates.

use std::sync::Arc;

use bevy_ecs::prelude::Resource;

use crate::media::lost;

/// Interleaved `f32` samples; the capacity is fixed, the length is not.
#[derive(Debug)]
pub struct Block {
    data: Arc<[f32]>,
    len: u32,
}

impl Block {
    /// Most samples a pooled block holds: 20 ms of eight channels at 192 kHz are 30,720.
    pub const CAPACITY_MAX: usize = 1 << 15;

    /// A fresh block outside any pool, silent, `len` samples long.
    pub fn zeroed(len: usize) -> Self {
        let capacity = len.max(1).next_power_of_two().max(64);
        Self { data: vec![0.0; capacity].into(), len: len as u32 }
    }

    /// A fresh block with a copy of `samples`.
    pub fn from_samples(samples: &[f32]) -> Self {
        let mut block = Self::zeroed(samples.len());
        block.fill_from(samples);
        block
    }

    /// The samples, interleaved.
    pub fn samples(&self) -> &[f32] {
        &self.data[..self.len as usize]
    }

    /// Number of samples over all channels.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many samples fit.
    pub fn capacity(&self) -> usize {
        self.data.len()
    }

    /// The samples for writing, or `None` if the block is shared.
    pub fn try_mut(&mut self) -> Option<&mut [f32]> {
        let len = self.len as usize;
        Arc::get_mut(&mut self.data).map(|data| &mut data[..len])
    }

    /// The samples for writing; a shared block is first copied into a block of `pool`.
    pub fn make_mut<'a>(&'a mut self, pool: &mut BlockPool) -> &'a mut [f32] {
        if Arc::get_mut(&mut self.data).is_none() {
            let mut own = pool.lease(self.len());
            own.fill_from(self.samples());
            let shared = std::mem::replace(self, own);
            pool.put(shared);
        }
        self.try_mut().expect("a block fresh from the pool has one owner")
    }

    /// Sets the length, at most the capacity; samples that become visible keep their old values.
    pub fn set_len(&mut self, len: usize) {
        self.len = len.min(self.capacity()) as u32;
    }

    /// Overwrites an unshared block with `samples`, cut at the capacity.
    pub fn fill_from(&mut self, samples: &[f32]) {
        self.set_len(samples.len());
        let len = self.len();
        let data = Arc::get_mut(&mut self.data).expect("only unshared blocks are filled");
        data[..len].copy_from_slice(&samples[..len]);
    }

    /// Another owner of the same samples, for a fan-out.
    pub fn share(&self) -> Self {
        Self { data: Arc::clone(&self.data), len: self.len }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        lost::note();
    }
}

/// Free blocks of one shard, by capacity (powers of two from 64 to [`Block::CAPACITY_MAX`]).
#[derive(Resource, Debug, Default)]
pub struct BlockPool {
    classes: [Class; CLASSES],
    sessions: usize,
    out: i64,
}

/// Powers of two from 64 to [`Block::CAPACITY_MAX`].
const CLASSES: usize = Block::CAPACITY_MAX.ilog2() as usize - 5;

/// The blocks of one capacity.
#[derive(Debug, Default)]
struct Class {
    free: Vec<Block>,
    /// Blocks made so far.
    created: u64,
    /// Blocks still to be made ahead of need, one with each lease.
    ahead: u64,
}

impl Class {
    /// When the pool runs dry, it makes 1/`AHEAD` of all blocks ever created as spare ones, and at least
    /// [`Class::AHEAD_MIN`]: peak demand keeps creeping up for hours. With these an hour of a hundred callers makes no
    /// block after its first quarter.
    const AHEAD: u64 = 2;
    /// See [`Class::AHEAD`].
    const AHEAD_MIN: u64 = 32;

    /// Makes a block when none of this class is free.
    fn make(&mut self, len: usize) -> Block {
        self.created += 1;
        self.ahead = (self.created / Self::AHEAD).max(Self::AHEAD_MIN);
        Block::zeroed(len)
    }

    /// Makes one of the blocks ahead of need, so that no single lease pays for many.
    fn make_ahead(&mut self, capacity: usize) {
        if self.ahead > 0 {
            self.ahead -= 1;
            self.created += 1;
            self.free.push(Block::zeroed(capacity));
        }
    }
}

/// Free blocks of one capacity that are kept: this many and as many more per session (64 of 20 ms: a second in one
/// push), or all that were ever made here, if those are more. The rest is freed: otherwise a host that makes more
/// blocks than it takes back would fill the memory.
const KEPT: usize = 64;

impl BlockPool {
    fn class(capacity: usize) -> usize {
        (capacity.max(64).next_power_of_two().trailing_zeros() as usize - 6).min(CLASSES - 1)
    }

    /// An unshared block of `len` samples with undefined content.
    pub fn lease(&mut self, len: usize) -> Block {
        debug_assert!(len <= Block::CAPACITY_MAX, "frames are at most 20 ms");
        self.out += 1;
        let class = Self::class(len);
        match self.unshared(class) {
            Some(mut block) => {
                block.set_len(len);
                self.classes[class].make_ahead(block.capacity());
                block
            }
            None => self.classes[class].make(len),
        }
    }

    /// The next free block that nobody else shares; shared ones are left to their other owners.
    fn unshared(&mut self, class: usize) -> Option<Block> {
        let free = &mut self.classes[class].free;
        std::iter::from_fn(|| free.pop()).find_map(|mut block| {
            let alone = Arc::get_mut(&mut block.data).is_some();
            alone.then_some(block)
        })
    }

    /// Takes a block back. Whether the block is still shared is checked only at its next lease: the check fetches the
    /// block from memory, and a leased one is about to be written to anyway.
    pub fn put(&mut self, block: Block) {
        self.out -= 1;
        if block.capacity() <= Block::CAPACITY_MAX {
            let class = &mut self.classes[Self::class(block.capacity())];
            if class.free.len() < (KEPT * (1 + self.sessions)).max(class.created as usize) {
                class.free.push(block);
            }
        }
    }

    /// Counts a block that came from a host or a service, or that got a second owner.
    pub(crate) fn adopt(&mut self) {
        self.out += 1;
    }

    /// Counts a block that went to a host or a service.
    pub(crate) fn give(&mut self) {
        self.out -= 1;
    }

    /// Counts blocks that a panic has dropped.
    pub(crate) fn lose(&mut self, blocks: u32) {
        self.out -= i64::from(blocks);
    }

    /// Blocks under way in the shard: leased, shared or adopted, and neither put back nor given away. 0 once all
    /// sessions are over.
    pub fn out(&self) -> i64 {
        self.out
    }

    /// Frees all but `kept` free blocks of each size: the sessions they were for have paused.
    pub(crate) fn shrink(&mut self, kept: usize) {
        for class in &mut self.classes {
            class.free.truncate(kept);
            class.ahead = 0;
            if kept == 0 {
                class.free = Vec::new();
            }
        }
    }

    /// Sets how many sessions the free blocks are for.
    pub(crate) fn serve(&mut self, sessions: usize) {
        self.sessions = sessions;
    }

    /// Makes room for `blocks` free ones of `len` samples in all; the blocks themselves are made when first leased.
    pub fn reserve(&mut self, len: usize, blocks: usize) {
        let class = &mut self.classes[Self::class(len)].free;
        class.reserve_exact(blocks.saturating_sub(class.len()));
    }

    /// Blocks made because the pool had none or was about to run out: constant once a scene has warmed up.
    pub fn created(&self) -> u64 {
        self.classes.iter().map(|class| class.created).sum()
    }

    /// Samples in free blocks, over all capacities.
    pub fn free_samples(&self) -> usize {
        self.classes.iter().flat_map(|class| &class.free).map(Block::capacity).sum()
    }

    /// A free block of at least `capacity` samples, if the pool has more than `keep` of that size.
    pub fn surplus(&mut self, capacity: usize, keep: usize) -> Option<Block> {
        let class = Self::class(capacity);
        if self.classes[class].free.len() > keep { self.unshared(class) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::unwind::caught;

    #[test]
    fn a_returned_block_is_used_again() {
        let mut pool = BlockPool::default();
        let block = pool.lease(320);
        let place = block.samples().as_ptr();
        pool.put(block);
        let block = pool.lease(400);
        assert_eq!((block.samples().as_ptr(), block.len(), block.capacity()), (place, 400, 512));
    }

    #[test]
    fn a_pool_grows_by_half_ahead_of_need_one_block_a_lease() {
        let mut pool = BlockPool::default();
        let mut out: Vec<Block> = (0..800).map(|_| pool.lease(320)).collect();
        pool.serve(20);
        assert_eq!(pool.created(), 800);
        for _ in 0..800 {
            let made = pool.created();
            pool.put(out.pop().expect("800 are out"));
            out.push(pool.lease(320));
            assert!(pool.created() - made <= 1);
        }
        assert_eq!(pool.created(), 1_200, "demand was 800");
        out.extend((0..400).map(|_| pool.lease(320)));
        assert_eq!(pool.created(), 1_200, "a little more than ever before is at hand");
    }

    #[test]
    fn what_nobody_will_use_is_not_kept() {
        let mut pool = BlockPool::default();
        (0..1_000).for_each(|_| pool.put(Block::zeroed(100)));
        assert_eq!(pool.free_samples(), KEPT * 128);
        pool.serve(2);
        (0..1_000).for_each(|_| pool.put(Block::zeroed(100)));
        assert_eq!(pool.free_samples(), 3 * KEPT * 128);
    }

    #[test]
    fn what_was_for_those_that_pause_is_given_back() {
        let mut pool = BlockPool::default();
        (0..60).for_each(|_| pool.put(Block::zeroed(100)));
        pool.shrink(40);
        assert_eq!(pool.free_samples(), 40 * 128);
        pool.shrink(0);
        assert_eq!((pool.free_samples(), pool.lease(100).len()), (0, 100));
    }

    #[test]
    fn writing_to_a_shared_block_leaves_the_other_owner_alone() {
        let mut pool = BlockPool::default();
        let mut a = Block::from_samples(&[1.0, 2.0]);
        let b = a.share();
        assert!(a.try_mut().is_none());
        a.make_mut(&mut pool)[0] = 9.0;
        assert_eq!((a.samples(), b.samples()), (&[9.0, 2.0][..], &[1.0, 2.0][..]));
    }

    #[test]
    fn a_block_that_somebody_still_has_is_leased_to_nobody() {
        let mut pool = BlockPool::default();
        let a = pool.lease(100);
        let b = a.share();
        pool.put(a);
        let mut other = pool.lease(100);
        assert!(other.try_mut().is_some());
        assert_ne!(other.samples().as_ptr(), b.samples().as_ptr(), "the first one has an owner");
        let place = b.samples().as_ptr();
        pool.put(b);
        assert_eq!(pool.lease(100).samples().as_ptr(), place, "it has none any more");
    }

    #[test]
    fn blocks_count_as_lost_while_a_panic_unwinds_and_while_somebody_counts() {
        lost::reset();
        drop(Block::zeroed(1));
        assert_eq!(lost::since_reset(), 0, "dropped by whoever had done with it");
        let held = [Block::zeroed(1), Block::zeroed(2)];
        let panicked = caught(move || {
            let _held = held;
            panic!("with two blocks");
        });
        assert_eq!((panicked.is_err(), lost::since_reset()), (true, 2));
        let shared = Block::zeroed(1);
        let other = shared.share();
        assert_eq!(lost::during(move || drop(shared)), 1, "each owner counts by itself");
        drop(other);
        assert_eq!(lost::since_reset(), 1);
    }
}
