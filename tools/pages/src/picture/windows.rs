//! Cuts a run into stretches of equal length, and counts the events of each.

use mynah_engine::DropReason;

use crate::picture::scale::time_step_s;

/// Stretches that a run is cut into, about.
const WINDOWS: f64 = 60.0;
/// Stretches for quantiles: long enough that each has some values.
const SPELLS: f64 = 20.0;

/// What happened in one stretch.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Segments opened.
    pub opened: u64,
    /// Segments confirmed.
    pub confirmed: u64,
    /// Segments cancelled.
    pub cancelled: u64,
    /// Ends of speech taken back.
    pub retracted: u64,
    /// Answers interrupted.
    pub interrupted: u64,
    /// Frames lost and outputs withheld, by [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// How deep the deepest queue of one session was at each node when a frame entered it.
    pub deepest: Vec<u64>,
    /// Most calls of each node waiting for its service.
    pub waiting: Vec<u64>,
    /// Batches of each node, and the items in them.
    pub batches: Vec<(u64, u64)>,
    /// Work of its ticks on the wall clock: in all, the longest, and how many there were.
    pub work_ns: u64,
    /// See `work_ns`.
    pub work_ns_max: u64,
    /// See `work_ns`.
    pub ticks: u64,
}

/// All stretches of a run.
#[derive(Debug)]
pub struct Windows {
    width_us: u64,
    all: Vec<Window>,
}

impl Windows {
    /// For a run of `duration_us` with answers up to `after_us` behind it, of a scene of `nodes` nodes. All memory is
    /// taken now.
    pub fn new(duration_us: u64, after_us: u64, nodes: usize) -> Self {
        let width_us = width_us(duration_us, WINDOWS);
        let count = ((duration_us + after_us) / width_us + 1) as usize;
        let window = Window {
            deepest: vec![0; nodes],
            waiting: vec![0; nodes],
            batches: vec![(0, 0); nodes],
            ..Window::default()
        };
        Self { width_us, all: vec![window; count] }
    }

    /// The stretch that `us` after the start lies in; what is beyond the last one counts there.
    pub fn at(&mut self, us: u64) -> &mut Window {
        let last = self.all.len() - 1;
        &mut self.all[((us / self.width_us) as usize).min(last)]
    }

    /// Whether two moments lie in one stretch.
    pub fn is_same(&self, one_us: u64, other_us: u64) -> bool {
        one_us / self.width_us == other_us / self.width_us
    }

    /// Length of a stretch, seconds.
    pub fn width_s(&self) -> f64 {
        self.width_us as f64 / 1e6
    }

    /// The stretches in which the run took place: (from, to) in seconds, and what happened.
    pub fn seen(&self) -> impl Iterator<Item = ((f64, f64), &Window)> {
        let used = self.all.iter().rposition(|window| window.ticks > 0).map_or(0, |at| at + 1);
        let width_s = self.width_s();
        self.all.iter().take(used).enumerate().map(move |(at, window)| {
            let from_s = at as f64 * width_s;
            ((from_s, from_s + width_s), window)
        })
    }
}

/// Length of the stretches that quantiles are taken of, microseconds.
pub fn spell_us(duration_us: u64) -> u64 {
    width_us(duration_us, SPELLS)
}

fn width_us(duration_us: u64, count: f64) -> u64 {
    (time_step_s(duration_us as f64 / 1e6, count) * 1e6) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_any_length_has_as_many_windows_as_can_be_seen() {
        for s in [1, 7, 60, 3_600, 86_400] {
            let mut windows = Windows::new(s * 1_000_000, 30_000_000, 3);
            windows.at(u64::MAX).ticks = 1;
            let count = windows.seen().count();
            assert!(count <= 400, "{s} s: {count}");
        }
        let mut windows = Windows::new(60_000_000, 30_000_000, 3);
        windows.at(59_999_999).opened = 2;
        windows.at(61_000_000).ticks = 1;
        let seen: Vec<_> = windows.seen().map(|((from_s, _), w)| (from_s, w.opened)).collect();
        assert_eq!((seen.len(), seen[59]), (62, (59.0, 2)));
    }
}
