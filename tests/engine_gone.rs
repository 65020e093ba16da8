//! An engine that is dropped, or the world it lived in, leaves nobody waiting: every host learns that its session is over.

#[path = "support/sick.rs"]
mod sick;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mynah_engine::bevy_ecs::prelude::{Resource, World};
use mynah_engine::observe::metrics::Snapshot;
use mynah_engine::{
    Control, ControlError, ControlIn, Engine, EngineConfig, EngineHandle, OpenError, Out, PushError,
    ScenePlan, SessionHandle, SessionSpec, embed,
};

const TICK_US: u64 = 5_000;
const BLOCK: [f32; 160] = [0.25; 160];

/// Where a scene runs.
enum Place {
    Engine(Box<Engine>),
    Foreign(Box<World>),
}

impl Place {
    fn all() -> [(&'static str, Self, EngineHandle); 2] {
        Self::all_of(sick::plan(&Arc::default()))
    }

    fn all_of(plan: Arc<ScenePlan>) -> [(&'static str, Self, EngineHandle); 2] {
        let config = EngineConfig { shards: Some(2), ..EngineConfig::simulated() };
        let mut world = World::new();
        let inside = embed::embed(&mut world, &plan, config);
        let engine = Engine::new(plan, config);
        let handle = engine.handle();
        [
            ("engine", Self::Engine(Box::new(engine)), handle),
            ("foreign world", Self::Foreign(Box::new(world)), inside),
        ]
    }

    fn tick(&mut self, now_us: u64) {
        match self {
            Self::Engine(engine) => engine.tick(now_us),
            Self::Foreign(world) => embed::tick(world, now_us),
        }
    }

    /// A tick that panics, which a host of this session brings about.
    fn tick_torn(&mut self, now_us: u64, session: &SessionHandle) {
        session.control(sick::last_straw()).expect("there is room");
        let torn = catch_unwind(AssertUnwindSafe(|| self.tick(now_us)));
        let said = torn.expect_err("the strategy panics");
        assert_eq!(said.downcast_ref::<String>().map(String::as_str), Some(sick::FAULT));
    }
}

/// A session and how often its host was woken.
struct Caller {
    session: SessionHandle,
    woken: Arc<AtomicUsize>,
}

impl Caller {
    fn open(handle: &EngineHandle, name: &str) -> Self {
        let woken = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&woken);
        let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let spec = SessionSpec { controls: true, waker: Some(waker), ..SessionSpec::named(name) };
        Self { session: handle.open(spec).expect("there is room"), woken }
    }

    fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    /// Audio blocks that are still there, and whether `Closed` came once and last.
    fn rest(&self) -> (usize, bool) {
        let outs: Vec<Out> = std::iter::from_fn(|| self.session.poll()).collect();
        let closed = |out: &Out| matches!(out, Out::Control(Control::Closed));
        let told = outs.iter().filter(|out| closed(out)).count() == 1 && outs.last().is_some_and(closed);
        (outs.iter().filter(|out| matches!(out, Out::Audio(_))).count(), told)
    }

    /// What does not say that the session is over.
    fn unaware(&self) -> Vec<String> {
        let session = &self.session;
        let message = ControlIn { message_id: 1, control: Control::CancelAnswer { turn: 1 } };
        let mut block = session.lease(BLOCK.len());
        block.fill_from(&BLOCK);
        let found = [
            ("is_closed", session.is_closed()),
            ("try_push", session.try_push(&BLOCK) == Err(PushError::Ended)),
            ("push", session.push(block).is_err()),
            ("control", session.control(message) == Err(ControlError::Ended)),
        ];
        session.finish();
        session.close();
        found
            .iter()
            .filter(|(_, aware)| !aware)
            .map(|(what, _)| format!("{}: {what}", session.name()))
            .collect()
    }
}

#[test]
fn every_host_learns_that_its_engine_is_gone() {
    for (what, mut place, handle) in Place::all() {
        let quiet = Caller::open(&handle, "quiet");
        let talking = Caller::open(&handle, "talking");
        let finished = Caller::open(&handle, "finished");
        let over = Caller::open(&handle, "over");
        for session in [&talking.session, &finished.session] {
            // More than a host's ring has room for: it cannot end before the host looks.
            (0..90).for_each(|_| session.try_push(&BLOCK).expect("it fits"));
        }
        over.session.close();
        place.tick(TICK_US);
        assert!(over.session.is_closed(), "{what}");
        finished.session.finish();
        for tick in 2..10 {
            place.tick(tick * TICK_US);
        }
        talking.session.try_push(&BLOCK).expect("it fits");
        let early = Caller::open(&handle, "early");
        early.session.try_push(&BLOCK).expect("it is new");
        let all = [&quiet, &talking, &finished, &over, &early];
        let before = all.map(Caller::woken);
        assert!([&quiet, &talking, &finished, &early].iter().all(|c| !c.session.is_closed()), "{what}");

        drop(place);
        let calls: Vec<usize> =
            all.iter().zip(before).map(|(caller, woken)| caller.woken() - woken).collect();
        assert_eq!(calls, [1, 1, 1, 0, 1], "{what}: who is told, once each");
        // What had left is still there, and then what a host of control messages waits for.
        let rest: Vec<(usize, bool)> = all.iter().map(|caller| caller.rest()).collect();
        assert_eq!(rest, [(0, true), (32, true), (32, true), (0, true), (0, true)], "{what}");
        let unaware: Vec<String> = all.iter().flat_map(|caller| caller.unaware()).collect();
        assert!(unaware.is_empty(), "{what}: {unaware:?}");
        assert_eq!(all.map(|caller| caller.rest()), [(0, false); 5], "{what}: nothing follows");
        let refused = handle.clone().open(SessionSpec::named("late")).expect_err("nobody is there");
        assert_eq!(refused, OpenError::EngineGone, "{what}");
        assert!(refused.to_string().contains("engine is gone"), "{refused}");
        let calls: Vec<usize> =
            all.iter().zip(before).map(|(caller, woken)| caller.woken() - woken).collect();
        assert_eq!(calls, [1, 1, 1, 0, 1], "{what}: afterwards nobody is woken");
    }
}

#[test]
fn a_tick_that_panicked_loses_nobody_when_the_engine_goes() {
    for (what, mut place, handle) in Place::all() {
        let admitted = Caller::open(&handle, "admitted");
        place.tick(TICK_US);
        let early = Caller::open(&handle, "early");
        place.tick_torn(2 * TICK_US, &admitted.session);
        let late = Caller::open(&handle, "late");
        drop(place);
        for caller in [admitted, early, late] {
            assert_eq!((caller.woken(), caller.rest()), (1, (0, true)), "{what}: {}", caller.session.name());
            assert_eq!(caller.unaware(), [""; 0], "{what}");
        }
    }
}

#[test]
fn a_tick_that_panicked_hands_its_owners_world_back() {
    #[derive(Resource)]
    struct Own(u32);
    for (what, mut place, handle) in Place::all() {
        let early = Caller::open(&handle, "early");
        if let Place::Foreign(world) = &mut place {
            world.insert_resource(Own(7));
            let own = world.spawn_empty().id();
            place.tick_torn(TICK_US, &early.session);
            let Place::Foreign(world) = &mut place else { unreachable!("it was foreign") };
            assert_eq!(world.resource::<Own>().0, 7, "{what}");
            assert!(world.get_entity(own).is_ok(), "{what}");
            assert!(
                !embed::metrics(world, &mut Snapshot::default()),
                "{what}: the engine is in it as before"
            );
        }
    }
}

#[test]
fn the_tick_after_one_that_panicked_leaves_nothing_out() {
    let well = Arc::<AtomicBool>::default();
    for (what, mut place, handle) in Place::all_of(sick::plan(&well)) {
        well.store(false, Ordering::SeqCst);
        let early = Caller::open(&handle, "early");
        for tick in 1..4 {
            place.tick_torn(tick * TICK_US, &early.session);
        }
        well.store(true, Ordering::SeqCst);
        let late = Caller::open(&handle, "late");
        for caller in [&early, &late] {
            caller.session.try_push(&BLOCK).expect("it fits");
        }
        place.tick(4 * TICK_US);
        for caller in [&early, &late] {
            assert_eq!(caller.rest(), (1, false), "{what}: {}", caller.session.name());
            assert!(!caller.session.is_closed(), "{what}: {}", caller.session.name());
        }
    }
}

#[test]
fn a_waker_that_holds_the_door_and_its_own_session_is_let_go_of() {
    for admitted in [true, false] {
        for (what, mut place, handle) in Place::all() {
            let refused = Arc::<AtomicUsize>::default();
            let own = Arc::<Mutex<Option<SessionHandle>>>::default();
            let waker: Arc<dyn Fn() + Send + Sync> = {
                let (handle, refused, own) = (handle.clone(), Arc::clone(&refused), Arc::clone(&own));
                Arc::new(move || {
                    let session =
                        own.lock().expect("nothing panics in it").take().expect("it is called once");
                    assert!(session.is_closed());
                    let again = handle.open(SessionSpec::named("again")).err();
                    refused.fetch_add(usize::from(again == Some(OpenError::EngineGone)), Ordering::SeqCst);
                })
            };
            let held = Arc::downgrade(&waker);
            let session = handle.open(SessionSpec { waker: Some(waker), ..SessionSpec::named("caller") });
            *own.lock().expect("nothing panics in it") = session.ok();
            if admitted {
                place.tick(TICK_US);
            }
            drop(place);
            drop(handle);
            assert_eq!(refused.load(Ordering::SeqCst), 1, "{what}, admitted: {admitted}");
            assert!(held.upgrade().is_none(), "{what}, admitted: {admitted}: nothing keeps it");
        }
    }
}

#[test]
fn whoever_opens_while_the_engine_goes_is_told_or_refused() {
    const ROUNDS: usize = 100;
    for _ in 0..ROUNDS {
        for (what, mut place, handle) in Place::all() {
            let begun = AtomicUsize::new(0);
            let opened: Vec<Caller> = std::thread::scope(|threads| {
                let hosts = [0, 1].map(|host| {
                    let (handle, begun) = (handle.clone(), &begun);
                    threads.spawn(move || {
                        let mut opened = Vec::new();
                        for at in 0..100 {
                            let woken = Arc::<AtomicUsize>::default();
                            let count = Arc::clone(&woken);
                            let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
                                count.fetch_add(1, Ordering::SeqCst);
                            });
                            let spec = SessionSpec {
                                waker: Some(waker),
                                controls: true,
                                ..SessionSpec::named(format!("{host} {at}"))
                            };
                            match handle.open(spec) {
                                Ok(session) => opened.push(Caller { session, woken }),
                                Err(OpenError::EngineGone) => break,
                                Err(error) => panic!("{error}"),
                            }
                            begun.fetch_add(1, Ordering::SeqCst);
                        }
                        opened
                    })
                });
                while begun.load(Ordering::SeqCst) < 3 {
                    std::hint::spin_loop();
                }
                place.tick(TICK_US);
                drop(place);
                hosts.into_iter().flat_map(|host| host.join().expect("no host panics")).collect()
            });
            for caller in &opened {
                let told = (caller.woken(), caller.session.is_closed(), caller.rest());
                assert_eq!(told, (1, true, (0, true)), "{what}: {}", caller.session.name());
            }
        }
    }
}

/// A host may live by its waker alone: when that says that a session is over, its name is free.
#[test]
fn who_is_told_that_a_session_is_over_may_open_it_again_at_once() {
    for (what, mut place, handle) in Place::all() {
        let again = Arc::<Mutex<Vec<Result<SessionHandle, OpenError>>>>::default();
        let own = Arc::<Mutex<Option<SessionHandle>>>::default();
        let waker: Arc<dyn Fn() + Send + Sync> = {
            let (handle, again, own) = (handle.clone(), Arc::clone(&again), Arc::clone(&own));
            Arc::new(move || {
                let mut own = own.lock().expect("nothing panics in it");
                let over = |session: &SessionHandle| {
                    session.is_closed() || matches!(session.poll(), Some(Out::Control(Control::Closed)))
                };
                if own.take_if(|session| over(session)).is_some() {
                    let mut again = again.lock().expect("nothing panics in it");
                    again.push(handle.open(SessionSpec::named("caller")));
                    if let Some(Ok(session)) = again.last() {
                        session.try_push(&BLOCK).expect("it is new");
                    }
                }
            })
        };
        let spec = SessionSpec { controls: true, waker: Some(waker), ..SessionSpec::named("caller") };
        let first = handle.open(spec).expect("there is room");
        *own.lock().expect("nothing panics in it") = Some(first.clone());
        place.tick(TICK_US);
        first.finish();
        for tick in 2..10 {
            place.tick(tick * TICK_US);
        }
        let mut again = again.lock().expect("nothing panics in it");
        let second = again.pop().expect("it was told").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((second.id(), second.generation()), (first.id(), 2), "{what}");
        let heard = std::iter::from_fn(|| second.poll()).filter(|out| matches!(out, Out::Audio(_))).count();
        assert_eq!((heard, second.is_closed()), (1, false), "{what}");
    }
}
