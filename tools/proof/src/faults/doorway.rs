//! Opens sessions in the middle of a tick, as another thread of the host would.
//!
//! A stopwatch is called between the steps of a tick. The one for the steps outside the shards is called three times:
//! when the engine has looked for new sessions, between the halves of the shards, and at the end. What happens there
//! is the same on any number of threads and shards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_engine::record::Stopwatch;
use mynah_engine::{Engine, EngineHandle, OpenError, PushError, SessionHandle, SessionSpec};

/// How often the stopwatch is called in a tick.
pub(super) const LAPS: u64 = 3;

/// What somebody who comes in a tick is about to do there.
pub(super) struct Visit {
    /// Number of the caller's place.
    pub place: u64,
    /// At which call of the stopwatch.
    pub lap: u64,
    /// What is opened.
    pub spec: SessionSpec,
    /// What is sent at once, interleaved.
    pub samples: Vec<f32>,
    /// And then hangs up.
    pub hangs_up: bool,
    /// What came of it.
    pub opened: Option<Result<SessionHandle, OpenError>>,
    /// What came of the sending.
    pub pushed: Option<Result<(), PushError>>,
}

impl Visit {
    fn act(&mut self, engine: &EngineHandle) {
        let opened = engine.open(self.spec.clone());
        if let Ok(session) = &opened {
            self.pushed = Some(session.try_push(&self.samples));
            if self.hangs_up {
                session.close();
            }
        }
        self.opened = Some(opened);
    }
}

/// Who waits for the middle of the next tick, and who has come in.
#[derive(Clone, Default)]
pub(super) struct Doorway(Arc<Mutex<Room>>);

#[derive(Default)]
struct Room {
    /// Calls of the stopwatch in this tick.
    laps: u64,
    visits: Vec<Visit>,
}

impl Doorway {
    /// Stands between the steps of `engine`'s ticks.
    pub(super) fn of(engine: &mut Engine) -> Self {
        let doorway = Self::default();
        let handle = engine.handle();
        let mut last = None;
        engine.lend_stopwatches(|| {
            // The last that is asked for times what no shard does.
            let ours = Arc::new(AtomicBool::new(false));
            last = Some(Arc::clone(&ours));
            Box::new(Watch { doorway: doorway.clone(), engine: handle.clone(), ours })
        });
        if let Some(ours) = last {
            ours.store(true, Ordering::Relaxed);
        }
        doorway
    }

    /// Comes in during the next tick.
    pub(super) fn awaits(&self, visit: Visit) {
        self.room().visits.push(visit);
    }

    /// A tick begins.
    pub(super) fn begins(&self) {
        self.room().laps = 0;
    }

    /// Who came in during the tick that has ended.
    pub(super) fn leaves(&self) -> Vec<Visit> {
        std::mem::take(&mut self.room().visits)
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Watch {
    doorway: Doorway,
    engine: EngineHandle,
    ours: Arc<AtomicBool>,
}

impl Stopwatch for Watch {
    fn lap(&mut self, _: usize) {
        if !self.ours.load(Ordering::Relaxed) {
            return;
        }
        let mut room = self.doorway.room();
        let lap = room.laps;
        room.laps += 1;
        room.visits.iter_mut().filter(|visit| visit.lap == lap).for_each(|visit| visit.act(&self.engine));
    }
    fn start(&mut self) {}
    fn totals_ns(&self) -> &[u64] {
        &[]
    }
}
