//! The service in the tick: hands calls to its thread, and reads what the thread writes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use mynah_engine::crossbeam::channel::{Sender, unbounded};
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite, ServiceWaker, SessionKey, SessionRef};
use mynah_systems::service::{Modelled, OutsideAnswer, Production, Work};

use crate::clock::Since;
use crate::config::Worker;
use crate::crew::Orders;
use crate::desk::{Asked, DeskRules};
use crate::figures::{self, FigureBoard};
use crate::link::{LinkNames, is_link_name};
use crate::thread::{self, Order, OwnBell, Terms};
use crate::wire::{CallWords, HearsRate, SpeaksRate, WorkerTask};

/// Name of an engine whose workers are started by somebody else.
const ENGINE: &str = "mynah";

impl ServiceKind for Worker {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let desk = Counter::start(self, &site);
        Box::new(Modelled::new(site, Box::new(desk)))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn is_outside(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Worker"
    }
}

/// What a session asks for.
#[derive(Clone)]
struct Opened {
    name: Arc<str>,
    task: WorkerTask,
    speaks: Option<SpeaksRate>,
    /// Rate of the node's audio.
    rate_hz: u32,
}

/// Where the tick leaves its calls.
struct Counter {
    orders: Option<Sender<Order>>,
    bell: Arc<OwnBell>,
    waker: ServiceWaker,
    since: Since,
    speaks_hz: Option<u32>,
    wanted: usize,
    tickets: AtomicU64,
    sessions: Mutex<BTreeMap<SessionKey, Opened>>,
    thread: Option<JoinHandle<()>>,
    /// Why there is no thread.
    failure: Option<Arc<str>>,
}

impl Counter {
    fn start(worker: &Worker, site: &ServiceSite<'_>) -> Self {
        static ENGINES: AtomicU64 = AtomicU64::new(1);
        let own_name = || format!("{}-{}", std::process::id(), ENGINES.fetch_add(1, Ordering::Relaxed));
        let engine = match (&worker.engine, &worker.command) {
            (Some(engine), _) => engine.clone(),
            (None, None) => ENGINE.to_owned(),
            (None, Some(_)) => own_name(),
        };
        let names = LinkNames { engine, service: site.name.to_owned() };
        let us = |ms: u32| u64::from(ms) * 1_000;
        let rules = DeskRules {
            parallel: worker.parallel as usize,
            hung_us: us(worker.hung_ms),
            wait_us: us(worker.wait_ms),
            retries: worker.retries,
        };
        let command = worker.command.clone().map(|command| {
            let rest_us = (us(worker.restart_ms.0), us(worker.restart_ms.1));
            (Orders { command, names: names.clone(), prefix: worker.prefix.clone(), rest_us }, worker.workers)
        });
        let (sender, orders) = unbounded();
        let (bell, since) = (Arc::new(OwnBell::default()), Since::start());
        let board = FigureBoard::default();
        figures::show(&names, &board);
        let terms = Terms {
            names: names.clone(),
            prefix: worker.prefix.clone(),
            rules,
            command,
            orders,
            board,
            bell: Arc::clone(&bell),
            since,
        };
        let thread = if is_link_name(site.name) {
            let builder = std::thread::Builder::new().name(format!("mynah {}", site.name));
            builder
                .spawn(move || thread::run(terms))
                .map_err(|error| format!("no thread for the service: {error}"))
        } else {
            let name = site.name;
            Err(format!(
                "the service's name `{name}` cannot be that of shared memory: expected 1 to 40 letters, digits, `_`, `.` or `-`"
            ))
        };
        let (thread, failure) = match thread {
            Ok(thread) => (Some(thread), None),
            Err(error) => (None, Some(error.into())),
        };
        Self {
            orders: Some(sender),
            bell,
            waker: site.waker.clone(),
            since,
            speaks_hz: worker.speaks_hz,
            wanted: worker.workers as usize * worker.parallel as usize,
            tickets: AtomicU64::new(0),
            sessions: Mutex::default(),
            thread,
            failure,
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Opened>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: Order) {
        // A thread that has ended by a panic takes nothing; the writer in the order fails its call.
        let _thread_is_gone = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_err());
        self.bell.ring();
    }
}

impl Production for Counter {
    fn wants_audio(&self) -> bool {
        true
    }

    fn wanted_at_once(&self) -> usize {
        self.wanted
    }

    fn open(&self, session: &SessionRef) {
        let speaks_hz = session.speaks.map(|format| format.rate_hz);
        let task = match (session.hears, speaks_hz) {
            (_, Some(_)) => WorkerTask::Synthesize,
            (Some(_), None) => WorkerTask::Transcribe,
            (None, None) => WorkerTask::Reply,
        };
        let speaks = speaks_hz.map(|rate_hz| SpeaksRate { rate_hz: self.speaks_hz.unwrap_or(rate_hz) });
        let hears = session
            .hears
            .filter(|_| task == WorkerTask::Transcribe)
            .map(|format| HearsRate { rate_hz: format.rate_hz, channels: format.channels.into() });
        let rate_hz = speaks_hz.unwrap_or(16_000);
        self.sessions()
            .insert(session.key, Opened { name: Arc::clone(&session.name), task, speaks, rate_hz });
        self.order(Order::Open { task, hears, speaks });
    }

    fn close(&self, session: SessionKey) {
        let opened = self.sessions().remove(&session);
        if let Some(Opened { name, .. }) = opened {
            self.order(Order::Close(name));
        }
    }

    fn work(&self, call: &Call) -> Work {
        if let Some(failure) = &self.failure {
            return Work::Failure(Arc::clone(failure));
        }
        let opened = self.sessions().get(&call.key.of()).cloned();
        // A call of a session that was never opened is a rehearsal: by its shape.
        let opened = opened.unwrap_or_else(|| Opened {
            name: Arc::clone(&call.name),
            task: if call.audio.is_some() { WorkerTask::Transcribe } else { WorkerTask::Reply },
            speaks: None,
            rate_hz: 16_000,
        });
        let (writer, answer) = OutsideAnswer::begin(opened.rate_hz, &self.waker);
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        if let Some(orders) = self.orders.clone() {
            let bell = Arc::clone(&self.bell);
            writer.on_notice(move || {
                let _thread_is_gone = orders.send(Order::Notice(ticket)).is_err();
                bell.ring();
            });
        }
        let is_heard = opened.task == WorkerTask::Transcribe;
        let words = CallWords {
            call: 0,
            attempt: 0,
            task: opened.task,
            segment: call.key.segment.serial,
            turn: call.key.turn,
            revision: call.key.revision,
            text: Arc::clone(&call.text),
            from_us: call.from_us,
            to_us: call.to_us,
            parts: 0,
            reduced: call.reduced,
            deadline_us: match call.deadline_us {
                0 => 0,
                deadline_us => deadline_us.saturating_sub(call.queued_us).max(1),
            },
            params: Arc::clone(&call.params),
            history: call.history.entries().to_vec(),
            speaks: opened.speaks,
        };
        self.order(Order::Ask(Box::new(Asked {
            ticket,
            session: opened.name,
            attempt: call.attempt.into(),
            words,
            node_hz: opened.rate_hz,
            audio: call.audio.clone().filter(|_| is_heard),
            writer,
            since_us: self.since.now_us(),
            tries: 0,
            taken: None,
        })));
        Work::Outside(answer)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // Notices of open answers hold ends of the channel: that they are all gone is nothing to wait for.
        self.order(Order::End);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has ended.
            let _has_panicked = thread.join().is_err();
        }
    }
}
