//! What counts of a hop in which the session's own answer may be heard. Over loudspeakers it comes back through the
//! microphone, and a detector is as sure of it as of any voice: only a level tells a caller from an echo.
//!
//! An answer is heard from when it leaves until its sound is over at the listener and the tail has passed. A hop is
//! judged by when it was recorded, whenever it comes and whenever the detector hears it.

use crate::vad_gate::config::VadGate;

/// The loudest echo that a lane expects before it has heard an answer: -26 dB of full scale. Speech near a microphone
/// has hops of -20 dB and more; the voice of a scene, at full volume 10 dB below the caller, has none above -28.
const EXPECTED: f32 = 0.002_5;
/// How fast a softer echo is believed: 1.5 dB a second, which keeps the peak of a word through the next sentence.
const FALL_PER_US: f32 = 0.35e-6;
/// How fast an echo that passes for the caller is believed to be one, after somebody has turned up the volume: 6 dB a
/// second. A caller who interrupts teaches so for the length of the tail, about 2 dB.
const RISE_PER_US: f32 = 1.4e-6;
/// Nothing is louder: full scale.
const FULL: f32 = 1.0;

/// What counts while an answer is heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    pub(super) tail_us: u64,
    pub(super) counts: Counts,
}

/// What of the sound beside an answer counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counts {
    Nothing,
    /// What is by more than this factor more powerful than the loudest echo of late.
    Louder {
        factor: f32,
    },
}

impl Echo {
    /// `None`: everything counts.
    pub(crate) fn of(gate: &VadGate) -> Option<Self> {
        let counts = match gate.raise_threshold_while_speaking {
            _ if gate.half_duplex => Counts::Nothing,
            p if p > 0.0 => Counts::Louder { factor: 10f32.powf(gate.raise_level_while_speaking_db / 10.0) },
            _ => return None,
        };
        Some(Self { tail_us: (f64::from(gate.echo_tail_ms) * 1_000.0) as u64, counts })
    }
}

/// What a lane knows of its session's echo.
#[derive(Debug)]
pub(super) struct EchoMemory {
    /// Media time before which nothing is pre-roll: what was heard while nothing counted.
    pub(super) deaf_until_us: u64,
    /// The last segment whose answer began to sound while it was open; 0: none.
    pub(super) answered: u32,
    /// Mean square of the loudest echo of late.
    power: f32,
}

impl Default for EchoMemory {
    fn default() -> Self {
        Self { deaf_until_us: 0, answered: 0, power: EXPECTED }
    }
}

impl EchoMemory {
    /// Whether a hop of these samples is louder than the echo by more than `factor`.
    pub(super) fn is_louder(&mut self, factor: f32, samples: &[f32], hop_us: u64) -> bool {
        let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
        let hop_us = hop_us as f32;
        let louder = power > self.power * factor;
        self.power = if louder {
            (self.power * (1.0 + RISE_PER_US * hop_us)).min(FULL)
        } else {
            power.max(self.power * (1.0 - FALL_PER_US * hop_us))
        };
        louder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP_US: u64 = 32_000;

    /// A hop of this level, in dB of full scale.
    fn sound(db: f32) -> [f32; 512] {
        [10f32.powf(db / 20.0); 512]
    }

    /// How many of the hops of these levels are louder than the echo by 6 dB.
    fn counted(memory: &mut EchoMemory, levels_db: impl Iterator<Item = f32>) -> usize {
        levels_db.filter(|db| memory.is_louder(3.981, &sound(*db), HOP_US)).count()
    }

    #[test]
    fn only_what_is_louder_than_the_loudest_echo_of_late_counts() {
        let mut memory = EchoMemory::default();
        // Words with the pauses of a sentence, as loud as a loudspeaker may be before anything is known of it.
        let words = || (0..300).map(|hop| if hop % 20 < 12 { -20.5 } else { -60.0 });
        assert_eq!(counted(&mut memory, words()), 0);
        assert_eq!(counted(&mut memory, [-15.5].into_iter()), 0);
        assert_eq!(counted(&mut EchoMemory::default(), [-15.5].into_iter()), 1);
        // A soft loudspeaker lets a soft caller through after some seconds.
        let mut soft = EchoMemory::default();
        assert_eq!(counted(&mut soft, [-35.0].into_iter()), 0);
        assert_eq!(counted(&mut soft, (0..470).map(|_| -50.0)), 0);
        assert_eq!(counted(&mut soft, [-35.0].into_iter()), 1);
    }

    #[test]
    fn a_louder_echo_is_believed_after_a_while_and_a_caller_hardly() {
        let mut turned_up = EchoMemory::default();
        let passed = counted(&mut turned_up, (0..300).map(|_| -12.0));
        assert!((20..60).contains(&passed), "{passed} hops passed for the caller");
        let mut interrupted = EchoMemory::default();
        counted(&mut interrupted, (0..10).map(|_| -12.0));
        let taught_db = 10.0 * (interrupted.power / EXPECTED).log10();
        assert!((0.1..2.5).contains(&taught_db), "{taught_db} dB");
        let mut loud = EchoMemory::default();
        counted(&mut loud, (0..100_000).map(|_| 200.0));
        assert!(loud.power <= FULL);
    }
}
