//! A session whose client comes and goes: over plain HTTP, where every request is a connection of its own, and between two
//! WebSockets. A task polls it; readers of its messages and its sound take theirs from channels.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mynah_dialects::native::{Listening, NativeOutput, NativeSession};
use mynah_dialects::{Ending, Refusal, TurnTimes};
use mynah_serve::{DrainPhase, Kept, RunningScene, Told, TransportFigures, Witness};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::bell::Bell;

/// Messages that wait for their reader; one more, and it is given up: it may come again.
const MESSAGES_MAX: usize = 256;
/// Pieces of sound that wait for their reader, some 200 ms: then new ones are left out.
const PIECES_MAX: usize = 10;
/// So long a reader has to take what came at once, microseconds, before any of it is left out.
const TAKES_US: u64 = 20_000;
/// It is looked at again after this time, microseconds.
const LOOK_US: u64 = 2_000;

/// A message for the reader of events.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    pub(crate) kind: &'static str,
    pub(crate) id: Option<u64>,
    pub(crate) json: String,
}

/// What a session takes along when it leaves.
pub(crate) struct Parts {
    pub(crate) session: Box<NativeSession>,
    pub(crate) kept: Kept,
    pub(crate) witness: Option<Witness>,
    pub(crate) bell: Bell,
}

#[derive(Default)]
struct Readers {
    events: Option<Sender<Telling>>,
    sound: Option<Sender<Vec<u8>>>,
}

struct Inner {
    /// `None`: it left, or is over.
    parts: Option<Parts>,
    readers: Readers,
    counted: TransportFigures,
    sound_dropped_us: u64,
    /// Since when there is no room for sound.
    sound_full_since_us: Option<u64>,
}

/// A session that waits, or is served by requests.
pub(crate) struct Held {
    inner: Mutex<Inner>,
    bell: Bell,
    scene: Arc<RunningScene>,
    token: String,
    transport: &'static str,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl Held {
    /// `counted`: what of its figures the server has counted already.
    pub(crate) fn new(
        session: Box<NativeSession>,
        kept: Kept,
        witness: Option<Witness>,
        bell: Bell,
        transport: &'static str,
        counted: TransportFigures,
    ) -> Arc<Self> {
        let scene = Arc::clone(kept.scene());
        let token = session.token().unwrap_or_default().to_string();
        let parts = Parts { session, kept, witness, bell: bell.clone() };
        let counted = TransportFigures { sound_dropped_us: 0, ..counted };
        let inner = Inner {
            parts: Some(parts),
            readers: Readers::default(),
            counted,
            sound_dropped_us: 0,
            sound_full_since_us: None,
        };
        Arc::new(Self { inner: Mutex::new(inner), bell, scene, token, transport })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client shows.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The clock of the session's engine.
    pub(crate) fn now_us(&self) -> u64 {
        self.scene.now_us()
    }

    /// Lets somebody else have the session.
    pub(crate) fn take_out(&self) -> Option<Parts> {
        let mut inner = self.inner();
        inner.readers = Readers::default();
        let parts = inner.parts.take().filter(|parts| !parts.session.is_over());
        drop(inner);
        self.bell.ring();
        parts
    }

    /// Does something with the session.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut NativeSession, u64) -> T) -> Result<T, Refusal> {
        let now_us = self.now_us();
        let mut inner = self.inner();
        let over = || Refusal::new("not_found", "the session is over: open a new one");
        let parts = inner.parts.as_mut().filter(|parts| !parts.session.is_over()).ok_or_else(over)?;
        let done = work(&mut parts.session, now_us);
        drop(inner);
        self.bell.ring();
        Ok(done)
    }

    /// Reads the session's messages from now on, in place of whoever did.
    pub(crate) fn read_events(&self) -> Result<Receiver<Telling>, Refusal> {
        let (to, from) = channel(MESSAGES_MAX);
        self.read(|readers| readers.events = Some(to))?;
        Ok(from)
    }

    /// Reads the session's sound from now on, in place of whoever did.
    pub(crate) fn read_sound(&self) -> Result<Receiver<Vec<u8>>, Refusal> {
        let (to, from) = channel(PIECES_MAX);
        self.read(|readers| readers.sound = Some(to))?;
        Ok(from)
    }

    fn read(&self, set: impl FnOnce(&mut Readers)) -> Result<(), Refusal> {
        self.with(|_, _| ())?;
        let now_us = self.now_us();
        let mut inner = self.inner();
        set(&mut inner.readers);
        inner.listen(now_us);
        drop(inner);
        self.bell.ring();
        Ok(())
    }

    /// Polls the session until it leaves or is over.
    pub(crate) async fn drive(&self, app: &App) {
        let mut phase = app.phase.clone();
        loop {
            let now = *phase.borrow_and_update();
            let Some(until_us) = self.step(app, now) else { return };
            // Readers that are gone are noticed at the next look.
            let pause = until_us.map_or(Duration::from_millis(250), |us| {
                Duration::from_micros(us.saturating_sub(self.now_us())).min(Duration::from_millis(250))
            });
            tokio::select! {
                biased;
                () = self.bell.rung() => {}
                _ = phase.changed() => {}
                () = sleep_until(Instant::now() + pause) => {}
            }
        }
    }

    /// Does what there is to do; `None`: nothing ever will be again. Else until when there is nothing.
    fn step(&self, app: &App, phase: DrainPhase) -> Option<Option<u64>> {
        let now_us = self.now_us();
        let mut inner = self.inner();
        inner.forget_readers(now_us);
        let parts = inner.parts.as_mut()?;
        match phase {
            DrainPhase::Serving | DrainPhase::Grace => {}
            DrainPhase::Ending => parts.session.end(Ending::AfterTurn),
            DrainPhase::Over => parts.session.end(Ending::Now),
        }
        let until_us = inner.poll(now_us);
        inner.count(app, self.transport);
        if until_us.is_none() {
            inner.readers = Readers::default();
            inner.parts = None;
        }
        until_us
    }
}

impl Inner {
    /// Tells the session who reads.
    fn listen(&mut self, now_us: u64) {
        let listening =
            Listening { messages: self.readers.events.is_some(), audio: self.readers.sound.is_some() };
        if let Some(parts) = &mut self.parts {
            parts.session.listen(now_us, listening);
        }
    }

    /// Readers whose requests have ended.
    fn forget_readers(&mut self, now_us: u64) {
        let gone = |one: &Option<Sender<_>>| one.as_ref().is_some_and(Sender::is_closed);
        let (events, sound) =
            (gone(&self.readers.events), self.readers.sound.as_ref().is_some_and(Sender::is_closed));
        if events {
            self.readers.events = None;
        }
        if sound {
            self.readers.sound = None;
        }
        if events || sound {
            self.listen(now_us);
        }
    }

    /// Hands out what the session has; `None`: it is over. Else until when there is nothing.
    fn poll(&mut self, now_us: u64) -> Option<Option<u64>> {
        let parts = self.parts.as_mut()?;
        while let Some(told) = parts.witness.as_ref().and_then(Witness::poll) {
            hand_in(&mut parts.session, &told);
        }
        let mut full = false;
        // Asked first: what was put out before the session closed is there by then.
        let closed = parts.session.session().is_closed();
        loop {
            if self.readers.sound.as_ref().is_some_and(|to| to.capacity() == 0) && !full {
                if now_us < *self.sound_full_since_us.get_or_insert(now_us) + TAKES_US {
                    return Some(Some(now_us + LOOK_US));
                }
            } else {
                self.sound_full_since_us = None;
            }
            match parts.session.poll(now_us) {
                NativeOutput::Event { kind, id, json } => {
                    let telling = Telling { kind, id, json: json.into() };
                    full |= self.readers.events.as_ref().is_some_and(|to| to.try_send(telling).is_err());
                }
                NativeOutput::Audio { bytes, sound_us } => {
                    if self.readers.sound.as_ref().is_some_and(|to| to.try_send(bytes.to_vec()).is_err()) {
                        self.sound_dropped_us += u64::from(sound_us);
                    }
                }
                NativeOutput::Closed(_) => return None,
                NativeOutput::Wait { until_us } => {
                    if parts.session.is_over() {
                        return None;
                    }
                    // Behind the last sound nothing follows: its reader need not wait until the end was told.
                    if closed && self.readers.sound.take().is_some() {
                        self.listen(now_us);
                        return Some(Some(now_us));
                    }
                    if full {
                        // A reader that does not read: what was not acknowledged is told to the next one.
                        self.readers.events = None;
                        self.listen(now_us);
                    }
                    return Some(until_us);
                }
            }
        }
    }

    fn count(&mut self, app: &App, transport: &'static str) {
        let Some(parts) = &self.parts else { return };
        let figures = parts.session.figures();
        let sums = TransportFigures {
            sent: figures.sent,
            acked: figures.acked,
            retried: figures.retried,
            failed: figures.failed,
            sound_dropped_us: self.sound_dropped_us,
        };
        if sums != self.counted {
            app.server.count_control(transport, sums.since(self.counted));
            self.counted = sums;
        }
    }
}

fn hand_in(session: &mut NativeSession, told: &Told) {
    match told {
        Told::Probability(record) => session.record(record),
        Told::Turn { turn, response_us, stages } => {
            let stages: Vec<(&str, f64)> =
                stages.iter().map(|(name, us)| (name.as_str(), *us as f64 / 1_000.0)).collect();
            session.turn(&TurnTimes {
                turn: *turn,
                response_ms: *response_us as f64 / 1_000.0,
                stages: &stages,
            });
        }
    }
}
