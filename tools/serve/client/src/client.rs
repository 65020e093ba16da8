//! One session at a server.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use mynah_engine::Control;
use mynah_engine::wire::message::{MessageType, SegmentNames};
use mynah_engine::wire::peer::{Input, MessageForm, Output, Peer, PeerConfig, PeerFigures};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::address::ServerAddress;
use crate::connect::{Socket, connect};
use crate::error::ClientError;
use crate::messages::{self, Arrived};
use crate::outbox::Outbox;
use crate::request::{AudioFormat, GivenSession, SessionRequest};
use crate::told::{AudioOrigin, FromServer, HeardAudio};

/// What a look at the connection found.
enum Seen {
    Message(Message),
    /// The peer has something to do.
    Due,
}

/// One session at a server, with the connection that carries it.
pub struct Client {
    address: ServerAddress,
    key: Option<String>,
    opened: GivenSession,
    socket: Socket,
    outbox: Outbox,
    peer: Peer,
    names: SegmentNames,
    began: Instant,
    due: Pin<Box<Sleep>>,
    /// Whose the audio that comes is, and its media time.
    origin: Option<(AudioOrigin, u64)>,
    told: VecDeque<FromServer>,
    /// Why the session is over, as its last message said.
    reason: Option<String>,
    over: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("session", &self.opened.session).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a server and opens a session. `key`: what the server asks for, where it asks.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] or [`ClientError::Refused`], with the address.
    pub async fn connect(
        address: &ServerAddress,
        key: Option<&str>,
        request: &SessionRequest,
    ) -> Result<Self, ClientError> {
        let first = request.json().map_err(|error| ClientError::Unwritable(error.to_string()))?;
        let (socket, answer) = connect(address, key, first).await?;
        let opened: GivenSession = messages::parse(&answer)?;
        let session: Arc<str> = opened.session.as_str().into();
        let config = PeerConfig {
            epoch_us: unix_us(),
            form: MessageForm::Json,
            ..PeerConfig::new(Arc::clone(&session), opened.generation)
        };
        let began = Instant::now();
        Ok(Self {
            address: address.clone(),
            key: key.map(str::to_owned),
            peer: Peer::new(config).map_err(|error| ClientError::Protocol(error.to_string()))?,
            names: SegmentNames::new(session, opened.generation),
            opened,
            socket,
            outbox: Outbox::default(),
            began,
            due: Box::pin(sleep_until(began)),
            origin: None,
            told: VecDeque::new(),
            reason: None,
            over: false,
        })
    }

    /// The session as it was opened.
    #[must_use]
    pub fn opened(&self) -> &GivenSession {
        &self.opened
    }

    /// Counts of messages so far.
    #[must_use]
    pub fn figures(&self) -> PeerFigures {
        self.peer.figures()
    }

    /// Bytes that wait to be sent, at most [`WAITING_BYTES_MAX`](crate::WAITING_BYTES_MAX) and some messages.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Sends audio: whole sample frames in the format of the session's input, interleaved. Media time begins with the first
    /// sample of all.
    ///
    /// # Errors
    /// [`ClientError::Full`] and [`ClientError::BadLength`]: nothing of it is sent. [`ClientError::Over`].
    pub fn push(&mut self, samples: &[f32]) -> Result<(), ClientError> {
        let AudioFormat { rate_hz, channels, encoding } = self.opened.input;
        let frame = usize::from(channels.max(1));
        if !samples.len().is_multiple_of(frame) {
            return Err(ClientError::BadLength { samples: samples.len(), channels });
        }
        self.has_room(samples.len() * encoding.sample_bytes())?;
        // A message has a second of audio at most.
        for part in samples.chunks(frame * rate_hz.max(1) as usize) {
            let mut bytes = Vec::with_capacity(part.len() * encoding.sample_bytes());
            encoding.encode(part, &mut bytes);
            self.outbox.put(Message::binary(bytes));
        }
        Ok(())
    }

    /// Sends what a host wants of its session; the id of the message, whose fate comes as
    /// [`FromServer::Delivery`].
    ///
    /// # Errors
    /// [`ClientError::Unsent`]: it is no message of a host, does not fit into one, or the server does not listen.
    pub fn send(&mut self, control: &Control) -> Result<Option<u64>, ClientError> {
        if self.over {
            return Err(ClientError::Over);
        }
        let now_us = self.now_us();
        self.peer.send_control(now_us, control).map_err(ClientError::Unsent)
    }

    /// What a message of the server stops has stopped: the server is told, once. False: it is not to be told.
    pub fn applied(&mut self, message_id: u64) -> bool {
        let now_us = self.now_us();
        self.peer.applied(now_us, message_id)
    }

    /// The input ends: what was sent is still answered, then the session closes.
    ///
    /// # Errors
    /// [`ClientError::Full`], [`ClientError::Over`].
    pub fn finish(&mut self) -> Result<(), ClientError> {
        self.say(r#"{"type":"finish"}"#)
    }

    /// Hangs up: the session closes at once.
    ///
    /// # Errors
    /// [`ClientError::Full`], [`ClientError::Over`].
    pub fn close(&mut self) -> Result<(), ClientError> {
        self.say(r#"{"type":"close"}"#)
    }

    fn say(&mut self, text: &'static str) -> Result<(), ClientError> {
        self.has_room(text.len())?;
        self.outbox.put(Message::text(text));
        Ok(())
    }

    fn has_room(&self, bytes: usize) -> Result<(), ClientError> {
        match (self.over, self.outbox.has_room(bytes)) {
            (true, _) => Err(ClientError::Over),
            (false, false) => Err(ClientError::Full),
            (false, true) => Ok(()),
        }
    }

    /// Sends what waits, and waits for what comes next. May be dropped before it is ready.
    ///
    /// # Errors
    /// [`ClientError::Lost`]: [`resume`](Self::resume) may help. [`ClientError::Protocol`]; [`ClientError::Over`] behind
    /// [`FromServer::Closed`].
    pub async fn next(&mut self) -> Result<FromServer, ClientError> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            if self.over {
                return Err(ClientError::Over);
            }
            let until_us = match self.work() {
                Ok(told) => return Ok(told),
                Err(until_us) => until_us,
            };
            if let Some(until_us) = until_us {
                let until = self.began + Duration::from_micros(until_us);
                self.due.as_mut().reset(until);
            }
            let seen = poll_fn(|cx| self.poll_seen(cx, until_us.is_some())).await?;
            match seen {
                Seen::Due => {}
                Seen::Message(message) => self.receive(message)?,
            }
        }
    }

    /// Does what the peer wants; what it has to tell, or until when it has nothing to do.
    fn work(&mut self) -> Result<FromServer, Option<u64>> {
        let now_us = self.now_us();
        loop {
            match self.peer.poll(now_us) {
                Output::Transmit(bytes) => {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    self.outbox.put(Message::text(text));
                }
                Output::Control(control) => return Ok(FromServer::Control(control)),
                Output::Event { message, segment } => {
                    if let MessageType::Closed { reason } = &message.message_type {
                        self.reason = Some(reason.to_string());
                    }
                    return Ok(FromServer::Event { message, segment });
                }
                Output::Delivery(fate) => return Ok(FromServer::Delivery(fate)),
                Output::Wait { until_us } => return Err(until_us),
            }
        }
    }

    fn poll_seen(&mut self, cx: &mut Context<'_>, timed: bool) -> Poll<Result<Seen, ClientError>> {
        // Behind a failed write the server may still have said why.
        let written = self.outbox.poll_write(&mut self.socket, cx);
        match self.socket.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(message))) => return Poll::Ready(Ok(Seen::Message(message))),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.lost(&error))),
            Poll::Ready(None) => return Poll::Ready(Err(self.lost(&Error::ConnectionClosed))),
            Poll::Pending => {}
        }
        if let Poll::Ready(Err(error)) = written {
            return Poll::Ready(Err(self.lost(&error)));
        }
        if timed && self.due.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Seen::Due));
        }
        Poll::Pending
    }

    fn lost(&mut self, error: &Error) -> ClientError {
        self.peer.disconnected();
        ClientError::Lost(error.to_string())
    }

    fn receive(&mut self, message: Message) -> Result<(), ClientError> {
        match message {
            Message::Text(text) => self.text(&text)?,
            Message::Binary(bytes) => self.binary(&bytes)?,
            Message::Close(frame) => {
                let (code, said) = frame
                    .map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                let reason = self.reason.take().unwrap_or(said);
                self.told.push_back(FromServer::Closed { code, reason });
                self.over = true;
            }
            // Answered by the socket itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ClientError> {
        match messages::read(text, &mut self.names)? {
            Arrived::Control => {
                let now_us = self.now_us();
                let taken = self.peer.handle(now_us, Input::Json(text.as_bytes()));
                taken.map_err(|error| ClientError::Protocol(error.to_string()))?;
            }
            Arrived::Tag(origin, pts_us) => {
                self.peer.heard_of(origin.segment);
                self.origin = Some((origin, pts_us));
            }
            Arrived::Told(told) => self.told.push_back(told),
            Arrived::Answer | Arrived::Unknown => {}
        }
        Ok(())
    }

    fn binary(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let Some(format) = self.opened.output else {
            return Err(ClientError::Protocol("audio of a session that puts out none".into()));
        };
        let Some((origin, pts_us)) = &mut self.origin else {
            return Err(ClientError::Protocol("audio before it was said whose it is".into()));
        };
        let frames = bytes.len() / format.frame_bytes();
        let mut samples = Vec::with_capacity(frames * usize::from(format.channels));
        format.encoding.decode(&bytes[..frames * format.frame_bytes()], &mut samples);
        let sound_us = frames as u64 * 1_000_000 / u64::from(format.rate_hz.max(1));
        let audio = HeardAudio { origin: *origin, pts_us: *pts_us, sound_us, samples };
        *pts_us += sound_us;
        self.told.push_back(FromServer::Audio(audio));
        Ok(())
    }

    /// Goes on with the session over another connection, after [`ClientError::Lost`] and within
    /// [`GivenSession::resume_ms`]. Messages that were not acknowledged are sent again; audio that was under way is lost,
    /// and what waits is sent.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the code `not_found`: the session is over. [`ClientError::Unreachable`]: to be tried
    /// again. [`ClientError::Over`]: it ends with its connection.
    pub async fn resume(&mut self) -> Result<(), ClientError> {
        let Some(token) = self.opened.token.as_deref().filter(|_| !self.over) else {
            return Err(ClientError::Over);
        };
        self.peer.disconnected();
        let first = serde_json::json!({"type": "resume", "session": self.opened.session, "token": token});
        let address = self.address.resuming(&self.opened.session);
        let (socket, _) = connect(&address, self.key.as_deref(), first.to_string()).await?;
        self.socket = socket;
        self.outbox.keep_audio();
        self.origin = None;
        let now_us = self.now_us();
        self.peer.reconnected(now_us);
        Ok(())
    }
}

/// Microseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a client's messages say when they were sent")]
fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
