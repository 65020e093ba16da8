//! Services in other processes. A build without them refuses scenes that name one, and says which feature is missing.

use mynah_engine::Registry;

#[cfg(not(all(feature = "http", feature = "ipc")))]
fn missing(registry: &mut Registry, name: &'static str, feature: &'static str) {
    use mynah_engine::ron::error::{Error, Position, Span, SpannedError};

    registry.add_service(name, move |_| {
        let start = Position { line: 1, col: 1 };
        Err(SpannedError {
            code: Error::Message(format!(
                "this build has no `{name}`: build it with `cargo build --release --features {feature}`"
            )),
            span: Span { start, end: start },
        })
    });
}

/// Adds `Chat`, `Speech`, `Transcription` and `Worker`.
pub(crate) fn register(registry: &mut Registry) {
    #[cfg(feature = "http")]
    mynah_http::register(registry);
    #[cfg(not(feature = "http"))]
    for name in ["Chat", "Speech", "Transcription"] {
        missing(registry, name, "http");
    }
    #[cfg(feature = "ipc")]
    mynah_worker::register(registry);
    #[cfg(not(feature = "ipc"))]
    missing(registry, "Worker", "ipc");
}
