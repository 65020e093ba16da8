//! The other end of a stream: a session at a server, for programs whose audio or whose corrections are another process's
//! work.

mod said;
mod session;

pub use said::{SaidAudio, ServerSaid};
pub use session::{AudioPlace, RemoteError, RemoteSession};
/// A connection, which many sessions may share.
pub use tonic::transport::Channel;
