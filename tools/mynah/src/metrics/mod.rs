//! The metrics page: the engine's figures in the format of Prometheus, over HTTP.
//!
//! A tick never waits for a reader of the page: once a second of engine time its loop puts a finished picture onto a
//! board, and a thread of the server writes the page from that.

mod board;
pub mod exposition;
pub mod families;
pub mod http;
pub mod readers;
pub mod server;

use std::sync::Arc;

use mynah_engine::Engine;
use mynah_engine::wire::delivery::OutgoingFigures;

pub use board::Board;
pub use exposition::Form;
pub use families::{Facts, Shown};
pub use server::{Server, address};

use mynah_sim::simulate::{Observer, TickView};

/// Engine time from one picture to the next, microseconds.
pub const PUBLISH_US: u64 = 1_000_000;

/// Watches a run and keeps the board up to date. Its engine has to keep metrics.
#[derive(Debug)]
pub struct Publisher {
    board: Arc<Board>,
    /// What the next picture begins with: what the host itself measures.
    own: Shown,
    /// The picture before the last: taken again if nobody looks at it any more.
    spare: Arc<Shown>,
    next_us: u64,
}

impl Publisher {
    /// For this board.
    pub fn new(board: Arc<Board>) -> Self {
        Self { board, own: Shown::default(), spare: Arc::default(), next_us: 0 }
    }

    fn publish(&mut self, engine: &Engine) {
        self.next_us = engine.now_us() + PUBLISH_US;
        let shown = Arc::make_mut(&mut self.spare);
        if !engine.metrics(&mut shown.engine) {
            return;
        }
        shown.tick_work.clone_from(&self.own.tick_work);
        shown.tick_late.clone_from(&self.own.tick_late);
        shown.control = self.own.control;
        self.spare = self.board.show(Arc::clone(&self.spare));
    }
}

impl Observer for Publisher {
    fn link(&mut self, now_us: u64, figures: &dyn Fn() -> OutgoingFigures) {
        if now_us >= self.next_us {
            self.own.control = figures();
        }
    }

    fn tick(&mut self, TickView { engine, work_ns, late_us, .. }: TickView<'_>) {
        self.own.tick_work.record(work_ns / 1_000);
        self.own.tick_late.record(late_us);
        if engine.now_us() >= self.next_us {
            self.publish(engine);
        }
    }

    fn over(&mut self, engine: &Engine) {
        self.publish(engine);
    }
}
