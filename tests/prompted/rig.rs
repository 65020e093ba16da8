//! An engine in virtual time, its sessions, and all that came of them.

use std::sync::Arc;

use mynah_engine::observe::Census;
use mynah_engine::scene::{Override, Source, compile};
use mynah_engine::{
    Control, Engine, EngineConfig, Event, Out, Record, Registry, ScenePlan, SessionHandle, SessionSpec,
};

use super::Cue;

/// A tick, in microseconds.
pub(crate) const TICK_US: u64 = 5_000;

/// Something that left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) session: u32,
    pub(crate) t_us: u64,
    pub(crate) segment: u32,
    pub(crate) revision: u32,
    pub(crate) samples: Vec<f32>,
    pub(crate) text: Option<String>,
}

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) now_us: u64,
    pub(crate) sessions: Vec<SessionHandle>,
    pub(crate) records: Vec<Record>,
    pub(crate) heard: Vec<Heard>,
    /// Session, time, message.
    pub(crate) told: Vec<(u32, u64, Control)>,
}

/// A scene with overrides.
pub(crate) fn compiled(scene: &str, sets: &[&str], registry: &Registry) -> Result<Arc<ScenePlan>, String> {
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let source = Source::new("test.ron", scene);
    compile(&source, &sets, None, registry).map(|(plan, _)| Arc::new(plan)).map_err(|found| found.to_string())
}

impl Rig {
    pub(crate) fn new(scene: &str, sets: &[&str], registry: &Registry, sessions: u32) -> Self {
        let plan = compiled(scene, sets, registry).unwrap_or_else(|found| panic!("{sets:?}: {found}"));
        let config = EngineConfig { sessions_max: sessions, shards: Some(3), ..EngineConfig::default() };
        let engine = Engine::new(plan, config);
        let door = engine.handle();
        let open = |n: u32| {
            let spec = SessionSpec { controls: true, ..SessionSpec::named(format!("s{n}")) };
            door.open(spec).expect("there is room")
        };
        let sessions = (0..sessions).map(open).collect();
        Self { engine, now_us: 0, sessions, records: Vec::new(), heard: Vec::new(), told: Vec::new() }
    }

    /// Tells a session's prompter, for the next tick.
    pub(crate) fn cue(&self, session: usize, cues: &[Cue]) {
        self.sessions[session].push(Cue::block(cues)).expect("the edge has room");
    }

    pub(crate) fn tick(&mut self) {
        self.now_us += TICK_US;
        self.engine.tick(self.now_us);
        self.records.extend_from_slice(self.engine.records());
        for session in &self.sessions {
            while let Some(out) = session.poll() {
                let (session_id, t_us) = (session.id().0, self.now_us);
                self.heard.push(match out {
                    Out::Control(control) => {
                        self.told.push((session_id, t_us, control));
                        continue;
                    }
                    Out::Text { text, segment, revision, .. } => Heard {
                        session: session_id,
                        t_us,
                        segment,
                        revision,
                        samples: Vec::new(),
                        text: Some(text.to_string()),
                    },
                    Out::Audio(audio) => {
                        let samples = audio.block.samples().to_vec();
                        session.give_back(audio.block);
                        let (segment, revision) = (audio.segment, audio.revision);
                        Heard { session: session_id, t_us, segment, revision, samples, text: None }
                    }
                });
            }
        }
    }

    pub(crate) fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    /// Ticks until `done`, at most ten seconds.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            self.tick();
        }
        panic!(
            "{what}: not within ten seconds; {:#?}",
            self.records.iter().rev().take(20).collect::<Vec<_>>()
        );
    }

    /// Ends all inputs and waits for all sessions to close.
    pub(crate) fn finish(&mut self) {
        self.sessions.iter().for_each(SessionHandle::finish);
        self.until("closing", |rig| rig.sessions.iter().all(SessionHandle::is_closed));
        self.tick();
    }

    /// All events that `pick` picks, with session and time.
    pub(crate) fn events<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<(u32, u64, T)> {
        let picked = self.records.iter();
        picked.filter_map(|r| pick(&r.event).map(|what| (r.session.0, r.t_us, what))).collect()
    }

    /// Samples that left for one session and origin.
    pub(crate) fn samples(&self, session: u32, origin: (u32, u32)) -> Vec<f32> {
        let mine = self.heard.iter().filter(|h| h.session == session && (h.segment, h.revision) == origin);
        mine.flat_map(|heard| heard.samples.iter().copied()).collect()
    }
}

/// What does not add up at some node, in words.
pub(crate) fn books(census: &Census) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, (node, queued)) in census.nodes.iter().zip(&census.queued).enumerate() {
        let ends = node.consumed + node.gated + node.merged + node.cancelled + node.dropped_all() + queued;
        if node.arrived != ends {
            wrong.push(format!("node {at}: {} arrived, {ends} accounted for: {node:?}", node.arrived));
        }
    }
    wrong
}

/// Fails with everything that was found.
pub(crate) fn findings(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
