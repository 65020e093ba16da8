//! A place for one thread at a time, where nobody waits.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// A value for one thread at a time. Taking and giving back are one atomic operation each: this is for audio threads,
/// where a mutex would ask whether somebody panicked and whom to wake.
#[derive(Default)]
pub(crate) struct Gate<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by whoever has taken the gate alone, and may change threads.
unsafe impl<T: Send> Sync for Gate<T> {}

/// Gives the gate back at its end.
struct Taken<'a>(&'a AtomicBool);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl<T> Gate<T> {
    /// Does something with the value; `None`: another thread does so now.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        if self.taken.swap(true, Ordering::Acquire) {
            return None;
        }
        let _taken = Taken(&self.taken);
        // SAFETY: `taken` was false and is true until the end of this function, also if `work` panics; nothing else leads
        // to the value.
        Some(work(unsafe { &mut *self.value.get() }))
    }

    /// Does something with the value as soon as no other thread does.
    pub(crate) fn with_soon<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut work = Some(work);
        loop {
            let done = self.with(|value| work.take().map(|work| work(value)));
            match done {
                Some(Some(result)) => return result,
                _ => std::thread::yield_now(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_also_after_a_panic() {
        let gate = Gate::<u32>::default();
        let nested = gate.with(|value| {
            *value += 1;
            gate.with(|_| ())
        });
        assert_eq!(nested, Some(None));
        let work = std::panic::AssertUnwindSafe(|| gate.with(|_| panic!("on purpose")));
        assert!(std::panic::catch_unwind(work).is_err());
        assert_eq!(gate.with(|value| *value), Some(1));
    }

    #[test]
    fn threads_that_are_patient_all_get_through() {
        let gate = Gate::<u32>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| gate.with_soon(|value| *value += 1)));
            }
        });
        assert_eq!(gate.with(|value| *value), Some(4_000));
    }
}
