//! What it costs to take back 10,000 segments in one tick: live sessions with frames in flight, three nodes and the
//! output as consumers, in process, on one thread.
//!
//! The tick of the cancels minus the median of the ticks around it, which get as many frames and take nothing back,
//! against the budget of 1 ms. Then what one session that cancels adds to a tick in which others are at work.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and tells")]

#[path = "../tests/prompted/mod.rs"]
mod prompted;

use std::time::Instant;

use mynah_engine::{Engine, EngineConfig, Event, SessionHandle, SessionSpec};
use prompted::{Cue, Prompter, compiled};

const SCENE: &str = r#"(
    name: "cancel",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "prompter", kind: Prompter()),
        (id: "pass_1", kind: Pass()),
        (id: "pass_2", kind: Pass()),
        (id: "pass_3", kind: Pass()),
    ],
    edges: [
        ("input", "prompter"),
        ("prompter.audio", "pass_1"),
        ("pass_1", "pass_2"),
        ("pass_2", "pass_3"),
        ("pass_3", "output"),
    ],
)"#;
const SESSIONS: u32 = 10_000;
const ROUNDS: usize = 15;
const BUDGET_US: f64 = 1_000.0;
const TICK_US: u64 = 5_000;

/// The engine with its sessions.
struct Crowd {
    engine: Engine,
    sessions: Vec<SessionHandle>,
    now_us: u64,
}

impl Crowd {
    fn new(sessions: u32) -> Self {
        let mut registry = mynah_systems::registry(None);
        registry.add_system::<Prompter>();
        let plan = compiled(SCENE, &[], &registry).expect("the scene is sound");
        let config = EngineConfig { sessions_max: sessions, ..EngineConfig::default() };
        let engine = Engine::new(plan, config);
        let door = engine.handle();
        let open = |n| door.open(SessionSpec::named(format!("s{n}"))).expect("there is room");
        let sessions = (0..sessions).map(open).collect();
        let mut crowd = Self { engine, sessions, now_us: 0 };
        crowd.tick();
        crowd
    }

    /// Everybody's cue, but `first` for the first.
    fn cue(&self, first: &[Cue], others: &[Cue]) {
        for (at, session) in self.sessions.iter().enumerate() {
            let cues = if at == 0 { first } else { others };
            session.push(Cue::block(cues)).expect("the edge has room");
        }
    }

    /// Microseconds of one tick.
    fn tick(&mut self) -> f64 {
        self.now_us += TICK_US;
        let start = Instant::now();
        self.engine.tick(self.now_us);
        start.elapsed().as_secs_f64() * 1e6
    }

    fn cancelled(&self) -> usize {
        let cancel = |event: &Event| matches!(event, Event::SegmentCancelled { .. });
        self.engine.records().iter().filter(|record| cancel(&record.event)).count()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The tick that takes back a segment of everybody, minus the median tick around it; `frames` wait for each.
fn all_at_once(crowd: &mut Crowd, frames: usize) -> (f64, f64) {
    let sounds = vec![Cue::Sound(320); frames];
    let rest = [Cue::Rest];
    let cancel = [Cue::Cancel];
    let (mut extra, mut around) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let open: Vec<Cue> = [&[Cue::Open], &sounds[..]].concat();
        crowd.cue(&open, &open);
        crowd.tick();
        let mut plain = Vec::new();
        for at in 0..9 {
            let cues: &[Cue] = if at == 4 { &cancel } else { &rest };
            crowd.cue(cues, cues);
            let us = crowd.tick();
            if at == 4 {
                assert_eq!(crowd.cancelled(), crowd.sessions.len(), "everybody's segment is taken back");
                extra.push(us);
            } else {
                plain.push(us);
            }
        }
        let plain = median(plain);
        *extra.last_mut().expect("the fifth tick cancels") -= plain;
        around.push(plain);
    }
    let census = crowd.engine.census();
    assert_eq!(census.queued.iter().sum::<u64>(), 0, "nothing of what was taken back waits");
    (median(extra), median(around))
}

/// Ticks in which all but one session let audio through, with that one cancelling in every tick or at rest.
fn one_among_others(sessions: u32) -> (f64, f64) {
    let mut crowd = Crowd::new(sessions);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let others = [Cue::Sound(320)];
    crowd.cue(&[Cue::Rest], &[Cue::Open, Cue::Confirm]);
    crowd.tick();
    for round in 0..400 {
        let quiet = [Cue::Open, Cue::Sound(320), Cue::Confirm, Cue::End];
        let cancels = [Cue::Open, Cue::Sound(320), Cue::Cancel];
        let cancelling = round % 2 == 0;
        crowd.cue(if cancelling { &cancels } else { &quiet }, &others);
        let us = crowd.tick();
        if cancelling {
            with.push(us)
        } else {
            without.push(us)
        }
        for session in &crowd.sessions {
            while let Some(out) = session.poll() {
                if let mynah_engine::Out::Audio(audio) = out {
                    session.give_back(audio.block);
                }
            }
        }
    }
    (median(with), median(without))
}

fn main() {
    let mut crowd = Crowd::new(SESSIONS);
    all_at_once(&mut crowd, 1);
    for frames in [0, 1, 5] {
        let (extra_us, around_us) = all_at_once(&mut crowd, frames);
        println!(
            "{SESSIONS} segments with {frames} frames each cancelled in one tick: {extra_us:.0} us more than the \
             {around_us:.0} us of the ticks around it, {:.2} of the budget of {BUDGET_US} us",
            extra_us / BUDGET_US
        );
    }
    for sessions in [100, 1_000] {
        let (with, without) = one_among_others(sessions);
        println!(
            "one of {sessions} sessions cancels: ticks of {with:.1} us, {without:.1} us when it does not, so {:.2} us \
             more for the others",
            with - without
        );
    }
}
