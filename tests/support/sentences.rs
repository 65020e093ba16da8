//! A `TextCollector` between somebody who says lines and somebody who writes down what comes.
#![allow(dead_code, reason = "every test uses its own part of it")]

use mynah_engine::{DropReason, Event, SessionSpec};

use crate::host::{Host, TICK_US, compiled, one_shard};
use crate::narrator::{Line, registry};

pub(crate) struct Sentences {
    host: Host,
    heard: Vec<String>,
}

impl Sentences {
    /// A collector with these settings behind somebody who says `lines`; time is 0.
    pub(crate) fn new(settings: &str, lines: &[(u64, Line)]) -> Self {
        let scene = format!(
            r#"(
                name: "sentences",
                session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
                nodes: [
                    (id: "narrator", kind: Narrator(lines: {lines:?})),
                    (id: "text_collector", kind: TextCollector({settings})),
                    (id: "ear", kind: Ear()),
                ],
                edges: [
                    ("input", "narrator"), ("narrator", "text_collector"), ("text_collector", "ear"), ("ear", "output"),
                ],
            )"#
        );
        let plan = compiled(&scene, &[], &registry()).unwrap_or_else(|found| panic!("{found}"));
        let host = Host::of(plan, one_shard()).with(SessionSpec::named("ada"));
        let mut made = Self { host, heard: Vec::new() };
        made.tick_at(0);
        made
    }

    fn tick_at(&mut self, now_us: u64) {
        self.host.tick_at(now_us);
        for record in self.host.records.drain(..) {
            if let Event::FrameDropped { reason: reason @ DropReason::TooLong, .. } = record.event {
                self.heard.push(format!("{} {}", now_us / 1_000, reason.name()));
            }
        }
        self.heard.extend(self.host.texts.drain(..).map(|said| said.text));
    }

    /// Ticks on while the time is not after `ms`.
    pub(crate) fn until(&mut self, ms: u64) {
        while self.host.now_us() + TICK_US <= ms * 1_000 {
            self.tick_at(self.host.now_us() + TICK_US);
        }
    }

    /// Frames taken back before the collector, or in it.
    pub(crate) fn cancelled(&self) -> u64 {
        self.host.census().nodes[1].cancelled
    }

    /// Ticks a second, ends the session and checks the counts.
    pub(crate) fn finished(mut self) -> Vec<String> {
        self.until(1_000);
        self.host.sessions[0].finish();
        // Three ticks, and what is held to the end may take some more.
        (0..8).for_each(|_| self.tick_at(self.host.now_us() + TICK_US));
        assert!(self.host.sessions[0].is_closed(), "the end of the stream got through");
        balanced(&self.host);
        self.heard
    }
}

/// The frames of every node add up; what is sent arrives; nothing is left.
fn balanced(host: &Host) {
    host.nothing_left();
    for (at, pair) in host.census().nodes.windows(2).enumerate() {
        assert_eq!(pair[0].created_all(), pair[1].arrived, "sent to node {}", at + 1);
    }
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
    Sentences::new(settings, lines).finished()
}

/// Milliseconds at which a note was made.
pub(crate) fn at_ms(note: &str) -> u64 {
    note.split(' ').next().and_then(|ms| ms.parse().ok()).expect("a note begins with its time")
}
