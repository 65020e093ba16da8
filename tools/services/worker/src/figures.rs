//! Counts of what happened between an engine and the workers of a service.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use mynah_engine::hdrhistogram::Histogram;

use crate::link::LinkNames;

/// Longest time from a cancel to its end that is told apart, microseconds: ten minutes.
const APPLIED_US_MAX: u64 = 600_000_000;
/// Services whose figures are kept; of more, the first by name go.
const KEPT_MAX: usize = 256;

/// What happened between an engine and the workers of one service, since the service began.
#[derive(Clone)]
pub struct WorkerFigures {
    /// Workers that are there at present, hung ones among them.
    pub workers: u32,
    /// Calls that are under way at present.
    pub under_way: u32,
    /// Calls that wait for a worker at present.
    pub waiting: u32,
    /// Messages that ask for an acknowledgement: calls, cancels, results of tools.
    pub sent: u64,
    /// Those of which the worker has said that they have come.
    pub delivered: u64,
    /// Messages that were sent once more, as nothing was said of them for 50 ms.
    pub resent: u64,
    /// Messages of which nothing was said after 3 repetitions, or before their worker hung or died: not known to have come
    /// in time. Some are delivered later.
    pub lost: u64,
    /// Calls that workers were asked to stop.
    pub cancels: u64,
    /// Those of which the worker has said that their work has stopped.
    pub applied: u64,
    /// Those whose worker hung or died before it said so.
    pub forsaken: u64,
    /// Time from a cancel to the word that its work has stopped, microseconds.
    pub applied_us: Histogram<u64>,
    /// Calls that were tried again at another worker.
    pub retried: u64,
    /// Calls that have failed.
    pub failed: u64,
    /// Calls that are complete.
    pub done: u64,
    /// Workers that have come.
    pub welcomed: u64,
    /// Workers that were refused.
    pub refused: u64,
    /// Workers that have died or gone.
    pub died: u64,
    /// Times that a worker hung.
    pub hung: u64,
    /// Programs that were started again.
    pub restarts: u64,
    /// Pieces of answers that nobody wanted any more.
    pub late: u64,
    /// Messages that could not be read.
    pub rejected: u64,
    /// Messages of a type that is not known here.
    pub unknown: u64,
}

/// One line: times as quantiles, in place of every bucket.
impl fmt::Debug for WorkerFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("workers", self.workers.into()),
            ("under_way", self.under_way.into()),
            ("waiting", self.waiting.into()),
            ("sent", self.sent),
            ("delivered", self.delivered),
            ("resent", self.resent),
            ("lost", self.lost),
            ("cancels", self.cancels),
            ("applied", self.applied),
            ("forsaken", self.forsaken),
            ("retried", self.retried),
            ("failed", self.failed),
            ("done", self.done),
            ("welcomed", self.welcomed),
            ("refused", self.refused),
            ("died", self.died),
            ("hung", self.hung),
            ("restarts", self.restarts),
            ("late", self.late),
            ("rejected", self.rejected),
            ("unknown", self.unknown),
        ];
        let mut shown = f.debug_struct("WorkerFigures");
        for (name, count) in counts {
            shown.field(name, &count);
        }
        let quantiles = [0.5, 0.95, 0.99].map(|quantile| self.applied_us.value_at_quantile(quantile));
        shown.field("applied_us (P50, P95, P99)", &quantiles).finish()
    }
}

impl Default for WorkerFigures {
    fn default() -> Self {
        let applied_us = Histogram::new_with_bounds(1, APPLIED_US_MAX, 2).expect("the bounds are in order");
        Self {
            workers: 0,
            under_way: 0,
            waiting: 0,
            sent: 0,
            delivered: 0,
            resent: 0,
            lost: 0,
            cancels: 0,
            applied: 0,
            forsaken: 0,
            applied_us,
            retried: 0,
            failed: 0,
            done: 0,
            welcomed: 0,
            refused: 0,
            died: 0,
            hung: 0,
            restarts: 0,
            late: 0,
            rejected: 0,
            unknown: 0,
        }
    }
}

impl WorkerFigures {
    /// Cancels of which nothing was heard and whose workers neither hung nor died: under way, or lost.
    pub fn unapplied(&self) -> u64 {
        self.cancels.saturating_sub(self.applied + self.forsaken)
    }

    /// A work has stopped so long after its cancel.
    pub(crate) fn stopped_after(&mut self, us: u64) {
        self.applied += 1;
        self.applied_us.saturating_record(us.clamp(1, APPLIED_US_MAX));
    }
}

/// The figures of a service, which its thread and hosts share.
#[derive(Clone, Debug, Default)]
pub(crate) struct FigureBoard(Arc<Mutex<WorkerFigures>>);

impl FigureBoard {
    pub(crate) fn locked(&self) -> MutexGuard<'_, WorkerFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures as they are now.
    pub(crate) fn seen(&self) -> WorkerFigures {
        self.locked().clone()
    }
}

/// Figures by service and engine; the newest of a name.
static BOARDS: LazyLock<Mutex<BTreeMap<(String, String), FigureBoard>>> = LazyLock::new(Mutex::default);

/// Shows the figures of a service that begins.
pub(crate) fn show(names: &LinkNames, board: &FigureBoard) {
    let mut boards = BOARDS.lock().unwrap_or_else(PoisonError::into_inner);
    boards.insert((names.service.clone(), names.engine.clone()), board.clone());
    while boards.len() > KEPT_MAX {
        boards.pop_first();
    }
}

/// What happened so far between this process and the workers of `service`, as the scene calls it: of the last engine by
/// name where several have such a service. `None`: no engine of this process has begun one.
pub fn figures(service: &str) -> Option<WorkerFigures> {
    figures_where(service, None)
}

/// Like [`figures`], for the engine of this name.
pub fn figures_of(engine: &str, service: &str) -> Option<WorkerFigures> {
    figures_where(service, Some(engine))
}

fn figures_where(service: &str, engine: Option<&str>) -> Option<WorkerFigures> {
    let boards = BOARDS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut of = boards.iter().rev();
    let is_it = |(its, name): &(String, String)| its == service && engine.is_none_or(|engine| engine == name);
    let found = of.find(|(key, _)| is_it(key)).map(|(_, board)| board.clone());
    drop(boards);
    found.map(|board| board.seen())
}
