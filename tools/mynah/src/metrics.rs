//! The metrics page of a run: it observes, and knows the simulated link.

use std::sync::Arc;

use mynah_engine::wire::delivery::OutgoingFigures;
use mynah_engine::{Engine, ScenePlan};
use mynah_host::metrics::{Board, Facts, Publisher};
use mynah_sim::simulate::{Observer, TickView};
use mynah_sim::transport::LinkedScene;

/// Watches a run and keeps the board up to date. Its engine has to keep metrics.
#[derive(Debug)]
pub struct PageObserver(Publisher);

impl PageObserver {
    /// For this board.
    pub fn new(board: Arc<Board>) -> Self {
        Self(Publisher::new(board))
    }
}

impl Observer for PageObserver {
    fn link(&mut self, now_us: u64, figures: &dyn Fn() -> OutgoingFigures) {
        self.0.control(now_us, figures);
    }

    fn tick(&mut self, TickView { engine, work_ns, late_us, .. }: TickView<'_>) {
        self.0.tick(engine, work_ns, late_us);
    }

    fn over(&mut self, engine: &Engine) {
        self.0.publish(engine);
    }
}

/// The facts of a compiled scene, with its simulated link if it names one.
pub fn facts(plan: &ScenePlan) -> Facts {
    let facts = Facts::of(plan);
    if LinkedScene::of(plan).is_some() { facts.with_transport(LinkedScene::NAME) } else { facts }
}
