//! The life of a segment: Speculative, then Confirmed or Cancelled exactly once; a confirmed one is Open, Ending with
//! revisions that ascend, Ended once. One is open at a time, serials ascend, and none is open when its session is over.

use std::collections::BTreeMap;

use mynah_engine::{Event, Record};

use super::checker::{Checker, Findings, Sessions};

pub(super) const NAME: &str = "segments";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Speculative,
    /// The revision of the end that is suspected, 0 = none, and the last one that was.
    Confirmed {
        ending: u32,
        last: u32,
    },
    Cancelled,
    Ended,
}

#[derive(Debug, Default)]
struct Story {
    states: BTreeMap<u32, State>,
    newest: u32,
}

#[derive(Default)]
pub(super) struct SegmentStates {
    sessions: Sessions<Story>,
}

/// Segments of a session that are remembered, counted back from the newest.
const REMEMBERED: u32 = 64;

impl SegmentStates {
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl Story {
    /// Takes an event; what is wrong with it, in words.
    fn take(&mut self, event: &Event) -> Option<&'static str> {
        let (segment, wrong) = match *event {
            Event::SegmentOpened { segment, .. } => return self.open(segment),
            Event::SegmentConfirmed { segment, .. } => (segment, self.confirm(segment)),
            Event::SegmentCancelled { segment, .. } => (segment, self.cancel(segment)),
            Event::Endpoint { segment, revision, .. } => (segment, self.suspect(segment, revision)),
            Event::EndpointRetracted { segment, revision, .. } => (segment, self.retract(segment, revision)),
            Event::SegmentEnded { segment, revision, .. } => (segment, self.end(segment, revision)),
            Event::SessionClosed => return self.close(),
            _ => return None,
        };
        if segment + REMEMBERED < self.newest { None } else { wrong }
    }

    fn open(&mut self, segment: u32) -> Option<&'static str> {
        let known = self.states.contains_key(&segment);
        let stands = self.is_open();
        self.states.insert(segment, State::Speculative);
        let backwards = segment <= self.newest;
        self.newest = self.newest.max(segment);
        self.states = self.states.split_off(&self.newest.saturating_sub(REMEMBERED));
        match (known, backwards, stands) {
            (true, ..) => Some("opened a second time"),
            (_, true, _) => Some("opened after one with a greater serial"),
            (.., true) => Some("opened while another one is open"),
            _ => None,
        }
    }

    fn is_open(&self) -> bool {
        self.states.values().any(|state| matches!(state, State::Speculative | State::Confirmed { .. }))
    }

    fn change(
        &mut self,
        segment: u32,
        from: impl Fn(State) -> bool,
        to: State,
        wrong: &'static str,
    ) -> Option<&'static str> {
        let Some(state) = self.states.get_mut(&segment) else { return Some("was never opened") };
        (!from(std::mem::replace(state, to))).then_some(wrong)
    }

    fn confirm(&mut self, segment: u32) -> Option<&'static str> {
        let to = State::Confirmed { ending: 0, last: 0 };
        self.change(segment, |state| state == State::Speculative, to, "confirmed, and was not speculative")
    }

    fn cancel(&mut self, segment: u32) -> Option<&'static str> {
        let from = |state| state == State::Speculative;
        self.change(segment, from, State::Cancelled, "cancelled, and was not speculative")
    }

    fn suspect(&mut self, segment: u32, revision: u32) -> Option<&'static str> {
        let from = |state| matches!(state, State::Confirmed { ending: 0, last } if last < revision);
        let to = State::Confirmed { ending: revision, last: revision };
        self.change(segment, from, to, "an endpoint of a segment that is not open, or with an old revision")
    }

    fn retract(&mut self, segment: u32, revision: u32) -> Option<&'static str> {
        let from = |state| matches!(state, State::Confirmed { ending, .. } if ending == revision);
        let to = State::Confirmed { ending: 0, last: revision };
        self.change(segment, from, to, "an endpoint was retracted that does not stand")
    }

    fn end(&mut self, segment: u32, revision: u32) -> Option<&'static str> {
        let from = |state| matches!(state, State::Confirmed { ending, .. } if ending == revision);
        self.change(segment, from, State::Ended, "ended, and was not confirmed with that revision")
    }

    fn close(&mut self) -> Option<&'static str> {
        self.is_open().then_some("its session is over, and it is open")
    }
}

impl Checker for SegmentStates {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let Some(story) = self.sessions.of(record) else { return };
        if let Some(wrong) = story.take(&record.event) {
            let event = &record.event;
            findings.add(NAME, Some(record.session), || format!("{event:?}: {wrong}"));
        }
    }
}
