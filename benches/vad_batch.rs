//! Cost of voice activity detection by batch: microseconds per lane and hop.
//!
//! Criterion reports elements per second: one element is one lane's hop, so 1 / throughput is the cost of a
//! lane. A line per batch gives it outright, as the median of the same loop.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mynah_systems::vad::{VadKernel, VadKind, VadLane};

const BATCHES: [usize; 4] = [1, 8, 16, 32];

/// A kernel and the lanes that share its tile.
struct Batch {
    kernel: VadKernel,
    lanes: Vec<VadLane>,
    hop: Vec<f32>,
}

impl Batch {
    fn new(kind: VadKind, lanes: usize) -> Self {
        let mut state = 1u32;
        let noise = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 8_388_608.0 - 1.0) * 0.1
        };
        Self {
            kernel: VadKernel::new(kind),
            lanes: (0..lanes).map(|_| VadLane::new(kind)).collect(),
            hop: (0..kind.hop()).map(noise).collect(),
        }
    }

    /// One hop of every lane.
    fn step(&mut self) -> f32 {
        for lane in &self.lanes {
            self.kernel.stage(lane, black_box(&self.hop));
        }
        self.kernel.run();
        let taken = self.lanes.iter_mut().enumerate().map(|(slot, lane)| self.kernel.take(slot, lane));
        let sum = taken.sum();
        self.kernel.clear();
        sum
    }

    /// Median over 31 rounds of at least 2 ms.
    #[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    fn us_per_lane(&mut self) -> f64 {
        let mut rounds: Vec<f64> = (0..31)
            .map(|_| {
                let (start, mut steps) = (Instant::now(), 0);
                while start.elapsed() < Duration::from_millis(2) {
                    black_box(self.step());
                    steps += self.lanes.len();
                }
                start.elapsed().as_secs_f64() * 1e6 / steps as f64
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    }
}

#[allow(clippy::print_stdout, reason = "the figures are the result")]
fn vad_batch(c: &mut Criterion) {
    for kind in [VadKind::Silero, VadKind::Earshot, VadKind::Energy] {
        let mut group = c.benchmark_group(format!("vad_{kind:?}").to_lowercase());
        for lanes in BATCHES {
            let mut batch = Batch::new(kind, lanes);
            println!("{kind:?}, batch {lanes}: {:.2} us per lane and hop", batch.us_per_lane());
            group.throughput(Throughput::Elements(lanes as u64));
            group.bench_function(BenchmarkId::from_parameter(lanes), |b| b.iter(|| batch.step()));
        }
        group.finish();
    }
}

criterion_group!(benches, vad_batch);
criterion_main!(benches);
