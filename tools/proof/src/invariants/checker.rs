//! The interface of a checker: what it sees, and where its findings go.

use std::collections::BTreeMap;

use mynah_engine::base::SegmentKey;
use mynah_engine::observe::{Census, SessionView};
use mynah_engine::scene::Format;
use mynah_engine::{Engine, Event, OutAudio, Record, ScenePlan, SessionId};

/// Violations of one invariant that are kept with their words; the rest is counted.
const KEPT: u64 = 8;

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the checker.
    pub invariant: &'static str,
    /// Engine time of the tick, microseconds.
    pub t_us: u64,
    /// Whose session, if it is one's.
    pub session: Option<SessionId>,
    /// The violation in words.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} us", self.invariant, self.t_us)?;
        if let Some(SessionId(id)) = self.session {
            write!(f, ", session {id}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// The engine after a tick.
pub(super) struct Moment<'a> {
    pub(super) engine: &'a Engine,
    pub(super) census: &'a Census,
    /// Frames found waiting, by node.
    pub(super) queued: &'a [u64],
    /// Sessions that are not over.
    pub(super) sessions_live: usize,
    /// Ticks so far.
    pub(super) tick: u64,
}

/// One invariant. For each tick: its records, its audio, then the tick.
pub(super) trait Checker: Send {
    /// Takes one event.
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let _unused = (record, findings);
    }
    /// Takes one released block.
    fn audio(&mut self, session: SessionId, audio: &OutAudio, findings: &mut Findings) {
        let _unused = (session, audio, findings);
    }
    /// The host of the session of this id and generation has ended its input of `frames` sample frames.
    fn fed(&mut self, session: SessionId, generation: u32, frames: u64) {
        let _unused = (session, generation, frames);
    }
    /// A tick is over.
    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let _unused = (moment, findings);
    }
    /// A tick of an engine that cannot be looked into is over.
    fn tick_elsewhere(&mut self, tick: u64) {
        let _unused = tick;
    }
    /// The run is over.
    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let _unused = (moment, findings);
    }
}

/// What all checkers have found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Time of what is being looked at.
    pub(super) now_us: u64,
    /// There is an engine behind a link.
    pub(super) linked: bool,
    kept: Vec<Violation>,
    counts: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Notes a violation; `what` is asked for only while it is kept.
    pub(super) fn add(
        &mut self,
        invariant: &'static str,
        session: Option<SessionId>,
        what: impl FnOnce() -> String,
    ) {
        let count = self.counts.entry(invariant).or_default();
        *count += 1;
        if *count <= KEPT {
            self.kept.push(Violation { invariant, t_us: self.now_us, session, what: what() });
        }
    }

    pub(super) fn kept(&self) -> &[Violation] {
        &self.kept
    }

    pub(super) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }
}

/// The format in which the scene makes the audio of a session, which may come in another one than the scene's. It may
/// leave in yet another: [`SessionView::output`].
pub(super) fn made_as(plan: &ScenePlan, session: &SessionView<'_>) -> Option<Format> {
    plan.delivered(session.input())
}

/// Whether nobody speaks in the segment of this serial: it is a line of the host's, or typed.
pub(super) fn is_line(segment: u32) -> bool {
    segment & SegmentKey::LINES != 0
}

/// Whether the user typed what the segment of this serial is about.
pub(super) fn is_typed(segment: u32) -> bool {
    is_line(segment) && segment & SegmentKey::TYPED != 0
}

/// Whether `old` is a line that came more than `most` lines of its session before the line `newest`.
pub(super) fn is_old_line(old: u32, newest: u32, most: u32) -> bool {
    let number = |segment: u32| segment & !(SegmentKey::LINES | SegmentKey::TYPED);
    is_line(old) && number(old).saturating_add(most) < number(newest)
}

/// Something kept for each session, by its id; a new opening begins anew.
#[derive(Debug)]
pub(super) struct Sessions<T> {
    by_id: BTreeMap<SessionId, Kept<T>>,
}

/// What is kept of one opening.
#[derive(Debug)]
struct Kept<T> {
    state: T,
    /// Engine time of its opening.
    opened_us: u64,
}

impl<T> Default for Sessions<T> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new() }
    }
}

impl<T: Default> Sessions<T> {
    /// The state that `record` is about; `None` of a session that nobody opened. Of an opening that is over the state
    /// stays until its id is used again.
    pub(super) fn of(&mut self, record: &Record) -> Option<&mut T> {
        if record.event == Event::SessionOpened {
            let kept = Kept { state: T::default(), opened_us: record.t_us };
            self.by_id.insert(record.session, kept);
        }
        let kept = self.by_id.get_mut(&record.session)?;
        Some(&mut kept.state)
    }

    /// The state of the session that has this id now.
    pub(super) fn at(&mut self, session: SessionId) -> Option<&mut T> {
        self.by_id.get_mut(&session).map(|kept| &mut kept.state)
    }

    /// The states of all sessions.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut T> {
        self.by_id.values_mut().map(|kept| &mut kept.state)
    }

    /// The state of the opening that released `audio`; `None` when its id has been used again since.
    pub(super) fn releasing(&mut self, session: SessionId, audio: &OutAudio) -> Option<&mut T> {
        let kept = self.by_id.get_mut(&session)?;
        (audio.released_us >= kept.opened_us).then_some(&mut kept.state)
    }
}
