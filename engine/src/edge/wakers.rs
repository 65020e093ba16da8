//! Whom a session wakes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::sync::{ArcSwapOption, AtomicBool};
use crate::edge::session_spec::Waker;

/// The wakers of a session.
pub(crate) struct Wakers {
    /// When an output is ready, or the session has closed.
    pub(crate) output: WakerSlot,
    /// When there is room again after a push was refused.
    pub(crate) credit: WakerSlot,
}

/// A waker that may be replaced while the tick calls it.
pub(crate) struct WakerSlot {
    waker: ArcSwapOption<Waker>,
    /// Whether there is one: sessions without a waker are asked for it with every output, too.
    is_set: AtomicBool,
}

impl WakerSlot {
    pub(crate) fn new(waker: Option<Waker>) -> Self {
        let is_set = AtomicBool::new(waker.is_some());
        Self { waker: ArcSwapOption::new(waker.map(Arc::new)), is_set }
    }

    pub(crate) fn set(&self, waker: Option<Waker>) {
        let is_set = waker.is_some();
        self.waker.store(waker.map(Arc::new));
        // In one order with the output ring: who sets a waker and then finds nothing there is woken by what comes next.
        self.is_set.store(is_set, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> Option<Arc<Waker>> {
        if self.is_set.load(Ordering::SeqCst) { self.waker.load_full() } else { None }
    }
}
