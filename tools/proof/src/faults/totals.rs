//! Sums over all calls of a run.

use super::pushed::Pushed;

/// Counts over all calls of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    /// Sessions opened.
    pub opened: u64,
    /// Sessions closed.
    pub closed: u64,
    /// Openings refused.
    pub refused: u64,
    /// Pushes.
    pub pushed: Pushed,
    /// Blocks that hosts received, and their samples.
    pub blocks: u64,
    /// See `blocks`.
    pub samples: u64,
    /// Samples that split sessions withdrew before they were read, or that nobody has read.
    pub beside: u64,
    /// A host is gone, and with it the count of what it was given.
    pub unheard: bool,
    /// Control messages that the engine took from hosts, and refused because too many waited.
    pub controls: (u64, u64),
    /// Links given up with `control_overflow`.
    pub links_overflowed: u64,
    /// What should not have happened.
    pub wrong: Vec<String>,
}
