//! A snapshot: what the engine shows at one moment, in plain figures that hold no reference to it.

use crate::record::counts::NodeCounts;
use crate::record::histogram::{BATCH_BOUNDS, Buckets};
use crate::service::slot::ServiceFigures;

use super::ring::WINDOWS;

/// The quantiles of the windows.
pub const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Names of the windows, shortest first.
pub const WINDOW_NAMES: [&str; WINDOWS] = ["1m", "5m", "15m"];

/// One window of one node, as of the last rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// Latencies in the window.
    pub count: u64,
    /// Latency at each of [`QUANTILES`], microseconds; 0 when there are none.
    pub quantiles_us: [u64; QUANTILES.len()],
    /// Segments confirmed in the window.
    pub confirmed: u64,
    /// Segments cancelled in the window.
    pub cancelled: u64,
}

impl Recent {
    /// Share of confirmed segments among those decided in the window, 0..1; `None` when none was decided.
    pub fn acceptance_ratio(&self) -> Option<f64> {
        let decided = self.confirmed + self.cancelled;
        (decided > 0).then(|| self.confirmed as f64 / decided as f64)
    }
}

/// One node; all counts since the engine began.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeMetrics {
    /// Counts of its frames and its segments.
    pub counts: NodeCounts,
    /// Frames that wait at the node now, over all sessions, including the items that wait before a service that takes
    /// batches.
    pub queue_depth: u64,
    /// The greatest depth found in one session's queue since the last rotation.
    pub queue_depth_max: u32,
    /// Time from entering its queue to being taken out.
    pub wait: Buckets,
    /// Time from entering its queue to leaving the node; for a node that calls a service, to the first part of the
    /// answer.
    pub latency: Buckets,
    /// Typical time of a call of the node from submission to its last part, in microseconds: a moving average with
    /// weight 0.1, before the first call the time that the scene gives. `None`: the node calls no service.
    pub avg_processing_us: Option<u64>,
    /// Sizes of the batches that went to its service.
    pub batches: Buckets,
    /// The last 1, 5 and 15 minutes.
    pub recent: [Recent; WINDOWS],
}

impl NodeMetrics {
    pub(super) fn new() -> Self {
        Self {
            counts: NodeCounts::default(),
            queue_depth: 0,
            queue_depth_max: 0,
            wait: Buckets::latency(),
            latency: Buckets::latency(),
            avg_processing_us: None,
            batches: Buckets::new(&BATCH_BOUNDS),
            recent: [Recent::default(); WINDOWS],
        }
    }
}

/// The engine at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Engine time in microseconds.
    pub now_us: u64,
    /// Sessions open.
    pub sessions: u32,
    /// Endpoints that were retracted because the speaker went on.
    pub retractions: u64,
    /// For forwarded audio: time from its arrival, or from the gate's decision, to its release. For an answer: time
    /// from the silence after the utterance to the first part of the answer. The silence counts from the audio in
    /// which it can be heard, whose engine time is reckoned back from the newest audio that has arrived.
    pub end_to_end: Buckets,
    /// The nodes in scene order, followed by the session's output.
    pub nodes: Vec<NodeMetrics>,
    /// The services in scene order; all counts since the engine began.
    pub services: Vec<ServiceFigures>,
}

impl Default for Snapshot {
    /// The snapshot of an engine without nodes, for [`crate::Engine::metrics`] to fill.
    fn default() -> Self {
        Self {
            now_us: 0,
            sessions: 0,
            retractions: 0,
            end_to_end: Buckets::latency(),
            nodes: Vec::new(),
            services: Vec::new(),
        }
    }
}
