//! The time of a session, cut into cells that each fit the narrowest window.

use crate::picture::figure::moment;
use crate::picture::scale::time_step_s;

/// Most seconds in a cell, while there are few cells: 25 pixels a second on a phone.
const CELL_S: f64 = 12.0;
/// Most cells of a session: longer ones show less of each second.
const CELLS_MAX: u64 = 30;
/// Times written above a cell, about.
const TICKS: f64 = 5.0;

/// A part of the time, which is drawn as wide as the window allows. Places are percent of its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    last: bool,
}

/// The cells of a session, equally long: one, or pairs of them.
pub(super) fn cells((from_us, to_us): (u64, u64)) -> Vec<Cell> {
    let all_us = to_us.saturating_sub(from_us).max(1);
    let wanted = all_us as f64 / 1e6 / CELL_S;
    let count = if wanted <= 1.0 { 1 } else { ((wanted / 2.0).ceil() as u64 * 2).min(CELLS_MAX) };
    let bound = |n: u64| from_us + (u128::from(all_us) * u128::from(n) / u128::from(count)) as u64;
    (0..count).map(|n| Cell { from_us: bound(n), to_us: bound(n + 1), last: n + 1 == count }).collect()
}

impl Cell {
    /// One cell for the whole.
    pub(super) fn new((from_us, to_us): (u64, u64)) -> Self {
        Self { from_us, to_us: to_us.max(from_us + 1), last: true }
    }

    /// Where a moment lies, as a share of the width: below 0 or above 1 when it is not in the cell.
    pub(super) fn signed(&self, us: u64) -> f64 {
        (us as f64 - self.from_us as f64) / (self.to_us - self.from_us).max(1) as f64
    }

    /// Percent; what lies outside is put to the edge.
    pub(super) fn at(&self, us: u64) -> f64 {
        self.signed(us).clamp(0.0, 1.0) * 100.0
    }

    /// Whether any of `from_us..=to_us` is to be seen. A moment between two cells belongs to the later one.
    pub(super) fn sees(&self, from_us: u64, to_us: u64) -> bool {
        (from_us < self.to_us || self.last && from_us == self.to_us) && to_us >= self.from_us
    }

    /// Left edge and width of a stretch.
    pub(super) fn stretch(&self, from_us: u64, to_us: u64) -> (f64, f64) {
        let left = self.at(from_us);
        (left, self.at(to_us.max(from_us)) - left)
    }

    /// The times to be written above it.
    pub(super) fn ticks(&self) -> impl Iterator<Item = u64> {
        let step_s = time_step_s((self.to_us - self.from_us) as f64 / 1e6, TICKS);
        let step_us = (step_s * 1e6) as u64;
        let (first, until_us, last) = (self.from_us.div_ceil(step_us), self.to_us, self.last);
        (first..).map(move |n| n * step_us).take_while(move |us| *us < until_us || last && *us == until_us)
    }

    /// From when to when, for whoever cannot see it.
    pub(super) fn told(&self) -> String {
        let s = |us: u64| moment((us as f64 / 1e5).round() / 10.0);
        format!("{} to {}", s(self.from_us), s(self.to_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_lies_in_one_cell_and_there_are_few() {
        for s in [0, 1, 12, 13, 20, 60, 3_600, 86_400] {
            let (from_us, to_us) = (7_000_000, 7_000_000 + s * 1_000_000);
            let cells = cells((from_us, to_us));
            assert!(cells.len() == 1 || cells.len().is_multiple_of(2), "{s} s: {}", cells.len());
            assert!(cells.len() as u64 <= CELLS_MAX);
            for us in [from_us, from_us + s * 500_000, from_us + s * 333_333, to_us] {
                assert_eq!(cells.iter().filter(|cell| cell.sees(us, us)).count(), 1, "{s} s: {us}");
            }
            let ticks: Vec<u64> = cells.iter().flat_map(Cell::ticks).collect();
            assert!(ticks.is_sorted_by(|a, b| a < b), "{ticks:?}");
        }
    }

    #[test]
    fn what_lies_outside_is_put_to_the_edge() {
        let cell = Cell::new((1_000, 2_000));
        assert_eq!([cell.at(0), cell.at(1_500), cell.at(9_000)], [0.0, 50.0, 100.0]);
        assert_eq!(cell.stretch(500, 1_250), (0.0, 25.0));
        assert_eq!(cell.signed(0), -1.0);
    }
}
