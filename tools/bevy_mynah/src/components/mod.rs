//! Components on the game's own entities.

mod input;
mod outbox;
mod output;
mod session;
mod state;
mod voice;

pub use input::{Addressed, VoiceInput};
pub(crate) use outbox::{Closed, Outbox};
pub use output::VoiceOutput;
pub(crate) use session::Opened;
pub use session::VoiceSession;
pub use state::VoiceState;
pub use voice::Voice;
