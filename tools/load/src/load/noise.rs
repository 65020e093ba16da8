//! The room around simulated callers: a quiet floor, and sounds that are not speech but wake a detector.
//!
//! Built from integer noise, multiplications and polynomials alone, so it is the same on every platform.

use std::ops::Range;
use std::sync::Arc;

use mynah_engine::base::rng::Rng;

/// Root mean square of the floor: -66 dBFS, a quiet room.
const FLOOR_RMS: f64 = 0.000_501;
/// Length of the floor's loop, a power of two: 5.5 s at 48 kHz, 16 s at 16 kHz (1/2 MB).
const FLOOR_SAMPLES: usize = 1 << 18;
/// Generators of the pink floor, one an octave: down to 6 Hz at 48 kHz.
const FLOOR_OCTAVES: usize = 13;
/// Sounds of each kind.
const OF_EACH_KIND: u64 = 4;
/// Peak of a sound before the caller's gain: -22 to -9 dBFS, about as loud as speech.
const BAIT_PEAK: Range<f32> = 0.08..0.35;

const PURPOSE_FLOOR: u64 = 0x0c01;
const PURPOSE_BAIT: u64 = 0x0c02;

/// What makes a non-speech sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaitKind {
    /// Coloured noise with a sharp onset, 60 to 300 ms: paper, breath on the microphone.
    Burst,
    /// One or two short resonances, 20 to 40 ms: a mouse, a pen.
    Click,
    /// A decaying low resonance, 120 to 300 ms: a table hit, a door.
    Thump,
    /// Several keystrokes within 200 to 300 ms.
    Keys,
}

/// A non-speech sound at the bank's rate.
#[derive(Clone, Debug)]
pub struct Bait {
    /// What it is.
    pub kind: BaitKind,
    /// Mono, 20 to 300 ms; 32768 is full scale.
    pub samples: Arc<[i16]>,
}

/// The floor and the sounds, shared by all callers.
#[derive(Clone, Debug)]
pub struct Noise {
    floor: Arc<[i16]>,
    floor_gain: f32,
    baits: Vec<Bait>,
}

impl Noise {
    /// The noise of `seed` at `rate_hz`: always 16 sounds, four of each kind.
    #[must_use]
    pub fn new(seed: u64, rate_hz: u32) -> Self {
        let (floor, floor_gain) = pink_floor(&mut Rng::new(seed, 0, PURPOSE_FLOOR));
        let kinds = [BaitKind::Burst, BaitKind::Click, BaitKind::Thump, BaitKind::Keys];
        let make = |index: u64| {
            let kind = kinds[index as usize % kinds.len()];
            bait(kind, &mut Rng::new(seed, index, PURPOSE_BAIT), rate_hz)
        };
        Self { floor, floor_gain, baits: (0..OF_EACH_KIND * kinds.len() as u64).map(make).collect() }
    }

    /// Overwrites `out` with the floor from sample `at` of an endless loop, -66 dBFS.
    pub fn write_floor(&self, out: &mut [f32], at: u64) {
        let mut from = (at % FLOOR_SAMPLES as u64) as usize;
        let mut rest = out;
        while !rest.is_empty() {
            let count = rest.len().min(FLOOR_SAMPLES - from);
            let (now, later) = rest.split_at_mut(count);
            for (to, &sample) in now.iter_mut().zip(&self.floor[from..from + count]) {
                *to = f32::from(sample) * self.floor_gain;
            }
            rest = later;
            from = 0;
        }
    }

    /// The non-speech sounds.
    #[must_use]
    pub fn baits(&self) -> &[Bait] {
        &self.baits
    }
}

/// Pink noise after Voss and McCartney: generator k holds a value for 2^k samples, the sum falls by 3 dB an octave.
/// A loop of a power of two samples renews every generator at its seam, as in its middle, so the seam is not heard.
fn pink_floor(rng: &mut Rng) -> (Arc<[i16]>, f32) {
    let mut held = [0_i32; FLOOR_OCTAVES];
    for value in &mut held {
        *value = white(rng);
    }
    let sums: Vec<i32> = (0..FLOOR_SAMPLES)
        .map(|index| {
            let octave = (index.trailing_zeros() as usize).min(FLOOR_OCTAVES - 1);
            held[octave] = white(rng);
            held.iter().sum::<i32>() + white(rng)
        })
        .collect();
    let count = sums.len() as f64;
    let mean = sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() / count;
    let rms = (sums.iter().map(|&sum| (f64::from(sum) - mean) * (f64::from(sum) - mean)).sum::<f64>()
        / count)
        .sqrt();
    let samples = sums.iter().map(|&sum| (f64::from(sum) - mean) as i16).collect();
    (samples, (FLOOR_RMS / rms) as f32)
}

/// An integer in -2048..2048: 14 of them fit in 16 bits.
fn white(rng: &mut Rng) -> i32 {
    (rng.next_u64() >> 52) as i32 - 2048
}

fn bait(kind: BaitKind, rng: &mut Rng, rate_hz: u32) -> Bait {
    let at = |ms: f32| (ms * rate_hz as f32 / 1000.0) as usize;
    let shape = match kind {
        BaitKind::Burst => {
            let mut sound = vec![0.0; at(rng.range_f32(60.0..300.0))];
            burst(&mut sound, rng, rate_hz);
            sound
        }
        BaitKind::Click => {
            let mut sound = vec![0.0; at(rng.range_f32(20.0..40.0))];
            for strike in 0..1 + rng.below(2) {
                let tone_hz = rng.range_f32(1_000.0..3_500.0);
                resonance(&mut sound[at(8.0 * strike as f32)..], tone_hz, 0.002, rate_hz);
            }
            sound
        }
        BaitKind::Thump => {
            let mut sound = vec![0.0; at(rng.range_f32(120.0..300.0))];
            resonance(&mut sound, rng.range_f32(50.0..120.0), 0.04, rate_hz);
            sound
        }
        BaitKind::Keys => {
            let length_ms = rng.range_f32(200.0..300.0);
            let mut sound = vec![0.0; at(length_ms)];
            let strokes = 2 + rng.below(4);
            for stroke in 0..strokes {
                let slot_ms = (length_ms - 20.0) / strokes as f32;
                let from = at(slot_ms * stroke as f32 + rng.range_f32(0.0..slot_ms * 0.5));
                let tone_hz = rng.range_f32(1_500.0..3_500.0);
                resonance(&mut sound[from..], tone_hz, 0.006, rate_hz);
            }
            sound
        }
    };
    Bait { kind, samples: scaled(&shape, rng.range_f32(BAIT_PEAK)) }
}

/// Low-passed noise with an onset of 3 ms, dying away over its length.
fn burst(sound: &mut [f32], rng: &mut Rng, rate_hz: u32) {
    let onset = (rate_hz as usize / 333).max(1);
    let keep = rng.range_f32(0.2..0.8);
    let length = sound.len() as f32;
    let mut low = 0.0;
    for (index, to) in sound.iter_mut().enumerate() {
        low = keep * low + (1.0 - keep) * white(rng) as f32;
        let attack = (index as f32 / onset as f32).min(1.0);
        let left = 1.0 - index as f32 / length;
        *to += low * attack * left * left;
    }
}

/// Adds a struck two-pole resonance that falls to 1/e in `decay_s`.
fn resonance(sound: &mut [f32], tone_hz: f32, decay_s: f32, rate_hz: u32) {
    let radius = 1.0 - 1.0 / (decay_s * rate_hz as f32);
    // Cosine by its series: good enough below 0.45 of the sample rate, and equal on every platform.
    let angle = std::f32::consts::TAU * (tone_hz / rate_hz as f32).min(0.45);
    let square = angle * angle;
    let cosine = 1.0
        - square / 2.0
            * (1.0 - square / 12.0 * (1.0 - square / 30.0 * (1.0 - square / 56.0 * (1.0 - square / 90.0))));
    let (mut last, mut before, mut strike) = (0.0, 0.0, 1.0);
    for to in sound {
        let now = strike + 2.0 * radius * cosine * last - radius * radius * before;
        (before, last, strike) = (last, now, 0.0);
        *to += now;
    }
}

/// Brought to `peak`, with the last 5 % faded out.
fn scaled(sound: &[f32], peak: f32) -> Arc<[i16]> {
    let loudest = sound.iter().fold(f32::MIN_POSITIVE, |loudest, sample| loudest.max(sample.abs()));
    let length = sound.len();
    let fade = (length / 20).max(1);
    let scale = 32_767.0 * peak / loudest;
    let at = |(index, &sample): (usize, &f32)| {
        (sample * scale * ((length - index) as f32 / fade as f32).min(1.0)) as i16
    };
    sound.iter().enumerate().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_is_quiet_pink_and_endless() {
        let noise = Noise::new(3, 48_000);
        let mut floor = vec![1.0; FLOOR_SAMPLES];
        noise.write_floor(&mut floor, 0);
        let power =
            |samples: &[f32]| samples.iter().map(|s| f64::from(s * s)).sum::<f64>() / samples.len() as f64;
        let level_db = 10.0 * power(&floor).log10();
        assert!((level_db + 66.0).abs() < 0.1, "{level_db} dBFS");
        // Differences weigh an octave by its frequency: white noise would give 2, a rumble nearly 0.
        let steps: Vec<f32> = floor.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let tilt = power(&steps) / power(&floor);
        assert!((0.1..0.7).contains(&tilt), "tilt {tilt}");
        let mut across = vec![0.0; 1_000];
        noise.write_floor(&mut across, FLOOR_SAMPLES as u64 * 5 - 400);
        assert_eq!(across[..400], floor[FLOOR_SAMPLES - 400..]);
        assert_eq!(across[400..], floor[..600]);
    }

    #[test]
    fn sounds_are_short_bounded_and_follow_the_seed() {
        for rate_hz in [8_000, 16_000, 48_000] {
            let noise = Noise::new(3, rate_hz);
            assert_eq!(noise.baits().len(), 16);
            for bait in noise.baits() {
                let length_ms = bait.samples.len() as f32 * 1000.0 / rate_hz as f32;
                assert!((19.0..=300.0).contains(&length_ms), "{:?} {length_ms} ms at {rate_hz}", bait.kind);
                let peak = bait.samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
                assert!((2_600..=11_500).contains(&peak), "{:?} peaks at {peak} at {rate_hz}", bait.kind);
            }
            let again = Noise::new(3, rate_hz);
            assert!(noise.baits().iter().zip(again.baits()).all(|(a, b)| a.samples == b.samples));
            let other = Noise::new(4, rate_hz);
            assert!(noise.baits().iter().zip(other.baits()).all(|(a, b)| a.samples != b.samples));
        }
    }
}
