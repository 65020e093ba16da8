//! Compares two runs: what became slower, dearer or different, and whether that is more than noise.
//!
//! `reports` reads what `simulate --json` wrote, `figures` are the numbers in it and which way is better, `judge`
//! says what a difference is worth, `show` prints it, `baseline` does the same for a run that has just ended.

pub mod baseline;
mod figures;
mod judge;
mod reports;
mod show;

pub use figures::{Better, Figure, Origin};
pub use judge::{Change, Comparison, Row, compare};
pub use reports::{Side, sides_differ};
pub use show::{json, text};

/// Percent by which a latency or cost may be worse, unless said otherwise.
pub const PERCENT_DEFAULT: f64 = 5.0;
