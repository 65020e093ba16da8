//! Judges the difference between two sides.
//!
//! Figures that are modelled repeat exactly in virtual time: of one seed, every difference is real, and says nothing
//! about other seeds. Several reports a side show how much a figure moves: the ratio is the median's, its noise the
//! least and the greatest ratio. What the machine decides, measured once, is believed to move by
//! `MEASURED_ONCE_PERCENT`; what a stopwatch measured once is shown, and fails nothing.

use serde::Serialize;

use super::figures::{Better, Figure, Origin, of_all};
use super::reports::Side;

/// How much costs, and latencies on the wall clock, move from run to run on a shared machine; percent.
pub(super) const MEASURED_ONCE_PERCENT: f64 = 25.0;

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Equal, or nearer than anybody would notice.
    Same,
    /// Within what it moves anyway.
    Noise,
    /// Better, by more than the noise.
    Better,
    /// Worse, by more than the noise.
    Worse,
    /// Other, by more than the noise; neither is better.
    Other,
    /// Only one side has it.
    OneSided,
}

/// One figure on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its place in the report.
    pub name: String,
    /// What it is shown with.
    #[serde(skip)]
    pub group: &'static str,
    /// Its unit; empty: none.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// Median of the first side; `None`: it has none.
    pub a: Option<f64>,
    /// Median of the second side.
    pub b: Option<f64>,
    /// Second over first; `None` where the first is 0 or one is missing.
    pub ratio: Option<f64>,
    /// Least ratio of what was measured.
    pub ratio_min: Option<f64>,
    /// Greatest ratio seen.
    pub ratio_max: Option<f64>,
    /// What became of it.
    pub change: Change,
    /// Worse by more than the noise and than what is allowed.
    pub regression: bool,
}

/// Both sides, figure by figure.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// In the report's order.
    pub rows: Vec<Row>,
    /// Percent by which a latency or cost may be worse.
    pub percent: f64,
    /// The reports of both sides were matched by their seeds.
    pub paired: bool,
}

impl Comparison {
    /// What became worse by more than is allowed.
    pub fn regressions(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.regression)
    }
}

/// Compares. `percent`: by which a latency or cost may be worse before it is a regression.
pub fn compare(a: &Side, b: &Side, percent: f64) -> Comparison {
    let (mut seeds_a, mut seeds_b) = (a.seeds(), b.seeds());
    let order: Vec<Option<usize>> =
        seeds_a.iter().map(|seed| seeds_b.iter().position(|other| other == seed)).collect();
    seeds_a.sort_unstable();
    seeds_b.sort_unstable();
    let distinct = seeds_a.windows(2).all(|pair| pair[0] != pair[1]);
    let paired = distinct && seeds_a == seeds_b;
    let wall = a.is_wall() || b.is_wall();
    let (figures_a, mut figures_b) = (of_all(&a.reports), of_all(&b.reports));
    let mut rows = Vec::with_capacity(figures_a.len());
    for (name, figure, values) in figures_a {
        let at = figures_b.iter().position(|(other, ..)| *other == name);
        let others = at.map(|at| figures_b.remove(at).2).unwrap_or_default();
        let others: Vec<Option<f64>> = if paired && !others.is_empty() {
            order.iter().map(|at| at.and_then(|at| others[at])).collect()
        } else {
            others
        };
        rows.push(row(name, at_the_clock(figure, wall), (&values, &others), paired, percent));
    }
    for (name, figure, values) in figures_b {
        rows.push(row(name, figure, (&[], &values), false, percent));
    }
    Comparison { rows, percent, paired }
}

/// On the wall clock nothing is modelled.
fn at_the_clock(figure: Figure, wall: bool) -> Figure {
    let modelled = figure.origin == Origin::Model;
    Figure { origin: if wall && modelled { Origin::Machine } else { figure.origin }, ..figure }
}

fn row(
    name: String,
    figure: Figure,
    (values_a, values_b): (&[Option<f64>], &[Option<f64>]),
    paired: bool,
    percent: f64,
) -> Row {
    let (a, b) = (median(values_a.iter().flatten()), median(values_b.iter().flatten()));
    let ratios = if paired { pairs(values_a, values_b) } else { extremes(values_a, values_b) };
    let least = ratios.iter().copied().reduce(f64::min);
    let most = ratios.iter().copied().reduce(f64::max);
    let over = |a: f64, b: f64| (a != 0.0).then(|| b / a);
    let middle = if paired { median(ratios.iter()) } else { a.zip(b).and_then(|(a, b)| over(a, b)) };
    let (change, beyond) = judge(&figure, (a, b), (middle, least, most), ratios.len() > 1);
    let proves = ratios.len() > 1 || figure.origin != Origin::Stopwatch;
    let regression = change == Change::Worse && proves && beyond > percent;
    let Figure { group, unit, better, .. } = figure;
    Row {
        name,
        group,
        unit,
        better,
        a,
        b,
        ratio: middle,
        ratio_min: least,
        ratio_max: most,
        change,
        regression,
    }
}

/// What became of a figure, and by how many percent it is worse.
fn judge(
    figure: &Figure,
    (a, b): (Option<f64>, Option<f64>),
    (ratio, least, most): (Option<f64>, Option<f64>, Option<f64>),
    several: bool,
) -> (Change, f64) {
    let (Some(a), Some(b)) = (a, b) else { return (Change::OneSided, 0.0) };
    if a == b || (b - a).abs() < figure.least {
        return (Change::Same, 0.0);
    }
    let rises = b > a;
    // From nothing to something is more than any percentage.
    let Some(ratio) = ratio else { return (direction(figure, rises), f64::INFINITY) };
    let noise = match (least, most) {
        (Some(least), Some(most)) if several => !(least > 1.0 || most < 1.0),
        _ => figure.origin != Origin::Model && (ratio - 1.0).abs() * 100.0 <= MEASURED_ONCE_PERCENT,
    };
    if noise {
        return (Change::Noise, 0.0);
    }
    let worse = match figure.better {
        Better::Lower => ratio - 1.0,
        Better::Higher => 1.0 / ratio - 1.0,
        Better::Neither => 0.0,
    };
    (direction(figure, rises), worse * 100.0)
}

fn direction(figure: &Figure, rises: bool) -> Change {
    match (figure.better, rises) {
        (Better::Neither, _) => Change::Other,
        (Better::Lower, true) | (Better::Higher, false) => Change::Worse,
        (Better::Lower, false) | (Better::Higher, true) => Change::Better,
    }
}

/// The ratio of each pair of reports with one seed.
fn pairs(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<f64> {
    a.iter()
        .zip(b)
        .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
        .filter(|(a, _)| *a != 0.0)
        .map(|(a, b)| b / a)
        .collect()
}

/// The least and the greatest ratio between any two reports.
fn extremes(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<f64> {
    let range = |values: &[Option<f64>]| {
        let values = || values.iter().flatten().copied();
        values().reduce(f64::min).zip(values().reduce(f64::max))
    };
    let Some(((a_min, a_max), (b_min, b_max))) = range(a).zip(range(b)) else { return Vec::new() };
    if a_min <= 0.0 {
        return Vec::new();
    }
    let (least, most) = (b_min / a_max, b_max / a_min);
    if a.len() + b.len() > 2 { vec![least, most] } else { vec![least] }
}

fn median<'a>(values: impl Iterator<Item = &'a f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.copied().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
