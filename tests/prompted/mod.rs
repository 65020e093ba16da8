//! Sessions in which everything happens on cue: the audio that a test pushes says what the node `Prompter` does, and
//! `Rig` drives an engine in virtual time and keeps what comes of it.
#![allow(dead_code, unused_imports, reason = "every test uses its own part of it")]

mod prompter;
mod rig;

pub(crate) use prompter::{Cue, Prompter};
pub(crate) use rig::{Heard, Rig, TICK_US, books, compiled, findings};
