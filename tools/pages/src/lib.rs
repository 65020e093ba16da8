//! Output for people: HTML pages with charts, tables on a terminal.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mynah_pages::table;
//! use mynah_sim::scenes;
//! use mynah_sim::simulate::callers::CallerScript;
//! use mynah_sim::simulate::{Options, Simulation, Observer};
//! use mynah_systems::mynah_engine::scene::Rendering;
//!
//! struct Nobody;
//! impl Observer for Nobody {}
//!
//! let script = Arc::new(CallerScript::default());
//! let (plan, _warnings) = scenes::compile("passthrough", &[], None, Some(script.clone()))?;
//! let options = Options::in_virtual_time(2, 1_000_000, 1);
//! let report = Simulation::new(plan, &script, options, &mut Nobody)?.run(&mut Nobody);
//! assert!(table::draw(&report, Rendering::Plain).starts_with("passthrough: 2 sessions"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod picture;
pub mod table;
