//! Node kinds outside `mynah-engine` and `mynah-systems`: what docs/adding-a-node.md shows, as a crate that runs.

mod limiter;
mod tremolo;

use mynah_engine::Registry;

pub use limiter::{Limiter, LimiterState};
pub use tremolo::{Tremolo, TremoloState};

/// The standard kinds and those of this crate.
pub fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add::<Limiter>();
    registry.add_system::<Tremolo>();
    registry
}
