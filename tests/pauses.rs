//! A stream that pauses for a second begins anew: the gate's pre-roll of what comes next does not reach back over the
//! pause, whoever else shares the shard, and a session that pauses gives back the memory it only needs while audio
//! flows, though others go on.
#![allow(
    clippy::print_stdout,
    unused_crate_dependencies,
    reason = "figures for --nocapture; crates are the package's"
)]

use std::sync::{Arc, Mutex};

use mynah_engine::observe::Census;
use mynah_engine::scene::{Format, Source, compile};
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

/// The same, and nothing but a frame every two seconds gets out of the gate; everybody waits.
fn narrow(gate: &str) -> String {
    let block = "overflow_policy: Block";
    let gate_waits = format!("VadGate({gate}), capabilities: (queue_capacity: 8, {block})");
    let narrow = format!("Throttle(carries: Audio, per_s: 0.5), capabilities: (queue_capacity: 1, {block})");
    scene(gate)
        .replace(&format!("VadGate({gate})"), &gate_waits)
        .replace(")],\n    edges", &format!("), (id: \"narrow\", kind: {narrow})],\n    edges"))
        .replace("(\"gate\", \"output\")", "(\"gate\", \"narrow\"), (\"narrow\", \"output\")")
}

const ENERGY: &str = "vad: Energy, min_speech_ms: 100, pad_ms: 150";
/// Held by each test: live bytes are those of the whole process.
static ALONE: Mutex<()> = Mutex::new(());
const TICK_US: u64 = 5_000;
const FRAME_US: u64 = 20_000;

fn engine(gate: &str, shards: u32, sessions: u32) -> Engine {
    engine_of(scene(gate), shards, sessions)
}

fn engine_of(scene: String, shards: u32, sessions: u32) -> Engine {
    let source = Source::new("pauses.ron", scene);
    let (plan, _) = compile(&source, &[], None, &mynah_systems::registry(None)).expect("the scene is right");
    let config = EngineConfig { shards: Some(shards), sessions_max: sessions, ..EngineConfig::simulated() };
    Engine::new(Arc::new(plan), config)
}

fn open(engine: &Engine, sessions: u32) -> Vec<SessionHandle> {
    open_at(engine, sessions, 16_000)
}

fn open_at(engine: &Engine, sessions: u32, rate_hz: u32) -> Vec<SessionHandle> {
    let (door, input) = (engine.handle(), Some(Format { rate_hz, channels: 1 }));
    let spec = |at| SessionSpec { input, ..SessionSpec::named(format!("caller-{at}")) };
    (0..sessions).map(|at| door.open(spec(at)).expect("there is room")).collect()
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
fn a_session_that_pauses_takes_less_than_6_kb() {
    const SESSIONS: u32 = 96;
    let _alone = ALONE.lock();
    let each = |gate: &str, paused: bool, talks: bool| {
        let mut engine = engine(gate, 1, SESSIONS);
        let before = mynah_alloc::live_bytes();
        let handles = open(&engine, SESSIONS);
        for _ in 0..15 {
            handles.iter().for_each(|handle| handle.try_push(&frame(0.001)).expect("there is credit"));
            pass(&mut engine, FRAME_US);
        }
        for _ in 0..if paused { 105 } else { 5 } {
            if talks {
                handles[0].try_push(&frame(0.001)).expect("there is credit");
            }
            pass(&mut engine, FRAME_US);
        }
        let pushed = engine.census(&mut Census::default()).edge.blocks;
        let bytes = (mynah_alloc::live_bytes() - before) / i64::from(SESSIONS);
        // It works as before afterwards.
        handles.iter().for_each(|handle| handle.try_push(&frame(0.001)).expect("there is credit"));
        pass(&mut engine, FRAME_US);
        assert_eq!(engine.census(&mut Census::default()).edge.blocks, pushed + u64::from(SESSIONS));
        bytes
    };
    for gate in [ENERGY, "vad: Silero"] {
        let [streaming, paused, beside] =
            [(false, false), (true, false), (true, true)].map(|(paused, talks)| each(gate, paused, talks));
        println!(
            "{gate}: {streaming} bytes while audio flows, {paused} in a pause, {beside} beside one that talks"
        );
        assert!(paused < 5_000 && paused * 4 < streaming, "{streaming} bytes a session, {paused} in a pause");
        assert!(beside < 6_000, "{paused} bytes where all pause, {beside} beside one that does not");
    }
}

/// What the detector says of the same noise after 290 ms of another one and a pause of so long, counted from there, and at
/// the beginning of a stream.
fn heard_after(pause_us: u64, rate_hz: u32) -> [Vec<(u64, u32)>; 2] {
    let mut engine = engine("vad: Silero, trace: true", 1, 2);
    let handles = open_at(&engine, 2, rate_hz);
    let frame = |level: f32, ms: u32| -> Vec<f32> {
        (0..rate_hz * ms / 1_000).map(|at| level * (at as f32 * 0.37).sin()).collect()
    };
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
        handles[0].try_push(&frame(0.02, 10)).expect("there is credit");
        listen(&mut engine, FRAME_US / 2);
    }
    listen(&mut engine, pause_us - FRAME_US / 2);
    for _ in 0..50 {
        handles.iter().for_each(|handle| handle.try_push(&frame(0.004, 20)).expect("there is credit"));
        listen(&mut engine, FRAME_US);
    }
    let [first, new] = heard;
    let after =
        first.into_iter().filter(|(at_us, _)| *at_us > 290_000).map(|(at_us, p)| (at_us - 290_000, p));
    [after.collect(), new]
}

#[test]
fn the_detector_hears_what_follows_a_pause_as_it_hears_a_new_stream() {
    let _alone = ALONE.lock();
    // 290 ms are nine hops and 2 ms of a tenth, of which nothing comes: media time goes on all the same.
    for rate_hz in [16_000, 48_000, 44_100] {
        let [paused, new] = heard_after(1_200_000, rate_hz);
        assert!(new.len() > 30, "{rate_hz} Hz: {} hops in a second", new.len());
        assert_eq!(paused, new, "{rate_hz} Hz");
        let [stalled, new] = heard_after(900_000, rate_hz);
        let alike = stalled.iter().zip(&new).filter(|(a, b)| a.1 == b.1).count();
        assert!(alike < 3, "{rate_hz} Hz: a stall is no pause, and {alike} probabilities are the same");
    }
}

/// What is logged of a caller who sends 200 ms and hangs up at `at_us`, beside one who goes on.
fn told_of_a_hang_up(shards: u32, at_us: u64) -> Vec<Event> {
    let mut engine = engine(ENERGY, shards, 2);
    let handles = open(&engine, 2);
    let mut told = Vec::new();
    while engine.now_us() < at_us + FRAME_US {
        if engine.now_us().is_multiple_of(FRAME_US) {
            let speaking = &handles[usize::from(engine.now_us() >= 200_000)..];
            speaking.iter().for_each(|handle| handle.try_push(&frame(0.001)).expect("there is credit"));
        }
        if engine.now_us() == at_us {
            handles[0].close();
        }
        engine.tick(engine.now_us() + TICK_US);
        let hers = engine.records().iter().filter(|record| record.session == handles[0].id());
        told.extend(hers.map(|record| record.event.clone()));
    }
    assert_eq!(told.last(), Some(&Event::SessionClosed));
    told
}

#[test]
fn a_hang_up_about_a_pause_is_the_same_whether_the_shard_slept_or_not() {
    let _alone = ALONE.lock();
    let mut lost = std::collections::BTreeSet::new();
    for at_us in (1_100_000..1_600_000).step_by(TICK_US as usize) {
        let told = told_of_a_hang_up(1, at_us);
        assert_eq!(told, told_of_a_hang_up(2, at_us), "at {at_us} us");
        lost.insert(told.len());
    }
    assert_eq!(lost.len(), 2, "before the pause what was kept is lost, after it it was not speech: {lost:?}");
}

#[test]
fn a_frame_that_has_to_wait_for_the_gate_is_no_pause() {
    let _alone = ALONE.lock();
    let gate = "vad: Energy, min_speech_ms: 100, min_silence_ms: 200, pad_ms: 150, trace: true";
    let mut engine = engine_of(narrow(gate), 1, 1);
    let handle = &open(&engine, 1)[0];
    let (mut heard, mut ended, mut sent) = (Vec::new(), 0, 0);
    while heard.len() < 100 {
        // Frames of 15 ms, so that there is part of a hop of 20 ms most of the time.
        let level = if (20..60).contains(&sent) { 0.5 } else { 0.001 };
        sent += u32::from(handle.try_push(&frame(level)[..240]).is_ok());
        for event in pass(&mut engine, 3 * TICK_US) {
            match event {
                Event::Probability { at_us, .. } => heard.push(at_us),
                Event::SegmentEnded { .. } => ended = engine.now_us(),
                _ => {}
            }
        }
        assert!(
            engine.now_us() < 300_000_000,
            "{} hops were heard, the segment ended at {ended} us",
            heard.len()
        );
    }
    assert!(ended > 10_000_000, "what was said waited: {ended} us");
    let whole: Vec<u64> = (1..=heard.len() as u64).map(|hop| hop * 20_000).collect();
    assert_eq!(heard, whole, "no part of a hop is left out");
}
