//! The bounded ring of outputs that have left the engine and that a session's host has not taken. It exists while it
//! is needed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::sync::{ArcSwapOption, ArrayQueue, AtomicBool, AtomicU32};
use crate::edge::exchange::Out;

/// Outputs that may wait in one session's ring; the rest waits in the engine.
const OUTPUTS_MAX: u32 = 32;

/// The output ring of a session: one producer (the tick, which may also drop the ring), any number of consumers (the
/// threads of the host).
pub(crate) struct Outlet {
    ring: ArcSwapOption<ArrayQueue<Out>>,
    /// At least the number of outputs in the ring. Most of the time this is 0, and nobody fetches more than this
    /// field from memory.
    waiting: AtomicU32,
    /// An output was put in since the last trim.
    used: AtomicBool,
}

impl Outlet {
    /// A new session has its ring at once: its first output is no reason to allocate in a tick.
    pub(crate) fn new() -> Self {
        Self {
            ring: ArcSwapOption::new(Some(ring())),
            waiting: AtomicU32::new(0),
            used: AtomicBool::new(false),
        }
    }

    /// Appends an output for which `is_full` said there is room; more is lost. Allocates for the first output after
    /// [`trim_idle_memory`](Self::trim_idle_memory).
    pub(crate) fn push(&self, out: Out) {
        let mut ring = self.ring.load();
        if ring.is_none() {
            self.ring.store(Some(self::ring()));
            ring = self.ring.load();
        }
        self.used.store(true, Ordering::Relaxed);
        // Counted before the push: otherwise two threads of a host could count below zero.
        self.waiting.fetch_add(1, Ordering::Release);
        if ring.as_ref().is_none_or(|ring| ring.push(out).is_err()) {
            self.waiting.fetch_sub(1, Ordering::Release);
        }
    }

    /// Takes the oldest output.
    pub(crate) fn pop(&self) -> Option<Out> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let out = self.ring.load().as_ref()?.pop()?;
        self.waiting.fetch_sub(1, Ordering::Release);
        Some(out)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= OUTPUTS_MAX as usize
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.load(Ordering::Acquire) as usize
    }

    /// Frees the ring, 2.5 KB, if it is empty and nothing was put in since the last call (or if `at_once`).
    pub(crate) fn trim_idle_memory(&self, at_once: bool) {
        let used = self.used.swap(false, Ordering::Relaxed) && !at_once;
        if !used && self.len() == 0 {
            self.ring.store(None);
        }
    }
}

fn ring() -> Arc<ArrayQueue<Out>> {
    Arc::new(ArrayQueue::new(OUTPUTS_MAX as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(turn: u32) -> Out {
        Out::Text { text: "a".into(), segment: 1, revision: 1, turn }
    }

    fn turn(out: Option<Out>) -> Option<u32> {
        out.map(|out| if let Out::Text { turn, .. } = out { turn } else { panic!("only texts were put in") })
    }

    #[test]
    fn what_waits_is_kept_when_it_rests_and_what_comes_after_a_rest_comes_out() {
        let outlet = Outlet::new();
        outlet.push(text(1));
        outlet.trim_idle_memory(true);
        assert_eq!((outlet.len(), turn(outlet.pop())), (1, Some(1)));
        outlet.trim_idle_memory(true);
        assert!(outlet.ring.load().is_none());
        assert_eq!((outlet.len(), outlet.is_full(), turn(outlet.pop())), (0, false, None));
        (0..OUTPUTS_MAX).for_each(|at| outlet.push(text(at)));
        assert!(outlet.is_full());
        assert!((0..OUTPUTS_MAX).all(|at| turn(outlet.pop()) == Some(at)));
        outlet.trim_idle_memory(false);
        assert!(outlet.ring.load().is_some(), "it was used a moment ago");
        outlet.trim_idle_memory(false);
        assert!(outlet.ring.load().is_none());
    }

    /// However the two sides interleave, every output comes out once and in order.
    #[test]
    fn a_host_that_looks_while_it_rests_misses_nothing() {
        const ALL: u32 = 20_000;
        let outlet = Outlet::new();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let mut next = 0;
                while next < ALL {
                    outlet.trim_idle_memory(next % 3 == 0);
                    if !outlet.is_full() {
                        outlet.push(text(next));
                        next += 1;
                    }
                }
            });
            let mut next = 0;
            while next < ALL {
                if let Some(turn) = turn(outlet.pop()) {
                    assert_eq!(turn, next);
                    next += 1;
                }
            }
        });
    }
}
