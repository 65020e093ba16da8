//! A node of the scene as an entity of the engine's world: how long its calls take and, where they wait for their service
//! behind the hub, the station with its batch queue.

use bevy_ecs::prelude::*;
use hdrhistogram::Histogram;

use crate::base::ids::NodeId;
use crate::record::histogram::{BATCH_BOUNDS, Buckets, latency_histogram};
use crate::service::ema::Ema;

/// Where the calls of one node wait for its service: an entity that has a [`BatchQueue`](super::batch::BatchQueue), too.
#[derive(Component)]
pub(crate) struct Station {
    pub(crate) node: NodeId,
    pub(crate) service: Entity,
}

/// Time of an item of one node from its submission to its last part.
#[derive(Component)]
pub(crate) struct ProcessingTime {
    /// What the scene believes, in microseconds.
    pub(crate) believed_us: u64,
    pub(crate) measured: Ema,
}

impl ProcessingTime {
    /// The average, before the first measurement what the scene believes.
    pub(crate) fn avg_us(&self) -> u64 {
        self.measured.us().unwrap_or(self.believed_us)
    }
}

/// Figures of the batches of one node.
#[derive(Component, Clone, Debug)]
pub struct BatchFigures {
    /// Batches submitted.
    pub count: u64,
    /// Items in them.
    pub items: u64,
    /// The largest.
    pub size_max: u32,
    /// Batches by what triggered them, in the order of [`crate::record::FlushReason`].
    pub reasons: [u64; 4],
    /// Items that were asked for, whatever became of them.
    pub asked: u64,
    /// Items that became one with another before they were submitted.
    pub merged: u64,
    /// Most items that waited at once.
    pub waiting_max: u32,
    /// From being asked for to being submitted, per item.
    pub wait: Histogram<u32>,
    /// Their sizes.
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

/// Who waits before one service at the end of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationView {
    /// Items from which batches are formed.
    pub waiting: usize,
    /// Items that wait for a place among them.
    pub at_door: usize,
    /// Engine time at which the one that waits longest was asked for; `None`: nothing waits.
    pub oldest_us: Option<u64>,
    /// The service would take a batch.
    pub free: bool,
}
