//! Claim: moving a frame into a node, through it and on costs less than 200 ns with 1,000 sessions: `passthrough`, one
//! 20 ms frame a session and tick, one thread. `cargo bench --bench pass_through`.
//!
//! The baseline is what the node does to the samples, without an engine: 320 of them times a gain, in a plain vector.
//! Criterion's element is a frame at a node; its time is the whole tick, with edge, output and accounts. A line per
//! number of sessions tells both apart: medians over the ticks.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

mod crowd;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crowd::Crowd;
use mynah::bench::median::{cpu_ns, median};
use mynah_engine::observe::Census;
use mynah_sim::scenes;

const FRAME: [f32; 320] = [0.1; 320];

/// Everybody pushes a frame: nanoseconds of the tick that takes them, and of its nodes.
fn tick(crowd: &mut Crowd, nodes: usize) -> [u64; 2] {
    for session in &crowd.sessions {
        session.try_push(&FRAME).expect("there is credit");
    }
    let mut census = Census::default();
    let mut work_ns = |crowd: &Crowd| crowd.engine.census(&mut census).work_ns[..nodes].iter().sum::<u64>();
    let before_ns = work_ns(crowd);
    let whole_ns = crowd.tick();
    assert_eq!(crowd.hear(), crowd.sessions.len(), "each frame comes out in the tick that takes it");
    [whole_ns, work_ns(crowd) - before_ns]
}

fn pass_through(criterion: &mut Criterion) {
    let (plan, _) = scenes::compile("passthrough", &[], None, None).expect("it is shipped");
    let nodes = plan.nodes.len();
    let mut samples = FRAME.to_vec();
    let alone_ns = cpu_ns(31, 1_000, || {
        let gain = black_box(1.0);
        (0..64).for_each(|_| black_box(&mut samples).iter_mut().for_each(|sample| *sample *= gain));
    }) / 64.0;
    let mut group = criterion.benchmark_group("pass_through");
    group.sampling_mode(SamplingMode::Flat);
    for sessions in [8, 100, 1_000] {
        let mut crowd = Crowd::new(plan.clone(), sessions);
        let steps = u64::from(sessions) * nodes as u64;
        let mut ticks = [Vec::new(), Vec::new()];
        group.throughput(Throughput::Elements(steps));
        group.bench_function(BenchmarkId::from_parameter(sessions), |bencher| {
            bencher.iter_custom(|count| {
                let mut sum_ns = 0;
                for _ in 0..count {
                    let tick_ns = tick(&mut crowd, nodes);
                    sum_ns += tick_ns[0];
                    ticks.iter_mut().zip(tick_ns).for_each(|(all, ns)| all.push(ns as f64 / steps as f64));
                }
                Duration::from_nanos(sum_ns)
            });
        });
        let [whole_ns, node_ns] = ticks.map(median);
        println!(
            "{sessions} sessions: {node_ns:.0} ns per frame and node, {whole_ns:.0} ns with the rest of the tick; \
             the samples alone {alone_ns:.0} ns"
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
    targets = pass_through
}
criterion_main!(benches);
