//! Everything of mynah that touches the outside: the command line, recordings, simulated callers, clocks.
//!
//! `mynah-engine` and `mynah-systems` are functions of their arguments; the arguments come from here.

pub mod args;
pub mod bench;
pub mod chunk;
pub mod clock;
pub mod commands;
pub mod compare;
mod completion;
pub mod doctor;
pub mod events;
pub mod failure;
pub mod flight;
pub mod interrupt;
pub mod link;
pub mod load;
pub mod metrics;
pub mod outputs;
pub mod picture;
pub mod progress;
pub mod replay;
pub mod report;
pub mod run;
pub mod scenes;
pub mod simulate;
pub mod table;
pub mod terminal;
pub mod text;
pub mod transport;
pub mod wav;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::failure::{Exit, Failure};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout, refusals to stderr.
            let printed = error.print().and_then(|()| std::io::stdout().flush());
            return match printed {
                _ if error.use_stderr() => Exit::Unable.into(),
                // Whoever has stopped reading has had enough.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    terminal::notice(&Failure::from(error).message);
                    Exit::Unable.into()
                }
                _ => Exit::Done.into(),
            };
        }
    };
    let exit = commands::run(&cli.into_command()).unwrap_or_else(|failure| {
        terminal::notice(&failure.message);
        failure.exit
    });
    exit.into()
}
