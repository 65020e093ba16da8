//! An engine on a thread of its own, on the wall clock: it ticks by its scene, its events come out whole, and nobody is
//! left waiting when it ends.
#![expect(
    clippy::disallowed_methods,
    reason = "the thread runs on the machine's clock, and the test waits for it"
)]

#[path = "support/sick.rs"]
mod sick;
#[path = "support/white.rs"]
mod white;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mynah_engine::scene::{Source, compile};
use mynah_engine::{
    EngineConfig, Event, OpenError, Out, Record, ScenePlan, SessionHandle, SessionSpec, Workers,
};
use mynah_host::{Records, Runner, RunnerError, RunnerOptions};
use white::White;

/// Longer than anything here takes on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(20);

fn scene(more: &str) -> Arc<ScenePlan> {
    let text = format!(
        r#"(
    name: "wire",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "pass", kind: Pass())],
    edges: [("input", "pass"), ("pass", "output")],
    {more}
)"#
    );
    let registry = mynah_systems::registry(None);
    let (plan, _) =
        compile(&Source::new("test.ron", text.as_str()), &[], None, &registry).expect("it is sound");
    Arc::new(plan)
}

fn config() -> EngineConfig {
    EngineConfig { threads: 2, shards: Some(2), sessions_max: 8, ..EngineConfig::real_time() }
}

fn spawn(plan: Arc<ScenePlan>, options: RunnerOptions) -> Runner {
    Runner::spawn(plan, config(), options).expect("there are threads")
}

fn keeping(records: usize) -> RunnerOptions {
    RunnerOptions { records: Some(records), ..RunnerOptions::default() }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A second of noise goes in, and whatever comes out comes back.
fn talk(session: &SessionHandle) -> Vec<f32> {
    let noise: Vec<f32> = White::default().take(16_000).collect();
    let mut heard = Vec::new();
    for piece in noise.chunks(320) {
        until("room", || session.try_push(piece).is_ok());
        listen(session, &mut heard);
    }
    session.finish();
    until("the end", || {
        listen(session, &mut heard);
        session.is_closed()
    });
    listen(session, &mut heard);
    assert!(heard == noise, "{} samples of {}", heard.len(), noise.len());
    heard
}

fn listen(session: &SessionHandle, heard: &mut Vec<f32>) {
    while let Some(out) = session.poll() {
        if let Out::Audio(audio) = out {
            heard.extend_from_slice(audio.block.samples());
            session.give_back(audio.block);
        }
    }
}

/// All that come until the runner stops.
fn read(records: &Records) -> Vec<Record> {
    let mut all = Vec::new();
    while !records.is_over() {
        all.extend(records.wait(Duration::from_millis(100)));
    }
    all
}

#[test]
fn what_is_pushed_comes_out_by_either_driver_and_every_event_is_read() {
    for driver in ["WakeOnIngress", "Fixed"] {
        let mut runner = spawn(scene(&format!("tick: (driver: {driver}, period_ms: 5),")), keeping(10_000));
        let records = runner.take_records().expect("they were asked for");
        assert!(runner.take_records().is_none(), "there is one reader");
        let reader = thread::spawn(move || (read(&records), records.lost()));
        let open = |name: &str| runner.handle().open(SessionSpec::named(name)).expect("there is room");
        let sessions = ["one", "two"].map(open);
        thread::scope(|scope| {
            sessions.iter().for_each(|session| drop(scope.spawn(|| talk(session))));
        });
        let seen = runner.pacing();
        assert!(runner.is_running() && seen.ticks > 0, "{seen:?}");
        until("a clock that goes", || runner.now_us() > 1_000);
        let kept = runner.stop().expect("no tick panics");
        assert!(kept.ticks >= seen.ticks, "{kept:?}, before {seen:?}");
        let (records, lost) = reader.join().expect("it reads");
        assert_eq!(lost, 0, "{driver}");
        assert!(records.is_sorted_by_key(|record| record.t_us), "{driver}: by tick");
        for id in [0, 1] {
            let mine = records.iter().filter(|record| record.session.0 == id);
            let mine: Vec<&Event> = mine.map(|record| &record.event).collect();
            assert!(matches!(mine.first(), Some(Event::SessionOpened)), "{driver}: {mine:?}");
            assert!(matches!(mine.last(), Some(Event::SessionClosed)), "{driver}: {mine:?}");
        }
    }
}

#[test]
fn a_reader_that_is_far_behind_loses_the_oldest_and_is_told_how_many() {
    let mut runner = spawn(scene(""), keeping(4));
    let records = runner.take_records().expect("they were asked for");
    for n in 0..4 {
        let session = runner.handle().open(SessionSpec::named(format!("caller-{n}"))).expect("there is room");
        talk(&session);
    }
    runner.stop().expect("no tick panics");
    let left = read(&records);
    assert_eq!(left.len(), 4);
    assert!(matches!(left[3].event, Event::SessionClosed), "{left:?}");
    assert!(records.lost() >= 4, "{} lost of at least 8", records.lost());
}

#[test]
fn sessions_end_with_the_runner_however_it_ends() {
    for stops in [true, false] {
        let runner = spawn(scene(""), RunnerOptions::default());
        let handle = runner.handle().clone();
        let session = handle.open(SessionSpec::named("caller")).expect("there is room");
        until("a tick", || runner.pacing().ticks > 0);
        if stops {
            runner.stop().expect("no tick panics");
        } else {
            drop(runner);
        }
        assert!(session.is_closed());
        assert!(matches!(handle.open(SessionSpec::named("late")), Err(OpenError::EngineGone)));
    }
}

#[test]
fn two_scenes_share_their_threads() {
    let workers = Workers::start(2).expect("two threads");
    let options = || RunnerOptions { workers: Some(workers.clone()), ..RunnerOptions::default() };
    let runners = [0, 1].map(|_| spawn(scene(""), options()));
    thread::scope(|scope| {
        for runner in &runners {
            let session = runner.handle().open(SessionSpec::named("caller")).expect("there is room");
            scope.spawn(move || talk(&session));
        }
    });
    for runner in runners {
        assert!(runner.stop().expect("no tick panics").ticks > 0);
    }
}

#[test]
fn the_page_that_a_scene_asks_for_is_served() {
    let runner =
        spawn(scene(r#"metrics: (enabled: true, address: "127.0.0.1:0"),"#), RunnerOptions::default());
    let address = runner.metrics_address().expect("the scene asks for it");
    let page = || {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it listens");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("it answers");
        page
    };
    until("a picture", || page().contains("mynah_frames_in_total{node=\"pass\"}"));
    runner.stop().expect("no tick panics");
    assert!(spawn(scene(""), RunnerOptions::default()).metrics_address().is_none());
}

#[test]
fn a_page_that_cannot_be_served_is_refused_by_the_name_of_its_field() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let taken = taken.local_addr().expect("it has one").to_string();
    for (address, says) in [("0.0.0.0:0", "no password"), (taken.as_str(), "another port")] {
        let plan = scene(&format!("metrics: (enabled: true, address: {address:?}),"));
        let refused = Runner::spawn(plan, config(), RunnerOptions::default()).expect_err(address);
        assert!(matches!(refused, RunnerError::Metrics(_)), "{refused:?}");
        let text = refused.to_string();
        assert!(text.starts_with("metrics.address: ") && text.contains(says), "{text}");
    }
}

#[test]
fn a_tick_that_panics_ends_the_sessions_and_stop_says_why() {
    let mut runner = spawn(sick::plan(&Arc::default()), keeping(100));
    let records = runner.take_records().expect("they were asked for");
    let session = runner.handle().open(SessionSpec::named("caller")).expect("there is room");
    session.try_push(&[0.25; 160]).expect("it is new");
    until("a tick", || session.poll().is_some());
    session.control(sick::last_straw()).expect("there is room");
    until("the end", || session.is_closed() && !runner.is_running());
    let refused = runner.handle().open(SessionSpec::named("late")).expect_err("the engine is gone");
    assert_eq!(refused, OpenError::EngineGone);
    assert!(matches!(read(&records).first(), Some(Record { event: Event::SessionOpened, .. })));
    let panicked = runner.stop().expect_err("a tick panicked");
    assert!(panicked.message.contains(sick::FAULT), "{panicked}");
}
