//! The shape of a sound: the least and greatest sample of each short stretch. Small, however long the sound is.

/// Length of a stretch, microseconds.
pub const COLUMN_US: u64 = 5_000;

/// The outline of a sound over time.
#[derive(Clone, Debug, Default)]
pub struct Peaks {
    columns: Vec<(f32, f32)>,
    columns_max: usize,
}

impl Peaks {
    /// Silence; nothing is kept of what lies behind `until_us`.
    pub fn new(until_us: u64) -> Self {
        Self { columns: Vec::new(), columns_max: until_us.div_ceil(COLUMN_US) as usize }
    }

    /// Adds interleaved samples whose first sounds at `from_us`.
    pub fn add(&mut self, from_us: u64, samples: &[f32], channels: usize, rate_hz: u32) {
        let (channels, rate) = (channels.max(1), u64::from(rate_hz.max(1)));
        for (frame, samples) in samples.chunks(channels).enumerate() {
            let at = ((from_us + frame as u64 * 1_000_000 / rate) / COLUMN_US) as usize;
            if at >= self.columns_max {
                return;
            }
            if at >= self.columns.len() {
                self.columns.resize(at + 1, (0.0, 0.0));
            }
            let column = &mut self.columns[at];
            for sample in samples.iter().filter(|sample| sample.is_finite()) {
                *column = (column.0.min(*sample), column.1.max(*sample));
            }
        }
    }

    /// Forgets what sounds from `us` on.
    pub fn cut(&mut self, us: u64) {
        self.columns.truncate(us.div_ceil(COLUMN_US) as usize);
    }

    /// The greatest sample in `from_us..to_us`, whatever its sign.
    pub fn most(&self, from_us: u64, to_us: u64) -> f32 {
        self.within(from_us, to_us).fold(0.0, |most, (_, (low, high))| most.max(-low).max(*high))
    }

    fn within(&self, from_us: u64, to_us: u64) -> impl Iterator<Item = (u64, &(f32, f32))> {
        let columns = self.columns.iter().enumerate();
        let timed = columns.map(|(at, column)| (at as u64 * COLUMN_US, column));
        timed.filter(move |(us, _)| (from_us..to_us).contains(us))
    }

    /// Closed shapes around what sounds in `from_us..to_us`, several stretches joined to keep them few; a sample of 1.0
    /// is `half` above `middle`.
    pub fn outline(
        &self,
        (from_us, to_us): (u64, u64),
        shapes_max: usize,
        x: impl Fn(u64) -> f64,
        middle: f64,
        half: f64,
    ) -> String {
        let joined_us = (to_us.saturating_sub(from_us)).div_ceil(shapes_max as u64).max(COLUMN_US);
        let mut path = String::new();
        let mut open: Option<(u64, f32, f32)> = None;
        let mut close = |(us, low, high): (u64, f32, f32)| {
            if high > low {
                let (left, right) = (x(us), x(us + joined_us));
                let (top, bottom) = (middle - half * f64::from(high), middle - half * f64::from(low));
                path.push_str(&format!("M{left:.1} {top:.1}H{right:.1}V{bottom:.1}H{left:.1}Z"));
            }
        };
        for (us, (low, high)) in self.within(from_us, to_us) {
            let at = us / joined_us * joined_us;
            match &mut open {
                Some((us, least, most)) if *us == at => (*least, *most) = (least.min(*low), most.max(*high)),
                _ => {
                    open.take().into_iter().for_each(&mut close);
                    open = Some((at, *low, *high));
                }
            }
        }
        open.into_iter().for_each(&mut close);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_keeps_its_peaks_and_its_place() {
        let mut peaks = Peaks::new(1_000_000);
        peaks.add(500_000, &[0.0, 0.0, 0.25, -0.5, f32::NAN, 2.0], 2, 1_000);
        assert_eq!((peaks.most(0, 500_000), peaks.most(500_000, 600_000)), (0.0, 2.0));
        let outline = peaks.outline((0, 1_000_000), 100, |us| us as f64 / 1e4, 0.0, 10.0);
        assert_eq!(outline, "M50.0 -20.0H51.0V5.0H50.0Z");
    }

    #[test]
    fn nothing_is_kept_behind_the_end_or_a_cut() {
        let mut peaks = Peaks::new(20_000);
        peaks.add(0, &[0.5; 1_000], 1, 1_000);
        assert_eq!(peaks.columns.len(), 4);
        peaks.cut(9_000);
        assert_eq!(peaks.columns.len(), 2);
    }
}
