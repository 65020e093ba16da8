//! Claim: one thread opens and decides half a million segments a second, each with 20 ms of audio that is let out or
//! taken back. `cargo bench --bench segment_churn`.
//!
//! The baseline is the same audio of the same 1,000 sessions in one segment that stays open. In every tick every
//! session opens one, and confirms and ends it or cancels it; pushing and polling do not count. Criterion's element is
//! a segment; a line per way has the medians over the ticks.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

mod crowd;
#[path = "../tests/support/host.rs"]
mod host;
#[path = "../tests/support/kinds/prompter.rs"]
mod prompter;

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crowd::Crowd;
use host::compiled;
use mynah::bench::median::median;
use prompter::{Cue, Prompter};

const SCENE: &str = r#"(
    name: "churn",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [(id: "prompter", kind: Prompter())],
    edges: [("input", "prompter"), ("prompter.audio", "output")],
)"#;
const SESSIONS: u32 = 1_000;
const SOUND: Cue = Cue::Sound(320);
/// Name, what comes before the first tick, what comes in each, and how many of the blocks come out.
const WAYS: [(&str, &[Cue], &[Cue], usize); 3] = [
    ("one segment stays open", &[Cue::Open, Cue::Confirm], &[SOUND], 1),
    ("opened and confirmed", &[Cue::Rest], &[Cue::Open, SOUND, Cue::Confirm, Cue::End], 1),
    ("opened and cancelled", &[Cue::Rest], &[Cue::Open, SOUND, Cue::Cancel], 0),
];

/// Everybody's cues, and the nanoseconds of the tick that follows them.
fn follow(crowd: &mut Crowd, cues: &[Cue], blocks: usize) -> u64 {
    for session in &crowd.sessions {
        session.push(Cue::block(cues)).expect("the edge has room");
    }
    let tick_ns = crowd.tick();
    assert_eq!(crowd.hear(), blocks * crowd.sessions.len(), "after {cues:?}");
    tick_ns
}

fn segment_churn(criterion: &mut Criterion) {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>();
    let plan = compiled(SCENE, &[], &registry).expect("the scene is sound");
    let mut group = criterion.benchmark_group("segment_churn");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(u64::from(SESSIONS)));
    let mut baseline_ns = None;
    for (way, first, cues, blocks) in WAYS {
        let mut crowd = Crowd::new(plan.clone(), SESSIONS);
        follow(&mut crowd, first, 0);
        let mut ticks_ns = Vec::new();
        group.bench_function(way, |bencher| {
            bencher.iter_custom(|count| {
                let ticks: Vec<u64> = (0..count).map(|_| follow(&mut crowd, cues, blocks)).collect();
                ticks_ns.extend(ticks.iter().map(|ns| *ns as f64));
                Duration::from_nanos(ticks.iter().sum())
            });
        });
        let each_ns = median(ticks_ns) / f64::from(SESSIONS);
        let open_ns = *baseline_ns.get_or_insert(each_ns);
        println!(
            "{way}: {each_ns:.0} ns a session and tick, {:.0} ns more than without; {:.0} thousand a second",
            each_ns - open_ns,
            1e6 / each_ns
        );
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = segment_churn
}
criterion_main!(benches);
