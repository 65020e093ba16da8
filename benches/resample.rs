//! Time to convert one second of audio, by pair of rates and push size; the reported time is per second of audio
//! and channel, so 500 us is 0.05 % of a core.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use mynah_systems::dsp::resampler::{Kernel, Mode, Quality, ResampleSpec, build};

const PAIRS: [(u32, u32); 8] = [
    (48_000, 16_000),
    (44_100, 16_000),
    (24_000, 48_000),
    (16_000, 48_000),
    (8_000, 16_000),
    (96_000, 16_000),
    (11_025, 16_000),
    (48_000, 44_100),
];
/// Push sizes in frames: a small device buffer, the size of the latency target, and a large one.
const CHUNKS: [usize; 3] = [64, 320, 1920];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .configure_from_args();
    for (from_hz, to_hz) in PAIRS {
        let mut group = criterion.benchmark_group(format!("resample {from_hz} to {to_hz}"));
        let rows = [
            ("fast", Mode::Streaming, Quality::Fast),
            ("standard", Mode::Streaming, Quality::Standard),
            ("high", Mode::Streaming, Quality::High),
            ("fixed chunk 1024", Mode::FixedChunk { frames: 1024 }, Quality::Standard),
        ];
        for (name, mode, quality) in rows {
            for chunk in CHUNKS {
                let spec = ResampleSpec { from_hz, to_hz, channels: 1, quality, mode, kernel: Kernel::Auto };
                let mut resampler = build(spec).expect("both rates are within range");
                let second: Vec<f32> = (0..from_hz).map(|n| (n as f32 * 0.05).sin()).collect();
                let mut output = Vec::with_capacity(2 * to_hz as usize);
                group.bench_function(BenchmarkId::new(name, chunk), |bencher| {
                    bencher.iter(|| {
                        output.clear();
                        for push in second.chunks(chunk) {
                            resampler.push(black_box(push), &mut output);
                        }
                        black_box(output.len())
                    });
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
