//! What one session may tell, and what may leave it after that.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::Discriminant;
use std::ops::RangeInclusive;

use mynah_engine::{Control, Event, OutAudio, Record};

/// Who says what is a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nobody: audio keeps the tag that its host gave it.
    #[default]
    Nobody,
    /// A node of the scene: serials come one after the other.
    Here,
    /// The host, for whatever gates at its end.
    Elsewhere,
}

/// A segment as events tell it.
#[derive(Debug, Default)]
struct Told {
    confirmed: u32,
    cancelled: u32,
    ended: u32,
    standing: Vec<u32>,
    revision: u32,
    held: u32,
    /// Calls without an end, by node and revision.
    calls: BTreeMap<(u8, u32), i32>,
}

/// What was taken back: these revisions of a segment; 0 = the caller's own audio.
#[derive(Clone, Debug, PartialEq)]
struct Taken {
    by: Discriminant<Event>,
    segment: u32,
    revisions: RangeInclusive<u32>,
}

/// One session between its opening and its end.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    gate: Gate,
    pub(crate) hung_up: bool,
    opened: bool,
    pub(crate) closed: bool,
    segments: BTreeMap<u32, Told>,
    covers: Vec<(u64, Taken)>,
    released_us: u64,
    pub(crate) samples: u64,
    pub(crate) sent: BTreeSet<u64>,
    applied: BTreeSet<u64>,
    told_closed: bool,
    told: [u32; 2],
}

impl Laws {
    /// Of a session that opens now.
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate, ..Self::default() }
    }

    /// The next event.
    pub(crate) fn hear(&mut self, record: &Record) {
        let Record { t_us, ref event, .. } = *record;
        assert!(!self.closed, "after the session was closed: {record:?}");
        assert_eq!(self.opened, *event != Event::SessionOpened, "{record:?}");
        self.taken_back(t_us, event);
        match *event {
            Event::SessionOpened => self.opened = true,
            Event::SessionClosed => self.close(),
            Event::SegmentOpened { segment, .. } => {
                let last = self.segments.keys().next_back().copied().unwrap_or(0);
                assert!(self.gate != Gate::Here || segment == last + 1, "segment {segment} after {last}");
                let before = self.segments.insert(segment, Told::default());
                assert!(before.is_none(), "segment {segment} is opened twice");
            }
            Event::SegmentConfirmed { segment, from_us, to_us } => {
                let told = self.open_one(segment, event);
                told.confirmed += 1;
                assert!(told.confirmed == 1 && from_us <= to_us, "{event:?}");
            }
            Event::SegmentCancelled { segment, from_us, to_us, .. } => {
                let told = self.open_one(segment, event);
                told.cancelled += 1;
                assert!(told.confirmed == 0 && from_us <= to_us, "{event:?} {told:?}");
            }
            Event::SegmentEnded {
                segment, revision, from_us, to_us, speech_from_us, speech_to_us, ..
            } => {
                let told = self.open_one(segment, event);
                told.ended += 1;
                told.held = revision;
                assert!(told.confirmed == 1 && from_us <= to_us, "{event:?} {told:?}");
                assert!(from_us <= speech_from_us && speech_to_us <= to_us, "{event:?} {told:?}");
                assert!(revision == 0 || told.standing.contains(&revision), "{event:?} {told:?}");
            }
            Event::Endpoint { segment, revision, .. } => {
                let told = self.open_one(segment, event);
                assert!(revision > told.revision, "{event:?} {told:?}");
                told.revision = revision;
                told.standing.push(revision);
            }
            Event::EndpointRetracted { segment, revision, .. } => {
                let told = self.open_one(segment, event);
                let before = told.standing.len();
                told.standing.retain(|other| *other != revision);
                assert_eq!(told.standing.len() + 1, before, "{event:?} {told:?}");
            }
            Event::ServiceSubmitted { node, segment, revision, .. } => {
                self.call((node.0, segment, revision), 1)
            }
            Event::ServiceDone { node, segment, revision, .. }
            | Event::ServiceCancelled { node, segment, revision, .. }
            | Event::ServiceFailed { node, segment, revision, .. } => {
                self.call((node.0, segment, revision), -1);
            }
            _ => {}
        }
    }

    /// A segment that is open.
    fn open_one(&mut self, segment: u32, event: &Event) -> &mut Told {
        let told = self.segments.get_mut(&segment);
        let told = told.unwrap_or_else(|| panic!("{event:?} of no segment"));
        assert_eq!(told.cancelled + told.ended, 0, "{event:?} after its end: {told:?}");
        told
    }

    fn call(&mut self, (node, segment, revision): (u8, u32, u32), by: i32) {
        let told = self.segments.get_mut(&segment);
        let told = told.unwrap_or_else(|| panic!("a call for no segment: {segment}"));
        let open = told.calls.entry((node, revision)).or_default();
        *open += by;
        assert!(*open >= 0, "segment {segment} revision {revision}: a call of node {node} ends twice");
    }

    /// Nothing of what is void starts or ends any more.
    fn taken_back(&mut self, t_us: u64, event: &Event) {
        let by = std::mem::discriminant(event);
        let scope = match *event {
            Event::SegmentCancelled { segment, .. } => Taken { by, segment, revisions: 0..=u32::MAX },
            Event::EndpointRetracted { segment, revision, .. } => {
                Taken { by, segment, revisions: revision..=revision }
            }
            // The answers up to now; when the speaker goes on, another end has another one.
            Event::AnswerWithdrawn { segment } => {
                let revision = self.segments.get(&segment).map_or(0, |told| told.revision);
                Taken { by, segment, revisions: 1..=revision.max(1) }
            }
            Event::OutputStarted { segment, revision } | Event::OutputEnded { segment, revision, .. } => {
                let scope = self.void_before(segment, revision, t_us.wrapping_sub(1));
                assert!(t_us == 0 || scope.is_none(), "{event:?} at {t_us}: {scope:?}");
                return;
            }
            _ => return,
        };
        assert!(self.covers.iter().all(|(_, before)| *before != scope), "{scope:?} a second time");
        self.covers.push((t_us, scope));
    }

    /// What was taken back by `t_us` and covers that origin.
    fn void_before(&self, segment: u32, revision: u32, t_us: u64) -> Option<&(u64, Taken)> {
        let covers = |scope: &Taken| scope.segment == segment && scope.revisions.contains(&revision);
        self.covers.iter().find(|(since_us, scope)| *since_us <= t_us && covers(scope))
    }

    fn close(&mut self) {
        self.closed = true;
        for (serial, told) in &self.segments {
            let once = told.cancelled + told.ended == 1 && told.confirmed == told.ended;
            assert!(once, "segment {serial} has no single verdict: {told:?}");
            // A call that is taken back in the session's last tick stops when nobody is left to be told.
            let stopped = |revision| self.void_before(*serial, revision, u64::MAX).is_some();
            let calls = told.calls.iter().filter(|((_, revision), open)| **open > 0 && !stopped(*revision));
            let open: Vec<_> = calls.collect();
            assert!(open.is_empty() || self.hung_up, "segment {serial}: calls without an end: {open:?}");
        }
    }

    /// Audio that has left.
    pub(crate) fn heard(&mut self, audio: &OutAudio, now_us: u64) {
        let OutAudio { released_us, arrived_us, segment, revision, .. } = *audio;
        assert!(released_us <= now_us && arrived_us <= released_us, "{audio:?} at {now_us}");
        assert!(released_us >= self.released_us, "{audio:?} after {}", self.released_us);
        self.released_us = released_us;
        self.samples += audio.block.len() as u64;
        assert!(!audio.block.is_empty() && audio.block.samples().iter().all(|s| s.is_finite()), "{audio:?}");
        // In the tick of a correction what left before it may have its time.
        let scope = self.void_before(segment, revision, released_us);
        assert!(scope.is_none(), "{segment}.{revision} left at {released_us}: {scope:?}");
        let known = self.gate == Gate::Nobody || segment == 0 || self.segments.contains_key(&segment);
        assert!(known, "audio of segment {segment}, never opened");
    }

    /// What the host was told.
    pub(crate) fn told(&mut self, control: Control, wanted: bool) {
        assert!(!self.told_closed, "{control:?} after the end");
        match control {
            Control::Applied { message_id } => {
                assert!(self.sent.contains(&message_id), "{control:?} was never sent");
                assert!(self.applied.insert(message_id), "{control:?} a second time");
                assert!(self.applied.range(message_id + 1..).next().is_none(), "{control:?} out of order");
                return;
            }
            Control::Closed => self.told_closed = true,
            Control::ConfirmSpeculation { .. } => self.told[0] += 1,
            Control::CancelSpeculation { .. } => self.told[1] += 1,
            _ => {}
        }
        assert!(wanted, "{control:?} to a host that does not want to know");
    }

    /// The session is over and its host has taken everything.
    pub(crate) fn over(&self, wanted: bool) {
        assert!(self.closed);
        assert_eq!(self.told_closed, wanted, "the host is told once that it is over");
        if wanted {
            let sum = |of: fn(&Told) -> u32| self.segments.values().map(of).sum::<u32>();
            assert_eq!(self.told, [sum(|told| told.confirmed), sum(|told| told.cancelled)]);
        }
        // What still waits when a session ends goes with it; of what was worked off before nothing is left out.
        let first = self.sent.iter().take(self.applied.len());
        assert!(self.applied.iter().eq(first), "a message was passed over: {:?}", self.applied);
    }
}
