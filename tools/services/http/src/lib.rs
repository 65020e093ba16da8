//! Services behind HTTP: replies, voices and recognisers of servers that speak like OpenAI's, local or far.
//!
//! One thread makes all requests of the process. Answers are streamed always, part by part into the tick; a call that is
//! taken back drops its request, which closes the connection, and its work has stopped when the connection is closed.
//! A request is made a second time at most, and only while nothing of its answer has come.
//!
//! ```
//! use mynah_systems::mynah_engine::scene;
//!
//! let text = r#"(
//!     name: "typed",
//!     session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
//!     nodes: [
//!         (id: "gate", kind: VadGate(vad: Energy)),
//!         (id: "asr", kind: Service(service: "asr", task: Transcribe)),
//!         (id: "reply", kind: Service(service: "reply", task: Reply)),
//!     ],
//!     edges: [("input", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "output")],
//!     services: {
//!         "asr": (
//!             output: Transcription(url: "http://127.0.0.1:8001/v1", model: "whisper-1"),
//!             timing: (latency: Fixed(ms: 300)),
//!         ),
//!         "reply": (
//!             output: Chat(url: "http://127.0.0.1:8000/v1", model: "any", system: "Answer in one sentence."),
//!             timing: (latency: Fixed(ms: 200), words_per_s: 20),
//!         ),
//!     },
//! )"#;
//! let mut registry = mynah_systems::registry(None);
//! mynah_http::register(&mut registry);
//! let (plan, _warnings) = scene::compile(&scene::Source::new("typed.ron", text), &[], None, &registry)?;
//! assert_eq!(plan.scene.name, "typed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod body;
mod chat;
mod connection;
mod endpoint;
mod errand;
mod key;
mod limits;
pub mod probe;
mod quote;
mod refusal;
mod runtime;
mod speech;
mod sse;
mod transcription;

use mynah_engine::Registry;

pub use chat::{ChatTool, HttpChat};
pub use speech::HttpSpeech;
pub use transcription::HttpTranscription;

/// Adds `Chat`, `Speech` and `Transcription`.
pub fn register(registry: &mut Registry) {
    chat::register(registry);
    speech::register(registry);
    transcription::register(registry);
}
