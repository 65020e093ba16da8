//! The ports between an engine and one worker, at either side.

use std::time::Duration;

use super::door::Ear;
use super::{AUDIO, CONTROL, Inlet, LOBBY, LOBBY_ENDS, LinkError, LinkNames, LinkPlace, Outlet, TEXT};
use super::{LaneSettings, RingBell};

fn outlet(place: &LinkPlace, name: &str, settings: LaneSettings) -> Result<Outlet, LinkError> {
    Outlet::new(place.lane(name, settings)?, settings, name)
}

fn inlet(place: &LinkPlace, name: &str, settings: LaneSettings) -> Result<Inlet, LinkError> {
    Inlet::new(place.lane(name, settings)?, name)
}

/// The engine's end of what it shares with one worker.
#[derive(Debug)]
pub struct EngineSide {
    /// To the worker.
    pub control_down: Outlet,
    /// To the worker.
    pub audio_down: Outlet,
    /// From the worker.
    pub control_up: Inlet,
    /// From the worker.
    pub audio_up: Inlet,
    /// From the worker.
    pub text_up: Inlet,
    /// Wakes the worker.
    pub bell: RingBell,
}

impl EngineSide {
    /// Opens the ports to `worker`.
    ///
    /// # Errors
    /// Shared memory that cannot be used, or that was made with other settings.
    pub fn open(place: &LinkPlace, names: &LinkNames, worker: &str) -> Result<Self, LinkError> {
        let lane = |what, way| names.lane(what, worker, way);
        let bell = names.bell_down(worker);
        Ok(Self {
            control_up: inlet(place, &lane("control", "up"), CONTROL)?,
            audio_up: inlet(place, &lane("audio", "up"), AUDIO)?,
            text_up: inlet(place, &lane("text", "up"), TEXT)?,
            control_down: outlet(place, &lane("control", "down"), CONTROL)?,
            audio_down: outlet(place, &lane("audio", "down"), AUDIO)?,
            bell: RingBell::new(place.bell(&bell, 2)?, &bell)?,
        })
    }

    /// Whether the worker's ports are there.
    pub fn is_there(&self) -> bool {
        self.control_down.is_heard() && self.control_up.is_fed()
    }
}

/// A worker's end of what it shares with an engine.
#[derive(Debug)]
pub struct WorkerSide {
    /// What is said in the lobby.
    pub lobby: Outlet,
    /// What is answered there, until the worker is welcome.
    pub answers: Option<Inlet>,
    /// From the engine.
    pub control_down: Inlet,
    /// From the engine.
    pub audio_down: Inlet,
    /// To the engine.
    pub control_up: Outlet,
    /// To the engine.
    pub audio_up: Outlet,
    /// To the engine.
    pub text_up: Outlet,
    /// Wakes the engine.
    pub bell: RingBell,
    ear: Ear,
}

impl WorkerSide {
    /// Opens the ports of the worker that calls itself `worker`.
    ///
    /// # Errors
    /// Shared memory that cannot be used, or that was made with other settings.
    pub fn open(place: &LinkPlace, names: &LinkNames, worker: &str) -> Result<Self, LinkError> {
        let lane = |what, way| names.lane(what, worker, way);
        let (up, down, lobby) = (names.bell_up(), names.bell_down(worker), names.lobby());
        Ok(Self {
            ear: Ear::new(place.bell(&down, 2)?, &down)?,
            control_down: inlet(place, &lane("control", "down"), CONTROL)?,
            audio_down: inlet(place, &lane("audio", "down"), AUDIO)?,
            control_up: outlet(place, &lane("control", "up"), CONTROL)?,
            audio_up: outlet(place, &lane("audio", "up"), AUDIO)?,
            text_up: outlet(place, &lane("text", "up"), TEXT)?,
            answers: Some(inlet(place, &lobby, LOBBY)?),
            lobby: outlet(place, &lobby, LOBBY)?,
            bell: RingBell::new(place.bell(&up, LOBBY_ENDS)?, &up)?,
        })
    }

    /// Waits until the engine rings, for `most` at the longest. True if a process has died.
    ///
    /// # Errors
    /// The bell is broken.
    pub fn wait(&self, most: Duration) -> Result<bool, LinkError> {
        self.ear.wait(most)
    }
}
