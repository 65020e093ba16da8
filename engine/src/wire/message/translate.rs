//! Translates between an engine's messages to its host ([`Control`]) and messages on the wire ([`ControlMessage`]):
//! the one place where session, generation and serial become a UUID and back.

use std::sync::Arc;

use crate::edge::control::Control;

use super::{ControlMessage, MessageType, SegmentNames, segment_id};

impl Control {
    /// The message to send; `None` for controls that are no messages: the path itself says that the session is over,
    /// and `Applied` is an acknowledgement, [`crate::wire::delivery::Delivery::applied`]. [`crate::wire::delivery`]
    /// gives the id.
    ///
    /// `generation`: which session of this name, see [`crate::SessionHandle::generation`]; `timestamp_us`: the time
    /// of the control, microseconds since the Unix epoch (in virtual time: the engine's clock).
    #[must_use]
    pub fn to_message(
        &self,
        session: &Arc<str>,
        generation: u32,
        timestamp_us: u64,
    ) -> Option<ControlMessage> {
        let (segment, revision, turn, message_type) = match *self {
            Self::ConfirmSpeculation { segment, turn, from_us, to_us } => {
                let (from_timestamp, to_timestamp) = stretch(from_us, to_us);
                let what = MessageType::ConfirmSpeculation { from_timestamp, to_timestamp };
                (segment, None, Some(turn), what)
            }
            Self::CancelSpeculation { segment, from_us, to_us, late } => {
                let (from_timestamp, to_timestamp) = stretch(from_us, to_us);
                let what = MessageType::CancelSpeculation { from_timestamp, to_timestamp, late };
                (segment, None, None, what)
            }
            Self::EndOfSpeech { segment, revision, at_us, last } => {
                let what = MessageType::EndOfSpeech { at_timestamp: at_us, last };
                (segment, Some(revision), None, what)
            }
            Self::RetractEndOfSpeech { segment, revision, at_us } => {
                (segment, Some(revision), None, MessageType::RetractEndOfSpeech { at_timestamp: at_us })
            }
            Self::CancelAnswer { turn } => (0, None, Some(turn), MessageType::CancelAnswer {}),
            Self::BatchHint { size } => {
                (0, None, None, MessageType::BatchHint { suggested_batch_size: size.max(1) })
            }
            Self::DeadlineWarning { turn, left_us } => {
                (0, None, Some(turn), MessageType::DeadlineWarning { deadline_us: left_us.max(1) })
            }
            Self::Applied { .. }
            | Self::Closed
            | Self::Say(_)
            | Self::Interrupt { .. }
            | Self::Gate { .. }
            | Self::EndTurn
            | Self::Discard
            | Self::Respond
            | Self::Heard { .. }
            | Self::SendText { .. }
            | Self::Set { .. }
            | Self::ToolResult { .. } => return None,
        };
        let mut message = ControlMessage::new(Arc::clone(session), timestamp_us, message_type);
        message.target_segment_id = (segment != 0).then(|| segment_id(session, generation, segment));
        message.revision = revision;
        message.turn = turn;
        Some(message)
    }

    /// The control that a message means for the receiving engine; `None` for acknowledgements, for a segment that
    /// `names` does not know, and if a field is missing that its type needs.
    pub fn from_message(message: &ControlMessage, names: &mut SegmentNames) -> Option<Self> {
        let mut segment = || names.serial(message.target_segment_id?);
        Some(match message.message_type {
            MessageType::ConfirmSpeculation { from_timestamp, to_timestamp } => Self::ConfirmSpeculation {
                segment: segment()?,
                turn: message.turn.unwrap_or(0),
                from_us: from_timestamp,
                to_us: to_timestamp,
            },
            MessageType::CancelSpeculation { from_timestamp, to_timestamp, late } => {
                let (from_us, to_us) = (from_timestamp, to_timestamp);
                Self::CancelSpeculation { segment: segment()?, from_us, to_us, late }
            }
            MessageType::EndOfSpeech { at_timestamp, last } => {
                let revision = message.revision?;
                Self::EndOfSpeech { segment: segment()?, revision, at_us: at_timestamp, last }
            }
            MessageType::RetractEndOfSpeech { at_timestamp } => {
                let revision = message.revision?;
                Self::RetractEndOfSpeech { segment: segment()?, revision, at_us: at_timestamp }
            }
            MessageType::CancelAnswer {} => Self::CancelAnswer { turn: message.turn? },
            MessageType::BatchHint { suggested_batch_size } => Self::BatchHint { size: suggested_batch_size },
            MessageType::DeadlineWarning { deadline_us } => {
                Self::DeadlineWarning { turn: message.turn.unwrap_or(0), left_us: deadline_us }
            }
            MessageType::Ack { .. } => return None,
        })
    }
}

/// A stretch of audio for a message, which is never empty. A segment of which nothing was forwarded yet gets
/// one microsecond.
fn stretch(from_us: u64, to_us: u64) -> (u64, u64) {
    (from_us, to_us.max(from_us + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::{AckStage, Arrival, binary};

    #[test]
    fn what_is_told_survives_the_wire() {
        let session: Arc<str> = "caller".into();
        let mut names = SegmentNames::new(Arc::clone(&session), 3);
        let told = [
            Control::ConfirmSpeculation { segment: 5, turn: 2, from_us: 10, to_us: 20 },
            Control::CancelSpeculation { segment: 6, from_us: 0, to_us: 9, late: true },
            Control::EndOfSpeech { segment: 7, revision: 2, at_us: 11, last: false },
            Control::EndOfSpeech { segment: 7, revision: 0, at_us: 11, last: true },
            Control::RetractEndOfSpeech { segment: 8, revision: 1, at_us: 12 },
            Control::CancelAnswer { turn: 4 },
            Control::BatchHint { size: 3 },
            Control::DeadlineWarning { turn: 2, left_us: 500 },
        ];
        for control in told {
            let message = control.to_message(&session, 3, 77).expect("it is a message");
            let mut bytes = Vec::new();
            binary::encode_into(&message, &mut bytes).expect("its values are within their ranges");
            let (arrival, _) = binary::decode(&bytes).expect("what was encoded can be decoded");
            let Arrival::Message { message, .. } = arrival else { panic!("{control:?}: {arrival:?}") };
            assert_eq!(Control::from_message(&message, &mut names), Some(control.clone()));
            let mut others = SegmentNames::new(Arc::clone(&session), 4);
            let elsewhere = Control::from_message(&message, &mut others);
            assert_eq!(
                elsewhere.is_none(),
                message.target_segment_id.is_some(),
                "{control:?}: another opening"
            );
        }
        let empty = Control::CancelSpeculation { segment: 1, from_us: 7, to_us: 7, late: false };
        assert!(empty.to_message(&session, 3, 0).is_some_and(|message| message.check().is_ok()));
        assert_eq!(Control::Closed.to_message(&session, 3, 0), None);
        let receipt = MessageType::Ack { message_id: 1, stage: AckStage::Applied };
        assert_eq!(Control::from_message(&ControlMessage::new(session, 0, receipt), &mut names), None);
    }
}
