//! A moving average of how long work takes.

/// Weight of the newest value: the average follows a change within some twenty values, and one slow call moves it by
/// a tenth.
const WEIGHT: f64 = 0.1;

/// Exponential moving average of processing times. The first value starts it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ema {
    mean_us: Option<f64>,
}

impl Ema {
    /// Adds one processing time, in microseconds.
    pub fn add(&mut self, took_us: u64) {
        let took_us = took_us as f64;
        self.mean_us = Some(self.mean_us.map_or(took_us, |mean| mean + WEIGHT * (took_us - mean)));
    }

    /// The average in microseconds, rounded; `None` before the first value.
    pub fn us(&self) -> Option<u64> {
        self.mean_us.map(|mean| mean.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_starts_with_the_first_value_and_moves_by_a_tenth() {
        let rows: [(&[u64], Option<u64>); 6] = [
            (&[], None),
            (&[20_000], Some(20_000)),
            (&[20_000, 30_000], Some(21_000)),
            (&[20_000, 30_000, 0], Some(18_900)),
            (&[0, 15], Some(2)),
            (&[u64::MAX, u64::MAX], Some(u64::MAX)),
        ];
        for (took, mean) in rows {
            let mut ema = Ema::default();
            took.iter().for_each(|&us| ema.add(us));
            assert_eq!(ema.us(), mean, "{took:?}");
        }
    }

    #[test]
    fn a_lasting_change_is_followed() {
        let mut ema = Ema::default();
        ema.add(10_000);
        let mut last = 10_000;
        for _ in 0..100 {
            ema.add(50_000);
            let mean = ema.us().unwrap();
            assert!((last..=50_000).contains(&mean), "{mean} after {last}");
            last = mean;
        }
        assert_eq!(last, 49_999);
    }
}
