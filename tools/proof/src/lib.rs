//! Tests of whole runs: faults drawn from a seed, invariants after every tick, replay of logs, reports compared.
//!
//! ```
//! use mynah_proof::faults::{Chaos, ChaosOptions, spec::FaultSpec};
//! use mynah_sim::simulate::Observer;
//!
//! struct Nobody;
//! impl Observer for Nobody {}
//!
//! // Whatever goes wrong with two callers for two seconds, drawn from the seed 1: all invariants hold.
//! let mut runs = Chaos::new(ChaosOptions {
//!     scene: "passthrough".into(),
//!     sets: Vec::new(),
//!     sessions: 2,
//!     texts: None,
//!     duration_us: 2_000_000,
//!     threads: 1,
//!     shards: None,
//!     spec: FaultSpec::preset("chaos").expect("it is one of the presets"),
//! });
//! let report = runs.prepare(1)?.run(&mut Nobody);
//! assert_eq!(report.verdict, "ok");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod compare;
pub mod endings;
pub mod faults;
pub mod invariants;
pub mod replay;
