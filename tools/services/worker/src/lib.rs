//! Services in worker processes.

use mynah_engine::Registry;

/// Adds `Worker`.
pub fn register(registry: &mut Registry) {
    let _unused = registry;
}
