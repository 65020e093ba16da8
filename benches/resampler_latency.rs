//! Content latency of the streaming resampler against the fixed-chunk baseline, 48 to 16 kHz.
//!
//! After each push of a random 64 to 2048 frames: input time pushed so far minus output time available. Counted in
//! frames, so it repeats exactly on any machine. Fails (exit code 1) when streaming is not at least 15 ms below
//! the baseline at the 95th percentile.
#![expect(clippy::print_stdout, reason = "a report for people")]

use std::process::ExitCode;

use mynah::bench::kernels::{SIZES_SEED, resampler_ages_ms};
use mynah_systems::dsp::resampler::{Mode, Quality};

/// About 44 s of audio.
const PUSHES: usize = 2_000;
const GAIN_MS_MIN: f64 = 15.0;

fn main() -> ExitCode {
    let rows = [
        ("fixed chunk of 1024 (FFT)", Mode::FixedChunk { frames: 1024 }, Quality::Standard),
        ("streaming, fast", Mode::Streaming, Quality::Fast),
        ("streaming, standard", Mode::Streaming, Quality::Standard),
        ("streaming, high", Mode::Streaming, Quality::High),
    ];
    println!("48000 to 16000 Hz, {PUSHES} pushes of 64 to 2048 frames, seed {SIZES_SEED:#x}");
    println!("{:<28}{:>9}{:>9}{:>9}", "content latency, ms", "P50", "P95", "max");
    let percentiles = rows.map(|(name, mode, quality)| {
        let [p50, p95, max] = ages_ms(mode, quality);
        println!("{name:<28}{p50:>9.2}{p95:>9.2}{max:>9.2}");
        [p50, p95, max]
    });
    let [p50, p95, max] = [0, 1, 2].map(|i| percentiles[0][i] - percentiles[2][i]);
    println!("{:<28}{p50:>9.2}{p95:>9.2}{max:>9.2}", "baseline minus standard");
    if p95 < GAIN_MS_MIN {
        println!("FAILED: streaming must be at least {GAIN_MS_MIN} ms below the baseline at P95");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// P50, P95 and maximum of the age of the newest output after each push, in milliseconds.
fn ages_ms(mode: Mode, quality: Quality) -> [f64; 3] {
    let ages = resampler_ages_ms(mode, quality, PUSHES);
    [ages[PUSHES / 2], ages[PUSHES * 95 / 100], ages[PUSHES - 1]]
}
