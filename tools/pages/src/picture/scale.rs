//! Maps values to places on an axis, and chooses the values written beside it.

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Division {
    /// Steps of equal difference.
    Linear,
    /// Equal ratios; the axis begins above 0.
    Logarithmic,
    /// The axis of percentile curves: a quantile `q` lies at `log10(1 / (1 - q))`, so that each nine gets as much room.
    Nines,
}

/// One axis of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    division: Division,
}

impl Scale {
    /// From 0 to a round number at or above `most`, at least 1e-9.
    pub fn up_to(most: f64) -> Self {
        let most = if most.is_finite() { most.max(1e-9) } else { 1.0 };
        let step = step(most, 4.0);
        Self { from: 0.0, to: (most / step).ceil() * step, division: Division::Linear }
    }

    /// Exactly from `from` to `to`.
    pub fn linear(from: f64, to: f64) -> Self {
        Self { from, to: if to > from { to } else { from + 1.0 }, division: Division::Linear }
    }

    /// Whole decades around `least..=most`, both above 0.
    pub fn decades(least: f64, most: f64) -> Self {
        let least = least.max(1e-6).log10().floor();
        let most = most.max(1e-6).log10().ceil().max(least + 1.0);
        Self { from: 10f64.powf(least), to: 10f64.powf(most), division: Division::Logarithmic }
    }

    /// Quantiles from 0 to the last one that `count` values can tell apart.
    pub fn nines(count: u64) -> Self {
        Self { from: 0.0, to: 1.0 - 1.0 / (count.max(10) as f64), division: Division::Nines }
    }

    /// Last value of the axis.
    pub fn to(&self) -> f64 {
        self.to
    }

    /// Place of a value, 0 to 1; what lies beyond the ends is put there.
    pub fn at(&self, value: f64) -> f64 {
        let place = |value: f64| match self.division {
            Division::Linear => value,
            Division::Logarithmic => value.max(self.from).log10(),
            Division::Nines => -(1.0 - value.min(self.to)).log10(),
        };
        let (from, to) = (place(self.from), place(self.to));
        ((place(value) - from) / (to - from)).clamp(0.0, 1.0)
    }

    /// Values to write beside the axis, about `count` of them.
    pub fn ticks(&self, count: f64) -> Vec<f64> {
        match self.division {
            Division::Linear => {
                let step = step(self.to - self.from, count);
                let first = (self.from / step).ceil() as i64;
                (first..).map(|n| n as f64 * step).take_while(|v| *v <= self.to + step * 1e-6).collect()
            }
            Division::Logarithmic => {
                let decades = (self.from.log10().round() as i32)..=(self.to.log10().round() as i32);
                decades.map(|n| 10f64.powi(n)).collect()
            }
            Division::Nines => {
                let all = [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.999_9, 0.999_99, 0.999_999];
                all.into_iter().filter(|q| *q <= self.to).collect()
            }
        }
    }
}

impl Scale {
    /// The whole numbers among the values to write beside the axis.
    pub fn counts(&self, count: f64) -> impl Iterator<Item = f64> {
        self.ticks(count).into_iter().filter(|value| value.fract() == 0.0)
    }
}

/// A round step that divides `length` into about `count`.
fn step(length: f64, count: f64) -> f64 {
    let wanted = length / count;
    let decade = 10f64.powf(wanted.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|f| decade * f >= wanted * 0.999_999);
    decade * factor.unwrap_or(10.0)
}

/// A round step of time, seconds, that divides `length_s` into about `count`.
pub fn time_step_s(length_s: f64, count: f64) -> f64 {
    const STEPS: [f64; 20] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
        7_200.0, 10_800.0, 21_600.0, 43_200.0,
    ];
    STEPS.into_iter().find(|step| *step >= length_s / count).unwrap_or(86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_values_and_ticks_lie_on_them() {
        for (most, end) in [(222.0, 300.0), (0.03, 0.03), (1.0, 1.0), (97.0, 100.0), (1_234.0, 1_500.0)] {
            let scale = Scale::up_to(most);
            assert!((scale.to() - end).abs() < end * 1e-9, "{most}: {}", scale.to());
            let ticks = scale.ticks(4.0);
            assert!((3..=8).contains(&ticks.len()), "{most}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (0.0..=1.0).contains(&scale.at(*tick))));
        }
    }

    #[test]
    fn each_nine_has_as_much_room() {
        let scale = Scale::nines(1_000);
        let places = [0.0, 0.9, 0.99, 0.999].map(|q| scale.at(q));
        for (place, want) in places.into_iter().zip([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]) {
            assert!((place - want).abs() < 1e-9, "{places:?}");
        }
        assert_eq!(scale.ticks(0.0).last(), Some(&0.999));
    }

    #[test]
    fn odd_values_stay_on_the_axis() {
        for scale in [Scale::up_to(0.0), Scale::up_to(f64::NAN), Scale::decades(0.0, 0.0), Scale::nines(0)] {
            for value in [-1.0, 0.0, 1e300] {
                assert!((0.0..=1.0).contains(&scale.at(value)), "{scale:?} {value}");
            }
        }
    }
}
