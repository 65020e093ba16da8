//! A service as an entity of the engine's world: its name, its instance, its figures.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_platform::cell::SyncCell;

use crate::base::unwind::caught;
use crate::scene::Timing;
use crate::service::api::{Service, ServiceKind, ServiceSite, ServiceWaker, TimeMode};
use crate::service::call::CallScope;
use crate::service::flights::Bounds;
use crate::service::told::Ending;

/// The name of a service in the scene.
#[derive(Component)]
pub(crate) struct ServiceName(pub(crate) Arc<str>);

/// How a service is made, and made anew after it has panicked.
pub(crate) struct Maker {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Arc<dyn ServiceKind>,
    pub(crate) timing: Option<Timing>,
    pub(crate) seed: u64,
    pub(crate) time: TimeMode,
    pub(crate) waker: ServiceWaker,
}

impl Maker {
    fn make(&self) -> Box<dyn Service> {
        self.kind.start(ServiceSite {
            name: &self.name,
            timing: self.timing.as_ref(),
            seed: self.seed,
            time: self.time,
            waker: self.waker.clone(),
        })
    }
}

/// Shortest and longest time between two attempts to make a service that panics when it is made, microseconds.
const REST_US: (u64, u64) = (100_000, 10_000_000);

/// The running service. What it does is contained: a panic ends the instance, not the tick.
#[derive(Component)]
pub(crate) struct ServiceInstance {
    service: SyncCell<Option<Box<dyn Service>>>,
    maker: Maker,
    pub(crate) bounds: Bounds,
    pub(crate) wants_audio: bool,
    /// Batches that it can start at once.
    pub(crate) room: usize,
    /// When it has something ready, as far as it says.
    pub(crate) due_us: Option<u64>,
    /// Why the instance ended, until its calls were told.
    broken: Option<Arc<str>>,
    /// While there is no instance: when the next one is made, and how long after that.
    rests: (u64, u64),
}

impl ServiceInstance {
    /// Makes the service.
    pub(crate) fn new(maker: Maker, bounds: Bounds) -> Self {
        let service = maker.make();
        let wants_audio = service.wants_audio();
        let mut instance = Self {
            service: SyncCell::new(Some(service)),
            maker,
            bounds,
            wants_audio,
            room: 0,
            due_us: None,
            broken: None,
            rests: (0, REST_US.0),
        };
        instance.look();
        instance
    }

    /// Has the service do something; `None`: there is none at present, or it panics.
    pub(crate) fn with<R>(&mut self, act: impl FnOnce(&mut dyn Service) -> R) -> Option<R> {
        let service = self.service.get().as_mut()?;
        match caught(|| act(&mut **service)) {
            Ok(done) => Some(done),
            Err(said) => {
                self.broken = Some(format!("panicked: {said}").into());
                let broken = self.service.get().take();
                // Nothing of it can be relied on, not even that it can be dropped.
                let _unused = caught(|| drop(broken));
                (self.room, self.due_us) = (0, None);
                None
            }
        }
    }

    /// Notes how much it can take, and when it has something ready.
    pub(crate) fn look(&mut self) {
        if let Some((room, due_us)) = self.with(|service| (service.room(), service.next_due_us())) {
            (self.room, self.due_us) = (room, due_us);
        }
    }

    /// Why the instance ended, once.
    pub(crate) fn take_broken(&mut self) -> Option<Arc<str>> {
        self.broken.take()
    }

    /// Whether there is an instance.
    pub(crate) fn is_up(&mut self) -> bool {
        self.service.get().is_some()
    }

    /// Makes the service anew, if it is time for that; true if it was made. Not before the calls of the one that ended were
    /// told: the next one knows nothing of them.
    pub(crate) fn revive(&mut self, now_us: u64) -> bool {
        if self.is_up() || self.broken.is_some() || now_us < self.rests.0 {
            return false;
        }
        let made = caught(|| self.maker.make()).ok();
        let up = made.is_some();
        *self.service.get() = made;
        // A service that panics again and again is not made in every tick.
        self.rests = (now_us + self.rests.1, (self.rests.1 * 2).min(REST_US.1));
        self.look();
        up
    }

    /// A service that has answered a call is well.
    pub(crate) fn is_well(&mut self) {
        self.rests = (0, REST_US.0);
    }
}

/// Tells a service how a segment ends.
pub(crate) trait Ends {
    fn end(&mut self, ending: &Ending, now_us: u64);
}

impl Ends for dyn Service + '_ {
    fn end(&mut self, ending: &Ending, now_us: u64) {
        match ending {
            Ending::Cancelled(segment) => self.cancel(CallScope::Segment(*segment), now_us),
            Ending::Committed(segment, revision, heard) => self.commit(*segment, *revision, heard),
        }
    }
}

/// Figures of one service.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceFigures {
    /// Calls started: a batch is one call.
    pub calls: u64,
    /// Items in these batches.
    pub items: u64,
    /// Items that failed, whatever the reason.
    pub failed: u64,
    /// Of them, items that took longer than `timeout_ms`.
    pub timed_out: u64,
    /// Items that were started again after they had failed.
    pub retried: u64,
    /// Items of which the scene's fallback was said.
    pub fallbacks: u64,
    /// Items before whose answer the scene's filler was said.
    pub fillers: u64,
    /// Times that the service panicked and was made anew.
    pub panics: u64,
    /// Items stopped by a cancellation.
    pub cancelled: u64,
    /// Items that the service never said to have stopped.
    pub unstopped: u64,
    /// Time of the service spent on items that were used, in microseconds.
    pub busy_us: u64,
    /// Time of the service spent on cancelled items, in microseconds.
    pub wasted_us: u64,
}
