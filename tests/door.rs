//! The door while a tick runs: whatever a host does between two systems of a tick counts in this tick or in the next, in
//! order, and nothing of it is lost.
//!
//! A stopwatch is called between the systems of a tick. Here it stands for another thread of the host.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mynah_engine::bevy_ecs::prelude::World;
use mynah_engine::observe::Census;
use mynah_engine::record::Stopwatch;
use mynah_engine::scene::{Source, compile, parse_config};
use mynah_engine::service::{Call, CallScope, Replies, Service, ServiceKind, ServiceSite};
use mynah_engine::session::SessionIndex;
use mynah_engine::{
    Control, ControlIn, Engine, EngineConfig, EngineHandle, Out, PushError, SessionHandle, SessionSpec,
    Stamp, embed,
};

const SCENE: &str = r#"(
    name: "door",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "pass", kind: Pass(), capabilities: (queue_capacity: 1000))],
    edges: [("input", "pass"), ("pass", "output")],
)"#;
const TICK_US: u64 = 5_000;
/// Samples of one block that is pushed: 10 ms.
const BLOCK: usize = 160;
/// Credit of a session at 16 kHz: one second.
const SECOND: usize = 16_000;

fn engine(shards: u32) -> Engine {
    let source = Source::new("door.ron", SCENE);
    let (plan, _) = compile(&source, &[], None, &mynah_systems::registry(None)).expect("the scene is right");
    Engine::new(Arc::new(plan), EngineConfig { shards: Some(shards), ..EngineConfig::simulated() })
}

/// What a host can do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Push,
    PushStamped,
    Poll,
    Say,
    CloneAndDropOne,
    Finish,
    Close,
    DropLast,
}

const DEEDS: [Deed; 8] = [
    Deed::Push,
    Deed::PushStamped,
    Deed::Poll,
    Deed::Say,
    Deed::CloneAndDropOne,
    Deed::Finish,
    Deed::Close,
    Deed::DropLast,
];

/// One session as its host counts.
#[derive(Default)]
struct Caller {
    session: Option<SessionHandle>,
    pushed: Vec<f32>,
    heard: Vec<f32>,
    said: u64,
    applied: u64,
    finished: bool,
    hung_up: bool,
}

impl Caller {
    fn open(handle: &EngineHandle) -> Self {
        let spec = SessionSpec { controls: true, ..SessionSpec::named("caller") };
        Self { session: Some(handle.open(spec).expect("there is room")), ..Self::default() }
    }

    fn act(&mut self, deed: Deed) {
        let Some(session) = self.session.clone() else { return };
        let block: Vec<f32> = (0..BLOCK).map(|at| (self.pushed.len() + at + 1) as f32 / 65_536.0).collect();
        match deed {
            Deed::Push if session.try_push(&block).is_ok() => self.pushed.extend(block),
            Deed::PushStamped => {
                let mut leased = session.lease(BLOCK);
                leased.fill_from(&block);
                let pts_us = Some(self.pushed.len() as u64 * 1_000_000 / SECOND as u64);
                if session.push_stamped(leased, Stamp { pts_us, ..Stamp::default() }).is_ok() {
                    self.pushed.extend(block);
                }
            }
            Deed::Say => {
                let control = Control::CancelAnswer { turn: 1 };
                let message = ControlIn { message_id: self.said, control };
                self.said += u64::from(session.control(message).is_ok());
            }
            Deed::Finish => {
                session.finish();
                self.finished = true;
            }
            Deed::Close => {
                session.close();
                self.hung_up = true;
            }
            Deed::DropLast => {
                self.session = None;
                self.hung_up = true;
            }
            Deed::Poll => self.hear(),
            Deed::CloneAndDropOne | Deed::Push => {}
        }
    }

    fn hear(&mut self) {
        let Some(session) = self.session.clone() else { return };
        while let Some(out) = session.poll() {
            match out {
                Out::Audio(audio) => {
                    self.heard.extend_from_slice(audio.block.samples());
                    session.give_back(audio.block);
                }
                Out::Control(Control::Applied { .. }) => self.applied += 1,
                _ => {}
            }
        }
    }
}

/// Calls `act` at the laps that are asked for, counted from when it is armed.
struct Injector {
    armed: Arc<AtomicBool>,
    lap: Arc<AtomicUsize>,
    act: Arc<dyn Fn(usize) + Send + Sync>,
}

impl Stopwatch for Injector {
    fn lap(&mut self, _: usize) {
        if self.armed.load(Ordering::SeqCst) {
            (self.act)(self.lap.fetch_add(1, Ordering::SeqCst));
        }
    }
    fn start(&mut self) {}
    fn totals_ns(&self) -> &[u64] {
        &[]
    }
}

/// Who is still there has had every message applied, and may push a whole second again; then the caller finishes.
fn said_again(caller: &mut Caller, wrong: &mut Vec<String>) {
    if !caller.hung_up && !caller.finished {
        if caller.applied != caller.said {
            wrong.push(format!("{} of {} messages applied", caller.applied, caller.said));
        }
        let session = caller.session.clone().expect("it is not dropped");
        let whole = vec![0.5; SECOND];
        if let Err(error) = session.try_push(&whole) {
            wrong.push(format!("a second is refused although nothing waits: {error}"));
        }
        caller.pushed.extend(whole);
        session.finish();
    }
}

/// Opens a caller at lap `at` of a tick and does `first` there, does `second` at lap `then`; what is wrong afterwards.
fn played(shards: u32, (at, first): (usize, Deed), (then, second): (usize, Deed)) -> Option<String> {
    let mut engine = engine(shards);
    let handle = engine.handle();
    let busy = handle.open(SessionSpec::named("busy")).expect("there is room");
    let mut now_us = 0;
    engine.tick(now_us);
    let caller: Arc<Mutex<Option<Caller>>> = Arc::default();
    let (armed, lap) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let act: Arc<dyn Fn(usize) + Send + Sync> = {
        let (caller, handle) = (Arc::clone(&caller), handle.clone());
        Arc::new(move |lap| {
            let mut caller = caller.lock().expect("nothing panics in it");
            if lap == at {
                caller.insert(Caller::open(&handle)).act(first);
            }
            if lap == then
                && let Some(caller) = caller.as_mut()
            {
                caller.act(second);
            }
        })
    };
    engine.lend_stopwatches(|| {
        let (armed, lap, act) = (Arc::clone(&armed), Arc::clone(&lap), Arc::clone(&act));
        Box::new(Injector { armed, lap, act })
    });
    armed.store(true, Ordering::SeqCst);
    let mut tick = |engine: &mut Engine| {
        busy.try_push(&[0.0; 80]).expect("a tick takes it");
        while busy.poll().is_some() {}
        now_us += TICK_US;
        engine.tick(now_us);
    };
    for _ in 0..20 {
        tick(&mut engine);
    }
    let mut caller = caller.lock().expect("nothing panics in it").take().expect("the lap was reached");
    let mut wrong = Vec::new();
    caller.hear();
    said_again(&mut caller, &mut wrong);
    for _ in 0..100 {
        tick(&mut engine);
        caller.hear();
    }
    if !caller.hung_up && caller.heard != caller.pushed {
        wrong.push(format!("{} of {} samples came out", caller.heard.len(), caller.pushed.len()));
    }
    if caller.session.as_ref().is_some_and(|session| !session.is_closed()) {
        wrong.push("it never closed".into());
    }
    let mut census = Census::default();
    let census = engine.census(&mut census);
    if census.sessions_open != 1 {
        wrong.push(format!("{} sessions are open", census.sessions_open));
    }
    // Who hangs up leaves behind what stands before the queues; nobody else leaves anything.
    if census.edge.homeless > 0 && !caller.hung_up {
        wrong.push(format!("{} arrivals homeless", census.edge.homeless));
    }
    if let Err(error) = handle.open(SessionSpec::named("caller")) {
        wrong.push(format!("{error}"));
    }
    let case = format!("{shards} shards: open and {first:?} at lap {at}, {second:?} at lap {then}");
    (!wrong.is_empty()).then(|| format!("{case}: {}", wrong.join(", ")))
}

/// Laps of one tick of this scene, over all shards and the steps that no shard does.
fn laps(shards: u32) -> usize {
    let mut engine = engine(shards);
    let busy = engine.handle().open(SessionSpec::named("busy")).expect("there is room");
    engine.tick(0);
    let (armed, lap) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    engine.lend_stopwatches(|| {
        let (armed, lap) = (Arc::clone(&armed), Arc::clone(&lap));
        Box::new(Injector { armed, lap, act: Arc::new(|_| {}) })
    });
    busy.try_push(&[0.0; 80]).expect("there is room");
    engine.tick(TICK_US);
    lap.load(Ordering::SeqCst)
}

#[test]
fn every_pair_of_a_hosts_calls_at_every_stage_of_a_tick() {
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for shards in [1, 2] {
        let laps = laps(shards);
        assert!(laps >= 6, "{laps} laps: the stages of a tick are there");
        for at in 0..laps {
            for then in at..at + laps {
                for first in DEEDS {
                    for second in DEEDS {
                        cases += 1;
                        wrong.extend(played(shards, (at, first), (then, second)));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases} cases:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

/// A scene with a service that stands for another thread: it is polled when the engine has looked for new sessions and
/// before audio is let in, in a foreign world, too.
const VISITED: &str = r#"(
    name: "visited",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "pass", kind: Pass(), capabilities: (queue_capacity: 1000)),
        (id: "gate", kind: VadGate(vad: Energy)),
        (id: "asr", kind: Service(service: "visitor", task: Transcribe)),
    ],
    edges: [("input", "pass"), ("pass", "output"), ("input", "gate"), ("gate", "asr"), ("asr", "output")],
    services: { "visitor": (output: Visitor(), timing: (latency: Fixed(ms: 1))) },
)"#;

/// Where the visitor comes in, and his session.
type Door = Arc<Mutex<(Option<EngineHandle>, Option<SessionHandle>)>>;

struct Visitor(Door);

impl ServiceKind for Visitor {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Self(Arc::clone(&self.0)))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Visitor"
    }
}

impl Service for Visitor {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        batch.clear();
    }
    fn cancel(&mut self, _: CallScope, _: u64) {}
    fn poll(&mut self, _: u64, _: &mut Replies<'_>) {
        let mut door = self.0.lock().expect("nothing panics in it");
        if let Some(handle) = door.0.take() {
            let session = handle.open(SessionSpec::named("visitor")).expect("there is room");
            session.try_push(&[0.5; BLOCK]).expect("it is new");
            session.finish();
            door.1 = Some(session);
        }
    }
}

#[test]
fn what_comes_before_its_session_is_admitted_is_kept_in_a_foreign_world_too() {
    for foreign in [false, true] {
        let door = Door::default();
        let mut registry = mynah_systems::registry(None);
        let kind = Arc::clone(&door);
        registry.add_service("Visitor", move |config| {
            parse_config::<()>(config).map(|()| Arc::new(Visitor(Arc::clone(&kind))) as Arc<dyn ServiceKind>)
        });
        let (plan, _) =
            compile(&Source::new("visited.ron", VISITED), &[], None, &registry).expect("the scene is right");
        let plan = Arc::new(plan);
        let config = EngineConfig { shards: Some(1), ..EngineConfig::simulated() };
        let mut world = World::new();
        let (handle, mut engine) = match foreign {
            true => (embed::embed(&mut world, &plan, config), None),
            false => {
                let engine = Engine::new(plan, config);
                (engine.handle(), Some(engine))
            }
        };
        let mut samples = 0;
        for tick in 1..50 {
            if tick == 3 {
                door.lock().expect("nothing panics in it").0 = Some(handle.clone());
            }
            match &mut engine {
                Some(engine) => engine.tick(tick * TICK_US),
                None => embed::tick(&mut world, tick * TICK_US),
            }
            if let Some(session) = &door.lock().expect("nothing panics in it").1 {
                samples += heard(session).len();
            }
        }
        let session = door.lock().expect("nothing panics in it").1.take().expect("the service was polled");
        assert_eq!((samples, session.is_closed()), (BLOCK, true), "foreign world: {foreign}");
        let open = match &engine {
            Some(engine) => engine.census(&mut Census::default()).sessions_open,
            None => world.resource::<SessionIndex>().open(),
        };
        assert_eq!(open, 0, "foreign world: {foreign}");
    }
}

#[test]
fn a_host_whose_fill_panics_keeps_its_session_and_its_credit() {
    let mut engine = engine(1);
    let session = engine.handle().open(SessionSpec::named("caller")).expect("there is room");
    engine.tick(0);
    let mut wrong = Vec::new();
    // Pieces that are put together, of one block, of many blocks with the panic in each.
    for (samples, at) in
        [(7, 0), (160, 0), (320, 0), (1_600, 0), (1_600, 320), (1_600, 640), (16_000, 15_680)]
    {
        let push = || {
            session.try_push_with(samples, None, |offset, out| {
                assert!(offset < at, "the host's own fault");
                out.fill(0.25);
            })
        };
        let panicked = catch_unwind(AssertUnwindSafe(push)).is_err();
        let mut now_us = engine.now_us();
        let mut came = 0;
        for _ in 0..40 {
            now_us += TICK_US;
            engine.tick(now_us);
            came += heard(&session).len();
        }
        let again = session.try_push(&vec![0.5; SECOND]).is_ok();
        for _ in 0..40 {
            now_us += TICK_US;
            engine.tick(now_us);
            drop(heard(&session));
        }
        let whole = at / 320 * 320;
        if !panicked || came != whole || !again {
            wrong.push(format!("{samples} samples, panic at {at}: panicked {panicked}, {came} came (wanted {whole}), then a second is taken: {again}"));
        }
    }
    session.finish();
    for tick in 0..10 {
        engine.tick(engine.now_us() + tick * TICK_US);
    }
    assert!(session.is_closed(), "it ends as any other");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn heard(session: &SessionHandle) -> Vec<f32> {
    let mut heard = Vec::new();
    while let Some(out) = session.poll() {
        if let Out::Audio(audio) = out {
            heard.extend_from_slice(audio.block.samples());
            session.give_back(audio.block);
        }
    }
    heard
}

#[test]
fn a_host_whose_waker_panics_is_hung_up_and_everybody_else_goes_on() {
    for threads in [1, 2] {
        let source = Source::new("door.ron", SCENE);
        let (plan, _) =
            compile(&source, &[], None, &mynah_systems::registry(None)).expect("the scene is right");
        let config = EngineConfig { threads, shards: Some(2), ..EngineConfig::simulated() };
        let mut engine = Engine::new(Arc::new(plan), config);
        let calls = Arc::new(AtomicUsize::new(0));
        let bad: Arc<dyn Fn() + Send + Sync> = {
            let calls = Arc::clone(&calls);
            Arc::new(move || assert!(calls.fetch_add(1, Ordering::SeqCst) < 5, "the host's own fault"))
        };
        let open = |at: usize| {
            let waker = (at == 3).then(|| Arc::clone(&bad));
            engine.handle().open(SessionSpec { waker, ..SessionSpec::named(format!("caller {at}")) })
        };
        let all: Vec<SessionHandle> = (0..10).map(|at| open(at).expect("there is room")).collect();
        let mut samples = [0; 10];
        for tick in 1..400 {
            for session in &all {
                // One of them is hung up on the way.
                assert!(matches!(session.try_push(&[0.1; 80]), Ok(()) | Err(PushError::Ended)));
            }
            engine.tick(tick * TICK_US);
            for (session, samples) in all.iter().zip(&mut samples) {
                *samples += heard(session).len();
            }
        }
        assert!(all[3].is_closed(), "{threads} threads");
        samples[3] = samples[0];
        assert_eq!(samples, [399 * 80; 10], "{threads} threads");
        assert_eq!(engine.census(&mut Census::default()).sessions_open, 9, "{threads} threads");
    }
}

#[test]
fn sessions_that_come_and_go_during_ticks_leave_nothing_behind() {
    const EACH: usize = 3_000;
    /// Far more than all of them need.
    const TICKS_MAX: u64 = 1_000_000;
    for deed in [Deed::Close, Deed::Finish, Deed::DropLast] {
        let mut engine = engine(4);
        let handle = engine.handle();
        let left = AtomicUsize::new(4);
        let mut now_us = 0;
        std::thread::scope(|threads| {
            for host in 0..4 {
                let (handle, left) = (handle.clone(), &left);
                threads.spawn(move || {
                    for at in 0..EACH {
                        let name = format!("{host} {at}");
                        let session = loop {
                            match handle.open(SessionSpec::named(name.as_str())) {
                                Ok(session) => break session,
                                Err(_) if left.load(Ordering::SeqCst) > 0 => std::thread::yield_now(),
                                // Nobody ticks any more.
                                Err(_) => return,
                            }
                        };
                        session.try_push(&[0.1; BLOCK]).expect("it is new");
                        match deed {
                            Deed::Close => session.close(),
                            Deed::Finish => session.finish(),
                            _ => {}
                        }
                    }
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok();
                });
            }
            while left.load(Ordering::SeqCst) > 0 && now_us < TICKS_MAX * TICK_US {
                now_us += TICK_US;
                engine.tick(now_us);
            }
            left.store(0, Ordering::SeqCst);
        });
        for _ in 0..100 {
            now_us += TICK_US;
            engine.tick(now_us);
        }
        let mut census = Census::default();
        let census = engine.census(&mut census);
        assert_eq!(census.sessions_open, 0, "{deed:?}");
        assert_eq!(engine.queued(&mut Vec::new()).iter().sum::<u64>(), 0, "{deed:?}");
        assert!(census.entities < 4_000, "{deed:?}: {} entities", census.entities);
    }
}
