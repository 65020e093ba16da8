//! A client of mynah's native protocol (docs/protocols.md) over a WebSocket, on tokio: it opens a session at a server,
//! sends audio, and gets what the session says: audio with whose it is, what is decided about speech, events, notes.
//!
//! A [`Client`] is one session. What it is told to send waits in it; [`Client::next`] sends and receives, and is to be
//! awaited all the time. It may be dropped at any await: nothing is lost with it. Receipts are given by the client itself;
//! who has stopped what a message stops says so with [`Client::applied`].
//!
//! ```no_run
//! use mynah_client::{Client, FromServer, ServerAddress, SessionRequest};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let address = ServerAddress::parse("ws://127.0.0.1:8080", Some("assistant"))?;
//! let mut client = Client::connect(&address, None, &SessionRequest::default()).await?;
//! let second = vec![0.0; client.opened().input.rate_hz as usize];
//! client.push(&second)?;
//! client.finish()?;
//! loop {
//!     match client.next().await? {
//!         FromServer::Audio(audio) => println!("{} samples of turn {}", audio.samples.len(), audio.origin.turn),
//!         FromServer::Closed { reason, .. } => break println!("over: {reason}"),
//!         other => println!("{other:?}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod client;
mod connect;
mod error;
mod messages;
mod outbox;
mod request;
mod told;

pub use address::ServerAddress;
pub use client::Client;
pub use error::{ClientError, ServerRefusal};
pub use mynah_dialects::pcm::Encoding;
pub use outbox::WAITING_BYTES_MAX;
pub use request::{AudioFormat, GivenSession, NoteKind, SessionRequest};
pub use told::{AudioOrigin, FromServer, HeardAudio, SessionNote, SoundingPart, TurnStage};
