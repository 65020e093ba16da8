//! What an engine has of a service before any worker has come: the lobby and the bell.

use std::sync::Arc;
use std::time::Duration;

use iceoryx2::port::listener::{Listener, ListenerWaitError};
use iceoryx2::port::notifier::Notifier;
use iceoryx2::prelude::*;

use super::place::{Bell, Shared};
use super::{Inlet, LOBBY, LOBBY_ENDS, LinkError, LinkNames, LinkPlace, Outlet, bell};

/// Shortest wait that is one.
const WAIT_MIN: Duration = Duration::from_micros(500);

/// Rings a bell, from any thread.
#[derive(Clone, Debug)]
pub struct RingBell {
    notifier: Arc<Notifier<Shared>>,
    _bell: Arc<Bell>,
}

impl RingBell {
    pub(super) fn new(bell: Bell, name: &str) -> Result<Self, LinkError> {
        let notifier = bell.notifier_builder().create().map_err(|error| LinkError::new(name, error))?;
        Ok(Self { notifier: Arc::new(notifier), _bell: Arc::new(bell) })
    }

    /// Rings. Nobody who listens, or one who has not listened for long, is no error: whoever waits looks again by itself.
    pub fn ring(&self, id: usize) {
        let _nobody_listens = self.notifier.notify_with_custom_event_id(EventId::new(id)).is_err();
    }
}

/// The receiving end of a bell.
#[derive(Debug)]
pub(super) struct Ear {
    listener: Listener<Shared>,
    name: String,
    _bell: Bell,
}

impl Ear {
    pub(super) fn new(bell: Bell, name: &str) -> Result<Self, LinkError> {
        let listener = bell.listener_builder().create().map_err(|error| LinkError::new(name, error))?;
        Ok(Self { listener, name: name.to_owned(), _bell: bell })
    }

    /// Waits for a ring. True if somebody has died.
    pub(super) fn wait(&self, most: Duration) -> Result<bool, LinkError> {
        let mut has_died = false;
        let heard = |event: EventActivation| has_died |= event.id.as_value() == bell::DEAD;
        // A socket takes no time at all for no limit.
        match self.listener.timed_wait(heard, most.max(WAIT_MIN)) {
            // A signal, such as that to go on after a stop, is as good as a ring.
            Ok(_) | Err(ListenerWaitError::InterruptSignal) => Ok(has_died),
            Err(error) => Err(LinkError::new(&*self.name, error)),
        }
    }
}

/// The engine's end of a service: where workers say hello.
#[derive(Debug)]
pub struct EngineDoor {
    ear: Ear,
    /// What workers say before they belong to the service.
    pub lobby: Inlet,
    /// What they are answered.
    pub answers: Outlet,
    own: RingBell,
}

impl EngineDoor {
    /// Opens the door of a service.
    ///
    /// # Errors
    /// Another engine has it open; shared memory that cannot be used.
    pub fn open(place: &LinkPlace, names: &LinkNames) -> Result<Self, LinkError> {
        let (bell_name, lobby_name) = (names.bell_up(), names.lobby());
        let bell = || place.bell(&bell_name, LOBBY_ENDS);
        let ear = Ear::new(bell()?, &bell_name)?;
        let lobby = Inlet::new(place.lane(&lobby_name, LOBBY)?, &lobby_name)?;
        let answers = Outlet::new(place.lane(&lobby_name, LOBBY)?, LOBBY, &lobby_name)?;
        let own = RingBell::new(bell()?, &bell_name)?;
        Ok(Self { ear, lobby, answers, own })
    }

    /// Rings the engine's own bell.
    pub fn own_bell(&self) -> RingBell {
        self.own.clone()
    }

    /// Waits until somebody rings, for `most` at the longest. True if a process has died.
    ///
    /// # Errors
    /// The bell is broken.
    pub fn wait(&self, most: Duration) -> Result<bool, LinkError> {
        self.ear.wait(most)
    }
}
