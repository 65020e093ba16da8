//! What happened: the list of events, the counts of each node, histograms, the time of each stage.

pub(crate) mod aside;
pub(crate) mod counts;
pub(crate) mod edge_figures;
pub(crate) mod event;
pub(crate) mod histogram;
pub(crate) mod node_histograms;
pub(crate) mod stage_times;

pub use counts::{Balance, Counts, NodeCounts};
pub use edge_figures::{ControlFigures, EdgeFigures};
pub use event::{DropReason, Event, EventLog, FlushReason, Record};
pub use histogram::{
    BATCH_BOUNDS, Buckets, LATENCY_BOUNDS_US, LATENCY_MAX_US, TICK_BOUNDS_US, latency_histogram,
};
pub use node_histograms::NodeHistograms;
pub use stage_times::{ENGINE_STAGES, StageTimes, Stopwatch};
