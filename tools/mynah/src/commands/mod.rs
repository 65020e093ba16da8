//! One file a command: takes its flags, prints its results, says how it ended.

pub mod check;
pub mod graph;
pub mod replay;
pub mod run;
pub mod simulate;

use crate::args::Command;
use crate::failure::{Exit, Failure};

/// Runs a command.
///
/// # Errors
/// What to print to stderr, and the exit code.
pub fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Graph(args) => graph::run(args),
        Command::Run(args) => run::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Replay(args) => replay::run(args),
    }
}
