//! The types that host threads and the tick share: those of std and crossbeam. The feature `interleavings` replaces them
//! with types of shuttle, so that a test can switch threads before each use.

#[cfg(not(feature = "interleavings"))]
pub(crate) use {
    arc_swap::ArcSwapOption,
    crossbeam::queue::{ArrayQueue, SegQueue},
    rtrb::{Consumer, Producer},
    std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64},
    std::sync::{Mutex, MutexGuard},
};

#[cfg(feature = "interleavings")]
pub(crate) use {
    shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64},
    shuttle::sync::{Mutex, MutexGuard},
    stepped::{ArcSwapOption, ArrayQueue, Consumer, Producer, SegQueue},
};

/// A ring for `capacity` values from one thread to another.
#[cfg(not(feature = "interleavings"))]
pub(crate) fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    rtrb::RingBuffer::new(capacity)
}

#[cfg(feature = "interleavings")]
pub(crate) fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (producer.into(), consumer.into())
}

/// Types for which shuttle has no counterpart: a whole call of the real type is one step. Their own authors test what
/// happens inside.
#[cfg(feature = "interleavings")]
mod stepped {
    use std::ops::{Deref, DerefMut};
    use std::sync::Arc;

    use shuttle::sync::atomic::{AtomicBool, Ordering};

    /// A shared value that other threads may reach before each use.
    #[derive(Debug)]
    pub(crate) struct Stepped<T> {
        real: T,
        step: AtomicBool,
    }

    impl<T> From<T> for Stepped<T> {
        fn from(real: T) -> Self {
            Self { real, step: AtomicBool::new(false) }
        }
    }

    impl<T> Deref for Stepped<T> {
        type Target = T;
        fn deref(&self) -> &T {
            // Shuttle may switch threads here, before the value is used.
            self.step.load(Ordering::SeqCst);
            &self.real
        }
    }

    impl<T> DerefMut for Stepped<T> {
        fn deref_mut(&mut self) -> &mut T {
            self.step.load(Ordering::SeqCst);
            &mut self.real
        }
    }

    pub(crate) type Producer<T> = Stepped<rtrb::Producer<T>>;
    pub(crate) type Consumer<T> = Stepped<rtrb::Consumer<T>>;
    pub(crate) type ArrayQueue<T> = Stepped<crossbeam::queue::ArrayQueue<T>>;
    pub(crate) type SegQueue<T> = Stepped<crossbeam::queue::SegQueue<T>>;
    pub(crate) type ArcSwapOption<T> = Stepped<arc_swap::ArcSwapOption<T>>;

    impl<T> ArrayQueue<T> {
        pub(crate) fn new(capacity: usize) -> Self {
            crossbeam::queue::ArrayQueue::new(capacity).into()
        }
    }

    impl<T> SegQueue<T> {
        pub(crate) fn new() -> Self {
            crossbeam::queue::SegQueue::new().into()
        }
    }

    impl<T> ArcSwapOption<T> {
        pub(crate) fn new(value: Option<Arc<T>>) -> Self {
            arc_swap::ArcSwapOption::new(value).into()
        }
    }
}
