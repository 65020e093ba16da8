//! Workers in processes of their own: stories, cancels, losses, versions, memory, and whole engines.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "processes outside live in real time; figures are printed for whoever runs this with --nocapture"
)]

mod engine;
mod losses;
mod memory;
mod program;
mod stage;
mod stories;
mod versions;
