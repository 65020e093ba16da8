//! The serial step between the two halves of a tick: all sessions meet here on their way to the services.
//!
//! Calls of a node that is not parallelizable wait at a station, where batches are formed by the node's policy; all
//! others go to their service at once.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::base::ids::{NodeId, SessionId};
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::record::event::Event;
use crate::record::histogram::{BATCH_BOUNDS, Buckets, latency_histogram};
use crate::service::api::{Call, CallKey, Outbox, Reply, ReplyPart, Request, Service};
use crate::service::batch::{BatchPolicy, BatchQueue, Settled};
use crate::service::ema::Ema;

/// Figures of one service.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceFigures {
    /// Calls started: a batch is one call.
    pub calls: u64,
    /// Items in them.
    pub items: u64,
    /// Items that failed.
    pub failed: u64,
    /// Items stopped by a cancellation.
    pub cancelled: u64,
    /// Time of the service spent on items that were used, in microseconds.
    pub busy_us: u64,
    /// Time of the service spent on what was taken back, in microseconds.
    pub wasted_us: u64,
}

/// Figures of the batches of one node.
#[derive(Clone, Debug)]
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

/// Where the calls of one node wait for its service.
struct Station {
    node: NodeId,
    service: usize,
    queue: BatchQueue,
    figures: BatchFigures,
}

/// A service with its name and figures.
struct ServiceSlot {
    name: Arc<str>,
    service: Box<dyn Service>,
    figures: ServiceFigures,
}

/// An event that belongs into the log of a session's shard.
pub(crate) struct HubEvent {
    pub(crate) session: SessionId,
    pub(crate) turn: u32,
    pub(crate) event: Event,
}

/// All services of a scene, and the stations before them.
pub struct Hub {
    services: Vec<ServiceSlot>,
    stations: Vec<Station>,
    /// Time of an item from submission to its last part, by node: as the scene believes, and as measured.
    averages: Vec<(u64, Ema)>,
    /// Calls under way, with the time of their submission. Only looked up, never gone through.
    flights: HashMap<CallKey, u64, BuildHasherDefault<DefaultHasher>>,
    requests: Vec<(u32, u8, Request)>,
    hints: Vec<(SessionId, u32, u32)>,
    replies: Vec<Reply>,
    settled: Vec<Settled>,
    /// Calls whose nodes are told in this tick that they were merged or dropped.
    gone: HashSet<CallKey, BuildHasherDefault<DefaultHasher>>,
    near: Vec<(CallKey, u64)>,
    batch: Vec<Call>,
    events: Vec<HubEvent>,
}

impl Hub {
    /// `nodes`: the typical time of an item at each node in microseconds, as far as the scene knows it.
    pub(crate) fn new(services: Vec<(Arc<str>, Box<dyn Service>)>, nodes: &[u32]) -> Self {
        let slot = |(name, service)| ServiceSlot { name, service, figures: ServiceFigures::default() };
        Self {
            services: services.into_iter().map(slot).collect(),
            stations: Vec::new(),
            averages: nodes.iter().map(|us| (u64::from(*us), Ema::default())).collect(),
            flights: HashMap::default(),
            requests: Vec::new(),
            hints: Vec::new(),
            replies: Vec::new(),
            settled: Vec::new(),
            gone: HashSet::default(),
            near: Vec::new(),
            batch: Vec::new(),
            events: Vec::new(),
        }
    }

    /// From now on the calls of `node` wait for service number `service` here.
    pub(crate) fn add_station(&mut self, node: NodeId, service: usize, policy: BatchPolicy) {
        let queue = BatchQueue::new(policy);
        self.stations.push(Station { node, service, queue, figures: BatchFigures::default() });
    }

    /// Name and figures of every service, in scene order.
    pub fn figures(&self) -> impl Iterator<Item = (&str, ServiceFigures)> {
        self.services.iter().map(|slot| (&*slot.name, slot.figures))
    }

    /// The batches of a node that waits behind the hub.
    pub fn batches(&self, node: NodeId) -> Option<&BatchFigures> {
        self.stations.iter().find(|s| s.node == node).map(|s| &s.figures)
    }

    /// What stands before the service of a node that waits behind the hub.
    pub fn station(&self, node: NodeId) -> Option<StationView> {
        let station = self.stations.iter().find(|station| station.node == node)?;
        Some(StationView {
            waiting: station.queue.len(),
            at_door: station.queue.at_door(),
            oldest_us: station.queue.oldest_us(),
            free: self.services[station.service].service.room() > 0,
        })
    }

    /// The calls that wait before the service of a node that waits behind the hub.
    pub fn calls_waiting(&self, node: NodeId) -> impl Iterator<Item = CallKey> + '_ {
        self.stations
            .iter()
            .filter(move |station| station.node == node)
            .flat_map(|station| station.queue.keys())
    }

    /// Calls that services have and have not answered.
    pub fn under_way(&self) -> usize {
        self.flights.len()
    }

    /// Items waiting for their service, over all sessions, at a node behind the hub.
    pub fn waiting(&self, node: NodeId) -> usize {
        self.stations.iter().find(|s| s.node == node).map_or(0, |s| s.queue.len() + s.queue.at_door())
    }

    /// Typical time of an item of `node` from submission to its last part, in microseconds of engine time: a moving
    /// average with weight 0.1.
    pub fn avg_processing_us(&self, node: NodeId) -> u64 {
        self.averages.get(node.index()).map_or(0, |(believed, measured)| measured.us().unwrap_or(*believed))
    }

    /// Whether service number `service` wants audio pushed.
    pub fn wants_audio(&self) -> Vec<bool> {
        self.services.iter().map(|slot| slot.service.wants_audio()).collect()
    }

    /// The earliest time at which a service will have something, or a batch is due.
    pub fn next_due_us(&self) -> Option<u64> {
        let services = self.services.iter().filter_map(|slot| slot.service.next_due_us());
        let stations = self.stations.iter().filter_map(|station| {
            let free = self.services[station.service].service.room() > 0;
            free.then(|| station.queue.next_due_us(self.avg_processing_us(station.node))).flatten()
        });
        services.chain(stations).min()
    }

    /// Collects what is ready; `deliver` gets the replies in service order.
    pub(crate) fn poll(&mut self, now_us: u64, mut deliver: impl FnMut(Reply)) {
        self.gone.clear();
        for settled in self.settled.drain(..) {
            self.gone.insert(settled.key());
            let (key, part) = match settled {
                Settled::Merged(key) => (key, ReplyPart::Merged),
                Settled::Dropped(key) => (key, ReplyPart::Dropped),
            };
            self.services.iter_mut().for_each(|slot| slot.service.hold(key, false));
            deliver(Reply { key, part });
        }
        for slot in &mut self.services {
            slot.service.poll(now_us, &mut self.replies);
            for reply in self.replies.drain(..) {
                let ends = !matches!(reply.part, ReplyPart::Text(_) | ReplyPart::Audio(_));
                match reply.part {
                    ReplyPart::Done { busy_us } => slot.figures.busy_us += busy_us,
                    ReplyPart::Failed(_) => slot.figures.failed += 1,
                    ReplyPart::Stopped { wasted_us } => {
                        slot.figures.cancelled += 1;
                        slot.figures.wasted_us += wasted_us;
                    }
                    _ => {}
                }
                let flight = if ends { self.flights.remove(&reply.key) } else { None };
                if let Some(submitted_us) = flight
                    && matches!(reply.part, ReplyPart::Done { .. })
                {
                    self.averages[reply.key.node.index()].1.add(now_us.saturating_sub(submitted_us));
                }
                deliver(reply);
            }
        }
    }

    /// Takes one shard's requests.
    pub(crate) fn gather(&mut self, outbox: &mut Outbox) {
        for (service, request) in outbox.requests.drain(..) {
            self.requests.push((self.requests.len() as u32, service, request));
        }
        for (session, size) in outbox.hints.drain(..) {
            self.hints.push((session, self.hints.len() as u32, size));
        }
    }

    /// Hands everything gathered to the services or their stations, by session (within a session the order is kept),
    /// and forms the batches that are due.
    pub(crate) fn submit(&mut self, now: Now) {
        let now_us = now.us;
        if now.is_broken(Mutation::Dawdle) && !now.tick.is_multiple_of(20) {
            return;
        }
        // With the position in the key an unstable sort keeps the order, and it needs no memory.
        self.requests.sort_unstable_by_key(|(order, _, request)| (request.key().session, *order));
        let mut requests = std::mem::take(&mut self.requests);
        for (_, service, request) in requests.drain(..) {
            self.hand_over(usize::from(service), request, now_us);
        }
        self.requests = requests;
        self.take_hints();
        for at in 0..self.stations.len() {
            self.serve(at, now);
        }
    }

    /// Hosts' advice, by session; the last one holds for every station, within its policy.
    fn take_hints(&mut self) {
        self.hints.sort_unstable();
        if let Some((.., size)) = self.hints.last() {
            self.stations.iter_mut().for_each(|station| station.queue.hint(*size));
        }
        self.hints.clear();
    }

    fn hand_over(&mut self, service: usize, request: Request, now_us: u64) {
        let key = request.key();
        let mut station = self.stations.iter_mut().find(|station| station.node == key.node);
        let slot = &mut self.services[service];
        if matches!(request, Request::Retract(_) | Request::Cancel(_))
            && (self.gone.contains(&key)
                || station.as_mut().is_some_and(|station| station.queue.withdraw(key)))
        {
            // It leaves the batch before there is one, or was settled before its node knew.
            slot.service.hold(key, false);
            return;
        }
        match (request, station) {
            (Request::Push(key, block), _) => slot.service.push(key, block),
            (Request::GoesOn(before, key), _) => slot.service.goes_on(before, key),
            (Request::Hold(key, held), _) => slot.service.hold(key, held),
            (Request::End(call), Some(station)) => {
                let before = self.settled.len();
                station.queue.push(call, now_us, &mut self.settled);
                station.figures.asked += 1;
                let merged = self.settled[before..].iter().filter(|s| matches!(s, Settled::Merged(_)));
                station.figures.merged += merged.count() as u64;
                let waiting = (station.queue.len() + station.queue.at_door()) as u32;
                station.figures.waiting_max = station.figures.waiting_max.max(waiting);
            }
            (Request::End(call), None) => {
                self.batch.push(call);
                self.start(service, now_us);
            }
            (Request::Retract(key), _) => slot.service.retract(key, now_us),
            (Request::Cancel(key), _) => slot.service.cancel(key, now_us),
        }
    }

    /// Forms batches at one station while its service takes any.
    fn serve(&mut self, at: usize, now: Now) {
        let now_us = now.us;
        let (node, service) = (self.stations[at].node, self.stations[at].service);
        let avg_us = self.avg_processing_us(node);
        let station = &mut self.stations[at];
        station.queue.warnings(now_us, avg_us, &mut self.near);
        for (key, left_us) in self.near.drain(..) {
            let event = Event::DeadlineNear { node, left_us };
            self.events.push(HubEvent { session: key.session, turn: key.turn, event });
        }
        let oversleeps = now.is_broken(Mutation::OversleepBatch) && !now.tick.is_multiple_of(100);
        while self.services[service].service.room() > 0 && !oversleeps {
            let station = &mut self.stations[at];
            let before = self.settled.len();
            let hurry_us = if now.is_broken(Mutation::HurryBatch) { 15_000 } else { 0 };
            let flushed = station.queue.flush(now_us + hurry_us, avg_us, &mut self.batch, &mut self.settled);
            let Some(reason) = flushed.filter(|_| !self.batch.is_empty()) else { return };
            if now.is_broken(Mutation::OverfillBatch) {
                let (batch, settled) = (&mut self.batch, &mut self.settled);
                let _more = station.queue.flush(now_us + 10_000_000, avg_us, batch, settled);
            }
            let figures = &mut station.figures;
            let size = self.batch.len() as u32;
            figures.count += 1;
            figures.items += u64::from(size);
            figures.size_max = figures.size_max.max(size);
            figures.sizes.record(u64::from(size));
            figures.reasons[reason as usize] += 1;
            figures.merged += (self.settled.len() - before) as u64;
            for call in &self.batch {
                let waited_us = now_us.saturating_sub(call.queued_us);
                let halves = u64::from(now.is_broken(Mutation::HalveWait));
                figures.wait.saturating_record(waited_us >> halves);
            }
            let first = &self.batch[0].key;
            let event = Event::Batch { node, size, reason };
            self.events.push(HubEvent { session: first.session, turn: first.turn, event });
            self.start(service, now_us);
        }
    }

    /// Submits what stands in `batch`.
    fn start(&mut self, service: usize, now_us: u64) {
        for Call { key, .. } in &self.batch {
            self.flights.insert(*key, now_us);
            let event = Event::ServiceSubmitted {
                node: key.node,
                segment: key.segment.serial,
                revision: key.revision,
                part: key.part,
            };
            self.events.push(HubEvent { session: key.session, turn: key.turn, event });
        }
        let slot = &mut self.services[service];
        slot.figures.calls += 1;
        slot.figures.items += self.batch.len() as u64;
        slot.service.submit(&mut self.batch, now_us);
        self.batch.clear();
    }

    /// What happened here, for the logs of the sessions' shards.
    pub(crate) fn events(&mut self) -> std::vec::Drain<'_, HubEvent> {
        self.events.drain(..)
    }
}
