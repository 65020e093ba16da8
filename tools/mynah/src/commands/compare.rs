//! `compare`: two reports side by side.

use std::io::Write as _;

use crate::args::Compare;
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal::{self, Stdout};
use mynah_proof::compare::{self, PERCENT_DEFAULT, Side};

/// Runs the command.
///
/// # Errors
/// Reports that cannot be read or compared.
pub fn run(args: &Compare) -> Result<Exit, Failure> {
    let (a, b) = (Side::read(&args.a)?, Side::read(&args.b)?);
    let comparison = compare::compare(&a, &b, args.fail_on_regression.unwrap_or(PERCENT_DEFAULT));
    let mut out = Stdout::lock();
    if args.json {
        out.line(&compare::json(&a, &b, &comparison))?;
    } else {
        out.write_all(compare::text(&a, &b, &comparison, terminal::stdout_look()).as_bytes())?;
    }
    out.flush()?;
    let failed = args.fail_on_regression.is_some() && comparison.regressions().next().is_some();
    Ok(if failed { Exit::Refused } else { Exit::Done })
}
