//! A stream that pauses for a second begins anew: the gate's pre-roll of what comes next does not reach back over the
//! pause, whoever else shares the shard, and a session that pauses gives back the memory it only needs while audio
//! flows.
#![allow(
    clippy::print_stdout,
    unused_crate_dependencies,
    reason = "figures for --nocapture; crates are the package's"
)]

use std::sync::{Arc, Mutex};

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Event, SessionHandle, SessionSpec};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

fn scene(gate: &str) -> String {
    format!(
        r#"(
    name: "pauses",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate({gate}))],
    edges: [("input", "gate"), ("gate", "output")],
)"#
    )
}

const ENERGY: &str = "vad: Energy, min_speech_ms: 100, pad_ms: 150";
/// Held by each test: live bytes are those of the whole process.
static ALONE: Mutex<()> = Mutex::new(());
const TICK_US: u64 = 5_000;
const FRAME_US: u64 = 20_000;

fn engine(gate: &str, shards: u32, sessions: u32) -> Engine {
    let source = Source::new("pauses.ron", scene(gate));
    let (plan, _) = compile(&source, &[], None, &mynah_systems::registry(None)).expect("the scene is right");
    let config = EngineConfig { shards: Some(shards), sessions_max: sessions, ..EngineConfig::default() };
    Engine::new(Arc::new(plan), config)
}

fn open(engine: &Engine, sessions: u32) -> Vec<SessionHandle> {
    let door = engine.handle();
    let open = |at| door.open(SessionSpec::named(format!("caller-{at}"))).expect("there is room");
    (0..sessions).map(open).collect()
}

/// Ticks through `us` of engine time.
fn pass(engine: &mut Engine, us: u64) -> Vec<Event> {
    let until_us = engine.now_us() + us;
    let mut events = Vec::new();
    while engine.now_us() < until_us {
        engine.tick(engine.now_us() + TICK_US);
        events.extend(engine.records().iter().map(|record| record.event.clone()));
    }
    events
}

/// A frame of noise at this level, or of a tone.
fn frame(level: f32) -> Vec<f32> {
    (0..320).map(|at| level * if at / 20 % 2 == 0 { 1.0 } else { -0.9 }).collect()
}

/// A session speaks up after 200 ms of near silence and a pause of so long; where its segment begins, media time. The
/// other one goes on all the time.
fn begins_after(shards: u32, pause_us: u64) -> u64 {
    let mut engine = engine(ENERGY, shards, 2);
    let handles = open(&engine, 2);
    for _ in 0..10 {
        handles.iter().for_each(|handle| handle.try_push(&frame(0.001)).expect("there is credit"));
        pass(&mut engine, FRAME_US);
    }
    for _ in 0..pause_us / FRAME_US - 1 {
        handles[1].try_push(&frame(0.001)).expect("there is credit");
        pass(&mut engine, FRAME_US);
    }
    for _ in 0..10 {
        handles[0].try_push(&frame(0.5)).expect("there is credit");
        let opened = pass(&mut engine, FRAME_US).into_iter().find_map(|event| match event {
            Event::SegmentOpened { from_us, .. } => Some(from_us),
            _ => None,
        });
        if let Some(from_us) = opened {
            return from_us;
        }
    }
    panic!("the tone opens a segment");
}

#[test]
fn the_pre_roll_does_not_reach_back_over_a_pause() {
    let _alone = ALONE.lock();
    for shards in [1, 2] {
        assert_eq!(begins_after(shards, 980_000), 40_000, "the pad before 200 ms, in whole frames");
        assert_eq!(begins_after(shards, 1_000_000), 200_000, "{shards} shards: the pause came at 200 ms");
    }
}

#[test]
fn a_session_that_pauses_takes_less_than_5_kb() {
    const SESSIONS: u32 = 96;
    let _alone = ALONE.lock();
    let each = |gate: &str, paused: bool| {
        let mut engine = engine(gate, 1, SESSIONS);
        let before = mynah_alloc::live_bytes();
        let handles = open(&engine, SESSIONS);
        for _ in 0..15 {
            handles.iter().for_each(|handle| handle.try_push(&frame(0.001)).expect("there is credit"));
            pass(&mut engine, FRAME_US);
        }
        pass(&mut engine, if paused { 2_100_000 } else { 100_000 });
        let bytes = (mynah_alloc::live_bytes() - before) / i64::from(SESSIONS);
        // It works as before afterwards.
        handles.iter().for_each(|handle| handle.try_push(&frame(0.001)).expect("there is credit"));
        pass(&mut engine, FRAME_US);
        assert_eq!(engine.census().edge.blocks, 16 * u64::from(SESSIONS));
        bytes
    };
    for gate in [ENERGY, "vad: Silero"] {
        let (streaming, paused) = (each(gate, false), each(gate, true));
        println!("{gate}: {streaming} bytes while audio flows, {paused} in a pause");
        assert!(paused < 5_000 && paused * 4 < streaming, "{streaming} bytes a session, {paused} in a pause");
    }
}

/// What the detector says of the same noise at the beginning of a stream, and after 290 ms of another one and a pause of
/// so long.
fn heard_after(pause_us: u64) -> [Vec<(u64, u32)>; 2] {
    let mut engine = engine("vad: Silero, trace: true", 1, 2);
    let handles = open(&engine, 2);
    let mut heard = [const { Vec::new() }; 2];
    let mut listen = |engine: &mut Engine, us: u64| {
        let until_us = engine.now_us() + us;
        while engine.now_us() < until_us {
            engine.tick(engine.now_us() + TICK_US);
            for record in engine.records() {
                if let Event::Probability { at_us, p } = record.event {
                    heard[record.session.0 as usize].push((at_us, p.to_bits()));
                }
            }
        }
    };
    for _ in 0..29 {
        handles[0].try_push(&frame(0.02)[..160]).expect("there is credit");
        listen(&mut engine, FRAME_US / 2);
    }
    listen(&mut engine, pause_us - FRAME_US / 2);
    for _ in 0..50 {
        handles.iter().for_each(|handle| handle.try_push(&frame(0.004)).expect("there is credit"));
        listen(&mut engine, FRAME_US);
    }
    heard
}

#[test]
fn the_detector_hears_what_follows_a_pause_as_it_hears_a_new_stream() {
    let _alone = ALONE.lock();
    let [mut paused, new] = heard_after(1_200_000);
    // 290 ms are nine hops and 2 ms of a tenth, of which nothing comes: media time goes on all the same.
    let after = paused.split_off(9).into_iter().map(|(at_us, p)| (at_us - 290_000, p));
    assert_eq!(after.collect::<Vec<_>>(), new);
    let [mut stalled, new] = heard_after(900_000);
    assert!(
        stalled.split_off(9).iter().map(|(_, p)| p).ne(new.iter().map(|(_, p)| p)),
        "a stall is no pause"
    );
}
