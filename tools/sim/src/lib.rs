//! The load simulator: callers on a clock, an engine, and a report; recordings through a scene; events as lines.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mynah_sim::scenes;
//! use mynah_sim::simulate::callers::CallerScript;
//! use mynah_sim::simulate::{Options, Simulation, Observer};
//!
//! /// Looks on and does nothing.
//! struct Nobody;
//! impl Observer for Nobody {}
//!
//! // Two callers send for a second, in virtual time: the same events on every machine with the same processor features.
//! let script = Arc::new(CallerScript::default());
//! let (plan, _warnings) = scenes::compile("passthrough", &[], None, Some(script.clone()))?;
//! let options = Options::in_virtual_time(2, 1_000_000, 1);
//! let report = Simulation::new(plan, &script, options, &mut Nobody)?.run(&mut Nobody);
//! assert_eq!(report.verdict, "ok");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod answers;
pub mod course;
pub mod events;
pub mod flight;
pub mod interrupt;
pub mod observer;
mod outside;
pub mod recognition;
pub mod report;
pub mod run;
pub mod scenes;
pub mod shipped;
pub mod simulate;
pub mod transport;

pub use mynah_host::clock;
