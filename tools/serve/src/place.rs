//! A place for one session: reserved before anything is opened, given back when the session is over.

use std::sync::Arc;

use mynah_dialects::{Tap, WantedRecords};
use mynah_engine::{SessionHandle, SessionSpec};

use crate::admission::Reservation;
use crate::keys::Standing;
use crate::names::random_name;
use crate::recording::Recordings;
use crate::refused::Refused;
use crate::scenes::{Occupied, RunningScene};
use crate::secrets::Secret;
use crate::told::Witness;

/// A client that was admitted, and what for. Dropped without a session, the place is free again.
#[derive(Debug)]
pub struct Place {
    pub(crate) reservation: Reservation,
    pub(crate) scene: Arc<RunningScene>,
    pub(crate) standing: Standing,
    pub(crate) secret: Option<Secret>,
    pub(crate) recordings: Option<Arc<Recordings>>,
}

/// A session that is open. The place is taken as long as [`Kept`] lives; the session, as long as its handle does.
pub struct OpenedSession {
    /// The session.
    pub session: SessionHandle,
    /// What only the engine's records tell of it, where that was asked for.
    pub witness: Option<Witness>,
    /// Whoever records the session, where calls are recorded. A recording that cannot be begun is said in the log.
    pub tap: Option<Box<dyn Tap>>,
    /// Keeps the place.
    pub kept: Kept,
}

/// A place that is taken; see [`OpenedSession`].
#[derive(Debug)]
pub struct Kept {
    _reservation: Reservation,
    _occupied: Occupied,
    scene: Arc<RunningScene>,
}

impl Place {
    /// The scene.
    #[must_use]
    pub fn scene(&self) -> &Arc<RunningScene> {
        &self.scene
    }

    /// Who the client is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The client secret that it showed, if it did.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Opens the session. Without a name it gets one; it tells all events. What `wants` asks for comes by a [`Witness`].
    ///
    /// # Errors
    /// [`Refused`] names what is wrong with the session; the place is free again.
    pub fn open(self, mut spec: SessionSpec, wants: WantedRecords) -> Result<OpenedSession, Refused> {
        let Self { reservation, scene, recordings, .. } = self;
        if spec.name.is_empty() {
            spec.name = random_name("s-");
        }
        if spec.name.chars().any(char::is_control) {
            let what = "session: expected a name without control characters";
            return Err(Refused::new(400, "bad_request", what));
        }
        spec.events = true;
        spec.traced |= wants.probability;
        let listens = wants.probability || wants.turns;
        let witnesses = usize::from(listens) + usize::from(recordings.is_some());
        let (session, mut witnesses, occupied) = scene.open(spec, witnesses)?;
        let recorded = if recordings.is_some() { witnesses.pop() } else { None };
        let witness = witnesses.pop();
        let tap = match (recordings, recorded) {
            (Some(recordings), Some(recorded)) => recordings.begin(scene.name(), &session, recorded),
            _ => None,
        };
        let kept = Kept { _reservation: reservation, _occupied: occupied, scene };
        Ok(OpenedSession { session, witness, tap, kept })
    }
}

impl Kept {
    /// The scene that the session runs in.
    #[must_use]
    pub fn scene(&self) -> &Arc<RunningScene> {
        &self.scene
    }
}
