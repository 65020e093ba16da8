//! Cost of voice activity detection by batch: microseconds per lane and hop.
//!
//! Criterion reports elements per second: one element is one lane's hop, so 1 / throughput is the cost of a
//! lane. A line per batch gives it outright, as the median over 31 rounds of at least 2 ms of processor time.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mynah::bench::kernels::VadBatch;
use mynah_systems::vad::VadKind;

const BATCHES: [usize; 6] = [1, 8, 16, 32, 64, 128];

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn vad_batch(c: &mut Criterion) {
    for kind in [VadKind::Silero, VadKind::Earshot, VadKind::Energy] {
        let mut group = c.benchmark_group(format!("vad_{kind:?}").to_lowercase());
        for lanes in BATCHES {
            let mut batch = VadBatch::new(kind, lanes);
            println!("{kind:?}, batch {lanes}: {:.2} us per lane and hop", batch.us_per_lane(31, 2_000));
            group.throughput(Throughput::Elements(lanes as u64));
            group.bench_function(BenchmarkId::from_parameter(lanes), |b| b.iter(|| batch.step()));
        }
        group.finish();
    }
}

criterion_group!(benches, vad_batch);
criterion_main!(benches);
