//! The far end of a session: what its client sends goes in, what it is to be told comes out, whatever carries the two.

use mynah_engine::SessionHandle;
use mynah_engine::edge::OutAudio;
use mynah_engine::wire::peer::{MessageForm, PeerConfig, SessionPeer};
use mynah_engine::{Event, Record};

use crate::pcm::Encoding;
use crate::terms::{Closing, Ending, Figures, Opened, Refusal, Tap, TurnTimes, WantedRecords};

use super::audio_tag::{AudioTag, sound_us};
use super::complaints::Complaints;
use super::messages;
use super::notes::NoteQueue;
use super::opening::Opening;
use super::user_speech::UserSpeech;

/// What every session of a server has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeConfig {
    /// Time of the messages' timestamps when the engine's clock shows 0: microseconds since the Unix epoch, 0 in virtual
    /// time.
    pub epoch_us: u64,
    /// How long a session goes on without a connection, milliseconds.
    pub resume_ms: u32,
}

/// Who reads what a session puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Messages, text and notes.
    pub messages: bool,
    /// Audio.
    pub audio: bool,
}

/// What a [`NativeSession`] wants done.
#[derive(Debug)]
pub enum NativeOutput<'a> {
    /// Tell the client this. It must not be lost.
    Event {
        /// `control_message`, `text`, `audio` (whose the audio behind it is), `error`, or the `type` of a note.
        kind: &'static str,
        /// Id of a control message.
        id: Option<u64>,
        /// The message.
        json: &'a str,
    },
    /// Send the client this audio, in order with the messages.
    Audio {
        /// Samples in the encoding and format of the output.
        bytes: &'a [u8],
        /// How long they sound, microseconds.
        sound_us: u32,
    },
    /// The session is over, and the client was told: close its connections. Comes once, and nothing but
    /// [`NativeOutput::Wait`] follows.
    Closed(Closing),
    /// Nothing to do until then, later than now; `None`: until something is handed in, or the session's waker rings.
    Wait {
        /// Microseconds of the engine's clock.
        until_us: Option<u64>,
    },
}

/// What of a session's traffic came to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NativeFigures {
    /// Messages and audio of the client that were refused; at most one a second was told.
    pub refused: u64,
    /// Audio that was put out while nobody read any, microseconds.
    pub unheard_us: u64,
    /// Events, texts and notes that were told while nobody listened, and notes that found no room.
    pub untold: u64,
}

/// The end of a session towards its client. It lives as long as the session; connections come and go.
///
/// While nobody reads, audio and events are dropped as they come, and counted. Control messages that want an
/// acknowledgement are kept, at most 256: one more closes the session.
pub struct NativeSession {
    pub(super) peer: SessionPeer,
    pub(super) config: NativeConfig,
    pub(super) token: Option<String>,
    pub(super) scene: String,
    pub(super) input: Encoding,
    pub(super) output: Encoding,
    pub(super) tap: Option<Box<dyn Tap>>,
    pub(super) listening: Listening,
    /// Since when there is no connection; a request of plain HTTP begins it anew.
    pub(super) lost_us: Option<u64>,
    pub(super) notes: NoteQueue,
    pub(super) complaints: Complaints,
    pub(super) tag: AudioTag,
    /// Audio behind its tag.
    pub(super) held: Option<OutAudio>,
    pub(super) speaking: UserSpeech,
    pub(super) ending: Option<Ending>,
    /// How the connection closes, if not as the session's end says.
    pub(super) closing: Option<Closing>,
    pub(super) over: bool,
    pub(super) figures: NativeFigures,
    pub(super) json: String,
    pub(super) bytes: Vec<u8>,
    pub(super) samples: Vec<f32>,
}

impl NativeSession {
    /// The end of a session that was opened as `opening` asks. Somebody listens, until
    /// [`disconnected`](Self::disconnected) says otherwise.
    ///
    /// # Errors
    /// `bad_request`: the session's name fits into no message.
    pub fn new(opened: Opened, opening: &Opening, config: NativeConfig) -> Result<Self, Refusal> {
        let Opened { session, scene, token, tap } = opened;
        let peer = PeerConfig {
            epoch_us: config.epoch_us,
            form: MessageForm::Json,
            ..PeerConfig::new(session.name().into(), session.generation())
        };
        let peer = SessionPeer::new(session, peer);
        let peer = peer.map_err(|error| Refusal::new("bad_request", error.to_string()))?;
        Ok(Self {
            peer,
            config,
            token,
            scene,
            input: opening.input,
            output: opening.output,
            tap,
            listening: Listening { messages: true, audio: true },
            lost_us: None,
            notes: NoteQueue::new(opening.notes),
            complaints: Complaints::default(),
            tag: AudioTag::default(),
            held: None,
            speaking: UserSpeech::default(),
            ending: None,
            closing: None,
            over: false,
            figures: NativeFigures::default(),
            json: String::new(),
            bytes: Vec::new(),
            samples: Vec::new(),
        })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionHandle {
        self.peer.session()
    }

    /// What the client shows to go on with the session.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// What the session is to be handed from the server's records.
    #[must_use]
    pub fn wants(&self) -> WantedRecords {
        self.notes.wants()
    }

    /// How the samples of the output stand in bytes.
    #[must_use]
    pub fn output_encoding(&self) -> Encoding {
        self.output
    }

    /// The message that says how the session was opened.
    #[must_use]
    pub fn opened_json(&self) -> String {
        let resume_ms = if self.token.is_some() { self.config.resume_ms } else { 0 };
        let encodings = (self.input, self.output);
        messages::opened(self.peer.session(), self.token(), resume_ms, &self.scene, encodings)
    }

    /// The message that says how far the client's messages have come.
    #[must_use]
    pub fn resumed_json(&self) -> String {
        messages::resumed(self.peer.peer().newest_id())
    }

    /// Whether audio that comes now is taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.peer.has_room()
    }

    /// Takes a record of the session, see [`wants`](Self::wants); others are ignored.
    pub fn record(&mut self, record: &Record) {
        if let Event::Probability { at_us, p } = record.event {
            self.notes.probability(at_us, p);
        }
    }

    /// Takes the times of an answer that has begun to sound.
    pub fn turn(&mut self, times: &TurnTimes<'_>) {
        self.notes.turn(times);
    }

    /// Nobody listens. Within [`NativeConfig::resume_ms`] somebody has to, or the session ends.
    pub fn disconnected(&mut self, now_us: u64) {
        self.listen(now_us, Listening { messages: false, audio: false });
    }

    /// The client listens again: what it has not acknowledged is told again.
    pub fn reconnected(&mut self, now_us: u64) {
        self.listen(now_us, Listening { messages: true, audio: true });
    }

    /// Says who reads from now on: over plain HTTP messages and audio have a reader each. A reader of messages that takes
    /// the place of another one is told again what was not acknowledged.
    pub fn listen(&mut self, now_us: u64, listening: Listening) {
        let anybody = listening.messages || listening.audio;
        self.lost_us = if anybody { None } else { self.lost_us.or(Some(now_us)) };
        if listening.messages {
            self.peer.reconnected(now_us);
        } else {
            self.peer.disconnected();
            self.notes.clear();
        }
        if !listening.audio
            && let Some(audio) = self.held.take()
        {
            self.unheard(audio);
        }
        self.tag = AudioTag::default();
        self.listening = listening;
    }

    /// Something of the client has come: it is there.
    pub(super) fn touch(&mut self, now_us: u64) {
        self.lost_us = self.lost_us.map(|_| now_us);
    }

    /// The server wants the session to end. Repeating it, or going from soon to at once, is fine.
    pub fn end(&mut self, ending: Ending) {
        self.ending = self.ending.max(Some(ending));
        if ending == Ending::Now {
            self.peer.session().close();
        }
    }

    /// Whether nothing more will come of it: it may be dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Counts of control messages.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let outgoing = self.peer.peer().figures().outgoing;
        let (sent, acked) = (outgoing.sent, outgoing.acked);
        Figures { sent, acked, retried: outgoing.retried, failed: outgoing.failed }
    }

    /// Counts of what came to nothing.
    #[must_use]
    pub fn losses(&self) -> NativeFigures {
        let untold = self.figures.untold + self.notes.dropped();
        NativeFigures { refused: self.complaints.count(), untold, ..self.figures }
    }

    /// Audio that nobody reads.
    pub(super) fn unheard(&mut self, audio: OutAudio) {
        if let Some(format) = self.peer.session().output() {
            self.figures.unheard_us += u64::from(sound_us(format, &audio));
        }
        self.peer.session().give_back(audio.block);
    }
}
