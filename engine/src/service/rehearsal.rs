//! A service without an engine, for its tests: what a hub would tell it is told by hand.

use crate::scene::Timing;
use crate::service::api::{Service, ServiceKind, ServiceSite, ServiceWaker, TimeMode};
use crate::service::call::{Call, CallKey, CallScope};
use crate::service::flights::{Flights, State};
use crate::service::reply::{Replies, Reply, ReplyPart};

/// Drives a service as the hub does: takes its answers in the order in which they are given, at most
/// [`PARTS_PER_TICK`](super::PARTS_PER_TICK) of each call a poll, nothing of calls that are held or over.
///
/// ```
/// use std::sync::Arc;
/// use mynah_engine::service::{Call, CallScope, Replies, ReplyPart, ReplyQueue, Rehearsal, Service};
///
/// /// Says everything again, louder.
/// #[derive(Default)]
/// struct Echo(ReplyQueue);
///
/// impl Service for Echo {
///     fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
///         for call in batch.drain(..) {
///             self.0.push(call.key, ReplyPart::Text(call.text.to_uppercase().into()));
///             self.0.push(call.key, ReplyPart::Done { busy_us: 0 });
///         }
///     }
///     fn cancel(&mut self, scope: CallScope, _: u64) {
///         self.0.cancel(scope);
///     }
///     fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
///         self.0.hand_out(replies);
///     }
/// }
///
/// let mut rehearsal = Rehearsal::of(Box::new(Echo::default()));
/// rehearsal.start(vec![Call::about("hello")], 0);
/// let parts: Vec<ReplyPart> = rehearsal.poll(5_000).into_iter().map(|reply| reply.part).collect();
/// assert!(matches!(&parts[..], [ReplyPart::Text(text), ReplyPart::Done { .. }] if **text == *"HELLO"));
/// ```
pub struct Rehearsal {
    service: Box<dyn Service>,
    flights: Flights,
}

/// Longer than any test.
const TIMEOUT_US: u64 = u64::MAX / 4;

impl Rehearsal {
    /// With a service that was made already.
    pub fn of(service: Box<dyn Service>) -> Self {
        Self { service, flights: Flights::default() }
    }

    /// With a service of `kind`, in virtual time.
    pub fn new(kind: &dyn ServiceKind, timing: Option<&Timing>, seed: u64) -> Self {
        let waker = ServiceWaker::default();
        Self::of(kind.start(ServiceSite { name: "rehearsed", timing, seed, time: TimeMode::Virtual, waker }))
    }

    /// The service.
    pub fn service(&mut self) -> &mut dyn Service {
        &mut *self.service
    }

    /// Starts a batch of calls.
    pub fn start(&mut self, mut batch: Vec<Call>, now_us: u64) {
        for call in &batch {
            self.flights.ask(call, 0, TIMEOUT_US);
            self.flights.start(call, 0, now_us);
        }
        self.service.start(&mut batch, now_us);
    }

    /// Holds a call, or releases it.
    pub fn hold(&mut self, call: CallKey, held: bool, now_us: u64) {
        self.flights.hold(&call, held, now_us);
        self.service.hold(call, held);
    }

    /// Takes back what `scope` covers.
    pub fn cancel(&mut self, scope: CallScope, now_us: u64) {
        for call in self.flights.of(0).iter().filter(|call| scope.covers(call)) {
            self.flights.stop(call, State::Stopping, now_us);
        }
        self.service.cancel(scope, now_us);
    }

    /// What the service hands out at `now_us`.
    pub fn poll(&mut self, now_us: u64) -> Vec<Reply> {
        self.flights.begin_tick();
        let mut list = Vec::new();
        self.service.poll(now_us, &mut Replies::new(&mut self.flights, 0, now_us, &mut list));
        for reply in &list {
            match reply.part {
                ReplyPart::Done { .. } | ReplyPart::Failed(_) | ReplyPart::Stopped { .. } => {
                    self.flights.end(&reply.key);
                }
                _ => self.flights.took(&reply.key, true),
            }
        }
        list
    }

    /// Calls that are not over.
    pub fn under_way(&self) -> usize {
        self.flights.under_way()
    }
}
