//! `mynah`: reads the command line, runs one command, exits with 0 (done and ok), 1 (invalid scene or missed limit)
//! or 2 (could not run).

use std::process::ExitCode;

fn main() -> ExitCode {
    mynah::main()
}
