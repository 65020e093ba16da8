//! Sessions by the thousand that come and go while ticks run: nothing of them stays, not a byte, not a credit.
//! Alone in its program, so that nobody else's memory is counted. `MYNAH_CHURN_SESSIONS` says how many (20000).

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mynah_engine::observe::Census;
use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, EngineHandle, Out, SessionHandle, SessionSpec};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

const SCENE: &str = r#"(
    name: "churn",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "pass", kind: Pass(), capabilities: (queue_capacity: 1000))],
    edges: [("input", "pass"), ("pass", "output")],
)"#;
const TICK_US: u64 = 5_000;
const HOSTS: usize = 2;
/// Sessions that one host has open at once.
const OPEN: usize = 8;
const BLOCK: [f32; 160] = [0.25; 160];
/// Credit of a session at 16 kHz: one second.
const SECOND: usize = 16_000;
/// Entities that the second half may find a use for and the first has not: spare segments of a few sessions more at once.
const ENTITIES_MORE: u64 = 16;
/// Bytes that the second half of all sessions may leave behind: less than one each, even of the small number.
const LEFT_MAX: i64 = 4_096;
/// Bytes of an entity that the first half had no use for.
const ENTITY_BYTES: i64 = 1_024;

/// Ticks after which a host gives up; nothing here needs more than a hundred.
const LOOKS_MAX: u32 = 10_000;

/// What stays when all sessions are over.
#[derive(Debug)]
struct Rest {
    live_bytes: i64,
    entities: u64,
    open: u32,
}

/// Takes what came; how many samples that were.
fn heard(session: &SessionHandle) -> usize {
    let mut samples = 0;
    while let Some(out) = session.poll() {
        if let Out::Audio(audio) = out {
            samples += audio.block.len();
            session.give_back(audio.block);
        }
    }
    samples
}

/// Waits until `holds`. Gives up when it has looked after so many different ticks, however slow the machine is.
fn until(mut holds: impl FnMut() -> bool, ticks: &AtomicU64) {
    let (mut last, mut seen) = (0, 0);
    while !holds() {
        let now = ticks.load(Ordering::SeqCst);
        seen += u32::from(now != last);
        last = now;
        assert!(seen < LOOKS_MAX, "{seen} ticks, and it has not come to pass");
        std::thread::yield_now();
    }
}

/// Ends a session in one of the ways there are; some have to say first whether their credit is whole.
fn end(at: usize, session: SessionHandle, ticks: &AtomicU64) {
    if at.is_multiple_of(16) {
        let mut samples = 0;
        until(
            || {
                samples += heard(&session);
                samples == BLOCK.len()
            },
            ticks,
        );
        assert_eq!(session.try_push(&vec![0.5; SECOND]), Ok(()), "all credit is back");
    }
    match at % 3 {
        0 => session.close(),
        1 => {
            session.finish();
            until(
                || {
                    heard(&session);
                    session.is_closed()
                },
                ticks,
            );
        }
        _ => {}
    }
}

/// One host's share, a few at a time.
fn play(host: usize, handle: &EngineHandle, sessions: usize, ticks: &AtomicU64) {
    let mut open = VecDeque::new();
    for at in 0..sessions {
        if open.len() == OPEN {
            let (at, session) = open.pop_front().expect("it is full");
            end(at, session, ticks);
        }
        let name = format!("{host} {at}");
        let mut opened = None;
        until(
            || {
                opened = handle.open(SessionSpec::named(name.as_str())).ok();
                opened.is_some()
            },
            ticks,
        );
        let session = opened.expect("it was waited for");
        session.try_push(&BLOCK).expect("it is new");
        open.push_back((at, session));
    }
    open.into_iter().for_each(|(at, session)| end(at, session, ticks));
}

/// Plays `sessions` in all while the engine ticks, and looks at what stays.
fn churn(engine: &mut Engine, sessions: usize) -> Rest {
    let ticks = AtomicU64::new(0);
    std::thread::scope(|threads| {
        let hosts = std::array::from_fn::<_, HOSTS, _>(|host| {
            let (handle, ticks) = (engine.handle(), &ticks);
            threads.spawn(move || play(host, &handle, sessions / HOSTS, ticks))
        });
        while !hosts.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            engine.tick(engine.now_us() + TICK_US);
            ticks.fetch_add(1, Ordering::SeqCst);
        }
    });
    // Two seconds of engine time: what is kept for those who may come at once is given back.
    for _ in 0..400 {
        engine.tick(engine.now_us() + TICK_US);
    }
    let mut census = Census::default();
    let census = engine.census(&mut census);
    Rest { live_bytes: mynah_alloc::live_bytes(), entities: census.entities, open: census.sessions_open }
}

#[test]
fn sessions_that_come_and_go_during_ticks_leave_no_memory_behind() {
    let sessions = std::env::var("MYNAH_CHURN_SESSIONS").map_or(20_000, |n| n.parse().expect("a number"));
    let (plan, _) = compile(&Source::new("churn.ron", SCENE), &[], None, &mynah_systems::registry(None))
        .expect("the scene is right");
    let config = EngineConfig { shards: Some(2), sessions_max: 64, ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::new(plan), config);
    let first = churn(&mut engine, sessions / 2);
    let second = churn(&mut engine, sessions / 2);
    println!("{sessions} sessions: after one half {first:?}, after the other {second:?}");
    assert_eq!((first.open, second.open), (0, 0));
    // Which sessions are open at once is up to the threads: places for segments follow the most there were.
    assert!(
        second.entities <= first.entities + ENTITIES_MORE,
        "{} entities more",
        second.entities - first.entities
    );
    let more = second.entities.saturating_sub(first.entities) as i64;
    let left = second.live_bytes - first.live_bytes - more * ENTITY_BYTES;
    assert!(left < LEFT_MAX, "{left} bytes more after the second half");
}
