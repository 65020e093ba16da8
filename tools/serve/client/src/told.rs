//! What a session tells its client.

use mynah_engine::edge::ControlIn;
use mynah_engine::wire::delivery::DeliveryEvent;
use mynah_engine::wire::message::ControlMessage;

/// Whose audio it is. Segments go by their serial in the session, from 1; 0: none, or one that is long over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioOrigin {
    /// The segment that it belongs to, or answers.
    pub segment: u32,
    /// The end of speech that it answers; 0: the caller's own audio.
    pub revision: u32,
    /// The turn; 0: none.
    pub turn: u32,
}

/// A piece of the session's audio.
#[derive(Clone, Debug, PartialEq)]
pub struct HeardAudio {
    /// Whose it is.
    pub origin: AudioOrigin,
    /// Media time of its first sample, microseconds: of an answer counted from its own first sample.
    pub pts_us: u64,
    /// How long it sounds, microseconds.
    pub sound_us: u64,
    /// Samples in the session's output format, interleaved.
    pub samples: Vec<f32>,
}

/// Where some of an answer's time went.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnStage {
    /// The stage, as reports call it.
    pub stage: String,
    /// How long it took, ms.
    pub ms: f64,
}

/// When a word or a phone sounds.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundingPart {
    /// The word.
    pub word: Option<String>,
    /// The phone; without either the mouth rests.
    pub phone: Option<String>,
    /// From its line's beginning, microseconds.
    pub from_us: u64,
    /// Its end there.
    pub until_us: u64,
}

/// What is told beside control messages, where it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionNote {
    /// Somebody seems to speak; nothing is decided.
    SpeechStarted {
        /// The segment.
        segment: u32,
        /// Media time of its first sample, microseconds.
        from_us: u64,
    },
    /// Judgements of the detector, oldest first: media time in microseconds, and the probability of speech.
    Probability(Vec<(u64, f32)>),
    /// What was heard of a segment so far.
    PartialTranscript {
        /// The segment.
        segment: u32,
        /// The words, in place of those before.
        text: String,
    },
    /// When words and phones of a line sound.
    Spoken {
        /// The turn.
        turn: u32,
        /// Where the line begins in the turn's answer, microseconds.
        from_us: u64,
        /// Its parts.
        times: Vec<SoundingPart>,
    },
    /// An answer has begun to sound: where its time went.
    Turn {
        /// The turn.
        turn: u32,
        /// From the end of speech, ms.
        response_ms: f64,
        /// Stage by stage.
        stages: Vec<TurnStage>,
    },
}

/// What comes from the server.
#[derive(Debug)]
pub enum FromServer {
    /// Audio.
    Audio(HeardAudio),
    /// Text that leaves at the scene's output.
    Text {
        /// The text.
        text: String,
        /// Whose it is.
        origin: AudioOrigin,
    },
    /// What is said of speech. It was acknowledged as delivered; [`Client::applied`](crate::Client::applied) says when
    /// what it stops has stopped.
    Control(ControlIn),
    /// An event of the session.
    Event {
        /// The event.
        message: Box<ControlMessage>,
        /// Serial of the segment that it is about.
        segment: Option<u32>,
    },
    /// What has become of a message that was sent.
    Delivery(DeliveryEvent),
    /// What was asked for beside control messages.
    Note(SessionNote),
    /// The server did not understand something; the session goes on.
    Complaint {
        /// For programs.
        code: String,
        /// For people.
        message: String,
        /// How many others were not told before this one.
        silent: u64,
    },
    /// The session is over; nothing follows.
    Closed {
        /// How the WebSocket was closed: 1000 done, 1001 the server ends, others as docs/protocols.md has them.
        code: u16,
        /// In words.
        reason: String,
    },
}
