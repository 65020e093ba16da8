//! Workers in processes of their own: stories, cancels, losses, versions, memory, and whole engines.
#![expect(clippy::disallowed_methods, reason = "processes outside live in real time")]

mod engine;
mod losses;
mod memory;
mod program;
mod stage;
mod stories;
mod versions;
