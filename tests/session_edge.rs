//! The edge of a session: gaps in the sender's times become silence of their length, a lost handle hangs up. Times that
//! are not exact: `sender_times.rs`.

#[path = "support/host.rs"]
mod host;

use std::sync::{Arc, Mutex};

use host::{Host, plan};
use mynah_engine::observe::Census;
use mynah_engine::{Block, Engine, EngineConfig, SessionHandle, SessionSpec, Stamp};

const BLOCK: usize = 320;

fn passthrough() -> Host {
    Host::of(plan("passthrough", &[]), EngineConfig::simulated())
}

/// Pushes one block of ones per entry of `pts_ms` and returns what came out, as runs of (sample, length).
fn heard(pts_ms: &[Option<u64>]) -> (Vec<(f32, usize)>, Engine) {
    let mut host = passthrough().with(SessionSpec::named("caller"));
    for pts_ms in pts_ms {
        let stamp = Stamp { arrived_us: None, pts_us: pts_ms.map(|ms| ms * 1_000), ..Stamp::default() };
        host.sessions[0].push_stamped(Block::from_samples(&[1.0; BLOCK]), stamp).expect("there is room");
        host.ticks(8);
    }
    // What is missing before the last block and lasted too short until then is seen at the end.
    host.sessions[0].finish();
    host.ticks(12);
    let out = host.whole(0);
    let runs = out.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    (runs, host.engine)
}

/// Name, times in ms, what is heard as (sample, length), and steps that are no gaps.
type Case = (&'static str, Vec<Option<u64>>, Vec<(f32, usize)>, u64);

#[test]
fn gaps_in_the_senders_times_become_silence_of_their_length() {
    let ms = |v: &[u64]| v.iter().map(|m| Some(*m)).collect::<Vec<_>>();
    let second = 16_000;
    let cases: [Case; 8] = [
        ("no times", vec![None; 3], vec![(1.0, 960)], 0),
        ("no gap", ms(&[0, 20, 40]), vec![(1.0, 960)], 0),
        ("three blocks lost", ms(&[0, 80]), vec![(1.0, 320), (0.0, 960), (1.0, 320)], 0),
        ("one second lost", ms(&[0, 1_020]), vec![(1.0, 320), (0.0, second), (1.0, 320)], 0),
        ("a jump moves the origin", ms(&[0, 5_000, 5_080]), vec![(1.0, 640), (0.0, 960), (1.0, 320)], 1),
        ("a block before the last", ms(&[0, 20, 60]), vec![(1.0, 960), (0.0, 320)], 0),
        ("a step back, too", ms(&[1_000, 20, 40]), vec![(1.0, 960)], 1),
        ("the first time is the origin", ms(&[700, 720, 800]), vec![(1.0, 640), (0.0, 960), (1.0, 320)], 0),
    ];
    let mut failed = Vec::new();
    for (name, pts, want, discontinuities) in cases {
        let (got, engine) = heard(&pts);
        let edge = engine.census(&mut Census::default()).edge;
        let silent: usize = want.iter().filter(|(s, _)| *s == 0.0).map(|(_, n)| n).sum();
        if got != want || edge.discontinuities != discontinuities || edge.concealed_frames != silent as u64 {
            failed.push(format!("{name}: {got:?}, {edge:?}; expected {want:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_session_without_a_handle_is_hung_up() {
    let mut host = passthrough();
    let handle = host.open(SessionSpec::named("caller"));
    handle.push(Block::from_samples(&[1.0; BLOCK])).unwrap();
    host.tick();
    assert_eq!(host.census().sessions_open, 1);
    drop(handle);
    host.ticks(4);
    assert_eq!(host.census().sessions_open, 0);
    assert!(host.engine.handle().open(SessionSpec::named("caller")).is_ok(), "the name is free again");
}

/// A handle may go while a tick runs: here its host lets go of it when it is told that there is something to take.
#[test]
fn a_session_that_has_ended_and_loses_its_handle_within_a_tick_leaves_nothing_behind() {
    let mut host = passthrough();
    let kept: Arc<Mutex<Option<SessionHandle>>> = Arc::default();
    let held = Arc::clone(&kept);
    let waker: Arc<dyn Fn() + Send + Sync> =
        Arc::new(move || drop(held.lock().expect("nobody panics").take()));
    let spec = SessionSpec { waker: Some(waker), ..SessionSpec::named("caller") };
    let handle = host.open(spec);
    // More than its host's ring takes: the rest waits inside.
    for _ in 0..45 {
        handle.push(Block::from_samples(&[1.0; BLOCK])).expect("it is less than a second");
    }
    handle.finish();
    *kept.lock().expect("nobody panics") = Some(handle);
    host.ticks(5);
    assert!(kept.lock().expect("nobody panics").is_none(), "its host was told");
    let census = host.census();
    assert_eq!((census.sessions_open, census.blocks_out), (0, 0));
    assert_eq!(host.imbalances(), [""; 0]);
}
