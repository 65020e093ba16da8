//! What every protocol is to the connection that carries it.

use mynah_engine::edge::OutAudio;
use mynah_engine::{SessionEvent, SessionHandle, SessionSpec};

/// One client's connection in one protocol. Microseconds of the caller's clock, never less than before.
pub trait Dialect: Send {
    /// Takes a text message of the client.
    fn text(&mut self, now_us: u64, text: &str);

    /// Takes a binary message of the client.
    fn binary(&mut self, now_us: u64, bytes: &[u8]);

    /// Takes the answer to [`Output::Open`].
    fn opened(&mut self, now_us: u64, opened: Result<Opened, Refusal>);

    /// What is to be done next.
    fn poll(&mut self, now_us: u64) -> Output<'_>;

    /// Whether more of the client should be read. `false` while the session has no room for what came: the socket is left
    /// unread, and the sender waits. Asked again after each poll.
    fn has_room(&self) -> bool;

    /// The server wants this session to end, soon or at once. Repeating it, or going from soon to at once, is fine.
    fn end(&mut self, now_us: u64, ending: Ending);

    /// Counts of control messages so far.
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// What a dialect wants done.
#[derive(Debug)]
pub enum Output<'a> {
    /// Open a session like this, and say what came of it with [`Dialect::opened`]. An empty name: any that is free.
    /// The connection adds its waker.
    Open(Box<SessionSpec>),
    /// Send the client a text message.
    Text {
        /// The message.
        text: &'a str,
        /// Sound in it, microseconds; 0: the message must not be lost. Sound that waits too long may be.
        sound_us: u32,
    },
    /// Send the client a binary message.
    Binary {
        /// The message.
        bytes: &'a [u8],
        /// As for [`Output::Text`].
        sound_us: u32,
    },
    /// Close the connection behind what was sent. Comes once; nothing but [`Output::Wait`] follows.
    Close(Closing),
    /// Nothing to do until then, later than now; `None`: until something is handed in, or the session's waker rings.
    Wait {
        /// Microseconds of the caller's clock.
        until_us: Option<u64>,
    },
}

/// How a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// As in RFC 6455: 1000 done, 1001 drained, 1008 refused, 1009 too large, 1011 the engine is gone, 4000
    /// `control_overflow`.
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: String,
}

/// A session that was opened.
pub struct Opened {
    /// The session, opened with [`SessionSpec::events`].
    pub session: SessionHandle,
    /// The scene that it runs in.
    pub scene: String,
    /// Whoever listens in.
    pub tap: Option<Box<dyn Tap>>,
}

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs, such as `capacity` or `bad_request`.
    pub code: &'static str,
    /// A sentence for people: what, and what helps.
    pub message: String,
}

/// Listens in on a session: a recording of the call.
pub trait Tap: Send {
    /// The client's audio, interleaved in the session's input format, as the session has taken it.
    fn heard(&mut self, now_us: u64, samples: &[f32]);

    /// The session's audio, as it is sent.
    fn said(&mut self, now_us: u64, audio: &OutAudio);

    /// What happens.
    fn told(&mut self, now_us: u64, event: &SessionEvent);
}

/// How urgently a session is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// As soon as nobody speaks and nothing is to be answered.
    AfterTurn,
    /// Now; answers are cancelled.
    Now,
}

/// Control messages of a connection, as `mynah_control_*_total` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sent, each counted once.
    pub sent: u64,
    /// Acknowledged by the client.
    pub acked: u64,
    /// Sent again.
    pub retried: u64,
    /// Given up.
    pub failed: u64,
}
