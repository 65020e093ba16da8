//! What every host of mynah needs around an engine: [a clock](clock), [a thread that ticks](Runner) with the events of
//! its ticks, [the metrics page](metrics), and [the sound at the ends](sound): adapted, faded,
//! measured; [`Reader`] does all of that to what a session says.
//!
//! ```
//! use mynah_engine::scene::{Source, compile};
//! use mynah_engine::{EngineConfig, SessionSpec};
//! use mynah_host::{Runner, RunnerOptions};
//!
//! let text = r#"(
//!     name: "wire",
//!     session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
//!     nodes: [],
//!     edges: [("input", "output")],
//! )"#;
//! let (plan, _warnings) = compile(&Source::new("wire.ron", text), &[], None, &mynah_systems::registry(None))?;
//! let config = EngineConfig { threads: 1, ..EngineConfig::real_time() };
//! let runner = Runner::spawn(plan.into(), config, RunnerOptions::default())?;
//! let session = runner.handle().open(SessionSpec::named("caller"))?;
//! session.try_push(&[0.5; 320])?; // 20 ms; the thread wakes for them
//! session.finish();
//! while !session.is_closed() {
//!     std::thread::yield_now();
//! }
//! assert!(runner.stop()?.ticks > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod clock;
pub mod metrics;
mod reader;
mod records;
mod runner;
pub mod sound;

pub use reader::Reader;
pub use records::Records;
pub use runner::{AfterTick, Panicked, Runner, RunnerError, RunnerOptions};
