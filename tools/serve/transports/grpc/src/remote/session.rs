//! A session at a server: messages and audio out, what the server says back.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use mynah_dialects::pcm::Encoding;
use mynah_engine::Control;
use mynah_engine::edge::Tag;
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::delivery::SendError;
use mynah_engine::wire::message::segment_id;
use mynah_engine::wire::peer::{MessageForm, Output, Peer, PeerConfig, PeerFigures};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::proto::voice_client::VoiceClient;
use crate::proto::{
    self, Audio, ClientPart, Close, Finish, Open, Opened, ServerPart, client_part, server_part,
};
use crate::wire;

use super::{SaidAudio, ServerSaid};

/// Parts that wait for the connection: some five seconds of 20 ms pieces.
const WAITING_MAX: usize = 256;
/// No look at what is due is further away than this.
const FAR: Duration = Duration::from_secs(3_600);

/// Where audio belongs at its sender, for scenes that follow one: see [`Stamp`](mynah_engine::Stamp).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioPlace {
    /// Media time of the first sample, microseconds.
    pub pts_us: u64,
    /// Segment, revision and turn; segment 0: none of it is said.
    pub tag: Tag,
}

/// Why something cannot be done at the far end.
#[derive(Debug)]
pub enum RemoteError {
    /// The server refuses, or the stream has broken: [`Status::code`] and a text.
    Status(Box<Status>),
    /// The server has said something that is no part of the protocol.
    Protocol(String),
    /// The connection takes nothing more for now.
    Full,
    /// A message that cannot be sent.
    Unsent(SendError),
    /// Samples that are no whole sample frames.
    BadLength {
        /// How many.
        samples: usize,
        /// Channels of the session's input.
        channels: u32,
    },
    /// The stream has ended.
    Over,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{:?}: {}", status.code(), status.message()),
            Self::Protocol(what) => write!(f, "the server breaks the protocol: {what}"),
            Self::Full => {
                f.write_str("the connection takes nothing more for now: send it later, or leave it out")
            }
            Self::Unsent(error) => write!(f, "a message was not sent: {error}"),
            Self::BadLength { samples, channels } => {
                write!(f, "{samples} samples: expected whole sample frames of {channels} channels")
            }
            Self::Over => f.write_str("the stream has ended: open another session"),
        }
    }
}

impl std::error::Error for RemoteError {}

impl From<Status> for RemoteError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// A session at a server. It ends with its stream, and when this is dropped.
pub struct RemoteSession {
    to: mpsc::Sender<ClientPart>,
    from: Streaming<ServerPart>,
    opened: Opened,
    input: Encoding,
    output: Encoding,
    peer: Peer,
    began: Instant,
    /// Serial and name of the segment that was named last.
    named: (u32, String),
    said: VecDeque<ServerSaid>,
    /// The last part, which waits for room.
    last: Option<ClientPart>,
    over: bool,
}

impl fmt::Debug for RemoteSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSession").field("session", &self.opened.session).finish_non_exhaustive()
    }
}

impl RemoteSession {
    /// Opens a session over `channel`. `key`: what the server asks for, where it asks. `epoch_us`: microseconds since the
    /// Unix epoch, which its messages count from.
    ///
    /// # Errors
    /// [`RemoteError::Status`] with the server's reason; [`RemoteError::Protocol`].
    pub async fn open(
        channel: Channel,
        key: Option<&str>,
        open: Open,
        epoch_us: u64,
    ) -> Result<Self, RemoteError> {
        let (to, parts) = mpsc::channel(WAITING_MAX);
        let first = ClientPart { part: Some(client_part::Part::Open(open)), ..ClientPart::default() };
        to.try_send(first).map_err(|_| RemoteError::Full)?;
        let mut request = Request::new(ReceiverStream::new(parts));
        if let Some(key) = key {
            let value = MetadataValue::try_from(format!("Bearer {key}"));
            let value = value.map_err(|_| Status::invalid_argument("key: expected printable ASCII"))?;
            request.metadata_mut().insert("authorization", value);
        }
        let mut from = VoiceClient::new(channel).session(request).await?.into_inner();
        let answer = from.message().await?.and_then(|part| part.part);
        let Some(server_part::Part::Opened(opened)) = answer else {
            return Err(RemoteError::Protocol(format!("expected `opened`, found {answer:?}")));
        };
        let config = PeerConfig {
            epoch_us,
            form: MessageForm::Own,
            ..PeerConfig::new(opened.session.as_str().into(), opened.generation)
        };
        let peer = Peer::new(config).map_err(|error| RemoteError::Protocol(error.to_string()))?;
        let (input, output) = (encoding(opened.input)?, encoding(opened.output)?);
        Ok(Self {
            to,
            from,
            opened,
            input,
            output,
            peer,
            began: Instant::now(),
            named: (0, String::new()),
            said: VecDeque::new(),
            last: None,
            over: false,
        })
    }

    /// The session as it was opened.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Counts of messages so far.
    #[must_use]
    pub fn figures(&self) -> PeerFigures {
        self.peer.figures()
    }

    /// Messages of which nobody knows yet whether they have arrived.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.peer.unacknowledged()
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Sends audio: whole sample frames in the format of the session's input, interleaved, at most a second.
    ///
    /// # Errors
    /// [`RemoteError::BadLength`] and [`RemoteError::Full`]: nothing of it is sent. [`RemoteError::Over`].
    pub fn push(&mut self, samples: &[f32], place: AudioPlace) -> Result<(), RemoteError> {
        let channels = self.opened.input.map_or(1, |format| format.channels.max(1));
        if !samples.len().is_multiple_of(channels as usize) {
            return Err(RemoteError::BadLength { samples: samples.len(), channels });
        }
        let Tag { segment, revision, turn } = place.tag;
        if segment != 0 && self.named.0 != segment {
            let name = segment_id(&self.opened.session, self.opened.generation, segment);
            self.named = (segment, name.to_string());
        }
        let mut bytes = Vec::with_capacity(samples.len() * self.input.sample_bytes());
        self.input.encode(samples, &mut bytes);
        let of = |value: u32| (segment != 0).then_some(value);
        self.put(ClientPart {
            part: Some(client_part::Part::Audio(Audio { samples: bytes.into(), pts_us: place.pts_us })),
            target_segment_id: (segment != 0).then(|| self.named.1.clone()),
            revision: of(revision),
            turn: of(turn),
            ..ClientPart::default()
        })
    }

    /// Sends what a host wants of its session, or what is said of its speech; the id of the message, whose fate comes as
    /// [`ServerSaid::Delivery`]; `None`: it is no message.
    ///
    /// # Errors
    /// [`RemoteError::Unsent`], [`RemoteError::Over`].
    pub fn send(&mut self, control: &Control) -> Result<Option<u64>, RemoteError> {
        if self.over {
            return Err(RemoteError::Over);
        }
        let now_us = self.now_us();
        let id = self.peer.send_control(now_us, control).map_err(RemoteError::Unsent)?;
        self.transmit();
        Ok(id)
    }

    /// What a message of the server stops has stopped: the server is told, once. False: it is not to be told.
    pub fn applied(&mut self, message_id: u64) -> bool {
        let now_us = self.now_us();
        self.peer.applied(now_us, message_id)
    }

    /// The input ends: what was sent is still answered, then the session closes.
    ///
    /// # Errors
    /// [`RemoteError::Over`].
    pub fn finish(&mut self) -> Result<(), RemoteError> {
        self.end(client_part::Part::Finish(Finish {}))
    }

    /// Hangs up: the session closes at once.
    ///
    /// # Errors
    /// [`RemoteError::Over`].
    pub fn close(&mut self) -> Result<(), RemoteError> {
        self.end(client_part::Part::Close(Close {}))
    }

    fn end(&mut self, part: client_part::Part) -> Result<(), RemoteError> {
        let part = ClientPart { part: Some(part), ..ClientPart::default() };
        match self.to.try_send(part) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(part)) => {
                self.last = Some(part);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(RemoteError::Over),
        }
    }

    fn put(&mut self, part: ClientPart) -> Result<(), RemoteError> {
        self.to.try_send(part).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RemoteError::Full,
            mpsc::error::TrySendError::Closed(_) => RemoteError::Over,
        })
    }

    /// Waits for what the server says next. May be dropped before it is ready.
    ///
    /// # Errors
    /// [`RemoteError::Status`]: how the stream has ended. [`RemoteError::Protocol`]; [`RemoteError::Over`] behind
    /// [`ServerSaid::Closed`].
    pub async fn next(&mut self) -> Result<ServerSaid, RemoteError> {
        loop {
            let until_us = self.transmit();
            if let Some(said) = self.said.pop_front() {
                return Ok(said);
            }
            if self.over {
                return Err(RemoteError::Over);
            }
            let due = until_us.map_or(Instant::now() + FAR, |us| self.began + Duration::from_micros(us));
            let read = tokio::select! {
                biased;
                read = self.from.message() => read,
                room = self.to.reserve(), if self.last.is_some() => {
                    if let (Ok(room), Some(last)) = (room, self.last.take()) {
                        room.send(last);
                    }
                    continue;
                }
                () = sleep_until(due) => continue,
            };
            match read {
                Ok(Some(part)) => self.receive(part)?,
                Ok(None) => {
                    self.over = true;
                    self.said.push_back(ServerSaid::Closed);
                }
                Err(status) => {
                    self.over = true;
                    return Err(status.into());
                }
            }
        }
    }

    /// Sends what this end has to say, notes what it has to tell; until when there is nothing more.
    fn transmit(&mut self) -> Option<u64> {
        let now_us = self.now_us();
        loop {
            match self.peer.poll(now_us) {
                Output::Transmit(_) => {
                    if let Some(message) = self.peer.transmitted() {
                        // What finds no room is as good as lost, and comes again when it is not acknowledged.
                        drop(self.to.try_send(wire::to_server(message)));
                    }
                }
                Output::Control(control) => self.said.push_back(ServerSaid::Control(control)),
                Output::Event { message, segment } => {
                    self.said.push_back(ServerSaid::Event { message, segment })
                }
                Output::Delivery(fate) => self.said.push_back(ServerSaid::Delivery(fate)),
                Output::Wait { until_us } => return until_us,
            }
        }
    }

    fn receive(&mut self, mut part: ServerPart) -> Result<(), RemoteError> {
        match part.part.take() {
            Some(server_part::Part::Control(control)) => {
                part.part = Some(server_part::Part::Control(control));
                if let Some(arrival) = wire::of_server(part).transpose() {
                    let now_us = self.now_us();
                    let taken = self.peer.handle_decoded(now_us, arrival);
                    taken.map_err(|error| RemoteError::Protocol(error.to_string()))?;
                }
            }
            Some(server_part::Part::Audio(audio)) => {
                let mut samples = Vec::with_capacity(audio.samples.len() / self.output.sample_bytes());
                self.output.decode(&audio.samples, &mut samples);
                let id = part.target_segment_id.as_deref().and_then(|text| Uuid::try_parse(text).ok());
                let segment = id.and_then(|id| self.peer.serial(id)).unwrap_or(0);
                let (revision, turn) = (part.revision.unwrap_or(0), part.turn.unwrap_or(0));
                let pts_us = audio.pts_us;
                self.said.push_back(ServerSaid::Audio(SaidAudio {
                    segment,
                    revision,
                    turn,
                    pts_us,
                    samples,
                }));
            }
            Some(server_part::Part::Text(text)) => self.said.push_back(ServerSaid::Text(text.text)),
            Some(server_part::Part::Note(note)) => self.said.push_back(ServerSaid::Note(note)),
            Some(server_part::Part::Error(complaint)) => {
                self.said.push_back(ServerSaid::Complaint(complaint))
            }
            // Once is enough; of a newer server.
            Some(server_part::Part::Opened(_)) | None => {}
        }
        Ok(())
    }
}

fn encoding(format: Option<proto::Format>) -> Result<Encoding, RemoteError> {
    match format.map_or(Ok(proto::Encoding::S16), |format| proto::Encoding::try_from(format.encoding)) {
        Ok(proto::Encoding::S16) => Ok(Encoding::S16),
        Ok(proto::Encoding::F32) => Ok(Encoding::F32),
        Err(error) => Err(RemoteError::Protocol(error.to_string())),
    }
}
