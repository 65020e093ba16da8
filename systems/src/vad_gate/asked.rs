//! What the host asks of a session's gate, and the messages that wait for audio which came before them.

use mynah_engine::Control;
use mynah_engine::speech::GateMode;

/// Most messages that wait in one lane.
const ASKED_MAX: usize = 8;

/// A message of the host that concerns a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Somebody else decides what is speech.
    Mode(GateMode),
    /// The open segment ends here.
    EndTurn,
    /// The open segment and all kept audio are forgotten.
    Discard,
}

impl Asked {
    /// The message, if it concerns a gate.
    pub(super) fn of(control: &Control) -> Option<Self> {
        match control {
            Control::Gate { mode } => Some(Self::Mode(*mode)),
            // Who asks for an answer now has been heard out.
            Control::EndTurn | Control::Respond => Some(Self::EndTurn),
            Control::Discard => Some(Self::Discard),
            _ => None,
        }
    }
}

/// Messages that wait because a full queue behind the gate holds up the audio before them; in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The message, and the engine time of the tick in which it came.
    list: Vec<(Asked, u64)>,
}

impl Waiting {
    /// True if none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The oldest message, and when it came.
    pub(super) fn first(&self) -> Option<(Asked, u64)> {
        self.list.first().copied()
    }

    /// Removes the oldest message.
    pub(super) fn pop(&mut self) {
        self.list.remove(0);
    }

    /// Adds a message that came at `at_us`; false if it is dropped. Where too many wait, a mode takes the place of the
    /// newest: the last mode always holds in the end.
    pub(super) fn push(&mut self, asked: Asked, at_us: u64) -> bool {
        if self.list.len() >= ASKED_MAX {
            if !matches!(asked, Asked::Mode(_)) {
                return false;
            }
            self.list.pop();
        }
        self.list.push((asked, at_us));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mode_holds_however_many_messages_wait() {
        let mut waiting = Waiting::default();
        for at in 0..40 {
            let mode = if at % 2 == 0 { GateMode::Open } else { GateMode::Shut };
            assert!(waiting.push(Asked::Mode(mode), at));
            let fits = waiting.push(Asked::EndTurn, at);
            assert_eq!(fits, at < 4, "message {at}");
        }
        let mut last = None;
        while let Some((asked, _)) = waiting.first() {
            last = Some(asked);
            waiting.pop();
        }
        assert_eq!(last, Some(Asked::Mode(GateMode::Shut)));
    }
}
