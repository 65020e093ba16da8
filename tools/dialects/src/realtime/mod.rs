//! OpenAI Realtime, as its clients speak it over a WebSocket since its general availability.
//!
//! `session.created` is sent at once. The session itself is opened with the first audio, or whatever else needs one, and
//! otherwise shortly after the first `session.update`: what a gate does differently can be said only then. Settings that
//! come later have their effect as far as they can, and each `session.updated` says what holds.
//!
//! ```
//! use mynah_dialects::realtime::{Realtime, RealtimeConfig};
//! use mynah_dialects::{Dialect, Output, SceneFacts};
//!
//! let scene = SceneFacts { name: "assistant".into(), hears: true, speaks: true, answers: true, ..SceneFacts::default() };
//! let mut client = Realtime::new(RealtimeConfig { model: "mynah".into(), scene, ..RealtimeConfig::default() });
//! let Output::Text { text, .. } = client.poll(0) else { panic!("the client is greeted") };
//! assert!(text.contains("session.created"));
//! ```

mod connection;
mod dialogue;
mod intake;
mod items;
mod link;
mod outbox;
mod requests;
mod response;
mod settings;
mod utterances;

pub use connection::{Realtime, RealtimeConfig};
pub use settings::{SettingsError, session_object};
