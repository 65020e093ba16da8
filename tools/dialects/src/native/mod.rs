//! The protocol that carries everything: revisions, retractions, acknowledgements. `docs/protocols.md` is its
//! specification.
//!
//! A [`NativeSession`] is the far end of one session and lives as long as it does, whatever becomes of connections. A
//! server of plain HTTP opens one with an [`Opening`], shares it among its requests and distributes what it
//! [polls](NativeSession::poll). [`Native`] is such a session behind one WebSocket.

mod audio_tag;
mod complaints;
mod hears;
mod inbound;
mod messages;
mod notes;
mod opening;
mod session;
mod socket;
mod tells;
mod user_speech;

pub use audio_tag::sound_us;
pub use complaints::Complaints;
pub use notes::{Note, NoteQueue, Notes};
pub use opening::{Opening, Resumption};
pub use session::{Listening, NativeConfig, NativeFigures, NativeOutput, NativeSession};
pub use socket::{Native, OPEN_WITHIN_US};
pub use user_speech::UserSpeech;
