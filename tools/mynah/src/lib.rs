//! Everything of mynah that touches the outside: the command line, recordings, simulated callers, clocks.
//!
//! `mynah-engine` and `mynah-systems` are functions of their arguments; the arguments come from here.
//!
//! ```
//! use clap::Parser as _;
//! use mynah::args::{Cli, Command};
//!
//! // The command line as a program sees it; `mynah::commands::run` does what it says.
//! let words = ["mynah", "check", "voice_assistant", "--deny-warnings"];
//! let Command::Check(check) = Cli::try_parse_from(words)?.into_command() else { panic!("it is another command") };
//! assert!(check.deny_warnings && check.scenes == ["voice_assistant"]);
//! # Ok::<(), clap::Error>(())
//! ```

#[cfg(feature = "grpc")]
mod across;
#[cfg(feature = "serve")]
mod afar;
pub mod args;
pub mod bench;
pub mod commands;
mod completion;
pub mod doctor;
pub mod metrics;
pub mod progress;
pub mod recorded;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "talk")]
mod talk;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use mynah_engine::Registry;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal;
use mynah_sim::scenes;

/// The global allocator of programs whose reports say what a tick allocates; with another they say 0.
pub use mynah_alloc::Counting;

/// Runs the command that the process was started with, where scenes may also name what `own` has: node kinds, services,
/// transports and merge strategies of the program's own, and nothing of mynah's. Every command sees them, chaos runs and
/// replays as well. docs/adding-a-node.md shows such a program.
///
/// Exit code 2 if one of them has a name that mynah's have.
pub fn main_with(own: Registry) -> ExitCode {
    if let Err(failure) = scenes::add_own(own) {
        terminal::notice(&failure.message);
        return failure.exit.into();
    }
    main()
}

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
