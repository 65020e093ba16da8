//! What goes wrong between a client and its server.

use std::fmt;

use mynah_engine::wire::delivery::SendError;

use crate::outbox::WAITING_BYTES_MAX;

/// Why a server gives no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRefusal {
    /// The status of HTTP; `None`: it was said behind the upgrade.
    pub status: Option<u16>,
    /// For programs: `capacity`, `draining`, `unknown_model`, `no_key`, `bad_request`, ...; empty: the server did not say.
    pub code: String,
    /// For people.
    pub message: String,
    /// Seconds after which it may be tried again.
    pub retry_after_s: Option<u32>,
}

/// Why something did not work.
#[derive(Debug)]
pub enum ClientError {
    /// The address cannot be used.
    Address {
        /// As it was given.
        given: String,
        /// What is wrong with it, and what would do.
        why: String,
    },
    /// Nobody answers there as a server should.
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        why: String,
    },
    /// The server gives no session, or not this one any more.
    Refused {
        /// Where.
        address: String,
        /// Why.
        refusal: ServerRefusal,
    },
    /// The connection is lost; the session may go on over another one ([`Client::resume`](crate::Client::resume)).
    Lost(String),
    /// What the server says is not the protocol.
    Protocol(String),
    /// [`WAITING_BYTES_MAX`] wait to be sent: the server does not read. What was to be sent is not taken.
    Full,
    /// Audio of a length that is no whole number of sample frames. It is not taken.
    BadLength {
        /// Its samples.
        samples: usize,
        /// Channels of the session's input.
        channels: u8,
    },
    /// A message cannot be sent.
    Unsent(SendError),
    /// Parameters or other settings cannot be written as a message.
    Unwritable(String),
    /// The session is over.
    Over,
}

impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => f.write_str("without a reason"),
            ("", message) => f.write_str(message),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { given, why } => write!(f, "{given}: {why}"),
            Self::Unreachable { address, why } => write!(
                f,
                "{address}: {why}; start a server there (`mynah serve SCENE`), or name another address"
            ),
            Self::Refused { address, refusal } => write!(f, "{address} refuses: {refusal}"),
            Self::Lost(why) => write!(f, "the connection is lost: {why}"),
            Self::Protocol(why) => write!(f, "the server does not keep to the protocol: {why}"),
            Self::Full => write!(f, "{WAITING_BYTES_MAX} bytes wait to be sent: the server does not read"),
            Self::BadLength { samples, channels } => {
                write!(f, "{samples} samples for {channels} channels: expected whole sample frames")
            }
            Self::Unsent(error) => error.fmt(f),
            Self::Unwritable(why) => f.write_str(why),
            Self::Over => f.write_str("the session is over: open another one"),
        }
    }
}

impl std::error::Error for ClientError {}
