//! Runs an event log again, and finds where the run and the log part.
//!
//! `lines` reads the log, `rebuild` makes the run from its first line, `comparison` compares each line of the run
//! with the next one of the log, `divergence` describes the difference, `show` prints it. The log is read once, line
//! by line, as the run goes on: its length costs no memory.

mod comparison;
mod divergence;
mod lines;
mod means;
mod outcome;
mod rebuild;
mod show;

use std::path::Path;

pub use comparison::Comparison;
pub use divergence::{Difference, Divergence, Numbered};
pub use lines::LogLines;
pub use means::Means;
pub use outcome::Outcome;
pub use show::{json, text};

use mynah_files::failure::Failure;
use mynah_sim::events::header::Header;
use mynah_sim::report::cpu_features;

/// Runs the log at `path` again. `progress` gets (done, total) in microseconds of engine time, while that is known.
///
/// # Errors
/// The log cannot be read, or cannot be replayed: exit code 2, with the remedy.
pub fn replay(
    path: &Path,
    means: Means,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Outcome, Failure> {
    let mut log = LogLines::open(path)?;
    let header = log.header()?;
    let mut notices = strangeness(&header);
    let mut comparison = Comparison::new(log);
    rebuild::run(&header, path, means, &mut comparison, progress)?;
    let (agreeing, divergence, changed) = comparison.conclude()?;
    if changed {
        notices.push("the log was changed after it was written: its own hash does not fit its lines".into());
    }
    Ok(Outcome { header, agreeing, divergence, notices })
}

/// Another program or processor may round differently: a reason for a divergence, and none not to look for one.
fn strangeness(header: &Header) -> Vec<String> {
    let mut notices = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    if header.version != version {
        notices.push(format!(
            "the log is of mynah {}, this is {version}: it may differ for that reason",
            header.version
        ));
    }
    let features = cpu_features();
    if header.cpu_features != features {
        let names = |all: &[&str]| if all.is_empty() { "none".to_string() } else { all.join(", ") };
        let theirs: Vec<&str> = header.cpu_features.iter().map(String::as_str).collect();
        notices.push(format!(
            "the log is of a CPU with {}, this one has {}: it may round differently",
            names(&theirs),
            names(&features)
        ));
    }
    notices
}
