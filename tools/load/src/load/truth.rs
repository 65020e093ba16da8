//! Finds speech in a dry clip: the ground truth that latency and prematurity are counted from.
//!
//! The rule of the labelled recordings: short-time power in 10 ms windows every 5 ms; speech is what lies above the
//! loudest window minus 40 dB (synthesis has no noise of its own); gaps under 120 ms belong to the speech around
//! them; an utterance runs from first to last speech.

/// Window of the short-time power, microseconds.
const WINDOW_US: u64 = 10_000;
/// Step from window to window, microseconds.
const HOP_US: u64 = 5_000;
/// Power of the quietest speech against the loudest window: -40 dB.
const FLOOR_RATIO: f64 = 1e-4;
/// Shortest gap that is a pause, microseconds; stops of plosives are shorter.
const PAUSE_MIN_US: u64 = 120_000;

/// A half-open stretch of media time, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First instant of it.
    pub start_us: u64,
    /// First instant after it.
    pub end_us: u64,
}

impl Stretch {
    /// How long it is, microseconds.
    #[must_use]
    pub fn len_us(&self) -> u64 {
        self.end_us - self.start_us
    }

    /// The same stretch `by_us` later.
    #[must_use]
    pub fn later(self, by_us: u64) -> Self {
        Self { start_us: self.start_us + by_us, end_us: self.end_us + by_us }
    }
}

/// The speech of one utterance: ordered, at least 120 ms apart, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    speech: Vec<Stretch>,
}

impl Truth {
    /// Truth from known stretches of speech; they are sorted and joined where less than 120 ms apart. `None` when
    /// there is none, or one ends before it begins.
    #[must_use]
    pub fn from_speech(mut speech: Vec<Stretch>) -> Option<Self> {
        if speech.is_empty() || speech.iter().any(|stretch| stretch.end_us <= stretch.start_us) {
            return None;
        }
        speech.sort_by_key(|stretch| stretch.start_us);
        let mut joined: Vec<Stretch> = Vec::with_capacity(speech.len());
        for stretch in speech {
            match joined.last_mut() {
                Some(last) if stretch.start_us < last.end_us + PAUSE_MIN_US => {
                    last.end_us = last.end_us.max(stretch.end_us);
                }
                _ => joined.push(stretch),
            }
        }
        Some(Self { speech: joined })
    }

    /// Continuous speech, in order.
    #[must_use]
    pub fn speech(&self) -> &[Stretch] {
        &self.speech
    }

    /// The gaps between the stretches of speech, each at least 120 ms.
    pub fn pauses(&self) -> impl Iterator<Item = Stretch> + '_ {
        self.speech.windows(2).map(|pair| Stretch { start_us: pair[0].end_us, end_us: pair[1].start_us })
    }

    /// First instant of speech, microseconds.
    #[must_use]
    pub fn start_us(&self) -> u64 {
        self.speech[0].start_us
    }

    /// First instant after the last speech, microseconds: the true end of the utterance.
    #[must_use]
    pub fn end_us(&self) -> u64 {
        self.speech[self.speech.len() - 1].end_us
    }
}

/// Finds the speech in a dry mono clip (no noise mixed in). `None` for silence, and for less than one window.
/// Edges are good to one hop (5 ms) on a burst, to about 40 ms on weak final consonants.
#[must_use]
pub fn find(samples: &[f32], rate_hz: u32) -> Option<Truth> {
    let at = |us: u64| (us * u64::from(rate_hz) / 1_000_000) as usize;
    let window = at(WINDOW_US);
    let windows = (0_u64..)
        .map(|index| (index, at(index * HOP_US)))
        .take_while(|&(_, from)| window > 0 && from + window <= samples.len());
    let power: Vec<(u64, f64)> = windows
        .map(|(index, from)| {
            let squares = samples[from..from + window].iter().map(|&s| f64::from(s) * f64::from(s));
            (index, squares.sum::<f64>())
        })
        .collect();
    let peak = power.iter().fold(0.0_f64, |peak, &(_, power)| peak.max(power));
    if peak <= 0.0 {
        return None;
    }
    // Of a window only the middle hop is claimed, so that speech does not grow by what the windows overlap.
    let claimed = power.iter().filter(|&&(_, power)| power >= peak * FLOOR_RATIO).map(|&(index, _)| {
        let start_us = index * HOP_US + (WINDOW_US - HOP_US) / 2;
        Stretch { start_us, end_us: start_us + HOP_US }
    });
    Truth::from_speech(claimed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Silence with 200 Hz tone bursts at the given milliseconds.
    fn bursts(rate_hz: u32, length_ms: usize, at_ms: &[(usize, usize)]) -> Vec<f32> {
        let sample = |ms: usize| ms * rate_hz as usize / 1000;
        let mut samples = vec![0.0; sample(length_ms)];
        for &(from, to) in at_ms {
            for (index, to) in samples[sample(from)..sample(to)].iter_mut().enumerate() {
                *to = 0.5 * (index as f32 * 200.0 * std::f32::consts::TAU / rate_hz as f32).sin();
            }
        }
        samples
    }

    #[test]
    fn finds_the_bursts_and_the_pauses_between_them() {
        type Bursts = &'static [(usize, usize)];
        type Speech = &'static [(u64, u64)];
        // milliseconds
        let cases: [(Bursts, Speech); 4] = [
            (&[(300, 800)], &[(300, 800)]),
            (&[(300, 800), (900, 1200)], &[(300, 1200)]),
            (&[(300, 800), (950, 1200)], &[(300, 800), (950, 1200)]),
            (&[(0, 500), (700, 1000), (1400, 2000)], &[(0, 500), (700, 1000), (1400, 2000)]),
        ];
        for rate_hz in [8_000, 16_000, 44_100, 48_000] {
            for (at_ms, expected) in cases {
                let truth = find(&bursts(rate_hz, 2_000, at_ms), rate_hz).unwrap();
                assert_eq!(truth.speech().len(), expected.len(), "{rate_hz} Hz {at_ms:?}: {truth:?}");
                for (found, &(from, to)) in truth.speech().iter().zip(expected) {
                    assert!(
                        found.start_us.abs_diff(from * 1000) <= 7_500,
                        "{rate_hz} Hz {at_ms:?}: {found:?}"
                    );
                    assert!(found.end_us.abs_diff(to * 1000) <= 7_500, "{rate_hz} Hz {at_ms:?}: {found:?}");
                }
                assert_eq!(truth.pauses().count(), expected.len() - 1);
                assert!(truth.pauses().all(|pause| pause.len_us() >= PAUSE_MIN_US));
            }
        }
    }

    #[test]
    fn quiet_speech_counts_down_to_forty_decibels() {
        // -38 and -42 dB
        for (gain, stretches) in [(0.0126_f32, 2), (0.0079, 1)] {
            let mut samples = bursts(16_000, 1_500, &[(200, 600), (1_000, 1_300)]);
            for sample in &mut samples[16_000..] {
                *sample *= gain;
            }
            assert_eq!(find(&samples, 16_000).unwrap().speech().len(), stretches, "gain {gain}");
        }
    }

    #[test]
    fn silence_has_no_truth() {
        assert_eq!(find(&[0.0; 16_000], 16_000), None);
        assert_eq!(find(&[], 16_000), None);
        assert_eq!(find(&[0.5; 10], 16_000), None);
        assert_eq!(Truth::from_speech(vec![]), None);
        assert_eq!(Truth::from_speech(vec![Stretch { start_us: 5, end_us: 5 }]), None);
    }
}
