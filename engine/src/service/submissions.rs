//! Hands the requests of shards to services: at once, or through a station where batches are formed.

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::ids::SessionId;
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::record::event::{Event, FlushReason};
use crate::service::api::Service;
use crate::service::batch::BatchQueue;
use crate::service::call::{Call, CallKey, CallScope, SegmentRef, SessionKey};
use crate::service::calls::{Caller, Calls, LIVES, ServiceOrder, Step};
use crate::service::flights::State;
use crate::service::requests::{Commit, FromHost, Request, SizeHint};
use crate::service::slot::{Ends, ServiceFigures, ServiceInstance};
use crate::service::station::{BatchFigures, ProcessingTime, Station};
use crate::speech::cancellation::{CancelScope, Cancellation};

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
    now: Res<'w, Now>,
    order: Res<'w, ServiceOrder>,
    services: Query<'w, 's, (&'static mut ServiceInstance, &'static mut ServiceFigures)>,
    stations: Query<'w, 's, StationData>,
    pub(crate) calls: ResMut<'w, Calls>,
    batch: Local<'s, Vec<Call>>,
    near: Local<'s, Vec<(CallKey, u64)>>,
    stopped: Local<'s, Vec<CallKey>>,
    started: Local<'s, Vec<CallKey>>,
    events: Local<'s, Vec<HubEvent>>,
}

impl Submissions<'_, '_> {
    /// Tells the services what came up in this tick, by session (within a session the order is kept), hands all
    /// requests to them or to their stations, and forms the batches that are due.
    pub(crate) fn submit(&mut self, now: Now) {
        if now.is_broken(Mutation::Dawdle) && !now.tick.is_multiple_of(20) {
            return;
        }
        self.calls.sort();
        self.commit();
        self.sessions_come_and_go(now.us);
        let mut steps = std::mem::take(&mut self.calls.steps);
        for (session, _, step) in steps.drain(..) {
            match step {
                Step::Cancel(generation, scope) => self.cancel(session, generation, scope, now.us),
                Step::Ask(service, request) => self.hand_over(service, request, now.us),
            }
        }
        self.calls.steps = steps;
        self.start_again(now.us);
        self.take_hints();
        self.hand_back(now.us);
        for at in 0..self.order.stations.len() {
            self.serve(self.order.stations[at], now);
        }
        self.tell_endings();
        for &service in &self.order.services {
            self.services.get_mut(service).expect(LIVES).0.look();
        }
    }

    /// The events of this step, for the logs of the sessions' shards.
    pub(crate) fn events(&mut self) -> std::vec::Drain<'_, HubEvent> {
        self.events.drain(..)
    }

    /// Whether services are to be told of cancellations.
    pub(crate) fn is_told_of_cancellations(&self) -> bool {
        !self.order.callers.is_empty()
    }

    /// Tells the services of segments that are settled, where they have heard of them.
    fn commit(&mut self) {
        for at in 0..self.calls.commits.len() {
            let (_, Commit { session, generation, segment, revision, heard }) =
                self.calls.commits[at].clone();
            for caller in 0..self.order.callers.len() {
                let Caller { node, service, .. } = self.order.callers[caller];
                let of = SessionKey { session, generation, node };
                let segment = SegmentRef { of, serial: segment.serial };
                let ending = self.calls.told.commits(service, segment, revision, heard.clone());
                self.calls.endings.extend(ending.map(|ending| (service, ending)));
            }
        }
        self.tell_endings();
    }

    /// Tells services how segments end.
    fn tell_endings(&mut self) {
        let mut endings = std::mem::take(&mut self.calls.endings);
        for (service, ending) in endings.drain(..) {
            let now_us = self.now.us;
            self.with(service, |service| service.end(&ending, now_us));
        }
        self.calls.endings = endings;
    }

    /// Closes sessions that are over, and opens new ones.
    fn sessions_come_and_go(&mut self, now_us: u64) {
        for at in 0..self.calls.closed.len() {
            let (service, key) = self.calls.closed[at];
            self.cancel_at(service, key, CancelScope::Session, true, now_us);
            self.with(service, |service| service.close(key));
        }
        self.calls.closed.clear();
        let mut opened = std::mem::take(&mut self.calls.opened);
        for (service, session) in opened.drain(..) {
            self.with(service, |service| service.open(session));
        }
        self.calls.opened = opened;
    }

    /// Takes back what a cancellation covers, at every service that has heard of it.
    fn cancel(&mut self, session: SessionId, generation: u32, scope: CancelScope, now_us: u64) {
        for at in 0..self.order.callers.len() {
            let Caller { node, service, hears, .. } = self.order.callers[at];
            self.cancel_at(service, SessionKey { session, generation, node }, scope, hears, now_us);
        }
    }

    fn cancel_at(&mut self, service: u8, key: SessionKey, scope: CancelScope, hears: bool, now_us: u64) {
        let mut stopped = std::mem::take(&mut *self.stopped);
        let mut told = self.calls.told.cancel(service, key, scope, hears, |call| stopped.push(call));
        if stopped.is_empty() && self.now.is_broken(Mutation::ForgetHeard) {
            told = None;
        }
        for call in &stopped {
            self.stop(service, call, now_us, told.is_none());
        }
        stopped.clear();
        *self.stopped = stopped;
        if hears || scope == CancelScope::Session {
            self.cross(service, key, scope);
        }
        if let Some(scope) = told {
            self.with(service, |service| service.cancel(scope, now_us));
        }
    }

    /// Notes the calls that ended in the tick in which they are taken back: what they brought is dropped.
    fn cross(&mut self, service: u8, of: SessionKey, scope: CancelScope) {
        let Calls { ended_now, crossed, .. } = &mut *self.calls;
        let before = crossed.len();
        let cancellation = Cancellation { session: of.session, scope };
        let covered = |call: &&CallKey| {
            call.of() == of && cancellation.covers(of.session, call.segment.serial, call.revision)
        };
        crossed.extend(ended_now.iter().filter(covered));
        ended_now.retain(|call| !covered(&call));
        let count = (crossed.len() - before) as u64;
        if count > 0 {
            let entity = self.order.services[usize::from(service)];
            self.services.get_mut(entity).expect(LIVES).1.cancelled += count;
        }
    }

    /// A call is taken back. `alone`: nothing else tells its service of that.
    fn stop(&mut self, service: u8, call: &CallKey, now_us: u64, alone: bool) {
        let state = self.calls.flights.get(call).map(|flight| flight.state);
        self.with(service, |service| service.hold(*call, false));
        match state {
            Some(State::Started) => {
                self.calls.flights.stop(call, State::Stopping, now_us);
                if alone {
                    self.with(service, |service| service.cancel(CallScope::Call(*call), now_us));
                }
            }
            Some(State::Waiting | State::Failed) => {
                let station = self.order.node(call.node).and_then(|node| self.stations.get_mut(node).ok());
                let _withdrawn = station.is_some_and(|(.., mut queue, _)| queue.withdraw(*call));
                self.calls.again.retain(|other| other.key != *call);
                self.calls.fallen.retain(|(other, _)| other != call);
                self.calls.flights.end(call);
            }
            // Something else was to be said in its place.
            Some(State::GivenUp) => self.calls.fallen.retain(|(other, _)| other != call),
            Some(State::Stopping) | None => {}
        }
    }

    /// Has a service do something, if there is one at present.
    fn with<R>(&mut self, service: u8, act: impl FnOnce(&mut dyn Service) -> R) -> Option<R> {
        let service = self.order.services[usize::from(service)];
        self.services.get_mut(service).expect(LIVES).0.with(act)
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

    /// Tells the services what hosts say to them.
    fn hand_back(&mut self, now_us: u64) {
        let mut said = std::mem::take(&mut self.calls.from_hosts);
        for (session, said) in said.drain(..) {
            for service in 0..self.order.services.len() as u8 {
                self.with(service, |service| match &said {
                    FromHost::ToolResult { call_id, result } => {
                        service.tool_result(session, call_id, result, now_us);
                    }
                    FromHost::ReplyTo { request, text, last } => {
                        service.reply_to(session, *request, text, *last);
                    }
                });
            }
        }
        self.calls.from_hosts = said;
    }

    fn hand_over(&mut self, service: u8, request: Request, now_us: u64) {
        match request {
            Request::Hear(segment, block) => {
                if self.with(service, |service| service.hear(segment, block)).is_some() {
                    self.calls.told.hears(service, segment);
                }
            }
            Request::GoesOn(before, segment) => {
                if self.with(service, |service| service.goes_on(before, segment)).is_some() {
                    self.calls.told.hears(service, segment);
                }
            }
            Request::Hold(call, held) => {
                self.calls.flights.hold(&call, held, now_us);
                self.with(service, |service| service.hold(call, held));
            }
            Request::Start(call) => self.ask(service, call, now_us),
        }
    }

    /// Takes a call, which is started at once or waits at its station.
    fn ask(&mut self, service: u8, call: Call, now_us: u64) {
        let (instance, _) = self.services.get(self.order.services[usize::from(service)]).expect(LIVES);
        self.calls.flights.ask(&call, service, instance.bounds.timeout_us);
        self.calls.told.asks(service, call.key);
        if let Some(fills_us) = self.fills_us(service)
            && self.order.caller(call.key.node).is_some_and(|caller| caller.replies)
        {
            self.calls.unfilled.push((call.key, call.queued_us + fills_us));
        }
        let station = self.order.node(call.key.node).and_then(|node| self.stations.get_mut(node).ok());
        let Some((.., mut queue, mut figures)) = station else {
            self.batch.push(call);
            self.start(service, now_us);
            return;
        };
        let before = self.calls.untold.len();
        queue.push(call, now_us, &mut self.calls.untold);
        figures.asked += 1;
        figures.merged += self.calls.settle(service, before);
        figures.waiting_max = figures.waiting_max.max((queue.len() + queue.at_door()) as u32);
    }

    /// Starts calls that have failed once more, as far as their services have room.
    fn start_again(&mut self, now_us: u64) {
        let mut at = 0;
        while at < self.calls.again.len() {
            let key = self.calls.again[at].key;
            let Some(service) = self.calls.flights.get(&key).map(|flight| flight.service) else {
                self.calls.again.remove(at);
                continue;
            };
            if self.room(service) == 0 {
                at += 1;
                continue;
            }
            let call = self.calls.again.remove(at);
            let retries = self.retries(service);
            self.calls.flights.start(&call, retries, now_us);
            self.batch.push(call);
            self.give_batch(service, now_us);
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
        while !oversleeps && self.room(service) > 0 {
            let Some(reason) = self.form(station, avg_us, now) else { return };
            let (first, size) = (&self.batch[0].key, self.batch.len() as u32);
            let event = Event::Batch { node, size, reason };
            self.events.push(HubEvent { session: first.session, turn: first.turn, event });
            self.start(service, now.us);
        }
    }

    fn retries(&self, service: u8) -> u8 {
        let (instance, _) = self.services.get(self.order.services[usize::from(service)]).expect(LIVES);
        instance.bounds.retries
    }

    /// How long after the moment of asking a filler is said, where the scene has one.
    fn fills_us(&self, service: u8) -> Option<u64> {
        let (instance, _) = self.services.get(self.order.services[usize::from(service)]).expect(LIVES);
        instance.bounds.filler.as_ref().map(|(_, us)| *us)
    }

    fn room(&mut self, service: u8) -> usize {
        // Where there is no service, calls fail and do not wait.
        self.with(service, |service| service.room()).unwrap_or(usize::MAX)
    }

    /// Forms one batch if it is due, and counts it.
    fn form(&mut self, station: Entity, avg_us: u64, now: Now) -> Option<FlushReason> {
        let (Station { service, .. }, _, mut queue, mut figures) =
            self.stations.get_mut(station).expect(LIVES);
        let (batch, settled) = (&mut *self.batch, &mut self.calls.untold);
        let before = settled.len();
        let hurry_us = if now.is_broken(Mutation::HurryBatch) { 15_000 } else { 0 };
        let flushed = queue.flush(now.us + hurry_us, avg_us, batch, settled);
        let reason = flushed.filter(|_| !batch.is_empty());
        if reason.is_some() && now.is_broken(Mutation::OverfillBatch) {
            let _more = queue.flush(now.us + 10_000_000, avg_us, batch, settled);
        }
        if let Some(reason) = reason {
            figures.count(batch, reason, now);
        }
        figures.merged += self.calls.settle(*service, before);
        reason
    }

    /// Starts the calls in `batch`.
    fn start(&mut self, service: u8, now_us: u64) {
        let retries = self.retries(service);
        for call in &*self.batch {
            let key = &call.key;
            self.calls.flights.start(call, retries, now_us);
            let event = Event::ServiceSubmitted {
                node: key.node,
                segment: key.segment.serial,
                revision: key.revision,
                part: key.part,
            };
            self.events.push(HubEvent { session: key.session, turn: key.turn, event });
        }
        let entity = self.order.services[usize::from(service)];
        let (_, mut figures) = self.services.get_mut(entity).expect(LIVES);
        figures.calls += 1;
        figures.items += self.batch.len() as u64;
        self.give_batch(service, now_us);
    }

    /// Gives the calls in `batch` to their service.
    fn give_batch(&mut self, service: u8, now_us: u64) {
        let mut batch = std::mem::take(&mut *self.batch);
        let mut keys = std::mem::take(&mut *self.started);
        keys.extend(batch.iter().map(|call| call.key));
        // Where there is no service, the next tick finds that the calls have failed.
        if self.with(service, |service| service.start(&mut batch, now_us)).is_some() {
            keys.iter().for_each(|call| self.calls.told.starts(service, call));
        }
        batch.clear();
        keys.clear();
        (*self.batch, *self.started) = (batch, keys);
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
