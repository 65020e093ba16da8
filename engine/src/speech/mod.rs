//! Hypotheses about speech and its answers: segments, turns, cancellations, and how much of an answer was heard.

pub(crate) mod cancellation;
pub(crate) mod heard;
pub(crate) mod history;
pub(crate) mod line_drop;
pub(crate) mod overrides;
pub(crate) mod playout;
pub(crate) mod segment;

pub use cancellation::{CancelScope, Cancellation, Cancellations};
pub use heard::Heard;
pub use history::{HISTORY_CHARS_MAX, HISTORY_ENTRIES_MAX, History, HistoryEntry, Speaker};
pub use line_drop::LineDrop;
pub use overrides::{GateMode, GateOverrides, GateSettings, InterruptMode, Interruption};
pub use playout::{Playout, Sounding};
pub use segment::{
    Answer, CancelReason, Extent, Segment, SegmentParams, SegmentPool, Segments, Standing, Turn, Verdict,
};
