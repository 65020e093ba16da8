//! Counts the blocks that a panic drops, so that the pool's account of blocks under way stays right: a frame in the
//! hands of a node that panics is dropped while the stack unwinds, and nobody can put its block back.

use std::cell::Cell;

thread_local! {
    /// Blocks that this thread dropped while it unwound, or while it counted.
    static LOST: Cell<u32> = const { Cell::new(0) };
    static COUNTS: Cell<bool> = const { Cell::new(false) };
}

/// Notes that a block is dropped.
pub(super) fn note() {
    if std::thread::panicking() || COUNTS.get() {
        LOST.set(LOST.get() + 1);
    }
}

/// Forgets what was lost so far.
pub(crate) fn reset() {
    LOST.set(0);
}

/// Blocks that this thread has dropped while it unwound since [`reset`].
pub(crate) fn since_reset() -> u32 {
    LOST.get()
}

/// Blocks that are dropped by `work`, which must not panic.
pub(crate) fn during(work: impl FnOnce()) -> u32 {
    reset();
    COUNTS.set(true);
    work();
    COUNTS.set(false);
    since_reset()
}
