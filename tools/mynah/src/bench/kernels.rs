//! The kernels alone: voice activity detection by batch, the resamplers' delay, the codec of control messages.

use std::hint::black_box;

use mynah_engine::wire::message::{ControlMessage, MessageType, json, segment_id};
use mynah_systems::dsp::resampler::{Kernel, Mode, Quality, ResampleSpec, build};
use mynah_systems::vad::{VadKernel, VadKind, VadLane};

use super::median::cpu_ns;

/// Lanes of one detector, as many kernel tiles as they need.
pub struct VadBatch {
    kernel: VadKernel,
    lanes: Vec<VadLane>,
    hop: Vec<f32>,
}

impl VadBatch {
    /// `lanes` sessions that hear noise.
    pub fn new(kind: VadKind, lanes: usize) -> Self {
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

    /// One hop of every lane; the sum of the probabilities.
    pub fn step(&mut self) -> f32 {
        let (kernel, hop) = (&mut self.kernel, &self.hop);
        let mut sum = 0.0;
        for tile in self.lanes.chunks_mut(VadKernel::TILE) {
            for lane in &*tile {
                kernel.stage(lane, black_box(hop));
            }
            kernel.run();
            sum += tile.iter_mut().enumerate().map(|(slot, lane)| kernel.take(slot, lane)).sum::<f32>();
            kernel.clear();
        }
        sum
    }

    /// Microseconds of processor time for a lane's hop.
    pub fn us_per_lane(&mut self, rounds: usize, round_us: u64) -> f64 {
        let lanes = self.lanes.len() as f64;
        let step = || {
            black_box(self.step());
        };
        cpu_ns(rounds, round_us, step) / lanes / 1e3
    }
}

const FROM_HZ: u32 = 48_000;
const TO_HZ: u32 = 16_000;
/// Seed of the sizes that audio arrives in.
pub const SIZES_SEED: u64 = 0x6d79_6e61_6800_0001;

/// How old the newest output is after each of `pushes` pushes of 64 to 2048 frames, 48 to 16 kHz: time of input pushed
/// minus time of output there, milliseconds, in ascending order. Counted in frames: the same on every machine.
pub fn resampler_ages_ms(mode: Mode, quality: Quality, pushes: usize) -> Vec<f64> {
    let kernel = Kernel::Auto;
    let spec = ResampleSpec { from_hz: FROM_HZ, to_hz: TO_HZ, channels: 1, quality, mode, kernel };
    let mut resampler = build(spec).expect("both rates are within range");
    let (mut random, mut output, silence) = (SIZES_SEED, Vec::new(), [0.0; 2048]);
    let mut ages: Vec<f64> = (0..pushes)
        .map(|_| {
            output.clear();
            resampler.push(&silence[..64 + below(&mut random, 1985)], &mut output);
            let frames = resampler.frames();
            let input_s = frames.consumed as f64 / f64::from(FROM_HZ);
            1e3 * (input_s - frames.emitted as f64 / f64::from(TO_HZ))
        })
        .collect();
    ages.sort_by(f64::total_cmp);
    ages
}

/// A number below `limit`; xorshift64*.
fn below(state: &mut u64, limit: u64) -> usize {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    ((state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit) as usize
}

/// A cancel as it goes out for every rejected segment.
pub fn typical_message() -> ControlMessage {
    const SESSION: &str = "sess_abc123";
    let what =
        MessageType::CancelSpeculation { from_timestamp: 61_000_000, to_timestamp: 61_160_000, late: false };
    let mut message = ControlMessage::new(SESSION.into(), 1_700_000_000_000_000, what);
    message.message_id = 1_234;
    message.target_segment_id = Some(segment_id(SESSION, 1, 42));
    message.turn = Some(7);
    message
}

/// Nanoseconds to write and to read that message as JSON.
pub fn codec_ns(rounds: usize, round_us: u64) -> [f64; 2] {
    let message = typical_message();
    let (mut out, mut bytes) = (Vec::new(), Vec::new());
    json::encode_into(&message, &mut bytes).expect("the message is valid");
    // Sixty-four at once: reading the clock takes as long as one.
    let write = cpu_ns(rounds, round_us, || {
        for _ in 0..64 {
            out.clear();
            json::encode_into(black_box(&message), &mut out).expect("the message is valid");
            black_box(&out);
        }
    });
    let read = cpu_ns(rounds, round_us, || {
        for _ in 0..64 {
            drop(black_box(json::decode(black_box(&bytes)).expect("the message is valid")));
        }
    });
    [write / 64.0, read / 64.0]
}

/// Of ascending values the one at 95 %.
pub fn p95(ascending: &[f64]) -> f64 {
    ascending.get(ascending.len() * 95 / 100).copied().unwrap_or(f64::NAN)
}
