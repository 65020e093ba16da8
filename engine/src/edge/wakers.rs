//! Whom a session wakes.

use std::sync::Arc;

use crate::base::sync::ArcSwapOption;
use crate::edge::session_spec::Waker;

/// The wakers of a session.
pub(crate) struct Wakers {
    /// When an output is ready, or the session has closed.
    pub(crate) output: WakerSlot,
    /// When there is room again after a push was refused.
    pub(crate) credit: WakerSlot,
}

/// A waker that may be replaced while the tick calls it.
pub(crate) struct WakerSlot(ArcSwapOption<Waker>);

impl WakerSlot {
    pub(crate) fn new(waker: Option<Waker>) -> Self {
        Self(ArcSwapOption::new(waker.map(Arc::new)))
    }

    pub(crate) fn set(&self, waker: Option<Waker>) {
        self.0.store(waker.map(Arc::new));
    }

    pub(crate) fn get(&self) -> Option<Arc<Waker>> {
        self.0.load_full()
    }
}
