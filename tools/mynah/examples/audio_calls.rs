//! What a sound device's callback calls, ten thousand times between two lines: for programs that count system calls or
//! instructions (`benches/instructions.sh`, docs/performance.md).
//!
//! Run: `strace target/release/examples/audio_calls f32`, with `i16` for 16-bit samples
#![expect(clippy::print_stdout, reason = "its lines are the marks between which one counts")]

use std::sync::Arc;

use mynah_engine::edge::{AudioIn, AudioOut, Read};
use mynah_engine::scene::{Format, Source, compile};
use mynah_engine::{Engine, EngineConfig, PushError, SessionSpec};

pub(crate) const BEGIN: &str = "calls: begin";
pub(crate) const END: &str = "calls: end";
/// Sample frames of a call, 2.7 ms.
const FRAMES: usize = 128;
const FORMAT: Format = Format { rate_hz: 48_000, channels: 1 };
const CALLS: usize = 10_000;
/// Calls until the engine ticks: every 16 ms, as in a game.
const CALLS_PER_TICK: usize = 6;

#[inline(never)]
fn push_f32(input: &mut AudioIn, samples: &[f32]) -> Result<(), PushError> {
    input.push(samples)
}

#[inline(never)]
fn push_i16(input: &mut AudioIn, samples: &[i16]) -> Result<(), PushError> {
    input.push_i16(samples)
}

#[inline(never)]
fn read_f32(output: &mut AudioOut, out: &mut [f32]) -> Read {
    output.read(out)
}

/// Calls, of which the first few do not count.
pub(crate) fn play(coarse: bool) {
    let scene = Source::new("passthrough.ron", include_str!("../../../scenes/passthrough.ron"));
    let compiled = compile(&scene, &[], None, &mynah_systems::registry(None));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("the scene is broken: {found:?}"));
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
    let spec = SessionSpec { input: Some(FORMAT), ..SessionSpec::named("device") };
    let session = engine.handle().open(spec).expect("there is room");
    let (mut input, mut output, _control) = session.split().expect("nobody else has it");
    let (samples, exact, mut out) = ([0.25; FRAMES], [8_192; FRAMES], [0.0; FRAMES]);
    let (mut now_us, mut sounded) = (0, 0);
    let warm = 1_000;
    for call in 0..warm + CALLS {
        if call == warm {
            println!("{BEGIN}");
            sounded = 0;
        }
        let taken = if coarse { push_i16(&mut input, &exact) } else { push_f32(&mut input, &samples) };
        taken.expect("a tick comes every 16 ms");
        sounded += read_f32(&mut output, &mut out).frames;
        if call % CALLS_PER_TICK == 0 {
            now_us += 16_000;
            engine.tick(now_us);
        }
    }
    println!("{END}");
    println!("{CALLS} calls with {FRAMES} sample frames each way; {sounded} frames of sound were read");
    assert!(sounded > CALLS * FRAMES * 9 / 10, "nearly all of it sounds");
}

fn main() {
    let samples = std::env::args().nth(1).unwrap_or_default();
    match samples.as_str() {
        "f32" => play(false),
        "i16" => play(true),
        _ => panic!("samples `{samples}`: expected f32 or i16"),
    }
}
