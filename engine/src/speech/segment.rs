//! Segments: hypotheses that a stretch of audio is speech.
//!
//! A segment is an entity from a pool that is spawned ahead and recycled; opening and closing a segment writes a
//! component and never changes an archetype. The verdict is final once it is Confirmed or Cancelled.

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;
use serde::Serialize;

use crate::base::ids::{SegmentKey, SessionId};
use crate::media::frame::Frame;
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};

/// Why a segment was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The onset was not sustained over the `min_speech_ms` window.
    NotSustained,
    /// The audio was forwarded by `forward: Always`, and no speech began in it.
    Silence,
    /// The session was closed while the gate was still deciding.
    Closed,
    /// The engine that gated the audio cancelled it.
    Elsewhere,
    /// The engine that gated the audio sent no verdict in time.
    NoVerdict,
    /// The host shut the gate, or ended the turn, while the gate was still deciding.
    Shut,
    /// The host discarded what was said while the gate was still deciding.
    Discarded,
}

impl CancelReason {
    /// The name of the reason in events and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSustained => "not_sustained",
            Self::Silence => "silence",
            Self::Closed => "closed",
            Self::Elsewhere => "elsewhere",
            Self::NoVerdict => "no_verdict",
            Self::Shut => "shut",
            Self::Discarded => "discarded",
        }
    }
}

/// Whether a segment is speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The entity is in the pool.
    Free,
    /// The segment is forwarded, and not decided yet.
    Speculative,
    /// The segment is speech; final.
    Confirmed,
    /// The segment is not speech; final.
    Cancelled(CancelReason),
}

/// Whether the speaker has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Speech goes on.
    Open,
    /// Speech is believed to be over; the number is the revision of that belief, from 1.
    Ending(u32),
    /// Speech is over; the number is the revision that held, 0 when none was announced.
    Ended(u32),
}

/// State of the answer to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer may still come.
    Pending,
    /// The answer was released to its end, or there was nothing to answer.
    Complete,
    /// The user interrupted the answer, or the speech was too short to be a turn of its own.
    Withdrawn,
}

/// State of one segment.
#[derive(Component, Clone, Debug)]
pub struct Segment {
    /// The segment that this entity is at present.
    pub key: SegmentKey,
    /// The session.
    pub session: SessionId,
    /// The session's entity.
    pub owner: Entity,
    /// The turn it belongs to; prospective until it is confirmed.
    pub turn: u32,
    /// Whether it is speech.
    pub verdict: Verdict,
    /// Whether the speaker has finished.
    pub extent: Extent,
    /// An answer waits, and is withdrawn, for speech in a segment of a greater serial than this: the segment's own
    /// serial. For lines the newest serial when they began; `u32::MAX` where they must not be interrupted.
    pub order: u32,
    /// Rank among what the session says; answers of the scene have 0.
    pub priority: i8,
    /// Media time of its first forwarded sample.
    pub from_us: u64,
    /// Media time at which the detector first and last heard speech in it.
    pub voiced: (u64, u64),
    /// Engine time at which the detector last heard speech in it.
    pub voiced_at_us: u64,
    /// State of its answer; once it is no longer pending the entity may be recycled.
    pub answer: Answer,
    /// The revision whose answer was withdrawn while the end was only suspected; 0 = none. If the speaker goes on,
    /// the next revision is answered.
    pub withdrawn: u32,
}

/// Whether a frame may be released, by the state of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The frame may be heard.
    Holds,
    /// Nothing is decided yet.
    Undecided,
    /// The frame was cancelled and must never be heard.
    Cancelled,
}

impl Segment {
    /// Length of the speech heard in it so far, in microseconds of media time from the first to the last.
    pub fn voiced_us(&self) -> u64 {
        self.voiced.1.saturating_sub(self.voiced.0)
    }

    /// Whether the user is believed to be speaking in it.
    pub fn is_spoken(&self) -> bool {
        matches!(self.verdict, Verdict::Speculative | Verdict::Confirmed)
            && !matches!(self.extent, Extent::Ended(_))
    }

    /// Whether it is to be answered, or is being answered: the speaker has finished, or seems to have.
    pub fn owes_answer(&self) -> bool {
        self.verdict == Verdict::Confirmed && self.answer == Answer::Pending && self.extent != Extent::Open
    }

    /// The standing of a frame derived from `revision` (0 = the caller's own audio).
    pub fn standing(&self, revision: u32) -> Standing {
        if revision > 0 && (self.answer == Answer::Withdrawn || self.withdrawn == revision) {
            return Standing::Cancelled;
        }
        match (self.verdict, self.extent) {
            (Verdict::Free | Verdict::Cancelled(_), _) => Standing::Cancelled,
            (Verdict::Speculative, _) => Standing::Undecided,
            (Verdict::Confirmed, _) if revision == 0 => Standing::Holds,
            (Verdict::Confirmed, Extent::Ended(r)) if r == revision => Standing::Holds,
            (Verdict::Confirmed, Extent::Ending(r)) if r == revision => Standing::Undecided,
            (Verdict::Confirmed, _) => Standing::Cancelled,
        }
    }
}

/// One utterance of the user as the gate ended it, and its answer. A component of the session entity.
///
/// A turn is open from its first confirmed segment until every answer in it was released, cancelled or empty.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Turn {
    /// Counts the turns of a session from 1; 0 before the first.
    pub serial: u32,
    /// Confirmed segments of this turn that have no complete answer yet.
    pub unanswered: u32,
    /// Lines that the host had the session say, and texts it sent, so far.
    pub lines: u32,
    /// The newest turn is a line's, and takes no speech.
    pub is_closed: bool,
}

impl Turn {
    /// The turn of a segment that is confirmed now.
    pub fn next(&self) -> u32 {
        if self.unanswered == 0 || self.is_closed { self.serial + 1 } else { self.serial }
    }
}

/// How a line stands to speech and to other lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineRank {
    /// See [`Segment::order`].
    pub(crate) order: u32,
    /// See [`Segment::priority`].
    pub(crate) priority: i8,
    /// The user typed it.
    pub(crate) typed: bool,
}

/// The pool of segment entities, by slot.
#[derive(Resource, Debug, Default)]
pub struct SegmentPool {
    entities: Vec<Entity>,
    free: Vec<u32>,
    active: Vec<u32>,
}

impl SegmentPool {
    /// Free places.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Places in all; each is an entity for as long as the shard exists.
    pub fn places(&self) -> usize {
        self.entities.len()
    }

    /// Segments in use.
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// The entities of the segments in use.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = Entity> + '_ {
        self.active.iter().map(|slot| self.entities[*slot as usize])
    }

    /// Spawns places until `spare` are free; called where sessions are admitted, never by a node.
    pub(crate) fn reserve(world: &mut World, spare: usize) {
        let mut pool = world.resource_mut::<Self>();
        let places = spare + pool.active.len();
        // Either list may come to hold every place, in a tick that must not allocate.
        let (free, active) = (places.saturating_sub(pool.free.len()), places - pool.active.len());
        pool.free.reserve(free);
        pool.active.reserve(active);
        while world.resource::<Self>().free.len() < spare {
            let slot = world.resource::<Self>().entities.len() as u32;
            let entity = world
                .spawn(Segment {
                    key: SegmentKey { slot, serial: 0 },
                    session: SessionId(0),
                    owner: Entity::PLACEHOLDER,
                    turn: 0,
                    verdict: Verdict::Free,
                    extent: Extent::Open,
                    order: 0,
                    priority: 0,
                    from_us: 0,
                    voiced: (0, 0),
                    voiced_at_us: 0,
                    answer: Answer::Pending,
                    withdrawn: 0,
                })
                .id();
            let mut pool = world.resource_mut::<Self>();
            pool.entities.push(entity);
            pool.free.push(slot);
        }
    }
}

/// Access to segments and turns for the systems that decide about them.
#[derive(SystemParam)]
pub struct Segments<'w, 's> {
    pool: ResMut<'w, SegmentPool>,
    states: Query<'w, 's, &'static mut Segment>,
    turns: Query<'w, 's, &'static mut Turn>,
}

impl Segments<'_, '_> {
    /// Whether a segment can be opened.
    pub(crate) fn has_room(&self) -> bool {
        self.pool.free() > 0
    }

    /// Opens a Speculative segment; `None` when the pool is empty (the caller tries again at the next hop).
    pub(crate) fn open(
        &mut self,
        session: SessionId,
        owner: Entity,
        serial: u32,
        from_us: u64,
    ) -> Option<SegmentKey> {
        let turn = self.turns.get(owner).map_or(0, Turn::next);
        let slot = self.pool.free.pop()?;
        let key = SegmentKey { slot, serial };
        let mut state =
            self.states.get_mut(self.pool.entities[slot as usize]).expect("pooled segments live for ever");
        *state = Segment {
            key,
            session,
            owner,
            turn,
            verdict: Verdict::Speculative,
            extent: Extent::Open,
            order: serial,
            priority: 0,
            from_us,
            voiced: (0, 0),
            voiced_at_us: 0,
            answer: Answer::Pending,
            withdrawn: 0,
        };
        self.pool.active.push(slot);
        Some(key)
    }

    /// Opens a segment in which nobody speaks, for something that the session says or is asked in writing: a turn of its
    /// own, decided from the start. `None` when the pool is empty.
    pub(crate) fn open_line(
        &mut self,
        session: SessionId,
        owner: Entity,
        rank: LineRank,
        from_us: u64,
    ) -> Option<(SegmentKey, u32)> {
        let mut turn = self.turns.get_mut(owner).ok()?;
        let slot = self.pool.free.pop()?;
        turn.lines = (turn.lines + 1) % SegmentKey::TYPED;
        turn.serial += 1;
        turn.unanswered += 1;
        turn.is_closed = true;
        let typed = if rank.typed { SegmentKey::TYPED } else { 0 };
        let key = SegmentKey { slot, serial: SegmentKey::LINES | typed | turn.lines };
        let turn = turn.serial;
        let mut state =
            self.states.get_mut(self.pool.entities[slot as usize]).expect("pooled segments live for ever");
        *state = Segment {
            key,
            session,
            owner,
            turn,
            verdict: Verdict::Confirmed,
            extent: Extent::Ended(1),
            order: rank.order,
            priority: rank.priority,
            from_us,
            voiced: (0, 0),
            voiced_at_us: 0,
            answer: Answer::Pending,
            withdrawn: 0,
        };
        self.pool.active.push(slot);
        Some((key, turn))
    }

    /// Whether something of the session is still to be answered.
    pub(crate) fn owes(&self, owner: Entity) -> bool {
        self.turns.get(owner).is_ok_and(|turn| turn.unanswered > 0)
    }

    /// The order of a frame's segment: see [`Segment::order`].
    pub(crate) fn order_of(&mut self, frame: &Frame) -> u32 {
        if !frame.segment.is_line() {
            return frame.segment.serial;
        }
        self.state(frame.segment, frame.session).map_or(0, |state| state.order)
    }

    fn state(&mut self, key: SegmentKey, session: SessionId) -> Option<Mut<'_, Segment>> {
        let entity = *self.pool.entities.get(key.slot as usize)?;
        let state = self.states.get_mut(entity).ok()?;
        (state.key == key && state.session == session).then_some(state)
    }

    /// A copy of the segment's state, unless it was recycled.
    pub fn get(&mut self, key: SegmentKey, session: SessionId) -> Option<Segment> {
        self.state(key, session).map(|s| s.clone())
    }

    /// Confirms a Speculative segment and returns its turn.
    pub(crate) fn confirm(&mut self, key: SegmentKey, session: SessionId) -> u32 {
        let Some(owner) = self.state(key, session).map(|s| s.owner) else { return 0 };
        let mut turn = 0;
        if let Ok(mut t) = self.turns.get_mut(owner) {
            turn = t.next();
            t.serial = turn;
            t.unanswered += 1;
            t.is_closed = false;
        }
        let mut state = self.state(key, session).expect("looked up above");
        debug_assert_eq!(state.verdict, Verdict::Speculative, "a verdict is final");
        state.verdict = Verdict::Confirmed;
        state.turn = turn;
        turn
    }

    /// Cancels a Speculative segment.
    pub(crate) fn cancel(&mut self, key: SegmentKey, session: SessionId, reason: CancelReason) {
        if let Some(mut state) = self.state(key, session) {
            debug_assert_eq!(state.verdict, Verdict::Speculative, "a verdict is final");
            state.verdict = Verdict::Cancelled(reason);
        }
    }

    /// Sets how far a Confirmed segment has come.
    pub(crate) fn set_extent(&mut self, key: SegmentKey, session: SessionId, extent: Extent) {
        let Some(mut state) = self.state(key, session) else { return };
        debug_assert!(!matches!(state.extent, Extent::Ended(_)), "Ended is final");
        state.extent = extent;
        if matches!(extent, Extent::Ended(revision) if revision > 0 && revision == state.withdrawn) {
            // An answer withdrawn while the end was suspected stays withdrawn.
            self.withdraw(key, session);
        }
    }

    /// The standing of a frame of (key, revision). A recycled segment is settled: its own audio may be heard, what
    /// was derived from it came too late.
    pub fn standing(&mut self, key: SegmentKey, session: SessionId, revision: u32) -> Standing {
        // Segments of another engine are not judged here.
        if !key.is_some() || key.is_elsewhere() {
            return Standing::Holds;
        }
        match self.state(key, session) {
            Some(state) => state.standing(revision),
            None if revision == 0 => Standing::Holds,
            None => Standing::Cancelled,
        }
    }

    /// Notes that the answer to this segment is complete; closes the turn after its last one.
    pub(crate) fn answered(&mut self, key: SegmentKey, session: SessionId) {
        let Some(mut state) = self.state(key, session) else { return };
        if state.answer != Answer::Pending || state.verdict != Verdict::Confirmed {
            return;
        }
        state.answer = Answer::Complete;
        let owner = state.owner;
        self.close_one(owner);
    }

    /// Counts one answer less that the turn waits for.
    fn close_one(&mut self, owner: Entity) {
        if let Ok(mut turn) = self.turns.get_mut(owner) {
            turn.unanswered = turn.unanswered.saturating_sub(1);
        }
    }

    /// Notes speech heard in a segment, as media time, in the tick of `now_us`; returns the turn it belongs to now.
    pub(crate) fn voiced(
        &mut self,
        key: SegmentKey,
        session: SessionId,
        (from_us, to_us): (u64, u64),
        now_us: u64,
    ) -> u32 {
        let Some(mut state) = self.state(key, session) else { return 0 };
        let state = state.bypass_change_detection();
        if state.voiced == (0, 0) {
            state.voiced.0 = from_us;
        }
        state.voiced.1 = to_us;
        state.voiced_at_us = now_us;
        state.turn
    }

    /// Carries the speech of `before`, which was split, over to `key`, which goes on with it.
    pub(crate) fn carry_on(&mut self, before: SegmentKey, key: SegmentKey, session: SessionId) {
        let Some(heard) = self.state(before, session).map(|state| (state.voiced, state.voiced_at_us)) else {
            return;
        };
        let Some(mut state) = self.state(key, session).filter(|_| heard.0 != (0, 0)) else { return };
        state.voiced = (heard.0.0, state.voiced.1.max(heard.0.1));
        state.voiced_at_us = state.voiced_at_us.max(heard.1);
    }

    /// The turn a segment belongs to now; 0 when it was recycled.
    pub fn turn(&mut self, key: SegmentKey, session: SessionId) -> u32 {
        self.state(key, session).map_or(0, |state| state.turn)
    }

    /// The turn a frame belongs to now; the frame's own where its segment is gone or in another engine.
    pub(crate) fn turn_now(&mut self, frame: &Frame) -> u32 {
        self.state(frame.segment, frame.session).map_or(frame.turn, |state| state.turn)
    }

    /// Withdraws the answer to a confirmed segment, whatever has become of it so far; false when the answer is over.
    pub(crate) fn withdraw(&mut self, key: SegmentKey, session: SessionId) -> bool {
        let Some(mut state) = self.state(key, session) else { return false };
        if state.answer != Answer::Pending || state.verdict != Verdict::Confirmed {
            return false;
        }
        state.answer = Answer::Withdrawn;
        let owner = state.owner;
        self.close_one(owner);
        true
    }

    /// Withdraws the answer to one revision of a confirmed segment whose end is only suspected; false when it was
    /// withdrawn before.
    pub(crate) fn withdraw_revision(&mut self, key: SegmentKey, session: SessionId, revision: u32) -> bool {
        let state = self.state(key, session).filter(|state| state.verdict == Verdict::Confirmed);
        let Some(mut state) = state.filter(|state| state.withdrawn != revision) else { return false };
        state.withdrawn = revision;
        true
    }

    /// Begins a new turn with this confirmed segment, because the user interrupted the one before.
    pub(crate) fn begin_turn(&mut self, key: SegmentKey, session: SessionId) -> u32 {
        let Some(owner) = self.state(key, session).map(|state| state.owner) else { return 0 };
        let mut serial = 0;
        if let Ok(mut turn) = self.turns.get_mut(owner) {
            turn.serial += 1;
            turn.is_closed = false;
            serial = turn.serial;
        }
        if let Some(mut state) = self.state(key, session) {
            state.turn = serial;
        }
        serial
    }

    /// The segments in use, in no particular order.
    pub fn active(&self) -> impl Iterator<Item = &Segment> {
        self.pool.in_use().filter_map(|entity| self.states.get(entity).ok())
    }

    /// Returns settled segments to the pool, and every segment of a session that is gone.
    pub(crate) fn recycle(&mut self, gone: impl Fn(&Segment) -> bool) {
        let mut at = 0;
        while at < self.pool.active.len() {
            let slot = self.pool.active[at];
            let entity = self.pool.entities[slot as usize];
            let mut state = self.states.get_mut(entity).expect("pooled segments live for ever");
            let settled = match (state.verdict, state.extent) {
                (Verdict::Cancelled(_) | Verdict::Free, _) => true,
                (Verdict::Confirmed, Extent::Ended(_)) => state.answer != Answer::Pending,
                _ => false,
            };
            if settled || gone(&state) {
                state.verdict = Verdict::Free;
                state.key.serial = 0;
                self.pool.active.swap_remove(at);
                self.pool.free.push(slot);
            } else {
                at += 1;
            }
        }
    }
}

/// Segments, turns and the cancellations of this tick, for the nodes that decide what is speech.
#[derive(SystemParam)]
pub struct SegmentParams<'w, 's> {
    /// Segments and turns.
    pub segments: Segments<'w, 's>,
    pub(crate) cancellations: ResMut<'w, Cancellations>,
}

impl SegmentParams<'_, '_> {
    /// Cancels; nodes of higher rank drop what `scope` covers in this tick.
    pub fn cancel(&mut self, session: SessionId, scope: CancelScope) {
        self.cancellations.push(Cancellation { session, scope });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(verdict: Verdict, extent: Extent) -> Segment {
        Segment {
            key: SegmentKey { slot: 0, serial: 1 },
            session: SessionId(0),
            owner: Entity::PLACEHOLDER,
            turn: 1,
            verdict,
            extent,
            order: 1,
            priority: 0,
            from_us: 0,
            voiced: (0, 0),
            voiced_at_us: 0,
            answer: Answer::Pending,
            withdrawn: 0,
        }
    }

    #[test]
    fn standing_follows_verdict_extent_and_revision() {
        let cases = [
            (Verdict::Speculative, Extent::Open, 0, Standing::Undecided),
            (Verdict::Confirmed, Extent::Open, 0, Standing::Holds),
            (Verdict::Confirmed, Extent::Open, 1, Standing::Cancelled),
            (Verdict::Confirmed, Extent::Ending(2), 1, Standing::Cancelled),
            (Verdict::Confirmed, Extent::Ending(2), 2, Standing::Undecided),
            (Verdict::Confirmed, Extent::Ended(2), 2, Standing::Holds),
            (Verdict::Cancelled(CancelReason::NotSustained), Extent::Open, 0, Standing::Cancelled),
        ];
        for (verdict, extent, revision, want) in cases {
            assert_eq!(
                segment(verdict, extent).standing(revision),
                want,
                "{verdict:?} {extent:?} r{revision}"
            );
        }
    }
}
