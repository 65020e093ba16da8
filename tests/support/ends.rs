//! A session that was split: a player whose microphone and loudspeaker are read and written tick by tick, in virtual
//! time.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::edge::{AudioIn, AudioOut, Read, SessionControl};
use mynah_engine::{Engine, Record, ScenePlan, SessionEvent, SessionSpec};

use crate::host::{TICK_US, one_shard, plan};

/// A player with the three ends of a session.
pub(crate) struct Player {
    pub(crate) engine: Engine,
    pub(crate) input: AudioIn,
    pub(crate) output: AudioOut,
    pub(crate) control: SessionControl,
    /// What the microphone hears next; then silence.
    voice: VecDeque<f32>,
    /// Whether the microphone is on.
    pub(crate) listens: bool,
    /// Whether the loudspeaker is read.
    pub(crate) reads: bool,
    pub(crate) events: Vec<(u64, SessionEvent)>,
    pub(crate) records: Vec<Record>,
    /// All that was read, silence included, and what each read said.
    pub(crate) heard: Vec<f32>,
    pub(crate) said: Vec<(u64, Read)>,
}

impl Player {
    /// A session of a scene, as [`plan`] takes it.
    pub(crate) fn new(scene: &str, sets: &[&str], spec: SessionSpec) -> Self {
        Self::of(plan(scene, sets), spec)
    }

    pub(crate) fn of(plan: Arc<ScenePlan>, spec: SessionSpec) -> Self {
        let engine = Engine::new(plan, one_shard());
        let session = engine.handle().open(spec).expect("there is room");
        let (input, output, control) = session.split().expect("nobody else has it");
        Self {
            engine,
            input,
            output,
            control,
            voice: VecDeque::new(),
            listens: true,
            reads: true,
            events: Vec::new(),
            records: Vec::new(),
            heard: Vec::new(),
            said: Vec::new(),
        }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.engine.now_us()
    }

    /// The microphone hears this next.
    pub(crate) fn speak(&mut self, samples: &[f32]) {
        self.voice.extend(samples);
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.voice.is_empty()
    }

    /// The microphone delivers 5 ms, the engine ticks, and the loudspeaker takes 5 ms.
    pub(crate) fn tick(&mut self) {
        if self.listens {
            let format = self.input.format();
            let count =
                (u64::from(format.rate_hz) * TICK_US / 1_000_000) as usize * usize::from(format.channels);
            let samples: Vec<f32> = (0..count).map(|_| self.voice.pop_front().unwrap_or(0.0)).collect();
            if !self.input.has_ended() {
                self.input.push(&samples).expect("each tick takes what came");
            }
        }
        let now_us = self.now_us() + TICK_US;
        self.engine.tick(now_us);
        self.records.extend_from_slice(self.engine.records());
        if self.reads {
            let format = self.output.format();
            let count =
                (u64::from(format.rate_hz) * TICK_US / 1_000_000) as usize * usize::from(format.channels);
            let mut piece = vec![f32::NAN; count];
            let read = self.output.read(&mut piece);
            self.said.push((now_us, read));
            self.heard.extend(piece);
        }
        self.events.extend(std::iter::from_fn(|| self.control.poll()).map(|event| (now_us, event)));
    }

    pub(crate) fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    /// Ticks until `done`, at most twenty seconds.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..4_000 {
            if done(self) {
                return;
            }
            self.tick();
        }
        let last = &self.events[self.events.len().saturating_sub(20)..];
        panic!("{what}: not within 20 s; the last of what was told: {last:#?}");
    }

    /// Ticks until an event that `pick` picks comes after the first `from` events; what it picked.
    pub(crate) fn next<T>(
        &mut self,
        what: &str,
        from: usize,
        pick: impl Fn(&SessionEvent) -> Option<T>,
    ) -> T {
        self.until(what, |player| player.events[from..].iter().any(|(_, event)| pick(event).is_some()));
        self.events[from..].iter().find_map(|(_, event)| pick(event)).expect("it was just there")
    }

    /// What `pick` picks of all events.
    pub(crate) fn told<T>(&self, pick: impl Fn(&SessionEvent) -> Option<T>) -> Vec<T> {
        self.events.iter().filter_map(|(_, event)| pick(event)).collect()
    }

    /// Ends the input and ticks until the session is closed.
    pub(crate) fn finish(&mut self) {
        self.control.finish();
        self.until("closing", |player| player.control.is_closed());
        self.tick();
    }
}
