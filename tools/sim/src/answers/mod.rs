//! What services outside the process answered in a run, for its log, and from its log for a replay.

mod kept;
mod line;
mod remembered;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_engine::service::{Call, CallKey};
use mynah_systems::service::{AnswerLog, OutsideAnswer};

pub use kept::remember;
pub(crate) use kept::{book_of, keep};
pub use line::{ANSWER, LoggedAnswer};
pub(crate) use line::{AnswerLine, lines};
pub use remembered::LoggedAnswers;
pub(crate) use remembered::register;

/// Answers that were read from a log, by the calls that they answer.
pub type Remembered = BTreeMap<AnswerName, LoggedAnswer>;

/// Names an attempt at a call in words that outlive its run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerName {
    /// The service in the scene.
    pub service: String,
    /// The session.
    pub session: String,
    /// Which session of that name, counted from 1.
    pub opening: u32,
    /// The node, by its number in the scene.
    pub node: u8,
    /// Serial of the segment, revision, and which call of it.
    pub call: (u32, u32, u32),
    /// Attempts before it.
    pub attempt: u8,
}

impl AnswerName {
    fn new(service: &str, session: &str, key: &CallKey, attempt: u8) -> Self {
        Self {
            service: service.into(),
            session: session.into(),
            opening: key.generation,
            node: key.node.0,
            call: (key.segment.serial, key.revision, key.part),
            attempt,
        }
    }
}

/// An answer of a run.
struct Told {
    service: Arc<str>,
    session: Arc<str>,
    key: CallKey,
    attempt: u8,
    answer: Arc<OutsideAnswer>,
}

/// The answers of a run, until its log has them.
#[derive(Default)]
pub(crate) struct AnswerBook {
    /// Whether there is a log: without one nothing is kept.
    is_read: AtomicBool,
    answers: Mutex<(Vec<Told>, Vec<Told>)>,
}

impl AnswerBook {
    fn locked(&self) -> MutexGuard<'_, (Vec<Told>, Vec<Told>)> {
        // Nothing is left half done under this lock.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on answers are kept for a log.
    pub(crate) fn open(&self) {
        self.is_read.store(true, Ordering::Relaxed);
    }

    /// Gives out the answers that are over, as lines of a log. `all`: those that are not, too.
    pub(crate) fn read(&self, all: bool, mut tell: impl FnMut(&AnswerLine<'_>)) {
        let mut answers = self.locked();
        let (open, over) = &mut *answers;
        if all {
            over.append(open);
        }
        for told in over.drain(..) {
            told.answer.told(|parts, end| {
                let name = AnswerName::new(&told.service, &told.session, &told.key, told.attempt);
                lines(&name, told.key.turn, told.answer.rate_hz(), parts, end, &mut tell);
            });
        }
    }
}

impl AnswerLog for AnswerBook {
    fn began(&self, service: &str, call: &Call, answer: &Arc<OutsideAnswer>) {
        if self.is_read.load(Ordering::Relaxed) {
            let (service, session) = (service.into(), Arc::clone(&call.name));
            let (key, attempt, answer) = (call.key, call.attempt, Arc::clone(answer));
            self.locked().0.push(Told { service, session, key, attempt, answer });
        }
    }

    fn over(&self, service: &str, call: &CallKey, attempt: u8) {
        let (open, over) = &mut *self.locked();
        let is_it = |told: &Told| told.key == *call && told.attempt == attempt && *told.service == *service;
        if let Some(at) = open.iter().position(is_it) {
            over.push(open.remove(at));
        }
    }
}
