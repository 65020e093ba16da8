//! Whether the user speaks, as far as the gate has said.

use mynah_engine::SessionEvent;

/// The segment in which the user speaks, from its beginning to an end that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserSpeech(Option<u32>);

impl UserSpeech {
    /// Takes what happens in the session.
    pub fn follow(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::SpeechStarted { segment, .. } => self.0 = Some(*segment),
            // One that was split goes on in the next.
            SessionEvent::EndOfSpeech { segment, revision: 1.., last: true, .. }
            | SessionEvent::SpeechCancelled { segment, .. }
                if self.0 == Some(*segment) =>
            {
                self.0 = None;
            }
            _ => {}
        }
    }

    /// Whether somebody speaks.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.0.is_some()
    }
}
