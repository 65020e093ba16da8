//! What a client sees of its session.

use mynah_engine::Control;
use mynah_engine::wire::message::ControlMessage;

/// Something that a client has seen of its session. Segments go by their serial.
#[derive(Debug)]
pub enum Sighting {
    /// Somebody seems to speak.
    SpeechStarted {
        /// The segment.
        segment: u32,
        /// Media time, microseconds.
        from_us: u64,
    },
    /// What is said of speech.
    Speech(Control),
    /// An event of the session.
    Event {
        /// The event.
        message: Box<ControlMessage>,
        /// The segment that it is about.
        segment: Option<u32>,
    },
    /// A piece of audio.
    Audio {
        /// Whose it is; 0: nobody's.
        segment: u32,
        /// The end of speech that it answers; 0: the caller's own audio.
        revision: u32,
        /// Media time of its first sample, microseconds.
        pts_us: u64,
        /// How long it sounds, microseconds.
        sound_us: u64,
        /// Samples, all channels.
        samples: u64,
    },
}

/// What is remembered of one session to understand the next sighting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ear {
    /// The segment that was opened last.
    pub(super) newest: u32,
    /// Whose answer sounded last.
    pub(super) sounded: (u32, u32),
    /// What has arrived sounds until then.
    pub(super) plays_until_us: u64,
}
