//! Claim: a second of a session in `gate_only` costs at most 1.7 times its detector: gate, edge and accounts together less
//! than the detector. `cargo bench --bench gate`.
//!
//! The baseline is the detector alone (Silero, 31.25 hops of 32 ms a second, in batches of as many lanes as there are
//! sessions). The callers speak (synthesized, with pauses and noise), 20 ms frames, one thread; pushing and polling do
//! not count. Processor time; criterion's element is a second of a session. A line per number of sessions has the
//! medians over the seconds.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use mynah::bench::callers::Stand;
use mynah::bench::kernels::VadBatch;
use mynah::bench::median::median;
use mynah_systems::vad::VadKind;

/// Seconds after which all callers have begun to talk.
const SETTLED_S: usize = 4;
const HOPS_PER_S: f64 = 31.25;

fn gate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gate");
    group.sampling_mode(SamplingMode::Flat);
    for sessions in [1, 16, 100, 1_000] {
        let detector_us =
            HOPS_PER_S * VadBatch::new(VadKind::Silero, sessions as usize).us_per_lane(15, 2_000);
        let mut stand = Stand::new("gate_only", sessions, 3_600, false).expect("it is shipped");
        for _ in 0..SETTLED_S {
            stand.second();
        }
        let mut seconds_ns = Vec::new();
        group.throughput(Throughput::Elements(u64::from(sessions)));
        group.bench_function(BenchmarkId::from_parameter(sessions), |bencher| {
            bencher.iter_custom(|count| {
                let seconds: Vec<u64> = (0..count).map(|_| stand.second()).collect();
                seconds_ns.extend(seconds.iter().map(|ns| *ns as f64));
                Duration::from_nanos(seconds.iter().sum())
            });
        });
        let us = median(seconds_ns) / 1e3 / f64::from(sessions);
        println!(
            "{sessions} sessions: {us:.0} us per session-second; the detector alone {detector_us:.0} us, {:.2} of it",
            detector_us / us
        );
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(500));
    targets = gate
}
criterion_main!(benches);
