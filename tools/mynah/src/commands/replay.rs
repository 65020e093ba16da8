//! `replay`: an event log, run again.

use std::io::Write as _;

use crate::args::Replay;
use crate::progress::Progress;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal::{self, Stdout};
use mynah_proof::replay::{self, Means};

/// Runs the command.
///
/// # Errors
/// The log cannot be replayed.
pub fn run(args: &Replay) -> Result<Exit, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let means = Means { threads: args.threads.unwrap_or(cores.min(2)), shards: args.shards };
    let mut progress = Progress::new();
    let outcome = replay::replay(&args.log, means, &mut |done, total| progress.at("replayed", done, total));
    progress.clear();
    let outcome = outcome?;
    let mut out = Stdout::lock();
    if args.json {
        out.line(&replay::json(&args.log, &outcome))?;
    } else {
        outcome.notices.iter().for_each(|notice| terminal::notice(&format!("notice: {notice}")));
        out.write_all(replay::text(&args.log, &outcome).as_bytes())?;
    }
    out.flush()?;
    Ok(if outcome.divergence.is_none() { Exit::Done } else { Exit::Refused })
}
