//! A server with its listener, and a client of tonic's that acknowledges what it is told.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mynah_engine::wire::message::{ControlMessage, MessageType};
use mynah_engine::wire::peer::{MessageForm, Output, Peer, PeerConfig};
use mynah_serve::{Config, DrainPhase, Server};
use mynah_serve_grpc::GrpcDoor;
use mynah_serve_grpc::proto::voice_client::VoiceClient;
use mynah_serve_grpc::proto::{
    Audio, ClientPart, Close, Finish, Open, Opened, ServerPart, client_part, server_part,
};
use mynah_serve_grpc::wire;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

/// Whatever a test waits for comes within this time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A server on this machine.
pub(crate) struct Door {
    pub(crate) server: Arc<Server>,
    pub(crate) phase: watch::Sender<DrainPhase>,
    pub(crate) door: GrpcDoor,
}

/// The scene in which anything loud is speech.
pub(crate) fn talk() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/talk.ron").to_string_lossy().into_owned()
}

impl Door {
    pub(crate) fn open(config: Config) -> Self {
        let grpc = Some(([127, 0, 0, 1], 0).into());
        let server = Server::start(Config { grpc, threads: 1, ..config }).expect("the scene is right");
        let (phase, seen) = watch::channel(DrainPhase::Serving);
        let door = GrpcDoor::open(Arc::clone(&server), &Handle::current(), seen).expect("a port is free");
        Self { server, phase, door }
    }

    pub(crate) fn of(scene: &str) -> Self {
        Self::open(Config { scenes: vec![scene.into()], ..Config::default() })
    }

    pub(crate) async fn channel(&self) -> Channel {
        // A small window, so that what is not read is soon not sent.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.door.address())).expect("it is a URL");
        endpoint.initial_stream_window_size(65_535).connect().await.expect("somebody listens")
    }

    /// A session, opened.
    pub(crate) async fn client(&self, open: Open) -> Client {
        let mut client = self.call(Request::new(()), open).await.expect("it is taken");
        client.opened = client.first().await.expect("it is opened");
        client
    }

    /// A session with these metadata; its answer is not read yet.
    pub(crate) async fn call(&self, metadata: Request<()>, open: Open) -> Result<Client, Status> {
        let (to, parts) = mpsc::channel(64);
        send(&to, client_part::Part::Open(open)).await;
        let mut request = Request::new(ReceiverStream::new(parts));
        *request.metadata_mut() = metadata.metadata().clone();
        let from = VoiceClient::new(self.channel().await).session(request).await?.into_inner();
        Ok(Client {
            to,
            from,
            opened: Opened::default(),
            peer: None,
            began: Instant::now(),
            got: Vec::new(),
            acknowledges: true,
            effects: Vec::new(),
        })
    }

    /// The value of a line of the metrics page.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let page = self.server.metrics_page(mynah_host::metrics::Form::Text);
        let found = page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no {line} in\n{page}"))
    }
}

async fn send(to: &mpsc::Sender<ClientPart>, part: client_part::Part) {
    to.send(ClientPart { part: Some(part), ..ClientPart::default() }).await.expect("the stream is open");
}

/// A client with its stream.
pub(crate) struct Client {
    pub(crate) to: mpsc::Sender<ClientPart>,
    from: Streaming<ServerPart>,
    pub(crate) opened: Opened,
    peer: Option<Peer>,
    began: Instant,
    /// What has come, with when, microseconds.
    pub(crate) got: Vec<(u64, ServerPart)>,
    pub(crate) acknowledges: bool,
    /// Ids of the messages that took effect.
    pub(crate) effects: Vec<u64>,
}

impl Client {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// The answer to `Open`.
    pub(crate) async fn first(&mut self) -> Result<Opened, Status> {
        let part = timeout(SOON, self.from.message()).await.expect("there is an answer")?;
        let part = part.expect("there is an answer").part;
        let Some(server_part::Part::Opened(opened)) = part else { panic!("{part:?}") };
        let config = PeerConfig {
            form: MessageForm::Own,
            ..PeerConfig::new(opened.session.as_str().into(), opened.generation)
        };
        self.peer = Some(Peer::new(config).expect("it has a name"));
        Ok(opened)
    }

    pub(crate) async fn send(&self, part: client_part::Part) {
        send(&self.to, part).await;
    }

    pub(crate) async fn audio(&self, samples: impl Into<Vec<u8>>) {
        let samples = samples.into().into();
        self.send(client_part::Part::Audio(Audio { samples, pts_us: 0 })).await;
    }

    /// Says these samples of 16 kHz at the pace of real time.
    pub(crate) async fn speak(&mut self, samples: &[f32]) {
        for piece in samples.chunks(320) {
            let bytes: Vec<u8> =
                piece.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()).collect();
            self.audio(bytes).await;
            self.until_quiet(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn finish(&self) {
        self.send(client_part::Part::Finish(Finish {})).await;
    }

    pub(crate) async fn hang_up(&self) {
        self.send(client_part::Part::Close(Close {})).await;
    }

    /// Sends a control message; its id.
    pub(crate) async fn control(&mut self, what: MessageType) -> u64 {
        let (now_us, session) = (self.now_us(), self.opened.session.as_str().into());
        let peer = self.peer.as_mut().expect("it is open");
        let sent = peer.send(now_us, ControlMessage::new(session, now_us, what)).expect("there is room");
        self.flush().await;
        sent.expect("it has an id")
    }

    /// Sends what the client's end wants to send.
    async fn flush(&mut self) {
        let now_us = self.now_us();
        let Some(peer) = &mut self.peer else { return };
        loop {
            match peer.poll(now_us) {
                Output::Transmit(_) => {
                    let message = peer.transmitted().expect("it was transmitted");
                    let receipt = matches!(message.message_type, MessageType::Ack { .. });
                    let part = wire::to_server(message);
                    if self.acknowledges || !receipt {
                        // The server may have ended the stream by now.
                        self.to.send(part).await.ok();
                    }
                }
                Output::Control(message) => self.effects.push(message.message_id),
                Output::Wait { .. } => return,
                Output::Event { .. } | Output::Delivery(_) => {}
            }
        }
    }

    /// Reads one part, and acknowledges it; `None`: the stream has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<ServerPart>, Status> {
        let Some(part) = self.from.message().await? else { return Ok(None) };
        let now_us = self.now_us();
        if let Some(arrival) = wire::of_server(part.clone()).transpose() {
            let peer = self.peer.as_mut().expect("it is open");
            peer.handle_decoded(now_us, arrival).expect("it is a message");
            self.flush().await;
        }
        self.got.push((now_us, part.clone()));
        Ok(Some(part))
    }

    /// Reads for so long.
    pub(crate) async fn until_quiet(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(Ok(Some(_))) = tokio::time::timeout_at(end, self.next()).await {}
    }

    /// Reads until `done`; panics if it takes too long or the stream ends.
    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let read = async {
            while !done(self) {
                match self.next().await {
                    Ok(Some(_)) => {}
                    ended => panic!("{what}: the stream ended: {ended:?}"),
                }
            }
        };
        if timeout(SOON, read).await.is_err() {
            panic!("not soon enough: {what}");
        }
    }

    /// Reads to the end of the stream; its status.
    pub(crate) async fn end(&mut self) -> Result<(), Status> {
        let read = async {
            while self.next().await?.is_some() {}
            Ok(())
        };
        timeout(SOON, read).await.expect("the stream ends soon")
    }

    /// The control messages that came, without receipts.
    pub(crate) fn told(&self) -> Vec<(u64, ControlMessage)> {
        self.controls().filter(|(_, one)| !matches!(one.message_type, MessageType::Ack { .. })).collect()
    }

    /// The receipts that came: ids and stages.
    pub(crate) fn receipts(&self) -> Vec<(u64, mynah_engine::wire::message::AckStage)> {
        let stages = self.controls().filter_map(|(_, one)| match one.message_type {
            MessageType::Ack { message_id, stage } => Some((message_id, stage)),
            _ => None,
        });
        stages.collect()
    }

    fn controls(&self) -> impl Iterator<Item = (u64, ControlMessage)> + '_ {
        self.got.iter().filter_map(|(us, part)| match wire::of_server(part.clone()) {
            Ok(Some(mynah_engine::wire::message::Arrival::Message { message, .. })) => Some((*us, message)),
            _ => None,
        })
    }

    /// Whether something of this kind was told.
    pub(crate) fn was_told(&self, kind: fn(&MessageType) -> bool) -> bool {
        self.told().iter().any(|(_, message)| kind(&message.message_type))
    }

    /// The audio that came.
    pub(crate) fn heard(&self) -> Vec<(ServerPart, Audio)> {
        let audio = self.got.iter().filter_map(|(_, part)| match &part.part {
            Some(server_part::Part::Audio(audio)) => Some((part.clone(), audio.clone())),
            _ => None,
        });
        audio.collect()
    }

    /// Complaints that came.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let errors = self.got.iter().filter_map(|(_, part)| match &part.part {
            Some(server_part::Part::Error(error)) => Some(error.code.clone()),
            _ => None,
        });
        errors.collect()
    }
}

/// Noise, quiet and loud in turn, of so many milliseconds each, at 16 kHz.
pub(crate) fn bursts(stretches_ms: &[usize]) -> Vec<f32> {
    let mut state = 1_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 / 2_147_483_648.0
    };
    let mut samples = Vec::new();
    for (ms, level) in stretches_ms.iter().zip([0.0005, 0.3].into_iter().cycle()) {
        samples.extend((0..ms * 16).map(|_| level * noise()));
    }
    samples
}
