//! The part of the table about the stages of the response.

use std::fmt::Write as _;

use super::words::short;
use mynah_sim::report::StageFigures;

/// Most stages shown: those that take most.
const SHOWN_MAX: usize = 7;

/// One line a stage, in the order of the way; what takes no time is left out.
pub(super) fn draw(t: &mut String, stages: &[StageFigures]) -> std::fmt::Result {
    let mut shares: Vec<f64> = stages.iter().map(|stage| stage.share).filter(|share| *share > 0.0).collect();
    shares.sort_by(|a, b| b.total_cmp(a));
    let Some(least) = shares.get(SHOWN_MAX - 1).or(shares.last()).copied() else { return Ok(()) };
    writeln!(
        t,
        "  {:<28} {:>8} {:>8} {:>8} {:>8} {:>8} {:>14}",
        "  of the response, ms", "share", "P50", "P95", "P99", "max", "of slowest 5 %"
    )?;
    for stage in stages.iter().filter(|stage| stage.share >= least).take(SHOWN_MAX) {
        let q = stage.quantiles;
        let [p50, p95, p99, max] = [q.p50, q.p95, q.p99, q.max].map(short);
        let [share, slow] = [stage.share, stage.share_slow].map(|part| format!("{:.0} %", part * 100.0));
        let name = format!("  {}", stage.stage);
        writeln!(t, "  {name:<28} {share:>8} {p50:>8} {p95:>8} {p99:>8} {max:>8} {slow:>14}")?;
    }
    Ok(())
}
