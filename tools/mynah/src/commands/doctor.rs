//! `doctor`: examines this machine, or a server of models.

use std::io::Write as _;

use crate::args::Doctor;
use crate::doctor::{self, Examined, Standing};
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal::{self, Stdout};

/// Runs the command.
///
/// # Errors
/// The findings cannot be printed, or this build cannot ask servers.
pub fn run(args: &Doctor) -> Result<Exit, Failure> {
    let (examined, findings) = match &args.service {
        Some(url) => (Examined::Server, doctor::examine_service(url, args)?),
        None => (Examined::Machine, doctor::examine()),
    };
    let mut out = Stdout::lock();
    if args.json {
        out.line(&doctor::json(&findings))?;
    } else {
        out.write_all(doctor::text(&findings, examined, terminal::stdout_look()).as_bytes())?;
    }
    out.flush()?;
    let possible = findings.iter().all(|finding| finding.standing != Standing::Fail);
    Ok(if possible { Exit::Done } else { Exit::Unable })
}
