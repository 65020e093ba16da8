//! Names of message types.

/// The types that this version knows, by name.
macro_rules! names {
    ($($name:ident),* $(,)?) => {
        #[derive(Clone, Copy)]
        pub(super) enum Name {
            $($name,)*
        }

        impl Name {
            pub(super) fn known(text: &str) -> Option<Self> {
                Some(match text {
                    $(stringify!($name) => Self::$name,)*
                    _ => return None,
                })
            }
        }
    };
}

names! {
    CancelSpeculation, ConfirmSpeculation, EndOfSpeech, RetractEndOfSpeech, CancelAnswer, BatchHint, DeadlineWarning,
    Ack, Say, Interrupt, Gate, EndTurn, Discard, Respond, Heard, SendText, Set, ToolResult, ReplyTo,
    Transcript, Line, AnswerStarted, AnswerPaused, AnswerResumed, AnswerInterrupted, AnswerEnded, LineDropped, ToolCall,
    ReplyRequested, ReplyCancelled, ServiceFailed, Closed,
}
