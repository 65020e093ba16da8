//! One file for each command: takes its flags, prints its results, says how it ended.

pub mod bench;
pub mod chaos;
pub mod check;
pub mod compare;
pub mod doctor;
pub mod files;
pub mod graph;
pub mod replay;
pub mod run;
pub mod serve;
pub mod shell;
pub mod simulate;
pub mod talk;

use crate::args::Command;
use mynah_files::failure::{Exit, Failure};

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
        Command::Talk(args) => talk::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::manual(args),
        Command::Version => shell::version(),
    }
}
