//! Hands the requests of shards to services: at once, or through a station where batches are formed.

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::ids::SessionId;
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::record::event::{Event, FlushReason};
use crate::service::api::{Call, CallKey, Request, SizeHint};
use crate::service::batch::{BatchQueue, Settled};
use crate::service::calls::{Calls, LIVES, ServiceOrder};
use crate::service::slot::{ServiceFigures, ServiceInstance};
use crate::service::station::{BatchFigures, ProcessingTime, Station};

/// An event for the log of a session's shard.
pub(crate) struct HubEvent {
    pub(crate) session: SessionId,
    pub(crate) turn: u32,
    pub(crate) event: Event,
}

type StationData =
    (&'static Station, &'static ProcessingTime, &'static mut BatchQueue, &'static mut BatchFigures);

/// The system parameters that handing over requests and forming batches needs.
#[derive(SystemParam)]
pub(crate) struct Submissions<'w, 's> {
    pub(super) order: Res<'w, ServiceOrder>,
    pub(super) services: Query<'w, 's, (&'static mut ServiceInstance, &'static mut ServiceFigures)>,
    pub(super) stations: Query<'w, 's, StationData>,
    pub(crate) calls: ResMut<'w, Calls>,
    batch: Local<'s, Vec<Call>>,
    near: Local<'s, Vec<(CallKey, u64)>>,
    events: Local<'s, Vec<HubEvent>>,
}

impl Submissions<'_, '_> {
    /// Hands all gathered requests to the services or their stations, by session (within a session the order is
    /// kept), and forms the batches that are due.
    pub(crate) fn submit(&mut self, now: Now) {
        if now.is_broken(Mutation::Dawdle) && !now.tick.is_multiple_of(20) {
            return;
        }
        self.calls.sort();
        let mut requests = std::mem::take(&mut self.calls.requests);
        for (_, service, request) in requests.drain(..) {
            let service = self.order.services[usize::from(service)];
            self.hand_over(service, request, now.us);
        }
        self.calls.requests = requests;
        self.take_hints();
        self.hand_back_results(now.us);
        for at in 0..self.order.stations.len() {
            self.serve(self.order.stations[at], now);
        }
    }

    /// The events of this step, for the logs of the sessions' shards.
    pub(crate) fn events(&mut self) -> std::vec::Drain<'_, HubEvent> {
        self.events.drain(..)
    }

    /// Takes the hosts' batch hints: each for the items of its session, at every station, within its policy. The order
    /// among sessions does not matter; within one it is that of its messages.
    fn take_hints(&mut self) {
        for SizeHint { session, generation, size } in self.calls.hints.drain(..) {
            for &station in &self.order.stations {
                let (.., mut queue, _) = self.stations.get_mut(station).expect(LIVES);
                queue.hint(session, generation, size);
            }
        }
    }

    /// Tells the services what came of what they asked of hosts.
    fn hand_back_results(&mut self, now_us: u64) {
        if self.calls.results.is_empty() {
            return;
        }
        let results = std::mem::take(&mut self.calls.results);
        for (session, call_id, result) in results {
            for &service in &self.order.services {
                let (mut instance, _) = self.services.get_mut(service).expect(LIVES);
                instance.0.tool_result(session, &call_id, &result, now_us);
            }
        }
    }

    pub(super) fn hand_over(&mut self, service: Entity, request: Request, now_us: u64) {
        let key = request.key();
        let station = self.order.node(key.node).and_then(|node| self.stations.get_mut(node).ok());
        let mut station = station.map(|(.., queue, figures)| (queue, figures));
        let (mut instance, _) = self.services.get_mut(service).expect(LIVES);
        if matches!(request, Request::Retract(_) | Request::Cancel(_))
            && (self.calls.told_now.contains(&key)
                || station.as_mut().is_some_and(|(queue, _)| queue.withdraw(key)))
        {
            // The call leaves the batch before it is submitted, or was settled before its node knew.
            instance.0.hold(key, false);
            return;
        }
        match (request, station) {
            (Request::Push(key, block), _) => instance.0.push(key, block),
            (Request::GoesOn(before, key), _) => instance.0.goes_on(before, key),
            (Request::Hold(key, held), _) => instance.0.hold(key, held),
            (Request::End(call), Some((mut queue, mut figures))) => {
                let before = self.calls.untold.len();
                queue.push(call, now_us, &mut self.calls.untold);
                figures.asked += 1;
                let settled = &self.calls.untold[before..];
                figures.merged += settled.iter().filter(|s| matches!(s, Settled::Merged(_))).count() as u64;
                figures.waiting_max = figures.waiting_max.max((queue.len() + queue.at_door()) as u32);
            }
            (Request::End(call), None) => {
                self.batch.push(call);
                self.start(service, now_us);
            }
            (Request::Retract(key), _) => instance.0.retract(key, now_us),
            (Request::Cancel(key), _) => instance.0.cancel(key, now_us),
        }
    }

    /// Forms batches at one station while its service takes any.
    fn serve(&mut self, station: Entity, now: Now) {
        let (&Station { node, service }, time, mut queue, _) = self.stations.get_mut(station).expect(LIVES);
        let avg_us = time.avg_us();
        queue.warnings(now.us, avg_us, &mut self.near);
        for (key, left_us) in self.near.drain(..) {
            let event = Event::DeadlineNear { node, left_us };
            self.events.push(HubEvent { session: key.session, turn: key.turn, event });
        }
        let oversleeps = now.is_broken(Mutation::OversleepBatch) && !now.tick.is_multiple_of(100);
        while !oversleeps && self.has_room(service) {
            let Some(reason) = self.form(station, avg_us, now) else { return };
            let (first, size) = (&self.batch[0].key, self.batch.len() as u32);
            let event = Event::Batch { node, size, reason };
            self.events.push(HubEvent { session: first.session, turn: first.turn, event });
            self.start(service, now.us);
        }
    }

    fn has_room(&self, service: Entity) -> bool {
        self.services.get(service).expect(LIVES).0.0.room() > 0
    }

    /// Forms one batch if it is due, and counts it.
    fn form(&mut self, station: Entity, avg_us: u64, now: Now) -> Option<FlushReason> {
        let (.., mut queue, mut figures) = self.stations.get_mut(station).expect(LIVES);
        let (batch, settled) = (&mut *self.batch, &mut self.calls.untold);
        let before = settled.len();
        let hurry_us = if now.is_broken(Mutation::HurryBatch) { 15_000 } else { 0 };
        let flushed = queue.flush(now.us + hurry_us, avg_us, batch, settled);
        let reason = flushed.filter(|_| !batch.is_empty())?;
        if now.is_broken(Mutation::OverfillBatch) {
            let _more = queue.flush(now.us + 10_000_000, avg_us, batch, settled);
        }
        figures.count(batch, reason, now);
        figures.merged += (settled.len() - before) as u64;
        Some(reason)
    }

    /// Submits the calls in `batch`.
    fn start(&mut self, service: Entity, now_us: u64) {
        let (mut instance, mut figures) = self.services.get_mut(service).expect(LIVES);
        for Call { key, .. } in &*self.batch {
            self.calls.flights.insert(*key, now_us);
            let event = Event::ServiceSubmitted {
                node: key.node,
                segment: key.segment.serial,
                revision: key.revision,
                part: key.part,
            };
            self.events.push(HubEvent { session: key.session, turn: key.turn, event });
        }
        figures.calls += 1;
        figures.items += self.batch.len() as u64;
        instance.0.submit(&mut self.batch, now_us);
        self.batch.clear();
    }
}

impl BatchFigures {
    fn count(&mut self, batch: &[Call], reason: FlushReason, now: Now) {
        let size = batch.len() as u32;
        self.count += 1;
        self.items += u64::from(size);
        self.size_max = self.size_max.max(size);
        self.sizes.record(u64::from(size));
        self.reasons[reason as usize] += 1;
        let halves = u64::from(now.is_broken(Mutation::HalveWait));
        for call in batch {
            self.wait.saturating_record(now.us.saturating_sub(call.queued_us) >> halves);
        }
    }
}
