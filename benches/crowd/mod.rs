//! One engine with its sessions, ticked in virtual time on the thread of the bench.
#![allow(dead_code, reason = "every bench uses its own part of it")]

use std::sync::Arc;

use mynah_engine::{Engine, EngineConfig, Out, ScenePlan, SessionHandle, SessionSpec};
use mynah_host::clock::{Epoch, NodeStopwatch};

const TICK_US: u64 = 5_000;

/// The engine with its sessions.
pub(crate) struct Crowd {
    pub(crate) engine: Engine,
    pub(crate) sessions: Vec<SessionHandle>,
    pub(crate) epoch: Epoch,
    now_us: u64,
}

impl Crowd {
    /// `sessions` sessions of a scene, open; the time of each stage is taken.
    pub(crate) fn new(plan: Arc<ScenePlan>, sessions: u32) -> Self {
        let (epoch, nodes) = (Epoch::start(), plan.nodes.len());
        let config = EngineConfig { sessions_max: sessions, ..EngineConfig::simulated() };
        let mut engine = Engine::new(plan, config);
        let door = engine.handle();
        let open = |n| door.open(SessionSpec::named(format!("s{n}"))).expect("there is room");
        let sessions = (0..sessions).map(open).collect();
        engine.lend_stopwatches(|| Box::new(NodeStopwatch::new(epoch, nodes)));
        let mut crowd = Self { engine, sessions, epoch, now_us: 0 };
        crowd.tick();
        crowd
    }

    /// Wall time of one tick, nanoseconds: processor time costs more to read than a small tick takes.
    pub(crate) fn tick(&mut self) -> u64 {
        self.now_us += TICK_US;
        let began_ns = self.epoch.now_ns();
        self.engine.tick(self.now_us);
        self.epoch.now_ns() - began_ns
    }

    /// Takes everything that came out, and gives the blocks back; how many there were.
    pub(crate) fn hear(&self) -> usize {
        let mut blocks = 0;
        for session in &self.sessions {
            while let Some(out) = session.poll() {
                if let Out::Audio(audio) = out {
                    session.give_back(audio.block);
                    blocks += 1;
                }
            }
        }
        blocks
    }
}
