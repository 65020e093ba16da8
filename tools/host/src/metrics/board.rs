//! The board: the newest picture of the engine, put there by the loop that ticks it. The page is written from it.

use std::sync::{Arc, Mutex, PoisonError};

use super::exposition::Form;
use super::families::{self, Facts, Shown};

/// Where the picture hangs.
#[derive(Debug)]
pub struct Board {
    facts: Facts,
    shown: Mutex<Arc<Shown>>,
}

impl Board {
    /// Nothing to see yet.
    pub fn new(facts: Facts) -> Self {
        Self { facts, shown: Mutex::default() }
    }

    /// What never changes.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Hangs up a picture; gives back the one that hung there.
    pub fn show(&self, shown: Arc<Shown>) -> Arc<Shown> {
        std::mem::replace(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner), shown)
    }

    /// The picture that hangs there.
    pub fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The page of metrics.
    pub fn page(&self, form: Form) -> String {
        families::page(&self.facts, &self.shown(), form)
    }
}
