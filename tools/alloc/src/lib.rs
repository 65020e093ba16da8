//! A global allocator that counts, so that "no allocation per tick" is a measurement and not a belief.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;
//! let before = mynah_alloc::allocations();
//! drop(vec![1, 2, 3]);
//! assert!(mynah_alloc::allocations() > before);
//! assert!(mynah_alloc::of_thread().allocations > 0);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

thread_local! {
    // Without a destructor, and made at compile time: the first use allocates nothing.
    static OF_THREAD: Cell<ThreadCounts> = const { Cell::new(ThreadCounts { allocations: 0, frees: 0 }) };
}

/// What one thread has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCounts {
    /// Allocations and reallocations.
    pub allocations: u64,
    /// Blocks given back, reallocations too.
    pub frees: u64,
}

/// The counts of the calling thread. 0 if [`Counting`] is not installed.
pub fn of_thread() -> ThreadCounts {
    OF_THREAD.get()
}

/// Counts for the calling thread.
fn count(allocations: u64, frees: u64) {
    // A thread that is ending may have no counts any more.
    let _gone = OF_THREAD.try_with(|counts| {
        let ThreadCounts { allocations: before, frees: freed } = counts.get();
        counts.set(ThreadCounts { allocations: before + allocations, frees: freed + frees });
    });
}

/// The system's allocator with two counters, and two for each thread.
#[derive(Debug)]
pub struct Counting;

/// Allocations and reallocations since the program's start, over all threads. 0 if [`Counting`] is not installed.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Bytes allocated and not yet freed, over all threads.
pub fn live_bytes() -> i64 {
    LIVE_BYTES.load(Ordering::Relaxed)
}

#[allow(unsafe_code, reason = "the trait is unsafe; every call goes to the system's allocator unchanged")]
// SAFETY: each method forwards its arguments to `System`, which upholds the contract of `GlobalAlloc`; the counters
// are atomics and cells of the thread, and never allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, 0);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, 0);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, 1);
        LIVE_BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, 1);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(at, layout, size) }
    }
}
