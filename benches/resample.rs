//! Time to convert one second of audio, by pair of rates and push size; the reported time is per second of audio
//! and channel, so 500 us is 0.05 % of a core. Before that, both kernels against each other in one run.

#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{BenchmarkId, Criterion};
use mynah_systems::dsp::resampler::{Kernel, Mode, Quality, RateConverter, ResampleSpec, build};

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

/// Sessions of one kernel, each with its own converter and its own 20 ms of sound.
struct Sessions {
    streams: Vec<(Box<dyn RateConverter>, Vec<f32>)>,
    output: Vec<f32>,
}

impl Sessions {
    fn new(from_hz: u32, to_hz: u32, kernel: Kernel, count: usize) -> Self {
        let (quality, mode) = (Quality::Standard, Mode::Streaming);
        let spec = ResampleSpec { from_hz, to_hz, channels: 1, quality, mode, kernel };
        let frames = from_hz as usize / 50;
        let sound = |s: usize| (0..frames).map(|n| ((n * (s + 1)) as f32 * 0.05).sin()).collect();
        let streams =
            (0..count).map(|s| (build(spec).expect("both rates are within range"), sound(s))).collect();
        Self { streams, output: Vec::with_capacity(to_hz as usize / 25) }
    }

    /// Processor time of a second of audio of one session, microseconds, measured over a fifth of it.
    fn us_per_second(&mut self) -> f64 {
        let start = ThreadTime::now();
        for _ in 0..10 {
            for (converter, sound) in &mut self.streams {
                self.output.clear();
                converter.push(black_box(sound), &mut self.output);
                black_box(&self.output);
            }
        }
        start.elapsed().as_secs_f64() * 5e6 / self.streams.len() as f64
    }
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// Prints what a second of audio costs with each kernel: medians of 61 rounds that take turns.
#[allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn compare_kernels() {
    println!("us of processor time per second of audio and session, standard quality, pushes of 20 ms");
    println!("{:>16} {:>9} {:>8} {:>8} {:>6}", "Hz", "sessions", "Rubato", "Batched", "ratio");
    for (from_hz, to_hz) in [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000)] {
        for count in [1, 16, 32] {
            let mut kernels =
                [Kernel::Rubato, Kernel::Batched].map(|kernel| Sessions::new(from_hz, to_hz, kernel, count));
            let mut rounds = [Vec::new(), Vec::new()];
            for _ in 0..61 {
                for (sessions, rounds) in kernels.iter_mut().zip(&mut rounds) {
                    rounds.push(sessions.us_per_second());
                }
            }
            let [rubato, batched] = rounds.map(median);
            let pair = format!("{from_hz} to {to_hz}");
            println!("{pair:>16} {count:>9} {rubato:>8.1} {batched:>8.1} {:>6.2}", rubato / batched);
        }
    }
}

fn main() {
    compare_kernels();
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
