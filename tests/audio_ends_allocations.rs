//! What an audio callback calls neither allocates nor frees, while another thread ticks. Allocations are counted for each
//! thread; alone in its program, which has that allocator.

#[path = "support/host.rs"]
mod host;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use host::{one_shard, plan};
use mynah_alloc::{ThreadCounts, of_thread};
use mynah_engine::edge::{AudioIn, AudioOut};
use mynah_engine::scene::Format;
use mynah_engine::{Engine, Say, SessionEvent, SessionSpec};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

/// Sample frames of the buffers that devices ask for.
const LENGTHS: [usize; 6] = [1, 16, 128, 480, 1_024, 4_800];
/// Counted from here on, and until the end.
const WARM_US: u64 = 3_000_000;
const END_US: u64 = 6_000_000;
/// The game hangs as long once a second.
const HITCH_US: u64 = 300_000;
/// How far the device may run ahead of the game in this test, for it has no clock that holds it back: a hitch and two
/// frames and the greatest buffer, which has to fit into 1.1 s.
const AHEAD_US: u64 = 500_000;

/// What the device and the game have done.
#[derive(Default)]
struct Times {
    device_us: AtomicU64,
    game_us: AtomicU64,
}

/// What the device's calls came to.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    allocations: u64,
    frees: u64,
    refused: u64,
    sounded: u64,
}

/// The sound device: it calls with `length` sample frames at a time.
fn device(mut input: AudioIn, mut output: AudioOut, length: usize, times: &Times) -> Counted {
    let (rate_hz, out_hz) = (u64::from(input.format().rate_hz), output.format().rate_hz);
    assert_eq!(rate_hz, u64::from(out_hz), "one device");
    let samples = vec![0.25_f32; length * usize::from(input.format().channels)];
    let coarse: Vec<i16> = samples.iter().map(|_| 8_192).collect();
    let mut out = vec![0.0_f32; length * usize::from(output.format().channels)];
    let mut counted = Counted::default();
    for call in 1.. {
        let now_us = call * length as u64 * 1_000_000 / rate_hz;
        let before = of_thread();
        let taken = if call % 2 == 0 { input.push(&samples) } else { input.push_i16(&coarse) };
        let read = output.read(&mut out);
        let ThreadCounts { allocations, frees } = of_thread();
        if now_us > WARM_US {
            counted.allocations += allocations - before.allocations;
            counted.frees += frees - before.frees;
            counted.refused += u64::from(taken.is_err());
            counted.sounded += read.frames as u64;
        }
        times.device_us.store(now_us, Ordering::Release);
        if now_us >= END_US {
            break;
        }
        while now_us > times.game_us.load(Ordering::Acquire) + AHEAD_US {
            thread::yield_now();
        }
    }
    counted
}

/// A game of `hz` frames a second that ticks in its frames, and has the session say something when it is silent.
fn play(scene: &str, format: Format, hz: u64, length: usize) -> Counted {
    let mut engine = Engine::new(plan(scene, &[]), one_shard());
    let spec = SessionSpec { input: Some(format), output: Some(format), ..SessionSpec::named("device") };
    let session = engine.handle().open(spec).expect("there is room");
    let (input, output, mut control) = session.split().expect("nobody else has it");
    let times = Times::default();
    thread::scope(|threads| {
        let device = threads.spawn(|| device(input, output, length, &times));
        let (mut frame_us, mut frames) = (0, 0_u64);
        let mut silent = scene != "passthrough";
        while frame_us < END_US {
            frames += 1;
            frame_us += 1_000_000 / hz + if frames.is_multiple_of(hz) { HITCH_US } else { 0 };
            // It runs with the device's time: frames overlap the device's calls as they do in life.
            while times.device_us.load(Ordering::Acquire) < frame_us.min(END_US) {
                thread::yield_now();
            }
            engine.tick(frame_us);
            times.game_us.store(frame_us, Ordering::Release);
            if silent {
                control.say("Who goes there?", Say::default()).expect("there is room");
                silent = false;
            }
            while let Some(event) = control.poll() {
                silent |= matches!(event, SessionEvent::AnswerEnded { .. });
            }
        }
        device.join().expect("it only counts")
    })
}

#[test]
fn audio_callbacks_neither_allocate_nor_free() {
    drop(vec![0_u8; 3]);
    assert!(of_thread().allocations > 0 && of_thread().frees > 0, "they are counted");
    let (mono, stereo) = (Format { rate_hz: 48_000, channels: 1 }, Format { rate_hz: 44_100, channels: 2 });
    for (scene, format) in [("passthrough", mono), ("voice_assistant", mono), ("barge_in", stereo)] {
        for (hz, length) in [60, 30].into_iter().flat_map(|hz| LENGTHS.map(|length| (hz, length))) {
            let counted = play(scene, format, hz, length);
            let what = format!("{scene}, {hz} Hz, {length} frames");
            assert!(counted.sounded > 4_800, "{what}: {counted:?}");
            let Counted { allocations, frees, refused, .. } = counted;
            assert_eq!((allocations, frees, refused), (0, 0, 0), "{what}: allocations, frees, refused");
        }
    }
}
