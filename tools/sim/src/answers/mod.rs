//! What services outside the process answered in a run, for its log, and from its log for a replay.

mod kept;
mod line;
mod name;
mod remembered;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_engine::service::{Call, CallKey};
use mynah_systems::service::{AnswerLog, OutsideAnswer};

pub use kept::remember;
pub(crate) use kept::{book_of, keep};
pub use line::{ANSWER, LoggedAnswer, Remembered};
pub(crate) use line::{AnswerLine, lines};
pub use name::AnswerName;
pub use remembered::LoggedAnswers;
pub(crate) use remembered::register;

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
