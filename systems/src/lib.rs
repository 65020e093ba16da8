//! What happens in a tick: the node kinds of mynah, one file or folder each, and the signal processing behind them.
//!
//! [`registry`] knows them all; a scene names them. A new kind is one new file here and one line there
//! (docs/adding-a-node.md), or lives in a crate of its own.

pub mod dsp;
pub mod follow;
mod pass;
mod resample;
pub mod service;
pub mod speech;
pub mod text_collector;
mod throttle;
pub mod vad;
pub mod vad_gate;

use std::sync::Arc;

// Its types stand in signatures here.
pub use mynah_engine;

use mynah_engine::Registry;

pub use dsp::downmix::Channels;
pub use pass::{Pass, PassState};
pub use resample::{Progress, Resample, ResampleState};
pub use throttle::{Carries, Throttle, ThrottleState};

use service::{Script, ServiceNode};

/// Every node kind and service of this crate. `script`: what simulated callers say, for the simulated recogniser.
pub fn registry(script: Option<Arc<dyn Script>>) -> Registry {
    let mut registry = Registry::new();
    registry.add::<Pass>();
    registry.add::<Resample>();
    registry.add_system::<vad_gate::VadGate>();
    registry.add_system::<follow::Follow>();
    registry.add::<ServiceNode>();
    registry.add::<text_collector::TextCollector>();
    registry.add::<Throttle>();
    service::register(&mut registry, script);
    registry
}
