//! The invariants that must hold after every tick of every run, each a small checker with a name and a file of its
//! own.
//!
//! [`Invariants`] watches a run and collects what is violated; nothing here changes what happens. Checkers share nothing
//! with each other. They read events, released audio, the engine's counts and its queues; what one session's log says is
//! kept by (session id, opening), so that sessions may come, go and have their ids used again. Two laws are about whole
//! runs: [`isolation`](isolation::isolation) and [`determinism`](determinism::determinism) compare the digests of two
//! and more.
//!
//! docs/invariants.md lists them, with the deliberate break that proves each.

mod asked;
mod baseline;
mod batches;
mod bounds;
mod checker;
mod conservation;
mod conversation;
pub mod determinism;
mod digests;
mod failures;
mod figures;
mod forwarded;
mod interruption;
pub mod isolation;
mod latency;
mod lead;
mod lines;
mod messages;
mod metrics;
mod order;
mod overflow;
mod passage;
mod resampler;
mod runway;
mod segments;
mod silence;
mod streams;
mod taken_back;
mod waits;

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::observe::Census;
use mynah_engine::session::Phase;
use mynah_engine::{Engine, OutAudio, Record, ScenePlan, SessionId};

pub use checker::Violation;
use checker::{Checker, Findings, Moment};
pub use digests::Digests;
use messages::Messages;
use mynah_files::terminal;
use mynah_sim::simulate::{Observer, TickView};
use streams::Streams;

/// The names of all checkers, in the order of the documents.
pub const NAMES: [&str; 20] = [
    conservation::NAME,
    streams::NAME,
    segments::NAME,
    taken_back::NAME,
    bounds::NAME,
    overflow::NAME,
    order::NAME,
    messages::NAME,
    latency::NAME,
    batches::NAME,
    resampler::NAME,
    baseline::NAME,
    isolation::NAME,
    determinism::NAME,
    metrics::NAME,
    silence::NAME,
    lines::NAME,
    waits::NAME,
    failures::NAME,
    conversation::NAME,
];

/// Those that no single run can show: they compare the digests of two and more. All others are looked at after every tick.
pub const OVER_RUNS: [&str; 2] = [isolation::NAME, determinism::NAME];

/// All checkers at once.
pub struct Invariants {
    checkers: Vec<Box<dyn Checker>>,
    streams: Streams,
    /// Of the engine behind a link: what its events and its audio alone can show.
    far: Vec<Box<dyn Checker>>,
    messages: Messages,
    census: Census,
    queued: Vec<u64>,
    findings: Findings,
    ticks: u64,
    /// Latest time of any record.
    now_us: u64,
}

impl Invariants {
    /// For a run of `plan`.
    pub fn new(plan: &Arc<ScenePlan>) -> Self {
        let checkers: Vec<Box<dyn Checker>> = vec![
            Box::new(conservation::Conservation::new(plan)),
            Box::new(segments::SegmentStates::new()),
            Box::new(taken_back::TakenBack::new(plan.scene.session.output.release)),
            Box::new(bounds::Bounds::new(plan)),
            Box::new(overflow::Overflow::new(plan)),
            Box::new(order::Order::new(plan)),
            Box::new(latency::Latency::new(plan)),
            Box::new(batches::Batches::new(plan)),
            Box::new(resampler::Resampler::new(plan)),
            Box::new(baseline::Baseline::new(plan)),
            Box::new(metrics::Metrics::new(plan)),
            Box::new(silence::Silence::new(plan)),
            Box::new(lead::Lead::default()),
            Box::new(interruption::Interruption::default()),
            Box::new(runway::Runway::new(plan)),
            Box::new(passage::Passage::new(plan)),
            Box::new(forwarded::Forwarded::new(plan)),
            Box::new(figures::Figures::new(plan)),
            Box::new(lines::Lines::new(plan)),
            Box::new(waits::Waits::new(plan)),
            Box::new(failures::Failures::default()),
            Box::new(conversation::Conversation::new(plan)),
        ];
        Self {
            checkers,
            streams: Streams::new(plan),
            far: Vec::new(),
            messages: Messages::default(),
            census: Census::default(),
            queued: Vec::new(),
            findings: Findings::default(),
            ticks: 0,
            now_us: 0,
        }
    }

    /// Looks at the engine behind the link, too, which runs `plan`.
    #[must_use]
    pub fn with_far(mut self, plan: &ScenePlan) -> Self {
        self.far = vec![
            Box::new(segments::SegmentStates::new()),
            Box::new(taken_back::TakenBack::new(plan.scene.session.output.release)),
            Box::new(latency::Latency::new(plan)),
        ];
        self.findings.linked = true;
        self
    }

    /// The run is over: what may only be judged now. Once.
    pub fn finish(&mut self, engine: &Engine) {
        self.findings.now_us = engine.now_us();
        let moment = moment(engine, &mut self.census, &mut self.queued, self.ticks);
        for checker in &mut self.checkers {
            checker.finish(&moment, &mut self.findings);
        }
        self.streams.finish(&moment, &mut self.findings);
        self.messages.finish(&mut self.findings);
    }

    /// What was violated, as far as it was kept: the first of each invariant.
    pub fn violations(&self) -> &[Violation] {
        self.findings.kept()
    }

    /// How often each invariant was violated, those that were not left out.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        self.findings.counts()
    }

    /// Says on stderr what was violated; true when nothing was.
    pub fn tell(&self) -> bool {
        for violation in self.violations() {
            terminal::notice(&format!("violated: {violation}"));
        }
        let names = NAMES.len() - OVER_RUNS.len();
        let counts: Vec<String> =
            self.counts().iter().map(|(name, count)| format!("{name} {count} times")).collect();
        let verdict =
            if counts.is_empty() { "all hold".into() } else { format!("violated: {}", counts.join(", ")) };
        terminal::notice(&format!("{names} invariants after each of {} ticks: {verdict}", self.ticks));
        counts.is_empty()
    }

    /// Ticks that were looked at.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The digests of all sessions that are over.
    pub fn digests(&self) -> &Digests {
        self.streams.digests()
    }
}

/// The engine as it is after the tick.
fn moment<'a>(engine: &'a Engine, census: &'a mut Census, queued: &'a mut Vec<u64>, tick: u64) -> Moment<'a> {
    let live = engine.sessions().filter(|session| session.phase() != Phase::Gone);
    Moment {
        engine,
        census: engine.census(census),
        queued: engine.queued(queued),
        sessions_live: live.count(),
        tick,
    }
}

impl Observer for Invariants {
    fn records(&mut self, records: &[Record]) {
        for record in records {
            self.findings.now_us = record.t_us;
            self.now_us = self.now_us.max(record.t_us);
            for checker in &mut self.checkers {
                checker.record(record, &mut self.findings);
            }
            self.streams.record(record, &mut self.findings);
            self.messages.near(record, &mut self.findings);
        }
    }

    fn audio(&mut self, session: usize, audio: &OutAudio) {
        let session = SessionId(session as u32);
        self.findings.now_us = self.now_us.max(audio.released_us);
        for checker in &mut self.checkers {
            checker.audio(session, audio, &mut self.findings);
        }
        self.streams.audio(session, audio, &mut self.findings);
    }

    fn fed(&mut self, session: SessionId, generation: u32, frames: u64) {
        for checker in &mut self.checkers {
            checker.fed(session, generation, frames);
        }
    }

    fn far_records(&mut self, records: &[Record]) {
        for record in records {
            self.findings.now_us = record.t_us;
            for checker in &mut self.far {
                checker.record(record, &mut self.findings);
            }
            self.messages.far(record, &mut self.findings);
        }
    }

    fn far_audio(&mut self, session: usize, audio: &OutAudio) {
        for checker in &mut self.far {
            checker.audio(SessionId(session as u32), audio, &mut self.findings);
        }
    }

    fn tick(&mut self, view: TickView<'_>) {
        self.ticks += 1;
        self.findings.now_us = view.engine.now_us();
        let moment = moment(view.engine, &mut self.census, &mut self.queued, self.ticks);
        for checker in &mut self.checkers {
            checker.tick(&moment, &mut self.findings);
        }
        self.streams.tick(&moment, &mut self.findings);
        self.messages.tick(&mut self.findings);
        for checker in &mut self.far {
            checker.tick_elsewhere(self.ticks);
        }
    }

    fn over(&mut self, engine: &Engine) {
        self.finish(engine);
    }
}
