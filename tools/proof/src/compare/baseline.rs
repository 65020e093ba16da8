//! Compares a run with one that was kept: `simulate --save-baseline FILE`, later `simulate --baseline FILE`.

use std::path::Path;

use serde_json::Value;

use super::judge::{Comparison, compare};
use super::reports::{Side, sides_differ};
use mynah_files::failure::Failure;
use mynah_files::outputs;
use mynah_sim::report::Report;

/// What has to be the same for a comparison to say anything.
const SAME: [&str; 5] = ["scene", "load", "sessions", "duration_s", "clock"];

/// Reads a baseline; before the run, so that nobody waits for a run that cannot be compared.
///
/// # Errors
/// It cannot be read: exit code 2.
pub fn read(path: &Path) -> Result<Side, Failure> {
    Side::read(path).map_err(|failure| Failure {
        message: format!(
            "{}\nwrite a baseline with `mynah simulate ... --save-baseline FILE`",
            failure.message
        ),
        ..failure
    })
}

/// The reports of a run that has just ended, as one side of a comparison.
///
/// # Panics
/// Never: a report is always JSON.
pub fn side(reports: &[&Report]) -> Side {
    let reports: Vec<Value> =
        reports.iter().map(|report| serde_json::to_value(report).expect("a report is always JSON")).collect();
    Side { name: "this run".into(), reports }
}

/// Compares a run with its baseline.
///
/// # Errors
/// They are of different scenes, loads, lengths or clocks: exit code 2.
pub fn check(baseline: &Side, run: &Side, percent: f64) -> Result<Comparison, Failure> {
    let differ = sides_differ(baseline, run);
    let unfit: Vec<String> = differ
        .into_iter()
        .filter(|(name, ..)| SAME.contains(name))
        .map(|(name, kept, now)| format!("{name} is {kept} there and {now} here"))
        .collect();
    if unfit.is_empty() {
        return Ok(compare(baseline, run, percent));
    }
    Err(Failure::unable(format_args!(
        "--baseline {}: {}; give this run the same flags, or write a new baseline with --save-baseline",
        baseline.name,
        unfit.join(", ")
    )))
}

/// Keeps reports for later runs, one a line. The file is there whole or not at all.
///
/// # Errors
/// It cannot be written: exit code 2.
pub fn save(path: &Path, run: &Side) -> Result<(), Failure> {
    let mut text = String::new();
    for report in &run.reports {
        text += &report.to_string();
        text.push('\n');
    }
    outputs::write(path, text.as_bytes())
        .map_err(|error| Failure::write(format_args!("--save-baseline {}", path.display()), &error))
}
