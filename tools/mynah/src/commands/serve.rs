//! `mynah serve`: sessions over sockets.

use crate::args::Serve;
use mynah_files::failure::{Exit, Failure};

/// Serves until it is told to end, and its sessions have.
///
/// # Errors
/// An invalid scene or configuration, addresses that are not to be had.
#[cfg(feature = "serve")]
pub fn run(args: &Serve) -> Result<Exit, Failure> {
    crate::serve::run(args)
}

/// Says how to get it.
///
/// # Errors
/// Always: the program has no sockets for sessions.
#[cfg(not(feature = "serve"))]
pub fn run(_: &Serve) -> Result<Exit, Failure> {
    Err(Failure::unable(
        "this mynah was built without `serve`; build one with `cargo build --release --features serve` (`serve,tls` for \
         certificates, `serve,grpc` for gRPC)",
    ))
}
