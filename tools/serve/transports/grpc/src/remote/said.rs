//! What a server says.

use mynah_engine::edge::ControlIn;
use mynah_engine::wire::delivery::DeliveryEvent;
use mynah_engine::wire::message::ControlMessage;

use crate::proto::{Complaint, Note};

/// A piece of the session's audio.
#[derive(Clone, Debug, PartialEq)]
pub struct SaidAudio {
    /// Serial of the segment that it belongs to, or answers; 0: none, or one that is long over.
    pub segment: u32,
    /// The end of speech that it answers; 0: the sender's own audio.
    pub revision: u32,
    /// The turn; 0: none.
    pub turn: u32,
    /// Media time of its first sample, microseconds; of an answer counted from its own first sample.
    pub pts_us: u64,
    /// Samples in the session's output format, interleaved.
    pub samples: Vec<f32>,
}

/// What comes from the server.
#[derive(Debug)]
pub enum ServerSaid {
    /// Audio.
    Audio(SaidAudio),
    /// Text that leaves at the scene's output.
    Text(String),
    /// What is said of speech. It was acknowledged as delivered;
    /// [`RemoteSession::applied`](super::RemoteSession::applied) says when what it stops has stopped.
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
    Note(Note),
    /// The server did not understand something; the session goes on.
    Complaint(Complaint),
    /// The stream has ended well: nothing follows.
    Closed,
}
