//! One client: a task that carries what it sends to its session, and what the session has to say to its outbox.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mynah_dialects::native::{OPEN_WITHIN_US, Opening};
use mynah_dialects::{Ending, Opened, TurnTimes};
use mynah_engine::edge::Waker;
use mynah_engine::wire::message::Arrival;
use mynah_serve::{Credential, DrainPhase, Kept, RunningScene, Server, Told, TransportFigures, Witness};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Status, Streaming};

use crate::opening::opening;
use crate::outbox::Outbox;
use crate::proto::{ClientPart, Open, client_part::Part};
use crate::session::{Said, VoiceSession};
use crate::status;
use crate::wire;

/// The transport's name in counts and logs.
const TRANSPORT: &str = "grpc";
/// The last words have this long to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A client whose call was taken, and that has not said yet what it wants.
pub(crate) struct Caller {
    pub(crate) server: Arc<Server>,
    pub(crate) phase: watch::Receiver<DrainPhase>,
    pub(crate) outbox: Outbox,
    pub(crate) address: IpAddr,
    pub(crate) credential: Credential,
    /// The model of the call's metadata; empty: none.
    pub(crate) model: String,
}

/// A client with its session.
struct Talk {
    server: Arc<Server>,
    outbox: Outbox,
    bell: Arc<Notify>,
    session: VoiceSession,
    scene: Arc<RunningScene>,
    _kept: Kept,
    witness: Option<Witness>,
    counted: TransportFigures,
    /// The client sends nothing more.
    finished: bool,
    /// The server is gone.
    orphaned: bool,
}

impl Caller {
    /// Serves the client until one of the two ends it.
    pub(crate) async fn serve(mut self, mut parts: Streaming<ClientPart>) {
        let outbox = self.outbox.clone();
        // It keeps its place until the client has heard the last words.
        let served = match self.first(&mut parts).await.and_then(|open| self.open(open)) {
            Ok(mut talk) => {
                let ended = talk.run(&mut parts, &mut self.phase, &outbox).await;
                match ended {
                    Err(status) if status.code() == tonic::Code::ResourceExhausted => outbox.cut(status),
                    ended => outbox.end(ended),
                }
                Some(talk)
            }
            Err(status) => {
                outbox.end(Err(status));
                None
            }
        };
        drop(timeout(LAST_WORDS, outbox.over()).await);
        if let Some(mut talk) = served {
            talk.count();
            talk.server.log().line("session_closed", &[("transport", &TRANSPORT)]);
        }
    }

    /// Waits for the part that opens the session.
    async fn first(&mut self, parts: &mut Streaming<ClientPart>) -> Result<Open, Status> {
        let within = Instant::now() + Duration::from_micros(OPEN_WITHIN_US);
        loop {
            if *self.phase.borrow_and_update() >= DrainPhase::Ending {
                return Err(Status::unavailable("draining: the server ends"));
            }
            let read = tokio::select! {
                biased;
                () = self.outbox.over() => return Err(Status::cancelled("the client has left")),
                changed = self.phase.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Err(Status::unavailable("draining: the server ends")),
                },
                read = parts.message() => read?,
                () = sleep_until(within) => {
                    let what = "timeout: no part within 10 s; the first one opens a session";
                    return Err(Status::deadline_exceeded(what));
                }
            };
            match read.map(|part| part.part) {
                Some(Some(Part::Open(open))) => return Ok(open),
                // Of a newer client.
                Some(None) => {}
                Some(Some(_)) | None => {
                    return Err(Status::invalid_argument("bad_request: the first part has to be open"));
                }
            }
        }
    }

    /// Opens the session.
    fn open(&self, mut open: Open) -> Result<Talk, Status> {
        let model = std::mem::take(&mut open.model);
        let model = if model.is_empty() { &self.model } else { &model };
        let mut asked = opening(open).map_err(|refusal| status::of_refusal(&refusal))?;
        let refused = |refused| status::of_refused(&refused);
        let place = self.server.admit_from(self.address, model, &self.credential).map_err(refused)?;
        let bell = Arc::new(Notify::new());
        let mut spec = std::mem::take(&mut asked.spec);
        spec.waker = Some(ring(&bell));
        let opened = place.open(spec, VoiceSession::wants(&asked)).map_err(refused)?;
        opened.session.wake_on_credit(Some(ring(&bell)));
        let scene = Arc::clone(opened.kept.scene());
        self.server.log().line(
            "session_opened",
            &[("session", &opened.session.name()), ("scene", &scene.name()), ("transport", &TRANSPORT)],
        );
        let session = self.session(&asked, &scene, opened.session, opened.tap)?;
        if self.outbox.put(session.opened()).is_err() {
            return Err(status::overflow());
        }
        Ok(Talk {
            server: Arc::clone(&self.server),
            outbox: self.outbox.clone(),
            bell,
            session,
            scene,
            _kept: opened.kept,
            witness: opened.witness,
            counted: TransportFigures::default(),
            finished: false,
            orphaned: false,
        })
    }

    fn session(
        &self,
        asked: &Opening,
        scene: &RunningScene,
        session: mynah_engine::SessionHandle,
        tap: Option<Box<dyn mynah_dialects::Tap>>,
    ) -> Result<VoiceSession, Status> {
        let epoch_us = self.server.unix_us().saturating_sub(scene.now_us());
        let opened = Opened { session, scene: scene.name().into(), token: None, tap };
        VoiceSession::new(opened, asked, epoch_us).map_err(|refusal| status::of_refusal(&refusal))
    }
}

fn ring(bell: &Arc<Notify>) -> Waker {
    let bell = Arc::clone(bell);
    Arc::new(move || bell.notify_one())
}

impl Talk {
    fn now_us(&self) -> u64 {
        self.scene.now_us()
    }

    /// Serves the session to its end; how the stream is to end.
    async fn run(
        &mut self,
        parts: &mut Streaming<ClientPart>,
        phase: &mut watch::Receiver<DrainPhase>,
        outbox: &Outbox,
    ) -> Result<(), Status> {
        let patience = Duration::from_secs(self.server.config().idle_timeout_s.into());
        let bell = Arc::clone(&self.bell);
        loop {
            self.heed(*phase.borrow_and_update());
            let done = self.work();
            self.count();
            let until_us = match done {
                Ok(until_us) => until_us,
                Err(end) => return end,
            };
            let now = Instant::now();
            let unread = outbox.waits_since().map(|since| since + patience);
            if unread.is_some_and(|due| due <= now) {
                self.session.hang_up();
                return Err(status::overflow());
            }
            let due = until_us.map(|us| now + Duration::from_micros(us.saturating_sub(self.now_us())));
            // Looked at again at least that often: a client may stop reading at any time.
            let due = due.into_iter().chain(unread).fold(now + patience, Instant::min);
            tokio::select! {
                biased;
                () = outbox.over() => {
                    self.session.hang_up();
                    return Err(Status::cancelled("the client has left"));
                }
                () = bell.notified() => {}
                changed = phase.changed(), if !self.orphaned => if changed.is_err() {
                    // Nobody will say when to end any more.
                    self.orphaned = true;
                    self.session.end(Ending::Now);
                },
                read = parts.message(), if !self.finished && self.session.has_room() => self.receive(read?),
                () = sleep_until(due) => {}
            }
        }
    }

    /// Takes what has come of the client; `None`: it sends nothing more.
    fn receive(&mut self, part: Option<ClientPart>) {
        let now_us = self.now_us();
        let Some(mut part) = part else {
            self.finished = true;
            return self.session.finish(now_us);
        };
        match part.part.take() {
            Some(Part::Audio(audio)) => self.session.audio(now_us, &audio, &part),
            Some(Part::Control(control)) => {
                part.part = Some(Part::Control(control));
                if let Some(arrival) = wire::of_client(part).transpose() {
                    self.session.control(now_us, arrival);
                }
            }
            Some(Part::Open(_)) => self.session.opened_again(now_us),
            Some(Part::Finish(_)) => self.session.finish(now_us),
            Some(Part::Close(_)) => self.session.hang_up(),
            // Of a newer client: counted among what is unknown.
            None => self.session.control(now_us, Ok(Arrival::UnknownType("a part".into()))),
        }
    }

    fn heed(&mut self, phase: DrainPhase) {
        match phase {
            DrainPhase::Serving | DrainPhase::Grace => {}
            DrainPhase::Ending => self.session.end(Ending::AfterTurn),
            DrainPhase::Over => self.session.end(Ending::Now),
        }
    }

    /// Does what the session wants until it wants nothing; until when, on the engine's clock, or how the stream ends.
    fn work(&mut self) -> Result<Option<u64>, Result<(), Status>> {
        while let Some(told) = self.witness.as_ref().and_then(Witness::poll) {
            self.hand_in(&told);
        }
        loop {
            match self.session.poll(self.scene.now_us()) {
                Said::Part(part) => {
                    if self.outbox.put(part).is_err() {
                        self.session.hang_up();
                        return Err(Err(status::overflow()));
                    }
                }
                Said::Last(part) => self.outbox.put_last(part),
                Said::Sound(part, sound_us) => self.outbox.put_sound(part, sound_us),
                Said::Closed(closing) => return Err(status::of_closing(&closing)),
                Said::Wait(until_us) => return Ok(until_us),
            }
        }
    }

    /// Hands the session what the records say.
    fn hand_in(&mut self, told: &Told) {
        match told {
            Told::Probability(record) => self.session.record(record),
            Told::Turn { turn, response_us, stages } => {
                let stages: Vec<(&str, f64)> =
                    stages.iter().map(|(name, us)| (name.as_str(), *us as f64 / 1_000.0)).collect();
                let response_ms = *response_us as f64 / 1_000.0;
                self.session.turn(&TurnTimes { turn: *turn, response_ms, stages: &stages });
            }
        }
    }

    /// Adds to the server's sums what has come since the last time.
    fn count(&mut self) {
        let figures = self.session.figures();
        let sums = TransportFigures {
            sent: figures.sent,
            acked: figures.acked,
            retried: figures.retried,
            failed: figures.failed,
            sound_dropped_us: self.outbox.dropped_us(),
        };
        if sums != self.counted {
            self.server.count_control(TRANSPORT, sums.since(self.counted));
            self.counted = sums;
        }
    }
}
