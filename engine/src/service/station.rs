//! A node as an entity of the engine's world: the time its calls take and, behind the hub, its station with the batch
//! queue.

use bevy_ecs::prelude::*;
use hdrhistogram::Histogram;

use crate::base::ids::NodeId;
use crate::record::histogram::{BATCH_BOUNDS, Buckets, latency_histogram};
use crate::service::ema::Ema;

/// A place where the calls of one node wait for its service. Its entity also has a
/// [`BatchQueue`](super::batch::BatchQueue).
#[derive(Component)]
pub(crate) struct Station {
    pub(crate) node: NodeId,
    /// The service's number in the scene.
    pub(crate) service: u8,
}

/// Time of an item of one node from submission to its last part.
#[derive(Component)]
pub(crate) struct ProcessingTime {
    /// The time that the scene gives, in microseconds.
    pub(crate) believed_us: u64,
    pub(crate) measured: Ema,
}

impl ProcessingTime {
    /// The measured average; before the first measurement the time that the scene gives.
    pub(crate) fn avg_us(&self) -> u64 {
        self.measured.us().unwrap_or(self.believed_us)
    }
}

/// Figures of the batches of one node.
#[derive(Component, Clone, Debug)]
pub struct BatchFigures {
    /// Batches submitted.
    pub count: u64,
    /// Items in these batches.
    pub items: u64,
    /// Items of the largest batch.
    pub size_max: u32,
    /// Batches by what triggered them, in the order of [`crate::record::FlushReason`].
    pub reasons: [u64; 4],
    /// Items that were asked for, whatever became of them.
    pub asked: u64,
    /// Items that were merged into another before they were submitted.
    pub merged: u64,
    /// Most items that waited at once.
    pub waiting_max: u32,
    /// Time from request to submission, per item.
    pub wait: Histogram<u32>,
    /// Sizes of the batches.
    pub sizes: Buckets,
}

impl Default for BatchFigures {
    fn default() -> Self {
        Self {
            count: 0,
            items: 0,
            size_max: 0,
            reasons: [0; 4],
            asked: 0,
            merged: 0,
            waiting_max: 0,
            wait: latency_histogram(),
            sizes: Buckets::new(&BATCH_BOUNDS),
        }
    }
}

/// A station at the end of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationView {
    /// Items from which batches are formed.
    pub waiting: usize,
    /// Items at the door, which wait for a place.
    pub at_door: usize,
    /// Engine time at which the oldest item was asked for; `None`: nothing waits.
    pub oldest_us: Option<u64>,
    /// The service would take a batch.
    pub free: bool,
}
