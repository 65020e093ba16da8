//! The load simulator: many callers, one scene, a report.
//!
//! Open loop: audio arrives by schedule whether or not the engine keeps up, and latency counts from the intended
//! arrival. In virtual time the run is a function of (scene, overrides, load, seed).

pub mod afar;
pub mod balance;
pub mod breakdown;
pub mod callers;
mod clockwork;
mod conclude;
mod figures;
pub mod measure;
mod meter;
mod nodes;
mod options;
pub mod recorded;
pub mod remote;
pub mod replies;
mod run;
mod side;
mod simulation;
pub mod steady;
pub mod turns;
mod words;

pub use self::options::{DURATION_US, Options, RunClock, SESSIONS};
pub use self::simulation::Simulation;
pub use crate::observer::{Ending, Observer, Observers, TickView};
