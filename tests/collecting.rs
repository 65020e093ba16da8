//! A `TextCollector` between somebody who says lines and somebody who writes down what comes.

use std::sync::Arc;

use mynah_engine::observe::Census;
use mynah_engine::scene::{Source, compile};
use mynah_engine::{DropReason, Engine, EngineConfig, Event, Out, SessionHandle, SessionSpec};

use crate::prompting::{Line, registry};

const TICK_US: u64 = 5_000;

pub(crate) struct Host {
    pub(crate) engine: Engine,
    session: SessionHandle,
    now_us: u64,
    heard: Vec<String>,
}

impl Host {
    /// A collector with these settings behind somebody who says `lines`.
    pub(crate) fn new(settings: &str, lines: &[(u64, Line)]) -> Self {
        let scene = format!(
            r#"(
                name: "sentences",
                session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
                nodes: [
                    (id: "prompter", kind: Prompter(lines: {lines:?})),
                    (id: "text_collector", kind: TextCollector({settings})),
                    (id: "ear", kind: Ear()),
                ],
                edges: [
                    ("input", "prompter"), ("prompter", "text_collector"), ("text_collector", "ear"), ("ear", "output"),
                ],
            )"#
        );
        let compiled = compile(&Source::new("test.ron", &*scene), &[], None, &registry());
        let (plan, _) = compiled.unwrap_or_else(|found| panic!("{found}"));
        let engine = Engine::new(Arc::new(plan), EngineConfig { shards: Some(1), ..EngineConfig::default() });
        let session = engine.handle().open(SessionSpec::named("ada")).expect("there is room");
        Self { engine, session, now_us: 0, heard: Vec::new() }
    }

    fn tick(&mut self) {
        self.engine.tick(self.now_us);
        for record in self.engine.records() {
            if let Event::FrameDropped { reason: reason @ DropReason::TooLong, .. } = record.event {
                self.heard.push(format!("{} {}", self.now_us / 1_000, reason.name()));
            }
        }
        self.now_us += TICK_US;
        while let Some(out) = self.session.poll() {
            if let Out::Text { text, .. } = out {
                self.heard.push(text.to_string());
            }
        }
    }

    /// Ticks from 0 on while the time is not after `ms`.
    pub(crate) fn until(&mut self, ms: u64) {
        while self.now_us <= ms * 1_000 {
            self.tick();
        }
    }

    /// Ticks a second, ends the session and checks the books.
    pub(crate) fn finished(mut self) -> Vec<String> {
        self.until(1_000);
        self.session.finish();
        // Three ticks, and what is held to the end may take some more.
        (0..8).for_each(|_| self.tick());
        assert!(self.session.is_closed(), "the end of the stream got through");
        balanced(&self.engine.census());
        self.heard
    }
}

/// in = consumed + gated + merged + cancelled + dropped + queued at every node; what is sent arrives; nothing is left.
fn balanced(census: &Census) {
    for (at, node) in census.nodes.iter().enumerate() {
        let ends = node.consumed + node.gated + node.merged + node.cancelled + node.dropped_all();
        assert_eq!((node.arrived, census.queued[at]), (ends, 0), "node {at}: {node:?}");
        if at > 0 {
            assert_eq!(census.nodes[at - 1].created_all(), node.arrived, "sent to node {at}");
        }
    }
    assert_eq!((census.sessions_open, census.segments_active), (0, 0));
}

/// (segment, revision) says `text` as tokens, `ms` apart, and ends.
pub(crate) fn stream(from_ms: u64, ms: u64, (segment, revision): (u32, u32), text: &str) -> Vec<(u64, Line)> {
    let words = text.split_inclusive(' ').enumerate();
    let say =
        |(at, word): (usize, &str)| (from_ms + at as u64 * ms, Line::Say(segment, revision, word.to_owned()));
    let mut lines: Vec<_> = words.map(say).collect();
    let end_ms = lines.last().map_or(from_ms, |(last_ms, _)| *last_ms);
    lines.push((end_ms, Line::End(segment, revision)));
    lines
}

pub(crate) fn heard(settings: &str, lines: &[(u64, Line)]) -> Vec<String> {
    Host::new(settings, lines).finished()
}

/// Milliseconds at which a note was made.
pub(crate) fn at_ms(note: &str) -> u64 {
    note.split(' ').next().and_then(|ms| ms.parse().ok()).expect("a note begins with its time")
}
