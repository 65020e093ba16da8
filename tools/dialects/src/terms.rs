//! What a connection and whoever serves it tell each other, whatever the protocol.

use mynah_engine::edge::{CloseReason, OutAudio};
use mynah_engine::{SessionEvent, SessionHandle};

/// Most bytes of a reason for closing, as RFC 6455 has it.
const REASON_BYTES_MAX: usize = 123;

/// How a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// As in RFC 6455: 1000 done, 1001 drained, 1008 refused, 1009 too large, 1011 the engine is gone, 4000
    /// `control_overflow`.
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: String,
}

impl Closing {
    /// A closing with as much of the reason as fits.
    #[must_use]
    pub fn new(code: u16, reason: &str) -> Self {
        let reason = reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned();
        Self { code, reason }
    }

    /// How a connection closes whose session is over for this reason; `None`: nobody knows why. `drained`: the server
    /// wanted it to end.
    #[must_use]
    pub fn of_session(reason: Option<&CloseReason>, drained: bool) -> Self {
        let code = match reason {
            None | Some(CloseReason::Finished | CloseReason::HungUp) if drained => 1001,
            None | Some(CloseReason::Finished | CloseReason::HungUp) => 1000,
            Some(CloseReason::ControlOverflow) => 4000,
            Some(CloseReason::Refused(_)) => 1008,
            Some(CloseReason::Failed(_) | CloseReason::EngineGone) => 1011,
        };
        Self::new(code, &reason.map_or_else(String::new, ToString::to_string))
    }
}

/// A session that was opened.
pub struct Opened {
    /// The session, opened with [`SessionSpec::events`](mynah_engine::SessionSpec::events).
    pub session: SessionHandle,
    /// The scene that it runs in.
    pub scene: String,
    /// What the client shows to go on with the session over another connection; `None`: it cannot.
    pub token: Option<String>,
    /// Whoever listens in.
    pub tap: Option<Box<dyn Tap>>,
}

/// Why something was refused: a session, or a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs, such as `capacity` or `bad_request`.
    pub code: &'static str,
    /// A sentence for people: what, and what helps.
    pub message: String,
}

impl Refusal {
    /// A refusal of this message, with what helps.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

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

/// What a client wants to be told that no session event says: the server hands it in from its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedRecords {
    /// Each judgement of the detector: [`Event::Probability`](mynah_engine::Event::Probability).
    pub probability: bool,
    /// Where the time of each answer went.
    pub turns: bool,
}

/// Where the time of an answer went.
#[derive(Clone, Copy, Debug)]
pub struct TurnTimes<'a> {
    /// The turn.
    pub turn: u32,
    /// From the end of speech to the first sample of the answer, milliseconds.
    pub response_ms: f64,
    /// What the stages took, in order: name and milliseconds.
    pub stages: &'a [(&'a str, f64)],
}
