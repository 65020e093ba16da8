//! Sizes and durations on the command line: `20ms`, `5m`, `320`, `random:64-2048`.

use std::fmt;
use std::str::FromStr;

use mynah_engine::base::rng::Rng;

/// Tells the lengths of chunks apart from everything else that a seed decides.
const PURPOSE: u64 = 0x6368_756e_6b73;

/// How a recording arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkSpec {
    /// This much time at once, microseconds, up to one second.
    Time(u64),
    /// This many sample frames at once.
    Frames(u32),
    /// Any number of sample frames between the two, both included, drawn anew for each chunk.
    Random(u32, u32),
}

/// Longest chunk: what the engine's edge takes of one session at once.
const CHUNK_MAX_US: u64 = 1_000_000;
/// Highest rate of a recording, so most sample frames in a second.
const FRAMES_MAX: u32 = 192_000;

impl FromStr for ChunkSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a time up to 1s (20ms), sample frames up to one second (320), \
                        or random:LEAST-MOST (random:64-2048)";
        let frames = |part: &str| {
            let count =
                part.trim().parse::<u32>().map_err(|_| format!("`{part}` is no count: {expected}"))?;
            if !(1..=FRAMES_MAX).contains(&count) {
                return Err(format!("{count} sample frames are out of range 1 to {FRAMES_MAX}: {expected}"));
            }
            Ok(count)
        };
        if let Some(range) = text.strip_prefix("random:") {
            let (least, most) =
                range.split_once('-').ok_or_else(|| format!("`{range}` is no range: {expected}"))?;
            let (least, most) = (frames(least)?, frames(most)?);
            if least > most {
                return Err(format!("{least} is more than {most}: {expected}"));
            }
            return Ok(Self::Random(least, most));
        }
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return frames(text).map(Self::Frames);
        }
        let us = duration_us(text).map_err(|_| format!("no such chunk: {expected}"))?;
        if !(1..=CHUNK_MAX_US).contains(&us) {
            return Err(format!("{us} us is out of range: {expected}"));
        }
        Ok(Self::Time(us))
    }
}

impl fmt::Display for ChunkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(us) => write!(f, "{}ms", *us as f64 / 1_000.0),
            Self::Frames(frames) => write!(f, "{frames}"),
            Self::Random(least, most) => write!(f, "random:{least}-{most}"),
        }
    }
}

/// The chunks of one recording, one after the other.
#[derive(Debug)]
pub struct Chunks {
    spec: ChunkSpec,
    rate_hz: u32,
    count: u64,
    rng: Rng,
}

impl Chunks {
    /// The chunks of session `index`, whose audio has this rate; `seed` decides the random ones.
    ///
    /// # Errors
    /// When a chunk may be longer than the second that a session may have waiting.
    pub fn new(spec: ChunkSpec, rate_hz: u32, seed: u64, index: u64) -> Result<Self, String> {
        let most = match spec {
            ChunkSpec::Time(_) => 0,
            ChunkSpec::Frames(frames) | ChunkSpec::Random(_, frames) => frames,
        };
        if most > rate_hz {
            return Err(format!(
                "--chunk {spec}: {most} sample frames are more than one second at {rate_hz} Hz; \
                 expected at most {rate_hz}"
            ));
        }
        Ok(Self { spec, rate_hz, count: 0, rng: Rng::new(seed, index, PURPOSE) })
    }

    /// Sample frames of the next chunk, at least 1. Times that are no whole number of frames do not drift.
    pub fn next_frames(&mut self) -> usize {
        self.count += 1;
        match self.spec {
            ChunkSpec::Frames(frames) => frames as usize,
            ChunkSpec::Random(least, most) => {
                self.rng.range_u64(u64::from(least)..u64::from(most) + 1) as usize
            }
            ChunkSpec::Time(us) => {
                let upto =
                    |count: u64| u128::from(count) * u128::from(us) * u128::from(self.rate_hz) / 1_000_000;
                ((upto(self.count) - upto(self.count - 1)) as usize).max(1)
            }
        }
    }
}

/// `500ms`, `60s`, `1.5s`, `5m`, `2h` in microseconds, rounded to the nearest.
///
/// # Errors
/// No number, or no unit.
pub fn duration_us(text: &str) -> Result<u64, String> {
    let expected = "expected a number and a unit: 500ms, 60s, 5m, 1h";
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let value: f64 = number.parse().map_err(|_| format!("`{number}` is no number: {expected}"))?;
    let unit_us = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3_600e6,
        "" => return Err(format!("the unit is missing: {expected}")),
        _ => return Err(format!("`{unit}` is no unit of time: {expected}")),
    };
    let us = (value * unit_us).round();
    if us > 1e15 {
        return Err(format!("longer than thirty years: {expected}"));
    }
    Ok(us as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_nonsense_is_named() {
        let cases: [(&str, Result<ChunkSpec, &str>); 12] = [
            ("20ms", Ok(ChunkSpec::Time(20_000))),
            ("1s", Ok(ChunkSpec::Time(1_000_000))),
            ("2.5ms", Ok(ChunkSpec::Time(2_500))),
            ("320", Ok(ChunkSpec::Frames(320))),
            ("random:64-2048", Ok(ChunkSpec::Random(64, 2048))),
            ("random:7-7", Ok(ChunkSpec::Random(7, 7))),
            ("0", Err("out of range 1 to 192000")),
            ("0ms", Err("out of range")),
            ("2s", Err("out of range")),
            ("random:9-3", Err("9 is more than 3")),
            ("random:64", Err("no range")),
            ("soon", Err("no such chunk")),
        ];
        for (text, want) in cases {
            let got = text.parse::<ChunkSpec>();
            match (&got, &want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{text}"),
                (Err(got), Err(want)) => {
                    assert!(got.contains(want) && got.contains("expected"), "{text}: {got}")
                }
                _ => panic!("{text}: got {got:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn durations_have_a_unit() {
        let cases = [("500ms", 500_000), ("60s", 60_000_000), ("1.5s", 1_500_000), ("5m", 300_000_000)];
        for (text, want) in cases {
            assert_eq!(duration_us(text), Ok(want), "{text}");
        }
        for text in ["", "60", "s", "5 parsecs", "-1s", "1e3s", "..s", "99999999999h"] {
            assert!(duration_us(text).is_err(), "{text}");
        }
    }

    #[test]
    fn chunks_of_odd_times_do_not_drift() {
        // 10 ms of 22,050 Hz are 220.5 frames.
        let mut chunks = Chunks::new(ChunkSpec::Time(10_000), 22_050, 1, 0).unwrap();
        let sizes: Vec<usize> = (0..100).map(|_| chunks.next_frames()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 22_050);
        assert!(sizes.iter().all(|n| (220..=221).contains(n)));
    }

    #[test]
    fn random_chunks_stay_in_range_and_follow_the_seed() {
        let draw = |seed, index| {
            let mut chunks = Chunks::new(ChunkSpec::Random(64, 66), 48_000, seed, index).unwrap();
            (0..200).map(|_| chunks.next_frames()).collect::<Vec<_>>()
        };
        let sizes = draw(1, 0);
        for size in 64..=66 {
            assert!(sizes.contains(&size), "{size} never came");
        }
        assert!(sizes.iter().all(|n| (64..=66).contains(n)));
        assert_eq!(sizes, draw(1, 0));
        assert_ne!(sizes, draw(2, 0));
        assert_ne!(sizes, draw(1, 1));
    }

    #[test]
    fn a_chunk_is_at_most_a_second_of_its_recording() {
        assert!(Chunks::new(ChunkSpec::Frames(8_001), 8_000, 1, 0).unwrap_err().contains("at most 8000"));
        assert!(Chunks::new(ChunkSpec::Frames(8_000), 8_000, 1, 0).is_ok());
    }
}
