//! Worker processes over shared memory: this program again. The engine's end cancels calls, and a worker says when it has
//! stopped.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mynah_engine::service::{
    Call, CallKey, CallScope, Rehearsal, ServiceKind as _, ServiceSite, ServiceWaker, TimeMode,
};
use mynah_worker::link::{LinkError, LinkNames, LinkPlace, WorkerSide, bell};
use mynah_worker::wire::{AckStep, Envelope, FromWorker, PROTOCOL, Said, ToWorker, encode_control};
use mynah_worker::{Worker, figures};

use crate::rhythm::Told;
use crate::{SECONDS, SESSIONS};

/// The service, which is also what the worker is asked to serve.
const SERVICE: &str = "control_paths";
/// Argument of the process that works.
const WORKS: &str = "--work";
/// So many of them have a place for every session's call, and for those that are stopping.
const WORKERS: u32 = 2;
/// Most calls that a worker takes at a time.
const PARALLEL: u32 = 64;
/// Cancels a second of each session, as on the other ways.
const RATE: u64 = 2;
/// Time between signs of life.
const BEAT: Duration = Duration::from_millis(250);
/// Longest wait for the worker to come, and for its last words.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measured() -> Told {
    let own = std::env::current_exe().expect("a program has a path");
    let worker = Worker {
        command: Some(vec![own.to_string_lossy().into_owned(), WORKS.to_owned()]),
        workers: WORKERS,
        parallel: PARALLEL,
        prefix: Some(format!("mynah_paths_{}_", std::process::id())),
        ..Worker::default()
    };
    worker.check().expect("the program is there");
    let waker = ServiceWaker::default();
    let site = ServiceSite { name: SERVICE, timing: None, seed: 1, time: TimeMode::Wall, waker };
    let mut rehearsal = Rehearsal::of(worker.start(site));
    let began = Instant::now();
    let seen = || figures(SERVICE).expect("the service has begun");
    while seen().workers < WORKERS {
        assert!(began.elapsed() < PATIENCE, "the workers do not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    cancel(&mut rehearsal);
    let ended = Instant::now();
    while seen().unapplied() > 0 && ended.elapsed() < PATIENCE {
        rehearsal.poll(began.elapsed().as_micros() as u64);
        std::thread::sleep(Duration::from_millis(2));
    }
    let figures = seen();
    let each = figures.applied_us.iter_recorded();
    let latencies_us = each
        .flat_map(|value| std::iter::repeat_n(value.value_iterated_to(), value.count_at_value() as usize));
    let mut told = Told::default();
    (told.asked, told.failed) = (figures.cancels, figures.lost);
    told.latencies_us.extend(latencies_us);
    told
}

/// Every session has a call under way; again and again the oldest is cancelled, and another begins.
fn cancel(rehearsal: &mut Rehearsal) {
    let (began, mut asked) = (Instant::now(), 0);
    let now_us = || began.elapsed().as_micros() as u64;
    let mut under_way: VecDeque<CallKey> = VecDeque::new();
    while now_us() < SECONDS * 1_000_000 {
        let due = now_us() * SESSIONS as u64 * RATE / 1_000_000;
        while asked < due {
            asked += 1;
            let mut call = Call::about("hang");
            call.key.segment.serial = asked as u32;
            under_way.push_back(call.key);
            rehearsal.start(vec![call], now_us());
            if under_way.len() > SESSIONS
                && let Some(oldest) = under_way.pop_front()
            {
                rehearsal.service().cancel(CallScope::Call(oldest), now_us());
            }
        }
        rehearsal.poll(now_us());
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// Whether this is the process that works.
pub(crate) fn is_worker() -> bool {
    std::env::args().any(|argument| argument == WORKS)
}

/// Works until the engine is gone.
pub(crate) fn work() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Works {
    side: WorkerSide,
    id: String,
    last_id: u64,
    heard_id: u64,
    welcome: bool,
}

fn serve() -> Result<(), LinkError> {
    let engine = std::env::var("MYNAH_ENGINE").expect("who starts a worker says for whom");
    let names = LinkNames { engine, service: SERVICE.to_owned() };
    let place = LinkPlace::new(None)?;
    let id = format!("{}-bench", std::process::id());
    let side = WorkerSide::open(&place, &names, &id)?;
    let mut works = Works { side, id, last_id: 0, heard_id: 0, welcome: false };
    let (mut beaten, began) = (Instant::now() - BEAT, Instant::now());
    loop {
        if beaten.elapsed() >= BEAT {
            beaten = Instant::now();
            works.beat()?;
            if works.welcome && !works.side.control_down.is_fed()
                || !works.welcome && began.elapsed() > PATIENCE
            {
                return Ok(());
            }
        }
        works.side.wait(if works.welcome { BEAT } else { Duration::from_millis(10) })?;
        works.listen()?;
        works.side.control_up.flush()?;
    }
}

impl Works {
    fn envelope(&mut self, session: &str, what: FromWorker) -> Vec<u8> {
        self.last_id += 1;
        let (message_id, session_id) = (self.last_id, session.to_owned());
        let envelope = Envelope { message_id, session_id, timestamp: 0, message_type: what };
        encode_control(&envelope).expect("it is short")
    }

    fn tell(&mut self, session: &str, what: FromWorker) -> Result<(), LinkError> {
        let bytes = self.envelope(session, what);
        self.side.control_up.push(bytes.into())?;
        self.side.bell.ring(bell::CONTROL);
        Ok(())
    }

    /// Says hello until somebody answers, and then that it lives.
    fn beat(&mut self) -> Result<(), LinkError> {
        if self.welcome {
            return self.tell("", FromWorker::Heartbeat { busy: 0 });
        }
        let hello = FromWorker::Hello {
            protocol: PROTOCOL,
            worker: self.id.clone(),
            pid: std::process::id(),
            package: format!("bench {}", env!("CARGO_PKG_VERSION")),
            serves: "Reply".to_owned(),
            name: "bench".to_owned(),
            parallel: PARALLEL,
        };
        let bytes = self.envelope("", hello);
        self.side.lobby.offer(&bytes)?;
        self.side.bell.ring(bell::CONTROL);
        Ok(())
    }

    fn listen(&mut self) -> Result<(), LinkError> {
        let mut heard = Vec::new();
        if let Some(lobby) = &self.side.answers {
            lobby.read(|bytes: &[u8]| heard.extend(Envelope::<ToWorker>::decode(bytes)))?;
        }
        while self
            .side
            .control_down
            .read(&mut |bytes: &[u8]| heard.extend(Envelope::<ToWorker>::decode(bytes)))?
        {}
        for message in heard {
            if let Said::Known(message) = message {
                self.hear(message)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, message: Envelope<ToWorker>) -> Result<(), LinkError> {
        let Envelope { message_id, session_id, message_type, .. } = message;
        match message_type {
            ToWorker::Welcome { worker, .. } if worker == self.id => {
                self.welcome = true;
                self.side.answers = None;
            }
            ToWorker::Call(_) | ToWorker::Cancel { .. } => {
                let delivered = FromWorker::Ack { message_id, stage: AckStep::Delivered };
                self.tell(&session_id, delivered)?;
                if message_id > self.heard_id && matches!(message_type, ToWorker::Cancel { .. }) {
                    self.tell(&session_id, FromWorker::Ack { message_id, stage: AckStep::Applied })?;
                }
                self.heard_id = self.heard_id.max(message_id);
            }
            _ => {}
        }
        Ok(())
    }
}
