//! The world of mynah: thousands of live audio sessions as entities, moved tick by tick through compiled scenes.
//!
//! One invariant carries everything else: **a tick is a function of (world, arrivals, now, seed)**. No code here
//! reads a clock, sleeps, opens a socket or a file, or lets the number of threads or shards change a result.
//!
//! The engine knows no node kind; `mynah-systems` registers them. A host compiles a scene, makes an [`Engine`],
//! opens sessions through its [`EngineHandle`], pushes audio and polls the output, and calls
//! [`Engine::tick`] with the time.
//!
//! Audio from the input to the output of a scene without nodes:
//!
//! ```
//! use mynah_engine::{Engine, EngineConfig, Out, Registry, SessionSpec, scene};
//!
//! let text = r#"(
//!     name: "wire",
//!     tick: (period_ms: 5),
//!     session: (
//!         input: (rate_hz: 16000, channels: 1, chunk_ms: 20),
//!         output: (release: Immediately, pace: Burst),
//!     ),
//!     nodes: [],
//!     edges: [("input", "output")],
//! )"#;
//! let source = scene::Source::new("wire.ron", text);
//! let (plan, _warnings) = scene::compile(&source, &[], None, &Registry::new())?;
//! let mut engine = Engine::new(plan.into(), EngineConfig::simulated());
//! let session = engine.handle().open(SessionSpec::named("caller"))?;
//! session.try_push(&[0.5; 320])?; // 20 ms of mono at 16 kHz
//! session.finish();
//! let mut samples = 0;
//! for tick in 0..10 {
//!     engine.tick(tick * 5_000); // microseconds, from whatever clock the host has
//!     while let Some(out) = session.poll() {
//!         if let Out::Audio(audio) = out {
//!             samples += audio.block.len();
//!             session.give_back(audio.block);
//!         }
//!     }
//! }
//! assert_eq!(samples, 320);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Crates whose types stand in signatures here are re-exported: `bevy_ecs`, `crossbeam`, `hdrhistogram`, `ron`, `serde`,
//! `serde_json`, `uuid`.

// Crates whose types stand in public signatures: dependents that name them through here have the right version.
pub use {bevy_ecs, crossbeam, hdrhistogram, ron, serde, serde_json, uuid};
// For tests under the feature `interleavings`.
#[cfg(feature = "interleavings")]
#[doc(hidden)]
pub use shuttle;

pub mod base;
mod config;
pub mod driver;
pub mod edge;
pub mod embed;
mod engine;
mod engine_handle;
pub mod media;
pub mod node;
pub mod observe;
pub mod record;
pub mod scene;
pub mod service;
pub mod session;
pub mod speech;
pub mod tick;
pub mod wire;
pub mod workers;

// The names that every host needs; all others are reached through their module.
pub use base::{NodeId, SessionId};
pub use config::EngineConfig;
pub use driver::{Driver, Pacing};
pub use edge::{
    Control, ControlError, ControlIn, OpenError, Out, OutAudio, Params, PushError, Say, SessionEvent,
    SessionHandle, SessionSpec, Stamp,
};
pub use engine::Engine;
pub use engine_handle::EngineHandle;
pub use media::{Block, Frame};
pub use node::{Registry, ScenePlan};
pub use record::{DropReason, Event, Record};
pub use workers::Workers;
