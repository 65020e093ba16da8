//! Several engines on one pool of threads: what each does is what it does alone, whoever ticks it and when.

#[path = "support/host.rs"]
mod host;
#[path = "support/white.rs"]
mod white;

use std::sync::Barrier;
use std::thread;

use host::{Host, plan};
use mynah_engine::{Engine, EngineConfig, Record, SessionSpec, Workers};
use white::White;

/// Two scenes of different work: gates with services behind a hub, and gates alone.
const SCENES: [&str; 2] = ["batched_tts", "speculative_vad"];

/// Noise is speech.
const LOUD: &[&str] = &["gate.vad=Energy"];

/// Five seconds of ticks.
const TICKS: usize = 1_000;

/// Eight sessions in four shards, so that ticks are shared out.
fn config(threads: usize) -> EngineConfig {
    EngineConfig { threads, shards: Some(4), sessions_max: 8, ..EngineConfig::simulated() }
}

struct Run {
    host: Host,
    noise: White,
}

impl Run {
    fn new(engine: impl FnOnce() -> Engine) -> Self {
        let mut host = Host::of(plan(SCENES[0], LOUD), config(1));
        host.engine = engine();
        host.sessions = (0..8).map(|n| host.open(SessionSpec::named(format!("caller-{n}")))).collect();
        Self { host, noise: White::default() }
    }

    fn alone(scene: &str) -> Self {
        Self::new(|| Engine::new(plan(scene, LOUD), config(1)))
    }

    fn on(scene: &str, workers: &Workers, threads: usize) -> Self {
        Self::new(|| Engine::on_workers(plan(scene, LOUD), config(threads), workers))
    }

    /// A tick; every fourth comes with 20 ms of each caller, who speaks every other half second.
    fn step(&mut self, tick: usize) {
        if tick.is_multiple_of(4) {
            for (n, session) in self.host.sessions.iter().enumerate() {
                let level = if (tick / 100 + n).is_multiple_of(2) { 0.3 } else { 0.0005 };
                let rate_hz = self.host.engine.plan().input.rate_hz as usize;
                let piece: Vec<f32> =
                    self.noise.by_ref().take(rate_hz / 50).map(|sample| level * sample).collect();
                session.try_push(&piece).expect("20 ms in four ticks are no flood");
            }
        }
        self.host.tick();
    }

    fn through(mut self) -> Vec<Record> {
        (0..TICKS).for_each(|tick| self.step(tick));
        self.host.records
    }
}

fn workers() -> Workers {
    let workers = Workers::start(3).expect("three threads");
    assert_eq!(workers.threads(), 3);
    workers
}

fn expected() -> [Vec<Record>; 2] {
    let records = SCENES.map(|scene| Run::alone(scene).through());
    assert!(records.iter().all(|records| records.len() > 200), "something happens");
    records
}

#[test]
fn two_engines_that_take_turns_do_what_each_does_alone() {
    let workers = workers();
    let mut runs = SCENES.map(|scene| Run::on(scene, &workers, 1));
    for tick in 0..TICKS {
        runs.iter_mut().for_each(|run| run.step(tick));
    }
    let [first, second] = runs.map(|run| run.host.records);
    assert!([first, second] == expected(), "records differ");
}

#[test]
fn two_engines_that_tick_at_once_do_what_each_does_alone() {
    let workers = workers();
    let start = Barrier::new(2);
    let records = thread::scope(|scope| {
        let run = |scene| {
            let run = Run::on(scene, &workers, 64);
            let start = &start;
            scope.spawn(move || {
                start.wait();
                run.through()
            })
        };
        SCENES.map(run).map(|thread| thread.join().expect("no tick panics"))
    });
    assert!(records == expected(), "records differ");
}

/// In a loop inside its own pool one engine would keep the others from theirs.
#[test]
fn long_work_within_one_engine_leaves_the_threads_to_the_others() {
    let workers = Workers::start(2).expect("two threads");
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut run = Run::on(SCENES[1], &workers, 2);
            let start = &start;
            scope.spawn(move || {
                run.host.engine.within(|engine| {
                    // Passed only when all four are inside at once.
                    start.wait();
                    engine.tick(5_000);
                });
            });
        }
    });
}

#[test]
fn one_worker_is_the_calling_thread() {
    let one = Workers::start(0).expect("no thread is needed");
    assert_eq!(one.threads(), 1);
    let records = Run::on(SCENES[1], &one, 8).through();
    assert!(records == Run::alone(SCENES[1]).through(), "records differ");
}
