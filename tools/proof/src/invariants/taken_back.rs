//! Nothing cancelled leaves from the tick of its cancellation on: no audio of a cancelled segment, of a retracted
//! revision, of a withdrawn answer or of an interrupted turn. Nothing is cancelled twice. Where the scene releases on
//! confirmation, nothing leaves before it.

use std::collections::BTreeMap;

use mynah_engine::scene::Release;
use mynah_engine::{Event, OutAudio, Record, SessionId};

use super::checker::{Checker, Findings, Sessions, is_old_line};

pub(super) const NAME: &str = "taken_back";

/// Segments of a session that are remembered, counted back from the newest.
const REMEMBERED: u32 = 256;

pub(super) struct TakenBack {
    sessions: Sessions<Known>,
    waits: bool,
}

/// What is known of one segment, with engine times.
#[derive(Debug, Default)]
struct Segment {
    confirmed_us: Option<u64>,
    cancelled_us: Option<u64>,
    withdrawn_us: Option<u64>,
    /// The revision of the end that is suspected; 0 = none.
    ending: u32,
    /// The revision that held, and since when.
    held: Option<(u32, u64)>,
    /// Revisions that are void, and since when.
    void: BTreeMap<u32, u64>,
}

#[derive(Debug, Default)]
struct Known {
    segments: BTreeMap<u32, Segment>,
    /// Turns whose answer the user's speech has ended, and when.
    interrupted: BTreeMap<u32, u64>,
    newest: u32,
}

impl TakenBack {
    pub(super) fn new(release: Release) -> Self {
        Self { sessions: Sessions::default(), waits: release == Release::OnConfirm }
    }
}

impl Known {
    /// Takes an event; true when it takes back what was taken back before.
    fn take(&mut self, t_us: u64, event: &Event) -> bool {
        match *event {
            Event::SegmentOpened { segment, .. } => {
                self.segments.insert(segment, Segment::default());
                self.newest = self.newest.max(segment);
                self.segments = self.segments.split_off(&self.newest.saturating_sub(REMEMBERED));
                false
            }
            // Decided from the start.
            Event::LineOpened { segment, .. } => {
                let line = Segment { confirmed_us: Some(t_us), held: Some((1, t_us)), ..Segment::default() };
                self.segments.retain(|old, _| !is_old_line(*old, segment, REMEMBERED));
                self.segments.insert(segment, line);
                false
            }
            Event::SegmentConfirmed { segment, .. } => self.of(segment).is_some_and(|known| {
                known.confirmed_us.get_or_insert(t_us);
                false
            }),
            Event::SegmentCancelled { segment, .. } => {
                self.of(segment).is_some_and(|known| known.cancelled_us.replace(t_us).is_some())
            }
            Event::Endpoint { segment, revision, .. } => self.of(segment).is_some_and(|known| {
                known.ending = revision;
                false
            }),
            Event::EndpointRetracted { segment, revision, .. } => self.of(segment).is_some_and(|known| {
                known.ending = 0;
                // A revision whose answer was withdrawn on suspicion is retracted like any other.
                known.void.insert(revision, t_us);
                false
            }),
            Event::SegmentEnded { segment, revision, .. } => self.of(segment).is_some_and(|known| {
                (known.ending, known.held) = (0, Some((revision, t_us)));
                false
            }),
            // While the end is only suspected, the answer to that revision alone is void.
            Event::AnswerWithdrawn { segment } => self.of(segment).is_some_and(|known| match known.ending {
                0 => known.withdrawn_us.replace(t_us).is_some(),
                revision => known.void.insert(revision, t_us).is_some(),
            }),
            Event::AnswerInterrupted { turn, segment, .. } if segment != 0 => {
                self.interrupted.insert(turn, t_us).is_some()
            }
            _ => false,
        }
    }

    fn of(&mut self, segment: u32) -> Option<&mut Segment> {
        self.segments.get_mut(&segment)
    }

    /// Why what belongs to (segment, revision, turn) must not leave at `t_us`.
    fn forbids(&self, (segment, revision, turn): (u32, u32, u32), t_us: u64, waits: bool) -> Option<String> {
        let since = |at: Option<u64>| at.filter(|since_us| t_us >= *since_us);
        if let Some(us) = since(self.interrupted.get(&turn).copied()).filter(|_| revision > 0) {
            return Some(format!("turn {turn} was interrupted at {us}"));
        }
        let known = self.segments.get(&segment)?;
        if let Some(us) = since(known.cancelled_us) {
            return Some(format!("the segment was cancelled at {us}"));
        }
        if revision > 0 {
            if let Some(us) = since(known.void.get(&revision).copied()) {
                return Some(format!("the revision was taken back at {us}"));
            }
            if let Some(us) = since(known.withdrawn_us) {
                return Some(format!("the answer was withdrawn at {us}"));
            }
            if let Some((held, us)) = known.held.filter(|(held, us)| *held != revision && t_us >= *us) {
                return Some(format!("revision {held} has held since {us}"));
            }
        }
        let decided_us = if revision > 0 { known.held.map(|(_, us)| us) } else { known.confirmed_us };
        (waits && decided_us.is_none_or(|us| us > t_us)).then(|| "nothing is decided yet".to_string())
    }
}

impl Checker for TakenBack {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let Some(known) = self.sessions.of(record) else { return };
        if known.take(record.t_us, &record.event) {
            findings.add(NAME, Some(record.session), || format!("{:?}, a second time", record.event));
        }
    }

    fn audio(&mut self, session: SessionId, audio: &OutAudio, findings: &mut Findings) {
        let Some(known) = self.sessions.releasing(session, audio) else { return };
        let OutAudio { segment, revision, turn, released_us, .. } = *audio;
        if let Some(why) = known.forbids((segment, revision, turn), released_us, self.waits) {
            findings.add(NAME, Some(session), || {
                format!("segment {segment} revision {revision} left at {released_us}: {why}")
            });
        }
    }
}
