//! Services in worker processes.
//!
//! `Worker` is a service whose work is done by other processes on the same machine, in Python or anything else: they meet
//! in shared memory (iceoryx2), say who they are, get calls, answer part by part, and stop when they are told. The crate
//! keeps the books: a worker that hangs or dies loses its calls, which go to another worker once or fail with the reason.

mod clock;
mod config;
mod crew;
mod desk;
mod figures;
pub mod link;
mod log;
mod service;
mod thread;
pub mod wire;

use std::sync::Arc;

use mynah_engine::Registry;

pub use config::Worker;
pub use figures::{WorkerFigures, figures, figures_of};
pub use log::{WorkerLine, set_log};

/// Adds `Worker`.
pub fn register(registry: &mut Registry) {
    registry.add_service("Worker", |config| Ok(Arc::new(Worker::parse(config)?)));
}
