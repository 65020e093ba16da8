//! An engine in virtual time, the sessions that a host has with it, and all that came of them.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::sync::Arc;

use mynah_engine::edge::Tag;
use mynah_engine::observe::Census;
use mynah_engine::scene::{Override, Source, compile};
use mynah_engine::{
    Control, ControlIn, Engine, EngineConfig, Event, Out, Record, Registry, ScenePlan, SessionEvent,
    SessionHandle, SessionSpec, Stamp,
};

/// A tick where the test does not say otherwise, in microseconds.
pub(crate) const TICK_US: u64 = 5_000;

/// A released block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sound {
    pub(crate) session: u32,
    /// Engine time at which it was taken.
    pub(crate) t_us: u64,
    pub(crate) pts_us: u64,
    pub(crate) segment: u32,
    pub(crate) revision: u32,
    pub(crate) turn: u32,
    pub(crate) samples: Vec<f32>,
}

/// A released text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) session: u32,
    /// Engine time at which it was taken.
    pub(crate) t_us: u64,
    pub(crate) segment: u32,
    pub(crate) revision: u32,
    pub(crate) text: String,
}

pub(crate) struct Host {
    pub(crate) engine: Engine,
    /// Polled after every tick; sessions that a test polls by itself are not among them.
    pub(crate) sessions: Vec<SessionHandle>,
    pub(crate) tick_us: u64,
    pub(crate) records: Vec<Record>,
    pub(crate) sounds: Vec<Sound>,
    pub(crate) texts: Vec<Said>,
    /// Session, engine time, message.
    pub(crate) controls: Vec<(u32, u64, Control)>,
    pub(crate) events: Vec<(u32, u64, SessionEvent)>,
    /// Messages said so far; the last one has this number.
    pub(crate) messages: u64,
}

fn overrides(sets: &[&str]) -> Vec<Override> {
    sets.iter().map(|set| Override::parse(set).expect("a setting")).collect()
}

/// The text of a scene with settings as `--set` takes them, or what is wrong with it.
pub(crate) fn compiled(scene: &str, sets: &[&str], registry: &Registry) -> Result<Arc<ScenePlan>, String> {
    let made = compile(&Source::new("test.ron", scene), &overrides(sets), None, registry);
    made.map(|(plan, _)| Arc::new(plan)).map_err(|found| found.to_string())
}

/// The text of a scene of which there is not even anything to warn.
pub(crate) fn faultless(scene: &str, registry: &Registry) -> Arc<ScenePlan> {
    let made = compile(&Source::new("test.ron", scene), &[], None, registry);
    let (plan, warnings) = made.unwrap_or_else(|found| panic!("{found}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    Arc::new(plan)
}

/// The text of a scene that is right, or a shipped one by its name; with the standard kinds.
pub(crate) fn plan(scene: &str, sets: &[&str]) -> Arc<ScenePlan> {
    let made = if scene.starts_with('(') {
        compiled(scene, sets, &mynah_systems::registry(None))
    } else {
        let made = mynah_sim::scenes::compile(scene, &overrides(sets), None, None);
        made.map(|(plan, _)| plan).map_err(|failure| failure.to_string())
    };
    made.unwrap_or_else(|wrong| panic!("{scene} {sets:?}: {wrong}"))
}

/// All sessions in one shard.
pub(crate) fn one_shard() -> EngineConfig {
    EngineConfig { shards: Some(1), ..EngineConfig::simulated() }
}

impl Host {
    /// A scene as [`plan`] takes it, in one shard.
    pub(crate) fn new(scene: &str, sets: &[&str]) -> Self {
        Self::of(plan(scene, sets), one_shard())
    }

    pub(crate) fn of(plan: Arc<ScenePlan>, config: EngineConfig) -> Self {
        Self {
            engine: Engine::new(plan, config),
            sessions: Vec::new(),
            tick_us: TICK_US,
            records: Vec::new(),
            sounds: Vec::new(),
            texts: Vec::new(),
            controls: Vec::new(),
            events: Vec::new(),
            messages: 0,
        }
    }

    /// A session that the test polls by itself.
    pub(crate) fn open(&self, spec: SessionSpec) -> SessionHandle {
        self.engine.handle().open(spec).expect("there is room")
    }

    /// A session more.
    pub(crate) fn with(mut self, spec: SessionSpec) -> Self {
        self.sessions.push(self.open(spec));
        self
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.engine.now_us()
    }

    pub(crate) fn tick(&mut self) {
        self.tick_at(self.now_us() + self.tick_us);
    }

    /// Ticks and takes all that has left.
    pub(crate) fn tick_at(&mut self, t_us: u64) {
        self.engine.tick(t_us);
        self.records.extend_from_slice(self.engine.records());
        for handle in &self.sessions {
            let session = handle.id().0;
            while let Some(out) = handle.poll() {
                match out {
                    Out::Control(control) => self.controls.push((session, t_us, control)),
                    Out::Event(event) => self.events.push((session, t_us, event)),
                    Out::Text { text, segment, revision, .. } => {
                        self.texts.push(Said { session, t_us, segment, revision, text: text.to_string() });
                    }
                    Out::Audio(audio) => {
                        let samples = audio.block.samples().to_vec();
                        handle.give_back(audio.block);
                        let (pts_us, segment, revision) = (audio.pts_us, audio.segment, audio.revision);
                        let turn = audio.turn;
                        self.sounds.push(Sound { session, t_us, pts_us, segment, revision, turn, samples });
                    }
                }
            }
        }
    }

    pub(crate) fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    /// Ticks until `done`, at most ten seconds of the usual ticks.
    pub(crate) fn until(&mut self, what: &str, done: impl FnMut(&Self) -> bool) {
        self.until_within(2_000, what, done);
    }

    /// Ticks until `done`, at most so often.
    pub(crate) fn until_within(&mut self, ticks: usize, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..ticks {
            if done(self) {
                return;
            }
            self.tick();
        }
        let last = &self.records[self.records.len().saturating_sub(20)..];
        assert!(done(self), "{what}: not within {ticks} ticks; the last of what happened: {last:#?}");
    }

    /// A message, numbered from 1 on.
    pub(crate) fn say(&mut self, session: usize, control: Control) {
        self.messages += 1;
        let message = ControlIn { message_id: self.messages, control };
        self.sessions[session].control(message).expect("there is room");
    }

    /// Audio of a sender's segment, at most 20 ms.
    pub(crate) fn push_tagged(&self, session: usize, segment: u32, pts_us: u64, samples: &[f32]) {
        let mut block = self.sessions[session].lease(samples.len());
        block.fill_from(samples);
        let tag = Tag { segment, revision: 0, turn: 0 };
        let stamp = Stamp { pts_us: Some(pts_us), tag, ..Stamp::default() };
        self.sessions[session].push_stamped(block, stamp).expect("there is room");
    }

    /// Ends all inputs and waits for all sessions to close, at most ten seconds of the usual ticks.
    pub(crate) fn finish(&mut self) {
        self.finish_within(2_000);
    }

    /// Ends all inputs and waits for all sessions to close, at most so many ticks.
    pub(crate) fn finish_within(&mut self, ticks: usize) {
        self.sessions.iter().for_each(SessionHandle::finish);
        self.until_within(ticks, "closing", |host| host.sessions.iter().all(SessionHandle::is_closed));
        self.tick();
    }

    pub(crate) fn census(&self) -> Census {
        self.engine.census(&mut Census::default()).clone()
    }

    /// Frames that wait at each node.
    pub(crate) fn queued(&self) -> Vec<u64> {
        self.engine.queued(&mut Vec::new()).to_vec()
    }

    /// The nodes at which frames do not add up, in words.
    pub(crate) fn imbalances(&self) -> Vec<String> {
        let (census, queued) = (self.census(), self.queued());
        let wrong = census.balances(&queued).enumerate().filter(|(_, balance)| !balance.holds());
        wrong.map(|(at, balance)| format!("node {at}: {balance}")).collect()
    }

    /// Fails when a node's frames do not add up, or when anything is left of any session.
    pub(crate) fn nothing_left(&self) {
        findings(&self.imbalances());
        assert_eq!(self.queued().iter().sum::<u64>(), 0, "frames wait");
        let census = self.census();
        assert_eq!((census.segments_active, census.sessions_open), (0, 0), "segments, sessions");
    }

    /// All events that `pick` picks, with session and time.
    pub(crate) fn events<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<(u32, u64, T)> {
        let picked = self.records.iter();
        picked.filter_map(|r| pick(&r.event).map(|what| (r.session.0, r.t_us, what))).collect()
    }

    /// How many events are such.
    pub(crate) fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.records.iter().filter(|record| is(&record.event)).count()
    }

    /// All samples that left for one session.
    pub(crate) fn whole(&self, session: u32) -> Vec<f32> {
        let mine = self.sounds.iter().filter(|sound| sound.session == session);
        mine.flat_map(|sound| sound.samples.iter().copied()).collect()
    }

    /// Samples that left for one session and (segment, revision).
    pub(crate) fn samples(&self, session: u32, origin: (u32, u32)) -> Vec<f32> {
        let mine = self.sounds.iter().filter(|s| s.session == session && (s.segment, s.revision) == origin);
        mine.flat_map(|sound| sound.samples.iter().copied()).collect()
    }
}

/// Fails with everything that was found.
pub(crate) fn findings(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
