//! Claim: to record one latency costs a node less than 50 ns, so a frame that passes three nodes less than 150 ns of
//! its 20 ms. `cargo bench --bench histogram`.
//!
//! A node keeps each latency twice: in an hdrhistogram that saturates, for quantiles, and in buckets with fixed
//! bounds, for Prometheus. The baseline is a plain `record` of hdrhistogram, which refuses what is out of range.
//! Latencies spread evenly over 1 us to 100 ms; the median line is processor time, criterion's is wall time.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mynah::bench::median::cpu_ns;
use mynah_engine::base::rng::Rng;
use mynah_engine::observe::metrics::Buckets;
use mynah_engine::record::{NodeHistograms, latency_histogram};

const COUNT: usize = 1_024;

/// Has criterion measure `record`; nanoseconds of processor time for one latency.
fn row(criterion: &mut Criterion, name: &str, latencies_us: &[u64], mut record: impl FnMut(u64)) -> f64 {
    let mut all = || latencies_us.iter().for_each(|us| record(black_box(*us)));
    let ns = cpu_ns(31, 1_000, &mut all) / COUNT as f64;
    let mut group = criterion.benchmark_group("histogram");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function(name, |bencher| bencher.iter(&mut all));
    group.finish();
    ns
}

fn histogram(criterion: &mut Criterion) {
    let mut rng = Rng::new(1, 0, 0);
    let us: Vec<u64> = (0..COUNT).map(|_| rng.range_u64(1..100_000)).collect();
    let mut plain = latency_histogram();
    let plain_ns =
        row(criterion, "hdrhistogram record", &us, |us| plain.record(us).expect("it is within range"));
    let mut saturating = latency_histogram();
    let saturating_ns =
        row(criterion, "hdrhistogram saturating_record", &us, |us| saturating.saturating_record(us));
    let mut buckets = Buckets::latency();
    let buckets_ns = row(criterion, "buckets", &us, |us| buckets.record(us));
    let mut node = NodeHistograms::default();
    let node_ns = row(criterion, "node", &us, |us| node.record_wait(us));
    println!(
        "a latency at a node: {node_ns:.1} ns ({:.2} x a plain record); hdrhistogram record {plain_ns:.1} ns, \
         saturating_record {saturating_ns:.1} ns, buckets {buckets_ns:.1} ns",
        node_ns / plain_ns
    );
    black_box((plain, saturating, buckets, node));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = histogram
}
criterion_main!(benches);
