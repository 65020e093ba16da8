//! Sessions in which everything happens on cue: the audio that a test pushes says what the node `Prompter` does.
#![allow(dead_code, reason = "every test uses its own part of it")]

#[path = "kinds/prompter.rs"]
mod prompter;

use mynah_engine::{EngineConfig, Registry, SessionSpec};
pub(crate) use prompter::{Cue, Prompter};

use crate::host::{Host, compiled};

/// A scene with `Prompter` in it, and so many sessions that are told everything.
pub(crate) fn cued(scene: &str, sets: &[&str], registry: &Registry, sessions: u32) -> Host {
    let plan = compiled(scene, sets, registry).unwrap_or_else(|found| panic!("{sets:?}: {found}"));
    let config = EngineConfig { sessions_max: sessions, shards: Some(3), ..EngineConfig::simulated() };
    (0..sessions).fold(Host::of(plan, config), |host, n| {
        host.with(SessionSpec { controls: true, ..SessionSpec::named(format!("s{n}")) })
    })
}

impl Host {
    /// Tells a session's prompter, for the next tick.
    pub(crate) fn cue(&self, session: usize, cues: &[Cue]) {
        self.sessions[session].push(Cue::block(cues)).expect("the edge has room");
    }
}
