//! The outcome of a replay.

use super::divergence::Divergence;
use mynah_sim::events::header::Header;

/// What came of a replay.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The log's first line.
    pub header: Header,
    /// Lines of the log that agree, the first one included.
    pub agreeing: u64,
    /// Where they part; `None`: nowhere.
    pub divergence: Option<Divergence>,
    /// What whoever reads the result should know.
    pub notices: Vec<String>,
}
