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

use std::net::SocketAddr;
use std::sync::Arc;

use mynah_engine::wire::delivery::OutgoingFigures;
use mynah_engine::{Engine, ScenePlan};

pub use board::Board;
pub use exposition::Form;
pub use families::{Facts, Shown, page_of};
pub use server::{Server, address};

/// Engine time from one picture to the next, microseconds.
pub const PUBLISH_US: u64 = 1_000_000;

/// The address that a scene asks to have its metrics page at; `None`: it asks for none.
///
/// # Errors
/// What is wrong with the address, and what helps; begins with the field.
pub fn address_of(plan: &ScenePlan) -> Result<Option<SocketAddr>, String> {
    let metrics = &plan.scene.metrics;
    let named = metrics.enabled.then(|| address(&metrics.address));
    named.transpose().map_err(|what| format!("metrics.address: {what}"))
}

/// Keeps the board up to date. Its engine has to [keep metrics](Engine::keep_metrics).
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

    /// After a tick that took `work_ns` and began `late_us` too late; once a second of engine time a picture is made.
    pub fn tick(&mut self, engine: &Engine, work_ns: u64, late_us: u64) {
        self.own.tick_work.record(work_ns / 1_000);
        self.own.tick_late.record(late_us);
        if engine.now_us() >= self.next_us {
            self.publish(engine);
        }
    }

    /// Before [`tick`](Self::tick), for hosts whose control messages leave through a transport: `figures` over all
    /// sessions, asked for only when a picture is due.
    pub fn control(&mut self, now_us: u64, figures: impl FnOnce() -> OutgoingFigures) {
        if now_us >= self.next_us {
            self.own.control = figures();
        }
    }

    /// Makes a picture now.
    pub fn publish(&mut self, engine: &Engine) {
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
