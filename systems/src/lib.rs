//! The node kinds of mynah, one file or folder each, and the signal processing behind them.
//!
//! [`registry`] knows them all; a scene names them. A new kind is one new file here and one line there
//! (docs/adding-a-node.md), or lives in a crate of its own.
//!
//! Audio at half the loudness, from a scene to what the host polls:
//!
//! ```
//! use mynah_systems::mynah_engine::{Engine, EngineConfig, Out, SessionSpec, scene};
//!
//! let text = r#"(
//!     name: "quieter",
//!     tick: (period_ms: 5),
//!     session: (
//!         input: (rate_hz: 16000, channels: 1, chunk_ms: 20),
//!         output: (release: Immediately, pace: Burst),
//!     ),
//!     nodes: [(id: "half", kind: Pass(gain: 0.5))],
//!     edges: [("input", "half"), ("half", "output")],
//! )"#;
//! let source = scene::Source::new("quieter.ron", text);
//! let (plan, _warnings) = scene::compile(&source, &[], None, &mynah_systems::registry(None))?;
//! let mut engine = Engine::new(plan.into(), EngineConfig::simulated());
//! let session = engine.handle().open(SessionSpec::named("caller"))?;
//! session.try_push(&[0.5; 320])?; // 20 ms of mono at 16 kHz
//! session.finish();
//! let mut loudness = Vec::new();
//! for tick in 0..10 {
//!     engine.tick(tick * 5_000); // microseconds, from whatever clock you have
//!     while let Some(out) = session.poll() {
//!         if let Out::Audio(audio) = out {
//!             loudness.extend_from_slice(audio.block.samples());
//!             session.give_back(audio.block);
//!         }
//!     }
//! }
//! assert_eq!(loudness, [0.25; 320]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod dsp;
pub mod follow;
mod level;
pub mod moonshine;
mod pass;
mod resample;
pub mod service;
pub mod speech;
pub mod text_collector;
mod throttle;
pub mod vad;
pub mod vad_gate;

use std::sync::Arc;

// Types of this crate stand in signatures here.
pub use mynah_engine;

use mynah_engine::Registry;

pub use dsp::downmix::Channels;
pub use level::{Level, LevelState};
pub use pass::{Pass, PassState};
pub use resample::{Progress, Resample, ResampleState};
pub use throttle::{Carries, Throttle, ThrottleState};

use service::{Script, ServiceNode};

/// Every node kind and service of this crate. `script`: the words of simulated callers, for the simulated recogniser.
pub fn registry(script: Option<Arc<dyn Script>>) -> Registry {
    let mut registry = Registry::new();
    registry.add::<Pass>();
    registry.add::<Resample>();
    registry.add::<Level>();
    registry.add_system::<vad_gate::VadGate>();
    registry.add_system::<follow::Follow>();
    registry.add::<ServiceNode>();
    registry.add::<text_collector::TextCollector>();
    registry.add::<Throttle>();
    registry.set_converters(dsp::convert::build);
    service::register(&mut registry, script);
    registry
}
