//! `mynah talk`: a conversation through the machine's microphone and loudspeaker.

use crate::args::Talk;
use mynah_files::failure::{Exit, Failure};

/// Talks until it is interrupted or the time is over, and sums up.
///
/// # Errors
/// An invalid scene, devices that are not there or do not open, an engine that fails.
#[cfg(feature = "talk")]
pub fn run(args: &Talk) -> Result<Exit, Failure> {
    if args.list { crate::talk::list(args.json) } else { crate::talk::run(args) }
}

/// Says how to get it.
///
/// # Errors
/// Always: the program has no sound devices.
#[cfg(not(feature = "talk"))]
pub fn run(_: &Talk) -> Result<Exit, Failure> {
    Err(Failure::unable(
        "this mynah was built without sound devices; build one with `cargo build --release --features talk` (on Debian and \
         what descends from it after `apt-get install libasound2-dev pkg-config`)",
    ))
}
