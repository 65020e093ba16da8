//! Services in other processes. A build without them refuses scenes that name one, and says which feature is missing.

use mynah_engine::Registry;
use mynah_engine::ron::error::{Error, Position, Span, SpannedError};

/// Their names in scenes, and the features that they come with.
pub(crate) const KINDS: [(&str, &str); 4] =
    [("Chat", "http"), ("Speech", "http"), ("Transcription", "http"), ("Worker", "ipc")];

fn missing(name: &str, feature: &str) -> SpannedError {
    let start = Position { line: 1, col: 1 };
    let what =
        format!("this build has no `{name}`: build it with `cargo build --release --features {feature}`");
    SpannedError { code: Error::Message(what), span: Span { start, end: start } }
}

/// Adds all of them.
pub(crate) fn register(registry: &mut Registry) {
    for (name, feature) in KINDS {
        registry.add_service(name, move |_| Err(missing(name, feature)));
    }
    #[cfg(feature = "http")]
    mynah_http::register(registry);
    #[cfg(feature = "ipc")]
    mynah_worker::register(registry);
}
