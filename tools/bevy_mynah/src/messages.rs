//! What the game is told: each as a message to be read, and as an event for observers of the character.

use std::sync::Arc;

use bevy_app::App;
use bevy_asset::AssetId;
use bevy_ecs::entity::Entity;
use bevy_ecs::event::EntityEvent;
use bevy_ecs::message::Message;
use mynah_engine::SessionEvent;
use mynah_engine::edge::{CloseReason, ToolCall};
use mynah_engine::media::SpokenTime;
use mynah_engine::speech::{CancelReason, LineDrop};

use crate::scene::VoiceScene;

/// Declares messages, each with the character it is about, and registers them.
macro_rules! voice_messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Message, EntityEvent, Clone, Debug, PartialEq)]
            pub struct $name {
                /// The character.
                #[event_target]
                pub npc: Entity,
                $($(#[$field_doc])* pub $field: $kind,)*
            }
        )*

        /// Registers all messages.
        pub(crate) fn register(app: &mut App) {
            app.add_message::<SceneFailed>();
            $(app.add_message::<$name>();)*
        }
    };
}

voice_messages! {
    /// The session of a voice is open: it hears and speaks.
    VoiceOpened {}

    /// Something that the game wanted could not be done: a session could not be opened or has failed, or a command was
    /// refused.
    VoiceFailed {
        /// What, with value and remedy.
        reason: String,
    }

    /// The session is over; nothing follows. Who hung up itself is not told.
    VoiceClosed {
        /// Why.
        reason: CloseReason,
    }

    /// Everything that is told of a session, in order and as the engine says it: also what has no message of its own,
    /// such as text at the output and warnings of deadlines.
    VoiceEvent {
        /// What happened.
        event: SessionEvent,
    }

    /// Somebody seems to speak to the character; nothing is decided yet.
    SpeechStarted {
        /// Serial of the stretch of speech within the session.
        segment: u32,
        /// Where it begins, media time of the session, microseconds.
        from_us: u64,
    }

    /// It is speech.
    SpeechConfirmed {
        /// The stretch of speech.
        segment: u32,
        /// The turn it belongs to.
        turn: u32,
        /// From there, media time, microseconds.
        from_us: u64,
        /// As far as it was forwarded until now, media time, microseconds.
        to_us: u64,
    }

    /// It was no speech.
    SpeechCancelled {
        /// The stretch.
        segment: u32,
        /// Why.
        reason: CancelReason,
        /// From there, media time, microseconds.
        from_us: u64,
        /// Up to there, media time, microseconds.
        to_us: u64,
        /// Some of it had left already.
        late: bool,
    }

    /// The speaker has finished.
    SpeechEnded {
        /// The stretch of speech.
        segment: u32,
        /// Which end of it, counted from 1.
        revision: u32,
        /// Where it ends, media time, microseconds.
        at_us: u64,
        /// For good; `false`: so it seems.
        last: bool,
    }

    /// The speaker went on: that end was none.
    SpeechEndRetracted {
        /// The stretch of speech.
        segment: u32,
        /// Which end.
        revision: u32,
        /// Where it was, media time, microseconds.
        at_us: u64,
    }

    /// What was heard so far, in place of what was told before. Nothing is decided yet.
    PartialTranscript {
        /// The stretch of speech.
        segment: u32,
        /// The words.
        text: Arc<str>,
    }

    /// What was recognised. Of an end that is retracted it is void.
    Transcript {
        /// The stretch of speech.
        segment: u32,
        /// Up to which end of it.
        revision: u32,
        /// The turn.
        turn: u32,
        /// The words.
        text: Arc<str>,
        /// The recognition is complete.
        last: bool,
    }

    /// What the character is saying: a subtitle. Told when its first sample leaves, with `until_us` where its length is
    /// known by then; where not, again when its last sample has left.
    Line {
        /// The turn.
        turn: u32,
        /// The words.
        text: Arc<str>,
        /// Its begin from the first sample of the answer on, microseconds.
        from_us: u64,
        /// Its end, likewise.
        until_us: Option<u64>,
    }

    /// When words and phones of a [`Line`] sound, for lips to move with; told before they do.
    Spoken {
        /// The turn.
        turn: u32,
        /// Where that line begins in the answer, microseconds; the times count from there.
        from_us: u64,
        /// Words and phones with their times.
        times: Arc<[SpokenTime]>,
    }

    /// The first sample of an answer leaves.
    AnswerStarted {
        /// The turn.
        turn: u32,
        /// The number of the line that the game had it say ([`LineAccepted`]); 0 = the scene answers.
        line: u64,
    }

    /// The player speaks, and the answer waits.
    AnswerPaused {
        /// The turn.
        turn: u32,
    }

    /// The answer goes on.
    AnswerResumed {
        /// The turn.
        turn: u32,
    }

    /// The answer is withdrawn, by the player's speech or by the game.
    AnswerInterrupted {
        /// The turn.
        turn: u32,
        /// So much of it was heard, microseconds.
        heard_us: u64,
    }

    /// The answer was heard to its end.
    AnswerEnded {
        /// The turn.
        turn: u32,
        /// So much of it was heard, microseconds.
        heard_us: u64,
    }

    /// A line of the game's own has its number: what is told of it bears that.
    LineAccepted {
        /// The number.
        line: u64,
        /// The words.
        text: Arc<str>,
    }

    /// A line of the game's own is not spoken.
    LineDropped {
        /// Its number.
        line: u64,
        /// Why.
        reason: LineDrop,
    }

    /// The game is to answer: `reply_to` with the number of the request.
    ReplyRequested {
        /// The number.
        request: u64,
        /// The turn.
        turn: u32,
        /// The stretch of speech.
        segment: u32,
        /// Up to which end of it.
        revision: u32,
        /// What was said.
        text: Arc<str>,
    }

    /// Nobody waits for the answer any more: what comes of it has no effect.
    ReplyCancelled {
        /// The number of the request.
        request: u64,
    }

    /// A service asks the game to do something.
    ToolCalled {
        /// What.
        call: Arc<ToolCall>,
    }

    /// A service failed a call.
    ServiceFailed {
        /// The turn.
        turn: u32,
        /// The service.
        service: Arc<str>,
        /// Why.
        reason: Arc<str>,
    }

    /// A command has taken effect, and what it stops has stopped.
    CommandApplied {
        /// Its number.
        message_id: u64,
    }
}

/// A scene file is not one, or could not be read; or an embedded scene has changed. The scene of before stays, if there
/// was one.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct SceneFailed {
    /// The asset.
    pub scene: AssetId<VoiceScene>,
    /// Its path; empty where it is not read from a file.
    pub path: String,
    /// Everything that is wrong, with excerpts of the file, places and remedies.
    pub reason: String,
}
