//! What it costs to take back 10,000 segments in one tick: live sessions with frames in flight, three nodes and the
//! output as consumers, in process, on one thread.
//!
//! The tick of the cancels minus the median of the ticks around it, which get as many frames and take nothing back,
//! against the budget of 1 ms. Then what one session that cancels adds to a tick in which others are at work.

#![allow(clippy::print_stdout, reason = "a benchmark tells what it saw")]

mod crowd;
#[path = "../tests/support/host.rs"]
mod host;
#[path = "../tests/support/kinds/prompter.rs"]
mod prompter;

use crowd::Crowd;
use host::compiled;
use mynah::bench::median::median;
use mynah_engine::Event;
use mynah_engine::observe::Census;
use prompter::{Cue, Prompter};

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
/// The nodes, the output, and what is no node's: the edge, segments, hosts, the event log.
const STAGES: [&str; 6] = ["prompter", "pass_1", "pass_2", "pass_3", "output", "accounts"];

fn crowd(sessions: u32) -> Crowd {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>();
    Crowd::new(compiled(SCENE, &[], &registry).expect("the scene is sound"), sessions)
}

/// Everybody's cue, but `first` for the first.
fn cue(crowd: &Crowd, first: &[Cue], others: &[Cue]) {
    for (at, session) in crowd.sessions.iter().enumerate() {
        let cues = if at == 0 { first } else { others };
        session.push(Cue::block(cues)).expect("the edge has room");
    }
}

/// Microseconds of one tick, and of its stages.
fn tick(crowd: &mut Crowd) -> (f64, [f64; STAGES.len()]) {
    let (mut before, mut after) = (Census::default(), Census::default());
    crowd.engine.census(&mut before);
    let whole_us = crowd.tick() as f64 / 1e3;
    let mut stages_us = [0.0; STAGES.len()];
    let after_ns = &crowd.engine.census(&mut after).work_ns[..STAGES.len() - 1];
    let spent = after_ns.iter().zip(&before.work_ns).map(|(ns, before)| ns - before);
    stages_us.iter_mut().zip(spent).for_each(|(us, ns)| *us = ns as f64 / 1e3);
    stages_us[STAGES.len() - 1] = whole_us - stages_us.iter().sum::<f64>();
    (whole_us, stages_us)
}

fn cancelled(crowd: &Crowd) -> usize {
    let cancel = |event: &Event| matches!(event, Event::SegmentCancelled { .. });
    crowd.engine.records().iter().filter(|record| cancel(&record.event)).count()
}

/// The tick that takes back a segment of everybody, minus the median tick around it, whole and by stage; and that
/// median. `frames` wait for each.
fn all_at_once(crowd: &mut Crowd, frames: usize) -> (f64, [f64; STAGES.len()], f64) {
    let sounds = vec![Cue::Sound(320); frames];
    let (mut extra, mut by_stage, mut around) = (Vec::new(), vec![Vec::new(); STAGES.len()], Vec::new());
    for _ in 0..ROUNDS {
        let open: Vec<Cue> = [&[Cue::Open], &sounds[..]].concat();
        cue(crowd, &open, &open);
        tick(crowd);
        let mut ticks = Vec::new();
        let mut cancels = None;
        for at in 0..9 {
            let cues = if at == 4 { [Cue::Cancel] } else { [Cue::Rest] };
            cue(crowd, &cues, &cues);
            let tick = tick(crowd);
            if at == 4 {
                assert_eq!(cancelled(crowd), crowd.sessions.len(), "everybody's segment is taken back");
                cancels = Some(tick);
            } else {
                ticks.push(tick);
            }
        }
        let (whole_us, stages_us) = cancels.expect("the fifth tick cancels");
        let plain_us = median(ticks.iter().map(|(us, _)| *us).collect());
        extra.push(whole_us - plain_us);
        around.push(plain_us);
        for (at, (all, us)) in by_stage.iter_mut().zip(stages_us).enumerate() {
            all.push(us - median(ticks.iter().map(|(_, stages)| stages[at]).collect()));
        }
    }
    let mut queued = Vec::new();
    assert_eq!(
        crowd.engine.queued(&mut queued).iter().sum::<u64>(),
        0,
        "nothing of what was taken back waits"
    );
    let mut stages_us = [0.0; STAGES.len()];
    stages_us.iter_mut().zip(by_stage).for_each(|(us, all)| *us = median(all));
    (median(extra), stages_us, median(around))
}

/// Ticks in which all but one session let audio through, with that one cancelling in every tick or at rest.
fn one_among_others(sessions: u32) -> (f64, f64) {
    let mut crowd = crowd(sessions);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let others = [Cue::Sound(320)];
    cue(&crowd, &[Cue::Rest], &[Cue::Open, Cue::Confirm]);
    tick(&mut crowd);
    for round in 0..400 {
        let quiet = [Cue::Open, Cue::Sound(320), Cue::Confirm, Cue::End];
        let cancels = [Cue::Open, Cue::Sound(320), Cue::Cancel];
        let cancelling = round % 2 == 0;
        cue(&crowd, if cancelling { &cancels } else { &quiet }, &others);
        let (us, _) = tick(&mut crowd);
        if cancelling {
            with.push(us)
        } else {
            without.push(us)
        }
        crowd.hear();
    }
    (median(with), median(without))
}

fn main() {
    let mut crowd = crowd(SESSIONS);
    all_at_once(&mut crowd, 1);
    for frames in [0, 1, 5] {
        let (extra_us, stages_us, around_us) = all_at_once(&mut crowd, frames);
        println!(
            "{SESSIONS} segments with {frames} frames each cancelled in one tick: {extra_us:.0} us more than the \
             {around_us:.0} us of the ticks around it, {:.2} of the budget of {BUDGET_US} us",
            extra_us / BUDGET_US
        );
        let stages = STAGES.iter().zip(stages_us).map(|(stage, us)| format!("{stage} {us:.0}"));
        println!("  of that, us: {}", stages.collect::<Vec<_>>().join(", "));
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
