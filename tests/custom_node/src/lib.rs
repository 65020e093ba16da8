//! Node kinds and services outside `mynah-engine` and `mynah-systems`: what docs/adding-a-node.md shows, as a crate that
//! runs.

mod chime;
mod limiter;
mod meter;
mod parrot;
mod tremolo;

use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;

pub use chime::Chime;
pub use limiter::{Limiter, LimiterState};
pub use meter::LoudnessMeter;
pub use parrot::Parrot;
pub use tremolo::{Tremolo, TremoloState};

/// The kinds and services of this crate.
pub fn own() -> Registry {
    let mut registry = Registry::new();
    registry.add::<Limiter>();
    registry.add_system::<Tremolo>();
    registry.add_service("Parrot", |config| Ok(Arc::new(parse_config::<Parrot>(config)?)));
    registry.add_service("Chime", |config| Ok(Arc::new(parse_config::<Chime>(config)?)));
    registry.add_service("LoudnessMeter", |config| Ok(Arc::new(parse_config::<LoudnessMeter>(config)?)));
    registry
}

/// The standard kinds and those of this crate.
pub fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.extend(&own()).expect("no name is one of mynah's");
    registry
}
