//! What only the engine's records know of a session: probabilities, and where the time of a turn went. One thread for each
//! scene reads the records and hands each session its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mynah_engine::edge::Waker;
use mynah_engine::{Event, Record, ScenePlan, SessionId};
use mynah_host::Records;
use mynah_sim::report::stages::AnsweredTurn;
use mynah_sim::simulate::breakdown::{Answers, Ways};

/// Most facts that wait for one session's connection; then the oldest are lost, and counted.
const WAITING_MAX: usize = 256;
/// Answers that are remembered for their stages.
const SEGMENTS_KEPT: u32 = 64;
/// How often the reader looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// A fact about a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A judgement of the detector: [`Event::Probability`].
    Probability(Record),
    /// An answer has begun to sound.
    Turn {
        /// The turn.
        turn: u32,
        /// From the end of speech, as the gate has it, to the first sample.
        response_us: u64,
        /// Where that time went, in order: name and microseconds.
        stages: Vec<(String, u64)>,
    },
}

/// The connection's end: facts in order.
#[derive(Debug)]
pub struct Witness(Arc<Sink>);

impl Witness {
    /// The next fact, if there is one.
    pub fn poll(&self) -> Option<Told> {
        self.0.waiting().pop_front()
    }

    /// Facts that were lost because nobody polled.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

/// The reader's end.
struct Sink {
    waiting: Mutex<VecDeque<Told>>,
    lost: AtomicU64,
    waker: Option<Waker>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Sink {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, told: Told) {
        let mut waiting = self.waiting();
        if waiting.len() == WAITING_MAX {
            waiting.pop_front();
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        waiting.push_back(told);
        drop(waiting);
        if let Some(waker) = &self.waker {
            waker();
        }
    }
}

/// A session that is open.
struct Listened {
    sinks: Vec<Arc<Sink>>,
    answers: Answers,
    /// By segment and revision, when its speech ended, engine time.
    ended_us: BTreeMap<(u32, u32), u64>,
}

/// Sessions by id. Several wait under one id when it is used again before its `SessionOpened` was read.
#[derive(Default)]
struct Rows {
    opening: BTreeMap<SessionId, VecDeque<Vec<Arc<Sink>>>>,
    open: BTreeMap<SessionId, Listened>,
}

/// Whom a scene's records go to.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Rows>);

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listeners")
    }
}

impl Listeners {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session by `open`, and listens to it for so many witnesses as there are wakers. Records wait meanwhile, so
    /// that none is missed.
    pub(crate) fn open<T, E>(
        &self,
        wakers: Vec<Option<Waker>>,
        id: impl FnOnce(&T) -> SessionId,
        open: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, Vec<Witness>), E> {
        let mut rows = self.rows();
        let session = open()?;
        let sink = |waker| Arc::new(Sink { waiting: Mutex::default(), lost: AtomicU64::new(0), waker });
        let sinks: Vec<Arc<Sink>> = wakers.into_iter().map(sink).collect();
        rows.opening.entry(id(&session)).or_default().push_back(sinks.clone());
        Ok((session, sinks.into_iter().map(Witness).collect()))
    }

    fn take(&self, ways: &Ways, record: &Record) {
        let (session, event) = (record.session, &record.event);
        let mut rows = self.rows();
        if let Event::SessionOpened = event {
            let sinks = rows.opening.get_mut(&session).and_then(VecDeque::pop_front).unwrap_or_default();
            if rows.opening.get(&session).is_some_and(VecDeque::is_empty) {
                rows.opening.remove(&session);
            }
            if !sinks.is_empty() {
                let listened = Listened { sinks, answers: Answers::default(), ended_us: BTreeMap::new() };
                rows.open.insert(session, listened);
            }
            return;
        }
        let Some(listened) = rows.open.get_mut(&session) else { return };
        listened.take(ways, record);
        if let Event::SessionClosed = event {
            rows.open.remove(&session);
        }
    }
}

impl Listened {
    fn tell(&self, told: Told) {
        self.sinks.iter().for_each(|sink| sink.tell(told.clone()));
    }

    fn take(&mut self, ways: &Ways, record: &Record) {
        let (t_us, turn) = (record.t_us, record.turn);
        self.answers.take(ways, t_us, &record.event);
        match record.event {
            Event::Probability { .. } => self.tell(Told::Probability(record.clone())),
            // The gate could see the silence when `seen_us` had come in, which was about now.
            Event::Endpoint { segment, revision, at_us, seen_us } => {
                self.ended_us.insert((segment, revision), t_us.saturating_sub(seen_us.saturating_sub(at_us)));
            }
            Event::OutputStarted { segment, revision } if revision > 0 => {
                if let Some(ended_us) = self.ended_us.remove(&(segment, revision)) {
                    self.answered(ways, turn, (segment, revision), ended_us.min(t_us), t_us);
                }
                self.answers.keep(|other| other + SEGMENTS_KEPT > segment);
                self.ended_us.retain(|(other, _), _| other + SEGMENTS_KEPT > segment);
            }
            _ => {}
        }
    }

    fn answered(&self, ways: &Ways, turn: u32, answer: (u32, u32), ended_us: u64, answered_us: u64) {
        let steps = self.answers.steps(answer.0, answer.1);
        let answered = AnsweredTurn::new(0, answer, ended_us, answered_us, steps);
        let stages = answered.stages.iter().map(|(stage, us)| (ways.name(*stage), *us)).collect();
        self.tell(Told::Turn { turn, response_us: answered.latency_us(), stages });
    }
}

/// Starts the thread that reads a scene's records until they are over.
pub(crate) fn listen(
    plan: &ScenePlan,
    records: Records,
    listeners: Arc<Listeners>,
) -> std::io::Result<JoinHandle<()>> {
    let ways = Ways::of(plan);
    thread::Builder::new().name("mynah records".into()).spawn(move || {
        while !records.is_over() {
            if let Some(record) = records.wait(LOOK) {
                listeners.take(&ways, &record);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time of a judgement.
    fn heard(told: Option<Told>) -> Option<u64> {
        match told? {
            Told::Probability(Record { event: Event::Probability { at_us, .. }, .. }) => Some(at_us),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_session_that_takes_over_an_id_hears_nothing_of_the_one_before() {
        let listeners = Listeners::default();
        let ways = Ways::default();
        let open = |witnesses: usize| {
            let opened = listeners.open(vec![None; witnesses], |id| *id, || Ok::<_, ()>(SessionId(3)));
            opened.expect("nothing fails").1
        };
        let tell = |event| listeners.take(&ways, &Record::new(5_000, SessionId(3), 1, event));
        let first = open(1).remove(0);
        tell(Event::SessionOpened);
        // The id is free again before its last record was read.
        let (silent, second) = (open(0), open(2).remove(1));
        assert!(silent.is_empty());
        tell(Event::Probability { at_us: 1, p: 0.25 });
        tell(Event::SessionClosed);
        tell(Event::SessionOpened);
        tell(Event::Probability { at_us: 2, p: 0.5 });
        tell(Event::SessionClosed);
        tell(Event::SessionOpened);
        tell(Event::Endpoint { segment: 1, revision: 1, at_us: 1_000, seen_us: 3_000 });
        tell(Event::OutputStarted { segment: 1, revision: 1 });
        assert_eq!(heard(first.poll()), Some(1));
        assert_eq!(first.poll(), None);
        let Some(Told::Turn { turn: 1, response_us: 2_000, .. }) = second.poll() else { panic!("a turn") };
        assert_eq!(second.poll(), None);
    }

    #[test]
    fn the_oldest_are_lost_where_nobody_polls() {
        let listeners = Listeners::default();
        let opened = listeners.open(vec![None], |id| *id, || Ok::<_, ()>(SessionId(0)));
        let witness = opened.expect("nothing fails").1.remove(0);
        let tell = |event| listeners.take(&Ways::default(), &Record::new(0, SessionId(0), 0, event));
        tell(Event::SessionOpened);
        for at_us in 0..300 {
            tell(Event::Probability { at_us, p: 0.0 });
        }
        assert_eq!((witness.lost(), heard(witness.poll())), (44, Some(44)));
    }
}
