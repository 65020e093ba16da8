//! What every protocol is to the connection that carries it.

use mynah_engine::{Record, SessionSpec};

use crate::native::NativeSession;
pub use crate::terms::{Closing, Ending, Figures, Opened, Refusal, Tap, TurnTimes, WantedRecords};

/// One client's connection in one protocol. Microseconds of the engine's clock, never less than before.
pub trait Dialect: Send {
    /// Takes a text message of the client.
    fn text(&mut self, now_us: u64, text: &str);

    /// Takes a binary message of the client.
    fn binary(&mut self, now_us: u64, bytes: &[u8]);

    /// Takes the answer to [`Output::Open`].
    fn opened(&mut self, now_us: u64, opened: Result<Opened, Refusal>);

    /// Takes the answer to [`Output::Resume`]. A protocol that never asks for it ends what it is given.
    fn resumed(&mut self, _now_us: u64, _resumed: Result<Box<NativeSession>, Refusal>) {}

    /// What is to be done next.
    fn poll(&mut self, now_us: u64) -> Output<'_>;

    /// Whether more of the client should be read. `false` while the session has no room for what came: the socket is left
    /// unread, and the sender waits. Asked again after each poll.
    fn has_room(&self) -> bool;

    /// The server wants this session to end, soon or at once. Repeating it, or going from soon to at once, is fine.
    fn end(&mut self, now_us: u64, ending: Ending);

    /// The connection is lost. What can go on over another one is given back, to be kept and polled until
    /// [`NativeSession::is_over`]; everything else ends here.
    fn park(self: Box<Self>, _now_us: u64) -> Option<Box<NativeSession>> {
        None
    }

    /// What the server is to hand in from its records.
    fn wants(&self) -> WantedRecords {
        WantedRecords::default()
    }

    /// Takes a record of the session, see [`WantedRecords::probability`]; others are ignored.
    fn record(&mut self, _now_us: u64, _record: &Record) {}

    /// Takes the times of an answer that has begun to sound, see [`WantedRecords::turns`].
    fn turn(&mut self, _now_us: u64, _times: &TurnTimes<'_>) {}

    /// Counts of control messages so far.
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// What a dialect wants done.
pub enum Output<'a> {
    /// Open a session like this, and say what came of it with [`Dialect::opened`]. An empty name: any that is free.
    /// The connection adds its waker.
    Open(Box<SessionSpec>),
    /// Find the session that lost its connection, and say what came of it with [`Dialect::resumed`]. A token is compared
    /// in a time that does not depend on it; the code of a refusal is `not_found`.
    Resume {
        /// The session's name.
        session: String,
        /// What the client was given for it.
        token: String,
    },
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
        /// Microseconds of the engine's clock.
        until_us: Option<u64>,
    },
}
