//! One caller on its socket: sends what is due, says what comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::Sender as NewsSender;
use hdrhistogram::Histogram;
use mynah_client::{
    AudioFormat, Client, ClientError, Encoding, FromServer, NoteKind, ServerAddress, ServerRefusal,
    SessionNote, SessionRequest,
};
use mynah_engine::Control;
use mynah_engine::scene::Format;
use mynah_engine::wire::peer::PeerFigures;
use mynah_host::clock::Epoch;
use mynah_sim::simulate::afar::Sighting;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::pacer::Chunk;
use super::words::WordWindow;

/// Times that a caller comes again when the server says that too many come at once.
const AGAIN_MAX: u32 = 60;
/// Longest time that it waits before that, s.
const AGAIN_MAX_S: u32 = 5;

/// What all callers have in common.
pub(super) struct Switchboard {
    pub(super) address: ServerAddress,
    pub(super) key: Option<String>,
    pub(super) input: Format,
    pub(super) epoch: Epoch,
    pub(super) news: NewsSender<News>,
    /// How late chunks were handed to sockets, microseconds.
    pub(super) late: Mutex<Histogram<u32>>,
    /// How many may connect at once.
    pub(super) doors: Semaphore,
}

/// Something about a caller.
pub(super) struct News {
    pub(super) caller: usize,
    pub(super) at_us: u64,
    pub(super) what: What,
}

/// What it is.
pub(super) enum What {
    /// It has a session, in the scene of this name.
    Opened(String),
    /// It got none.
    Refused(ClientError),
    /// It was told to come again.
    Waits,
    Saw(Sighting),
    /// Its call is over: why before its time, what was exchanged, and media time of what was sent.
    Gone {
        why: Option<String>,
        figures: Box<PeerFigures>,
        said_us: u64,
    },
}

/// One caller.
pub(super) struct Caller {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) words: WordWindow,
    pub(super) chunks: Receiver<Chunk>,
    pub(super) board: Arc<Switchboard>,
}

impl Caller {
    fn tell(&self, what: What) {
        let news = News { caller: self.at, at_us: self.board.epoch.now_us(), what };
        // Nobody listens once the run is over.
        drop(self.board.news.send(news));
    }

    /// Calls, and stays until the session is over.
    pub(super) async fn call(mut self) {
        match self.connect().await {
            Err(error) => self.tell(What::Refused(error)),
            Ok(mut client) => {
                self.tell(What::Opened(client.opened().scene.clone()));
                let mut said_us = 0;
                let why = self.talk(&mut client, &mut said_us).await.err();
                self.tell(What::Gone { why, figures: Box::new(client.figures()), said_us });
            }
        }
    }

    /// Talks until the session has come to its end, that is behind all that was to be said.
    async fn talk(&mut self, client: &mut Client, said_us: &mut u64) -> Result<(), String> {
        let mut finished = false;
        loop {
            let told = tokio::select! {
                biased;
                chunk = self.chunks.recv(), if !finished => {
                    match chunk {
                        Some(chunk) => self.send(client, &chunk, said_us),
                        None => {
                            finished = true;
                            client.finish()
                        }
                    }
                    .map_err(|error| error.to_string())?;
                    continue;
                }
                told = client.next() => told.map_err(|error| error.to_string())?,
            };
            match told {
                FromServer::Closed { code: 1000, .. } if finished => return Ok(()),
                FromServer::Closed { code, reason } => {
                    return Err(format!("the server closed the session before its end: {code} {reason}"));
                }
                told => self.saw(client, told)?,
            }
        }
    }

    fn send(&mut self, client: &mut Client, chunk: &Chunk, said_us: &mut u64) -> Result<(), ClientError> {
        let late_us = self.board.epoch.now_us().saturating_sub(chunk.due_us);
        self.board.late.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(late_us);
        client.push(&chunk.samples)?;
        *said_us = chunk.until_us;
        if let Some(params) = self.words.due(chunk.until_us) {
            client.send(&Control::Set { params: Arc::new(params) })?;
        }
        Ok(())
    }

    /// Says what was seen. What a message stops stops at once: nothing of a caller plays sound.
    fn saw(&self, client: &mut Client, told: FromServer) -> Result<(), String> {
        let sighting = match told {
            FromServer::Audio(audio) => Sighting::Audio {
                segment: audio.origin.segment,
                revision: audio.origin.revision,
                pts_us: audio.pts_us,
                sound_us: audio.sound_us,
                samples: audio.samples.len() as u64,
            },
            FromServer::Control(control) => {
                client.applied(control.message_id);
                Sighting::Speech(control.control)
            }
            FromServer::Event { message, segment } => Sighting::Event { message, segment },
            FromServer::Note(SessionNote::SpeechStarted { segment, from_us }) => {
                Sighting::SpeechStarted { segment, from_us }
            }
            FromServer::Complaint { code, message, .. } => {
                return Err(format!("the server complains: {code}: {message}"));
            }
            // What becomes of messages is counted by the client.
            FromServer::Note(_)
            | FromServer::Text { .. }
            | FromServer::Delivery(_)
            | FromServer::Closed { .. } => {
                return Ok(());
            }
        };
        self.tell(What::Saw(sighting));
        Ok(())
    }

    async fn connect(&self) -> Result<Client, ClientError> {
        let request = SessionRequest {
            session: Some(self.name.clone()),
            input: Some(AudioFormat::new(self.board.input, Encoding::S16)),
            params: self.words.first(),
            notes: vec![NoteKind::Speech],
            ..SessionRequest::default()
        };
        let mut tries = 0;
        loop {
            let connected = {
                let _door = self.board.doors.acquire().await;
                Client::connect(&self.board.address, self.board.key.as_deref(), &request).await
            };
            match connected {
                Err(ClientError::Refused {
                    refusal: ServerRefusal { status: Some(429), retry_after_s, .. },
                    ..
                }) if tries < AGAIN_MAX => {
                    tries += 1;
                    self.tell(What::Waits);
                    let wait_s = retry_after_s.unwrap_or(1).clamp(1, AGAIN_MAX_S);
                    tokio::time::sleep(Duration::from_secs(wait_s.into())).await;
                }
                other => return other,
            }
        }
    }
}
