//! Metrics: what an operator sees of a running engine.
//!
//! The hot path only counts, in the shards' [`Counts`]. Every 5 s of engine time, before the tick, the increase
//! becomes a slot of the windows. A reader ([`crate::Engine::metrics`]) gets sums and the result of the last
//! rotation, and changes nothing. After a stall the slots that were missed are empty.

mod ring;
mod snapshot;

use bevy_ecs::prelude::*;
use hdrhistogram::Histogram;

use crate::base::ids::{NodeId, SessionId};
use crate::base::time::frames_to_us;
use crate::observe::session_view;
use crate::record::counts::{Counts, NodeCounts};
use crate::record::event::{Event, Record};
use crate::record::histogram::latency_histogram;
use crate::record::node_histograms::{DEPTHS_MAX, NodeHistograms};
use crate::service::hub::Hub;
use crate::session::components::{Intake, Phase};
use crate::session::index::SessionIndex;

use ring::{Ring, SLOTS_MAX, Tally, pour};

pub use crate::record::histogram::{BATCH_BOUNDS, Buckets, LATENCY_BOUNDS_US, TICK_BOUNDS_US};
pub use ring::{SLOT_US, WINDOWS};
pub use snapshot::{NodeMetrics, QUANTILES, Recent, Snapshot, WINDOW_NAMES};

/// Answers of one session that are tracked at once for the end-to-end latency; older ones are not counted.
const ANSWERS_MAX: usize = 4;

/// Segments decided in a slot or a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Decided {
    confirmed: u64,
    cancelled: u64,
}

impl Tally for Decided {
    fn add(&mut self, other: &Self) {
        self.confirmed += other.confirmed;
        self.cancelled += other.cancelled;
    }

    fn remove(&mut self, other: &Self) {
        self.confirmed -= other.confirmed;
        self.cancelled -= other.cancelled;
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The windows of one node, and its counts at the last rotation.
struct NodeWindows {
    /// Whether the node calls a service: then its latency is not its wait.
    calls: bool,
    latencies: Ring<Histogram<u32>>,
    decisions: Ring<Decided>,
    /// All latencies up to the last rotation.
    before: Histogram<u32>,
    decided_before: Decided,
    depths_before: Vec<u64>,
    recent: [Recent; WINDOWS],
}

impl NodeWindows {
    fn new(calls: bool) -> Self {
        Self {
            calls,
            latencies: Ring::new(latency_histogram),
            decisions: Ring::new(Decided::default),
            before: latency_histogram(),
            decided_before: Decided::default(),
            depths_before: vec![0; DEPTHS_MAX],
            recent: [Recent::default(); WINDOWS],
        }
    }

    fn latency<'a>(&self, histograms: &'a NodeHistograms) -> &'a Histogram<u32> {
        if self.calls { &histograms.latency } else { &histograms.wait }
    }

    /// Closes the slots `from..to`: the increase since the last rotation goes into the first, the others are empty.
    /// `shards`: the counts and histograms of this node in each shard.
    fn rotate<'a>(
        &mut self,
        (from, to): (u64, u64),
        shards: impl Iterator<Item = NodeOfShard<'a>>,
        (all, gained): (&mut Histogram<u32>, &mut Histogram<u32>),
    ) {
        Tally::clear(all);
        Tally::clear(gained);
        let mut decided = Decided::default();
        self.depths_before.fill(0);
        for (counts, histograms) in shards {
            pour(self.latency(histograms), all);
            decided.confirmed += counts.segments_confirmed;
            decided.cancelled += counts.segments_cancelled;
            let found = counts.depth_max as usize + 1;
            for (sum, count) in self.depths_before.iter_mut().zip(&histograms.depths).take(found) {
                *sum += count;
            }
        }
        if all.len() > self.before.len() {
            for value in all.iter_recorded() {
                let new = value.count_at_value() - self.before.count_at(value.value_iterated_to());
                if new > 0 {
                    gained.saturating_record_n(value.value_iterated_to(), new);
                }
            }
            std::mem::swap(&mut self.before, all);
        }
        let before = std::mem::replace(&mut self.decided_before, decided);
        decided.remove(&before);
        if to - from > SLOTS_MAX {
            self.latencies.clear();
            self.decisions.clear();
        } else {
            for slot in from..to {
                let first = slot == from;
                self.latencies.close(slot, (first && !gained.is_empty()).then_some(&*gained));
                self.decisions.close(slot, first.then_some(&decided));
            }
        }
        self.look();
    }

    /// Computes the quantiles once a rotation, so that no reader has to.
    fn look(&mut self) {
        let windows = self.latencies.windows().iter().zip(self.decisions.windows());
        for (recent, (latencies, decided)) in self.recent.iter_mut().zip(windows) {
            recent.count = latencies.len();
            recent.quantiles_us = [0; QUANTILES.len()];
            if recent.count > 0 {
                for (to, us) in recent.quantiles_us.iter_mut().zip(latencies.value_at_quantiles(QUANTILES)) {
                    *to = us;
                }
            }
            (recent.confirmed, recent.cancelled) = (decided.confirmed, decided.cancelled);
        }
    }
}

/// An utterance whose answer may still come.
#[derive(Clone, Copy, Debug, Default)]
struct Awaited {
    segment: u32,
    revision: u32,
    silent_us: u64,
}

/// The metrics that an engine keeps.
pub(crate) struct MetricsWindows {
    nodes: Vec<NodeWindows>,
    /// Number of the slot that is being filled.
    slot: u64,
    /// Scratch of a rotation.
    all: Histogram<u32>,
    gained: Histogram<u32>,
    answers: Buckets,
    /// By session.
    awaited: Vec<[Awaited; ANSWERS_MAX]>,
}

impl MetricsWindows {
    /// `calls`: for each node and the output, whether it calls a service.
    pub(crate) fn new(now_us: u64, calls: impl Iterator<Item = bool>, sessions_max: usize) -> Self {
        Self {
            nodes: calls.map(NodeWindows::new).collect(),
            slot: now_us / SLOT_US,
            all: latency_histogram(),
            gained: latency_histogram(),
            answers: Buckets::latency(),
            awaited: vec![[Awaited::default(); ANSWERS_MAX]; sessions_max],
        }
    }

    /// Before the tick at `now_us`: closes the slots that are over.
    pub(crate) fn rotate<'a>(&mut self, now_us: u64, shards: impl Iterator<Item = &'a Counts> + Clone) {
        let slots = (self.slot, now_us / SLOT_US);
        if slots.0 == slots.1 {
            return;
        }
        self.slot = slots.1;
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.rotate(slots, of_node(shards.clone(), at), (&mut self.all, &mut self.gained));
        }
    }

    /// Counts the answers that began, after the tick. `media_us` gives the media time of a record's session that has
    /// arrived by now.
    pub(crate) fn hear(&mut self, records: &[Record], media_us: impl Fn(&Record) -> u64) {
        for record in records {
            match record.event {
                Event::Endpoint { segment, revision, seen_us, .. } => {
                    let heard_us = media_us(record).saturating_sub(seen_us);
                    let silent_us = record.t_us.saturating_sub(heard_us);
                    let Some(awaited) = self.awaited.get_mut(record.session.0 as usize) else { continue };
                    awaited.rotate_right(1);
                    awaited[0] = Awaited { segment, revision, silent_us };
                }
                Event::OutputStarted { segment, revision } if revision > 0 => {
                    let Some(awaited) = self.awaited.get_mut(record.session.0 as usize) else { continue };
                    let answered =
                        awaited.iter_mut().find(|a| (a.segment, a.revision) == (segment, revision));
                    if let Some(awaited) = answered {
                        self.answers.record(record.t_us.saturating_sub(awaited.silent_us));
                        *awaited = Awaited::default();
                    }
                }
                Event::SessionOpened => {
                    if let Some(awaited) = self.awaited.get_mut(record.session.0 as usize) {
                        *awaited = [Awaited::default(); ANSWERS_MAX];
                    }
                }
                _ => {}
            }
        }
    }

    /// Fills in the metrics at `now_us`; allocates only when `out` is from another engine.
    pub(crate) fn fill<'a>(
        &self,
        now_us: u64,
        worlds: impl Iterator<Item = &'a World> + Clone,
        hub: Hub<'_>,
        out: &mut Snapshot,
    ) {
        out.now_us = now_us;
        let sessions = worlds.clone().flat_map(session_view::sessions);
        out.sessions = sessions.filter(|session| session.phase() != Phase::Gone).count() as u32;
        let shards = shard_counts(worlds);
        out.services.clear();
        out.services.extend(hub.figures().map(|(_, figures)| figures));
        out.retractions = 0;
        out.end_to_end.clear();
        out.end_to_end.merge(&self.answers);
        for counts in shards.clone() {
            out.end_to_end.merge(counts.forwarded());
        }
        out.nodes.resize_with(self.nodes.len(), NodeMetrics::new);
        for (at, (windows, node)) in self.nodes.iter().zip(&mut out.nodes).enumerate() {
            *node = NodeMetrics { recent: windows.recent, ..NodeMetrics::new() };
            for (counts, histograms) in of_node(shards.clone(), at) {
                node.counts.add(counts);
                node.wait.merge(&histograms.wait_buckets);
                let calls = windows.calls;
                node.latency.merge(if calls {
                    &histograms.latency_buckets
                } else {
                    &histograms.wait_buckets
                });
            }
            out.retractions += node.counts.retractions;
            node.queue_depth_max = deepest(of_node(shards.clone(), at), &windows.depths_before);
            let id = NodeId(at as u8);
            node.avg_processing_us = windows.calls.then(|| hub.avg_processing_us(id));
            node.queue_depth = node.counts.waiting() + hub.waiting(id) as u64;
            if let Some(figures) = hub.batches(id) {
                node.batches.merge(&figures.sizes);
            }
        }
    }
}

/// Counts and histograms of one node in one shard.
type NodeOfShard<'a> = (&'a NodeCounts, &'a NodeHistograms);

/// Counts and histograms of the node at `at` in all shards.
fn of_node<'a>(
    shards: impl Iterator<Item = &'a Counts> + Clone,
    at: usize,
) -> impl Iterator<Item = NodeOfShard<'a>> + Clone {
    shards.map(move |counts| (&counts.nodes()[at], &counts.histograms()[at]))
}

/// The counts of all shards.
pub(crate) fn shard_counts<'a>(
    worlds: impl Iterator<Item = &'a World> + Clone,
) -> impl Iterator<Item = &'a Counts> + Clone {
    worlds.map(|world| world.resource::<Counts>())
}

/// Media time of a session of this shard that has arrived, microseconds.
pub(crate) fn media_us(world: &World, session: SessionId) -> u64 {
    let entity = world.resource::<SessionIndex>().entity(session);
    let intake = entity.and_then(|entity| world.get::<Intake>(entity));
    intake.map_or(0, |intake| frames_to_us(intake.frames_in, intake.format.rate_hz))
}

/// The greatest depth that more frames have found than `before`; 0 when none came.
fn deepest<'a>(shards: impl Iterator<Item = NodeOfShard<'a>> + Clone, before: &[u64]) -> u32 {
    let most = shards.clone().map(|(counts, _)| counts.depth_max as usize).max().unwrap_or(0);
    let grew = |depth: &usize| {
        let found = shards.clone().filter_map(|(_, histograms)| histograms.depths.get(*depth));
        found.sum::<u64>() > before[*depth]
    };
    (1..=most.min(before.len() - 1)).rev().find(grew).unwrap_or(0) as u32
}
