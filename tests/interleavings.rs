//! Hosts' calls between any two steps of a tick: every use of what they share with it is a step, and shuttle chooses who
//! goes on, at random and by a few changes of priority, the same orders in every run. Needs the feature `interleavings`.
//!
//! A driver ticks when the bell has rung, in half of the orders only then, and a host looks only when it was woken:
//! whatever gets lost shows.
#![allow(unused_crate_dependencies, reason = "they are those of the package")]

#[path = "interleavings/ends.rs"]
mod ends;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool as Flag, Ordering};

use mynah_engine::base::Mutation;
use mynah_engine::observe::Census;
use mynah_engine::scene::{Source, compile};
use mynah_engine::shuttle::rand::{Rng as _, thread_rng};
use mynah_engine::shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use mynah_engine::shuttle::sync::atomic::{AtomicBool, AtomicUsize};
use mynah_engine::shuttle::{self, Config, FailurePersistence, MaxSteps, Runner};
use mynah_engine::{
    Control, ControlError, ControlIn, Engine, EngineConfig, EngineHandle, OpenError, Out, PushError,
    Registry, ScenePlan, SessionHandle, SessionSpec,
};

const SCENE: &str = r#"(
    name: "direct",
    session: (input: (rate_hz: 8000), output: (release: Immediately, pace: Burst)),
    nodes: [],
    edges: [("input", "output")],
)"#;
const TICK_US: u64 = 5_000;
/// Samples of a block of 10 ms, and of all the credit that a session has.
const BLOCK: usize = 80;
const SECOND: usize = 8_000;
/// Orders that each of the two schedulers tries.
const ORDERS: usize = 6_000;
/// How often each of them begins anew, at most, to notice a break.
const SEEDS: u64 = 12;
/// For a bevy schedule inside.
const STACK: usize = 1 << 20;

fn plan() -> Arc<ScenePlan> {
    let (plan, _) = compile(&Source::new("direct.ron", SCENE), &[], None, &Registry::default())
        .expect("the scene is right");
    Arc::new(plan)
}

/// What a host does with a session, one after the other; then it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Push,
    Say,
    Listen,
    Finish,
    Close,
    Drop,
}

use Deed::{Close, Drop as DropIt, Finish, Listen, Push, Say};

const SCRIPTS: [&[Deed]; 9] = [
    &[],
    &[Push],
    &[Push, Push, Listen],
    &[Push, Finish],
    &[Push, Say, Listen],
    &[Finish],
    &[Close],
    &[Push, Close],
    &[Push, DropIt],
];

/// One session and what its host counts.
struct Caller {
    session: Option<SessionHandle>,
    woken: Arc<AtomicBool>,
    pushed: VecDeque<f32>,
    said: usize,
    applied: usize,
    over: bool,
    hung_up: bool,
    wrong: Vec<String>,
}

impl Caller {
    fn open(handle: &EngineHandle, name: &str) -> Self {
        let woken = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&woken);
        let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(move || flag.store(true, Ordering::SeqCst));
        let spec = SessionSpec { controls: true, waker: Some(waker), ..SessionSpec::named(name) };
        let session = handle.open(spec).expect("there is room");
        let (pushed, wrong) = (VecDeque::new(), Vec::new());
        let (over, hung_up, said, applied) = (false, false, 0, 0);
        Self { session: Some(session), woken, pushed, said, applied, over, hung_up, wrong }
    }

    fn act(&mut self, deed: Deed) {
        let Some(session) = &self.session else { return };
        match deed {
            Push => self.push(BLOCK),
            Say => {
                let control = Control::CancelAnswer { turn: 1 };
                let message = ControlIn { message_id: self.said as u64, control };
                self.said += usize::from(session.control(message).is_ok());
            }
            Listen => self.listen(),
            Finish => {
                session.finish();
                self.over = true;
            }
            Close => {
                session.close();
                (self.over, self.hung_up) = (true, true);
            }
            DropIt => {
                self.session = None;
                (self.over, self.hung_up) = (true, true);
            }
        }
    }

    fn push(&mut self, samples: usize) {
        let Some(session) = &self.session else { return };
        let block: Vec<f32> = (0..samples).map(|at| (at + 1) as f32 / SECOND as f32).collect();
        match session.try_push(&block) {
            Ok(()) => self.pushed.extend(block),
            Err(error) => self.wrong.push(format!("{samples} samples: {error}")),
        }
    }

    /// Takes what is there, if it was woken.
    fn listen(&mut self) {
        let Some(session) = &self.session else { return };
        while self.woken.swap(false, Ordering::SeqCst) {
            while let Some(out) = session.poll() {
                match out {
                    Out::Audio(audio) => {
                        for sample in audio.block.samples() {
                            if self.pushed.pop_front() != Some(*sample) {
                                self.wrong.push("what came out is not what was pushed".into());
                            }
                        }
                        session.give_back(audio.block);
                    }
                    Out::Control(Control::Applied { .. }) => self.applied += 1,
                    _ => {}
                }
            }
        }
    }

    /// What must hold when the bell has been answered, and no tick came without it.
    fn settled(&mut self) {
        let Some(session) = self.session.clone() else { return };
        self.listen();
        if session.poll().is_some() {
            self.wrong.push("something came out, and nobody was woken".into());
        }
        if self.hung_up {
            if !session.is_closed() {
                self.wrong.push("hung up, and it is open".into());
            }
        } else if self.applied != self.said {
            self.wrong.push(format!("{} of {} messages applied", self.applied, self.said));
        } else if !self.over {
            self.push(SECOND);
        }
    }

    /// What must hold when everything has had its time.
    fn ended(mut self, name: &str) -> Vec<String> {
        self.listen();
        if !self.hung_up && !self.pushed.is_empty() {
            self.wrong.push(format!("{} samples never came out", self.pushed.len()));
        }
        if self.session.as_ref().is_some_and(|session| !session.is_closed()) {
            self.wrong.push("it never closed".into());
        }
        self.wrong.into_iter().map(|wrong| format!("{name}: {wrong}")).collect()
    }
}

/// An engine whose one shard has gone to sleep with one session in it.
fn asleep(plan: &Arc<ScenePlan>, mutation: Option<Mutation>) -> (Engine, Caller) {
    let mut engine =
        Engine::new(Arc::clone(plan), EngineConfig { sessions_max: 2, ..EngineConfig::simulated() });
    if let Some(mutation) = mutation {
        engine.mutate(mutation);
    }
    let resident = Caller::open(&engine.handle(), "resident");
    ticks(&mut engine, 4);
    (engine, resident)
}

fn ticks(engine: &mut Engine, count: u64) {
    (0..count).for_each(|_| engine.tick(engine.now_us() + TICK_US));
}

/// Two hosts, one with a session that is there, one with a new one, while the driver ticks. What is wrong afterwards.
fn played(plan: &Arc<ScenePlan>, mutation: Option<Mutation>) -> Vec<String> {
    let (mut engine, resident) = asleep(plan, mutation);
    let handle = engine.handle();
    handle.bell().answer();
    let left = Arc::new(AtomicUsize::new(2));
    let draw = || SCRIPTS[thread_rng().gen_range(0..SCRIPTS.len())];
    let (old, new) = (draw(), draw());
    let beats = thread_rng().gen_range(0..2) == 0;
    let hosts = [(Some(resident), old), (None, new)].map(|(caller, script)| {
        let (handle, left) = (handle.clone(), Arc::clone(&left));
        shuttle::thread::spawn(move || {
            let mut caller = caller.unwrap_or_else(|| Caller::open(&handle, "new"));
            script.iter().for_each(|deed| caller.act(*deed));
            left.fetch_sub(1, Ordering::SeqCst);
            caller
        })
    });
    loop {
        let done = left.load(Ordering::SeqCst) == 0;
        if handle.bell().answer() {
            ticks(&mut engine, 1);
        } else if done {
            break;
        } else {
            // A heartbeat may come at any time.
            ticks(&mut engine, u64::from(beats));
            shuttle::thread::yield_now();
        }
    }
    let mut callers = hosts.map(|host| host.join().expect("a host notes what is wrong"));
    callers.iter_mut().for_each(Caller::settled);
    // 30 ticks by the heartbeat: all is worked off.
    for _ in 0..30 {
        ticks(&mut engine, 1);
        callers.iter_mut().for_each(Caller::listen);
    }
    callers.iter_mut().for_each(|caller| caller.act(Finish));
    for _ in 0..5 {
        ticks(&mut engine, 1);
        callers.iter_mut().for_each(Caller::listen);
    }
    let hung_up = callers.iter().any(|caller| caller.hung_up);
    let mut wrong: Vec<String> =
        ["resident", "new"].into_iter().zip(callers).flat_map(|(name, caller)| caller.ended(name)).collect();
    let mut census = Census::default();
    let census = engine.census(&mut census);
    if census.sessions_open != 0 || (census.edge.homeless > 0 && !hung_up) {
        wrong.push(format!("{} sessions open, {} homeless", census.sessions_open, census.edge.homeless));
    }
    for name in ["resident", "new"] {
        wrong.extend(handle.open(SessionSpec::named(name)).err().map(|error| error.to_string()));
    }
    wrong.iter_mut().for_each(|wrong| *wrong = format!("{old:?} and {new:?}: {wrong}"));
    wrong
}

/// An engine that goes while one host opens a session and another one uses its own.
fn dropped(plan: &Arc<ScenePlan>) -> Vec<String> {
    let (mut engine, resident) = asleep(plan, None);
    let handle = engine.handle();
    let opener = shuttle::thread::spawn({
        let handle = handle.clone();
        move || {
            let woken = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&woken);
            let waker: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
                count.fetch_add(1, Ordering::SeqCst);
            });
            (handle.open(SessionSpec { waker: Some(waker), ..SessionSpec::named("new") }), woken)
        }
    });
    let pusher = shuttle::thread::spawn(move || {
        let mut wrong = Vec::new();
        let session = resident.session.as_ref().expect("it is open");
        match session.try_push(&[0.5; BLOCK]) {
            Ok(()) | Err(PushError::Ended) => {}
            Err(error) => wrong.push(error.to_string()),
        }
        let control = Control::CancelAnswer { turn: 1 };
        if let Err(error @ ControlError::Overflow) = session.control(ControlIn { message_id: 1, control }) {
            wrong.push(error.to_string());
        }
        (resident, wrong)
    });
    if thread_rng().gen_range(0..2) == 0 {
        ticks(&mut engine, 1);
    }
    drop(engine);
    let (opened, woken) = opener.join().expect("it does not panic");
    let (resident, mut wrong) = pusher.join().expect("it does not panic");
    match opened {
        Ok(session) if !session.is_closed() || woken.load(Ordering::SeqCst) != 1 => {
            wrong.push("the new one was not told, or not once".into());
        }
        Ok(_) | Err(OpenError::EngineGone) => {}
        Err(error) => wrong.push(error.to_string()),
    }
    if !resident.woken.load(Ordering::SeqCst) || !resident.session.is_some_and(|session| session.is_closed())
    {
        wrong.push("the old one was not told".into());
    }
    wrong
}

/// Tries `play` in the orders that `scheduler` chooses.
fn run(
    scheduler: impl Scheduler + 'static,
    show: bool,
    play: impl Fn() -> Vec<String> + Send + Sync + 'static,
) {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(200_000);
    config.failure_persistence = if show { FailurePersistence::Print } else { FailurePersistence::None };
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        let wrong = play();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn in_no_order_is_anything_lost() {
    let plan = plan();
    for seed in [1, 2] {
        let other = Arc::clone(&plan);
        run(RandomScheduler::new_from_seed(seed, ORDERS), true, {
            let plan = Arc::clone(&plan);
            move || played(&plan, None)
        });
        run(PctScheduler::new_from_seed(seed, 3, ORDERS), true, move || played(&other, None));
    }
}

#[test]
fn in_no_order_does_an_engine_go_without_a_word() {
    let plan = plan();
    let other = Arc::clone(&plan);
    run(RandomScheduler::new_from_seed(1, ORDERS), true, move || dropped(&plan));
    run(PctScheduler::new_from_seed(1, 3, ORDERS), true, move || dropped(&other));
}

#[test]
fn a_door_that_is_broken_is_noticed() {
    let plan = plan();
    let breaks = [Mutation::ForgetAhead, Mutation::KeepCredit, Mutation::WakeEarly, Mutation::DeafShard];
    let unnoticed: Vec<Mutation> = breaks
        .into_iter()
        .filter(|mutation| {
            let found = |scheduler: Box<dyn Scheduler + Send>| {
                let (plan, mutation, lost) = (Arc::clone(&plan), *mutation, Arc::new(Flag::new(false)));
                let noted = Arc::clone(&lost);
                let play = move || {
                    let wrong = played(&plan, Some(mutation));
                    noted.fetch_or(!wrong.is_empty(), Ordering::Relaxed);
                    wrong
                };
                // Only what the test itself notes counts: not a step too many, nor a panic elsewhere.
                let failed = catch_unwind(AssertUnwindSafe(|| run(scheduler, false, play))).is_err();
                failed && lost.load(Ordering::Relaxed)
            };
            // A break that few orders show takes more of them.
            !(1..=SEEDS).any(|seed| {
                found(Box::new(RandomScheduler::new_from_seed(seed, ORDERS)))
                    || found(Box::new(PctScheduler::new_from_seed(seed, 3, ORDERS)))
            })
        })
        .collect();
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}
