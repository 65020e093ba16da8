//! One WebSocket: a task that carries what the client sends to its dialect, and what the dialect has to say to the socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::StreamExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use mynah_dialects::{Closing, Dialect, Ending, Opened, Output, Refusal, TurnTimes};
use mynah_serve::{DrainPhase, Kept, Place, RunningScene, Told, TransportFigures, Witness, random_token};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::app::App;
use crate::bell::Bell;
use crate::held::Held;
use crate::outbox::{Outbox, Overflow};
use crate::refusal::to_dialect;

/// Longest message of a client, bytes: a second of sound as base64, and then some.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Who has sent what is no message may still be sending it, and hears why only if the connection stays for a moment: what
/// was not read makes the system reset it.
const LINGER: Duration = Duration::from_millis(500);
/// The last words have this long to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a connection is about.
pub(crate) struct Connection {
    pub(crate) app: Arc<App>,
    pub(crate) scene: Arc<RunningScene>,
    /// `None`: the client may go on with a session of its own, and open none.
    pub(crate) place: Option<Place>,
    pub(crate) transport: &'static str,
}

/// What the session of a connection has beside it.
struct Joined {
    kept: Kept,
    witness: Option<Witness>,
}

struct Task {
    about: Connection,
    dialect: Box<dyn Dialect>,
    bell: Bell,
    joined: Option<Joined>,
    outbox: Outbox,
    closing: Option<Closing>,
    /// What came is no WebSocket any more.
    broken: bool,
    counted: TransportFigures,
}

/// How a connection ended.
enum Left {
    /// The client has closed it, and waits for the same from here.
    Closed,
    /// It is gone, or was closed from here.
    Gone,
}

/// Where the work of a dialect has stopped.
enum Worked {
    /// There is nothing more until then, on the engine's clock, or until somebody rings.
    Until(Option<u64>),
    /// Much sound waits for the socket, which comes first.
    Much,
}

/// Why a look at the world ended.
enum Seen {
    /// Something is to be done.
    Work,
    /// The connection is over.
    Over(Left),
}

impl Connection {
    /// Serves the client until one of the two ends it.
    pub(crate) async fn serve(self, socket: WebSocket, dialect: Box<dyn Dialect>) {
        let (mut sink, mut stream) = socket.split();
        let mut task = Task {
            about: self,
            dialect,
            bell: Bell::default(),
            joined: None,
            outbox: Outbox::default(),
            closing: None,
            broken: false,
            counted: TransportFigures::default(),
        };
        let left = task.run(&mut sink, &mut stream).await;
        task.over();
        if matches!(left, Left::Closed) {
            // The answer to a close is sent when the next message is asked for.
            drop(timeout(LAST_WORDS, stream.next()).await);
        }
    }
}

impl Task {
    fn now_us(&self) -> u64 {
        self.about.scene.now_us()
    }

    async fn run(
        &mut self,
        sink: &mut SplitSink<WebSocket, Message>,
        stream: &mut SplitStream<WebSocket>,
    ) -> Left {
        let mut phase = self.about.app.phase.clone();
        let idle = Duration::from_secs(self.about.app.server.config().idle_timeout_s.into());
        let (mut heard, mut asked) = (Instant::now(), false);
        loop {
            self.heed(*phase.borrow_and_update());
            let until_us = match self.work(true) {
                Worked::Until(until_us) => until_us,
                // What comes at once is no reason to leave out any of it, if only the socket takes it.
                Worked::Much => {
                    let (outbox, cx) = (&mut self.outbox, &mut Context::from_waker(Waker::noop()));
                    if let Poll::Ready(Err(_)) = outbox.poll_write(sink, cx) {
                        return Left::Gone;
                    }
                    if !outbox.has_much_sound() {
                        continue;
                    }
                    match self.work(false) {
                        Worked::Until(until_us) => until_us,
                        Worked::Much => None,
                    }
                }
            };
            self.count();
            if let Some(closing) = self.closing.take() {
                self.close(sink, stream, closing).await;
                return Left::Gone;
            }
            if !self.dialect.has_room() {
                // Who is not read cannot be heard.
                heard = Instant::now();
            }
            let silent_at = heard + if asked { 2 * idle } else { idle };
            let due =
                until_us.map(|us| Instant::now() + Duration::from_micros(us.saturating_sub(self.now_us())));
            let due = due.unwrap_or(silent_at).min(silent_at);
            let (outbox, bell) = (&mut self.outbox, &self.bell);
            let seen = tokio::select! {
                biased;
                written = poll_fn(|cx| outbox.poll_write(sink, cx)), if !outbox.is_idle() => match written {
                    Ok(()) => Seen::Work,
                    Err(_) => Seen::Over(Left::Gone),
                },
                () = bell.rung() => Seen::Work,
                _ = phase.changed() => Seen::Work,
                message = stream.next(), if self.dialect.has_room() => {
                    (heard, asked) = (Instant::now(), false);
                    self.receive(message)
                }
                () = sleep_until(due) => self.silent(silent_at, &mut asked),
            };
            if let Seen::Over(left) = seen {
                return left;
            }
        }
    }

    /// Takes what came over the socket.
    fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Seen {
        let now_us = self.now_us();
        match message {
            Some(Ok(Message::Text(text))) => self.dialect.text(now_us, &text),
            Some(Ok(Message::Binary(bytes))) => self.dialect.binary(now_us, &bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) => return Seen::Over(Left::Closed),
            None => return Seen::Over(Left::Gone),
            // A message beyond the bound, or no WebSocket any more: the client may still hear why.
            Some(Err(error)) => {
                self.broken = true;
                let what = error.to_string();
                self.closing = Some(Closing::new(code_of(&what), &what));
            }
        }
        Seen::Work
    }

    /// The time has come that something was due, or nothing was heard for too long.
    fn silent(&mut self, silent_at: Instant, asked: &mut bool) -> Seen {
        if Instant::now() < silent_at {
            return Seen::Work;
        }
        if std::mem::replace(asked, true) || self.outbox.put(Message::Ping(Default::default()), 0).is_err() {
            return Seen::Over(Left::Gone);
        }
        Seen::Work
    }

    fn heed(&mut self, phase: DrainPhase) {
        let now_us = self.now_us();
        match phase {
            DrainPhase::Serving | DrainPhase::Grace => {}
            DrainPhase::Ending => self.dialect.end(now_us, Ending::AfterTurn),
            DrainPhase::Over => self.dialect.end(now_us, Ending::Now),
        }
    }

    /// Does what the dialect wants until it wants nothing; `heeds_socket`: or until much sound waits.
    fn work(&mut self, heeds_socket: bool) -> Worked {
        loop {
            if heeds_socket && self.outbox.has_much_sound() {
                return Worked::Much;
            }
            let now_us = self.now_us();
            if let Some(told) = self.joined.as_ref().and_then(|joined| joined.witness.as_ref()?.poll()) {
                tell(&mut *self.dialect, now_us, &told);
                continue;
            }
            let put = match self.dialect.poll(now_us) {
                Output::Text { text, sound_us } => self.outbox.put(Message::text(text), sound_us),
                Output::Binary { bytes, sound_us } => {
                    self.outbox.put(Message::binary(bytes.to_vec()), sound_us)
                }
                Output::Open(spec) => {
                    let opened = self.open(*spec);
                    self.dialect.opened(now_us, opened);
                    Ok(())
                }
                Output::Resume { session, token } => {
                    self.resume(now_us, &session, &token);
                    Ok(())
                }
                Output::Close(closing) => {
                    self.closing = Some(closing);
                    return Worked::Until(None);
                }
                Output::Wait { until_us } => return Worked::Until(until_us),
            };
            if put == Err(Overflow) {
                self.closing =
                    Some(Closing::new(4000, "control_overflow: messages were not read for too long"));
                return Worked::Until(None);
            }
        }
    }

    fn open(&mut self, mut spec: mynah_engine::SessionSpec) -> Result<Opened, Refusal> {
        let place = self.about.place.take();
        let place = place
            .ok_or_else(|| Refusal::new("capacity", "all places are taken: try again, or another server"))?;
        let wants = self.dialect.wants();
        spec.waker = Some(self.bell.waker());
        let opened = place.open(spec, wants).map_err(to_dialect)?;
        opened.session.wake_on_credit(Some(self.bell.waker()));
        let facts: [(&str, &dyn std::fmt::Display); 3] = [
            ("session", &opened.session.name()),
            ("scene", &opened.kept.scene().name()),
            ("transport", &self.about.transport),
        ];
        self.about.app.server.log().line("session_opened", &facts);
        let scene = opened.kept.scene().name().to_string();
        self.joined = Some(Joined { kept: opened.kept, witness: opened.witness });
        Ok(Opened { session: opened.session, scene, token: Some(random_token()), tap: opened.tap })
    }

    fn resume(&mut self, now_us: u64, session: &str, token: &str) {
        let found = self.about.app.lobby.take(session, token).and_then(|held| held.take_out());
        let Some(parts) = found else {
            let what = "no session of that name waits with that token: open a new one";
            return self.dialect.resumed(now_us, Err(Refusal::new("not_found", what)));
        };
        // The session has its place, and wakes this task from now on.
        self.about.place = None;
        self.about.scene = Arc::clone(parts.kept.scene());
        self.bell = parts.bell;
        self.joined = Some(Joined { kept: parts.kept, witness: parts.witness });
        self.about.app.server.log().line("session_resumed", &[("session", &session)]);
        self.dialect.resumed(self.about.scene.now_us(), Ok(parts.session));
    }

    /// Adds to the server's sums what has come since the last time.
    fn count(&mut self) {
        let figures = self.dialect.figures();
        let sums = TransportFigures {
            sent: figures.sent,
            acked: figures.acked,
            retried: figures.retried,
            failed: figures.failed,
            sound_dropped_us: self.outbox.dropped_us(),
        };
        if sums != self.counted {
            self.about.app.server.count_control(self.about.transport, sums.since(self.counted));
            self.counted = sums;
        }
    }

    /// Sends what waits and the close, and reads on until the client has answered it, for a while.
    async fn close(
        &mut self,
        sink: &mut SplitSink<WebSocket, Message>,
        stream: &mut SplitStream<WebSocket>,
        closing: Closing,
    ) {
        let close = CloseFrame { code: closing.code, reason: closing.reason.into() };
        // Behind everything else, however much that is.
        if self.outbox.put(Message::Close(Some(close.clone())), 0).is_err() {
            self.outbox = Outbox::default();
            drop(self.outbox.put(Message::Close(Some(close)), 0));
        }
        let (outbox, broken) = (&mut self.outbox, self.broken);
        let farewell = async {
            if poll_fn(|cx| outbox.poll_write(sink, cx)).await.is_ok() {
                if broken {
                    sleep(LINGER).await;
                }
                while let Some(Ok(message)) = stream.next().await {
                    if matches!(message, Message::Close(_)) {
                        break;
                    }
                }
            }
        };
        drop(timeout(LAST_WORDS, farewell).await);
    }

    /// The connection is gone: a session that can go on without one waits for its client.
    fn over(mut self) {
        self.count();
        let now_us = self.now_us();
        let Some(Joined { kept, witness }) = self.joined else { return };
        let app = self.about.app;
        match self.dialect.park(now_us).filter(|session| !session.is_over()) {
            Some(session) => {
                let name = session.session().name().to_string();
                app.server.log().line("session_waits", &[("session", &name)]);
                let held = Held::new(session, kept, witness, self.bell, self.about.transport, self.counted);
                app.lobby.put(&app, name, held);
            }
            None => app.server.log().line("session_closed", &[("transport", &self.about.transport)]),
        }
    }
}

/// The close code for what the WebSocket says is wrong.
fn code_of(what: &str) -> u16 {
    match what {
        what if what.contains("too long") || what.contains("too large") => 1009,
        what if what.contains("UTF-8") => 1007,
        _ => 1002,
    }
}

/// Hands a dialect what the records say.
pub(crate) fn tell(dialect: &mut dyn Dialect, now_us: u64, told: &Told) {
    match told {
        Told::Probability(record) => dialect.record(now_us, record),
        Told::Turn { turn, response_us, stages } => {
            let stages: Vec<(&str, f64)> =
                stages.iter().map(|(name, us)| (name.as_str(), *us as f64 / 1_000.0)).collect();
            let response_ms = *response_us as f64 / 1_000.0;
            dialect.turn(now_us, &TurnTimes { turn: *turn, response_ms, stages: &stages });
        }
    }
}
