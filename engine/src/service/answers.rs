//! Hands the answers of services to the shards, and ends calls of which none comes.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::service::batch::{BatchQueue, Settled};
use crate::service::call::{CallKey, CallScope};
use crate::service::calls::{Calls, LIVES, ServiceOrder};
use crate::service::flights::{NOT_STARTED, Overdue, State};
use crate::service::reply::{Replies, Reply, ReplyPart};
use crate::service::slot::{Ends, ServiceFigures, ServiceInstance};
use crate::service::station::ProcessingTime;

/// The system parameters that collecting replies needs.
#[derive(SystemParam)]
pub(crate) struct Answers<'w, 's> {
    now: Res<'w, Now>,
    order: Res<'w, ServiceOrder>,
    services: Query<'w, 's, (&'static mut ServiceInstance, &'static mut ServiceFigures)>,
    times: Query<'w, 's, &'static mut ProcessingTime>,
    queues: Query<'w, 's, &'static mut BatchQueue>,
    calls: ResMut<'w, Calls>,
    replies: Local<'s, Vec<Reply>>,
}

impl Answers<'_, '_> {
    /// Collects the replies that are ready; `deliver` gets them in service order, then what is said in place of answers
    /// that do not come.
    pub(crate) fn poll(&mut self, mut deliver: impl FnMut(Reply)) {
        self.calls.flights.begin_tick();
        self.calls.ended_now.clear();
        self.tell_settled(&mut deliver);
        for key in self.calls.crossed.drain(..) {
            deliver(Reply { key, part: ReplyPart::Stopped { wasted_us: 0 } });
        }
        for at in 0..self.order.services.len() {
            self.poll_service(at as u8, &mut deliver);
        }
        self.give_up(&mut deliver);
        self.say_instead(&mut deliver);
        self.fill(&mut deliver);
    }

    /// Services that were made anew in this tick, by their numbers: `opens` gets them.
    pub(crate) fn revive(&mut self, mut opens: impl FnMut(u8, &mut ServiceInstance)) {
        for at in 0..self.order.services.len() {
            let (mut instance, _) = self.services.get_mut(self.order.services[at]).expect(LIVES);
            if instance.revive(self.now.us) {
                opens(at as u8, &mut instance);
            }
        }
    }

    fn poll_service(&mut self, service: u8, deliver: &mut impl FnMut(Reply)) {
        let now_us = self.now.us;
        let (mut instance, _) =
            self.services.get_mut(self.order.services[usize::from(service)]).expect(LIVES);
        let (flights, list) = (&mut self.calls.flights, &mut *self.replies);
        instance.with(|polled| polled.poll(now_us, &mut Replies::new(flights, service, now_us, list)));
        let mut replies = std::mem::take(&mut *self.replies);
        for reply in replies.drain(..) {
            self.take(service, reply, deliver);
        }
        *self.replies = replies;
        self.mend(service, deliver);
    }

    /// Takes one reply.
    fn take(&mut self, service: u8, reply: Reply, deliver: &mut impl FnMut(Reply)) {
        let Reply { key, part } = reply;
        match part {
            ReplyPart::Partial(_) | ReplyPart::RequestOver(_) => deliver(Reply { key, part }),
            ReplyPart::Failed(reason) => self.fail(service, key, &reason, deliver),
            ReplyPart::Done { .. } | ReplyPart::Stopped { .. } => self.end(service, key, part, deliver),
            _ if self.calls.flights.get(&key).is_some_and(|flight| flight.state == State::Started) => {
                let speaks = matches!(part, ReplyPart::Text(_) | ReplyPart::Audio(_) | ReplyPart::Times(_));
                self.calls.flights.took(&key, speaks);
                deliver(Reply { key, part });
            }
            // The service has ended the call before.
            _ => {}
        }
    }

    /// A call is complete, or has stopped.
    fn end(&mut self, service: u8, key: CallKey, part: ReplyPart, deliver: &mut impl FnMut(Reply)) {
        let Some(flight) = self.calls.flights.end(&key) else { return };
        let entity = self.order.services[usize::from(service)];
        let (mut instance, mut figures) = self.services.get_mut(entity).expect(LIVES);
        match part {
            ReplyPart::Done { busy_us } => {
                figures.busy_us += busy_us;
                instance.is_well();
                self.calls.ended_now.push(key);
                let node = self.order.nodes[key.node.index()];
                let mut time = self.times.get_mut(node).expect(LIVES);
                time.measured.add(self.now.us.saturating_sub(flight.started_us.unwrap_or(flight.since_us)));
            }
            ReplyPart::Stopped { wasted_us } => {
                figures.wasted_us += wasted_us;
                if flight.state == State::GivenUp {
                    return;
                }
                figures.cancelled += 1;
            }
            _ => {}
        }
        self.settle(service, &key);
        deliver(Reply { key, part });
    }

    /// What a service was told of a call is over.
    fn settle(&mut self, service: u8, key: &CallKey) {
        let Some(ending) = self.calls.told.ends(service, key) else { return };
        let (mut instance, _) =
            self.services.get_mut(self.order.services[usize::from(service)]).expect(LIVES);
        instance.with(|service| service.end(&ending, self.now.us));
    }

    /// A call has failed: it is started again, or something else is said in its place, or that is the end of it.
    fn fail(&mut self, service: u8, key: CallKey, reason: &Arc<str>, deliver: &mut impl FnMut(Reply)) {
        let Some(flight) = self.calls.flights.get(&key) else { return };
        let (begun, state) = (flight.begun, flight.state);
        let entity = self.order.services[usize::from(service)];
        let (instance, mut figures) = self.services.get_mut(entity).expect(LIVES);
        let timeout_us = instance.bounds.timeout_us;
        if let Some(call) = self.calls.flights.again(&key, timeout_us, self.now.us) {
            figures.retried += 1;
            self.calls.again.push(call);
            return deliver(Reply { key, part: ReplyPart::Retried(Arc::clone(reason)) });
        }
        figures.failed += 1;
        let replies = self.order.caller(key.node).is_some_and(|caller| caller.replies);
        if replies && !begun && instance.bounds.fallback.is_some() {
            if state != State::GivenUp {
                self.calls.flights.stop(&key, State::Failed, self.now.us);
            }
            return self.calls.fallen.push((key, Arc::clone(reason)));
        }
        self.is_over(service, key, reason, deliver);
    }

    /// That was the end of a call that has failed.
    fn is_over(&mut self, service: u8, key: CallKey, reason: &Arc<str>, deliver: &mut impl FnMut(Reply)) {
        if self.calls.flights.get(&key).is_some_and(|flight| flight.state != State::GivenUp) {
            self.calls.flights.end(&key);
        }
        self.settle(service, &key);
        self.calls.ended_now.push(key);
        deliver(Reply { key, part: ReplyPart::Failed(Arc::clone(reason)) });
    }

    /// Says the scene's fallback in place of replies that have failed, each when it is its turn.
    fn say_instead(&mut self, deliver: &mut impl FnMut(Reply)) {
        let mut at = 0;
        while at < self.calls.fallen.len() {
            let key = self.calls.fallen[at].0;
            let flight = self.calls.flights.get(&key).map(|flight| (flight.held, flight.service));
            if flight.is_some_and(|(held, _)| held) {
                at += 1;
                continue;
            }
            let (_, reason) = self.calls.fallen.remove(at);
            let Some((_, service)) = flight else { continue };
            let entity = self.order.services[usize::from(service)];
            let (instance, mut figures) = self.services.get_mut(entity).expect(LIVES);
            if let Some(text) = instance.bounds.fallback.clone() {
                figures.fallbacks += 1;
                deliver(Reply { key, part: ReplyPart::Text(text) });
            }
            self.is_over(service, key, &reason, deliver);
        }
    }

    /// Says the scene's filler before replies that keep their callers waiting, each once and when it is its turn.
    fn fill(&mut self, deliver: &mut impl FnMut(Reply)) {
        let (calls, services, now_us) = (&mut *self.calls, &mut self.services, self.now.us);
        calls.unfilled.retain(|(key, due_us)| {
            let Some(flight) = calls.flights.get(key).filter(|flight| !flight.spoke) else { return false };
            if !matches!(flight.state, State::Waiting | State::Started) {
                return false;
            }
            if now_us < *due_us || flight.held {
                return true;
            }
            let entity = self.order.services[usize::from(flight.service)];
            let (instance, mut figures) = services.get_mut(entity).expect(LIVES);
            if let Some((text, _)) = &instance.bounds.filler {
                figures.fillers += 1;
                deliver(Reply { key: *key, part: ReplyPart::Filler(Arc::clone(text)) });
            }
            false
        });
    }

    /// Ends the calls that have taken too long.
    fn give_up(&mut self, deliver: &mut impl FnMut(Reply)) {
        if self.now.is_broken(Mutation::AwaitService) {
            return;
        }
        loop {
            let (order, services, now_us) = (&self.order, &self.services, self.now.us);
            let timeout_us = |service: u8| {
                let entity = order.services[usize::from(service)];
                services.get(entity).expect(LIVES).0.bounds.timeout_us
            };
            let Some(overdue) = self.calls.flights.next_overdue(now_us, timeout_us) else { return };
            let timeout_ms = timeout_us(overdue.service) / 1_000;
            self.end_overdue(overdue, timeout_ms, deliver);
        }
    }

    fn end_overdue(&mut self, overdue: Overdue, timeout_ms: u64, deliver: &mut impl FnMut(Reply)) {
        let Overdue { call, service, state, was_started } = overdue;
        let now_us = self.now.us;
        let entity = self.order.services[usize::from(service)];
        let (mut instance, mut figures) = self.services.get_mut(entity).expect(LIVES);
        match state {
            State::Waiting => {
                if let Some(mut queue) =
                    self.order.node(call.node).and_then(|node| self.queues.get_mut(node).ok())
                {
                    queue.withdraw(call);
                }
                self.calls.again.retain(|other| other.key != call);
                self.calls.flights.stop(&call, State::Failed, now_us);
            }
            State::Started => {
                self.calls.flights.stop(&call, State::GivenUp, now_us);
                instance.with(|service| service.cancel(CallScope::Call(call), now_us));
            }
            State::Stopping | State::GivenUp | State::Failed => {
                figures.unstopped += 1;
                let part = ReplyPart::Stopped { wasted_us: 0 };
                return self.end(service, call, part, deliver);
            }
        }
        figures.timed_out += 1;
        let reason = match was_started {
            true => format!("timed out: nothing came for {timeout_ms} ms"),
            false => format!("{NOT_STARTED} within {timeout_ms} ms"),
        };
        self.fail(service, call, &reason.into(), deliver);
    }

    /// Ends the calls of a service that has panicked, or that there is none of.
    fn mend(&mut self, service: u8, deliver: &mut impl FnMut(Reply)) {
        let entity = self.order.services[usize::from(service)];
        let (mut instance, mut figures) = self.services.get_mut(entity).expect(LIVES);
        if instance.is_up() {
            return;
        }
        let broken = instance.take_broken();
        if broken.is_some() {
            figures.panics += 1;
            self.calls.told.anew(service);
        }
        let reason = broken.unwrap_or_else(|| "the service is down".into());
        for call in self.calls.flights.of(service) {
            match self.calls.flights.get(&call).map(|flight| flight.state) {
                Some(State::Started) => self.fail(service, call, &reason, deliver),
                Some(State::Stopping | State::GivenUp) => {
                    self.end(service, call, ReplyPart::Stopped { wasted_us: 0 }, deliver);
                }
                Some(State::Waiting | State::Failed) | None => {}
            }
        }
    }

    /// Tells nodes which of their calls were merged or dropped since the last tick.
    fn tell_settled(&mut self, deliver: &mut impl FnMut(Reply)) {
        let mut untold = std::mem::take(&mut self.calls.untold);
        for settled in untold.drain(..) {
            let (key, part) = match settled {
                Settled::Merged(key) => (key, ReplyPart::Merged),
                Settled::Dropped(key) => (key, ReplyPart::Dropped),
            };
            if let Some(caller) = self.order.caller(key.node) {
                let entity = self.order.services[usize::from(caller.service)];
                self.services.get_mut(entity).expect(LIVES).0.with(|service| service.hold(key, false));
            }
            deliver(Reply { key, part });
        }
        self.calls.untold = untold;
    }
}
