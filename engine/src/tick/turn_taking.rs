//! Decides what happens to an answer when the user speaks: it waits at once, and is withdrawn when the speech goes
//! on. Reads segments; writes playouts, segments, cancellations, event log. Runs in `Stage::TurnTaking`, before the
//! nodes, on what the gates found in the tick before, so that a withdrawal reaches every queue and service in one
//! tick.
//!
//! A segment that is only suspected pauses the answer; `interrupt_min_ms` of speech in a confirmed one withdraws the
//! answer and begins a new turn. After shorter speech the answer goes on: a cough must not kill a good reply.

use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, SystemParam};

use crate::base::ids::{SegmentKey, SessionId};
use crate::base::mutation::Mutation;
use crate::base::time::Now;
use crate::node::writer::AnswerWriter;
use crate::record::event::{Event, EventLog};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::session::components::{HostLink, Session};
use crate::session::index::SessionIndex;
use crate::session::settling::{Settling, Sounded};
use crate::speech::line_drop::LineDrop;
use crate::speech::playout::Playout;
use crate::speech::segment::{Answer, Extent, Segment, SegmentParams, Segments, Verdict};

/// A segment in which nothing was heard for this long is not being spoken: gates decide on media time, which stands
/// still when a client stops sending in the middle of a word.
const STALE_US: u64 = 1_000_000;
/// Length of a hop on which a gate decides, for [`Mutation::InterruptLate`].
const HOP_US: u64 = 32_000;

/// The fields of a segment that this system needs.
#[derive(Clone, Copy, Debug)]
struct Seen {
    session: SessionId,
    owner: Entity,
    key: SegmentKey,
    order: u32,
    turn: u32,
    confirmed: bool,
    voiced_us: u64,
}

impl Seen {
    fn of(segment: &Segment, now: &Now) -> Self {
        let deaf = segment.order == u32::MAX && now.is_broken(Mutation::CutDeaf);
        Self {
            session: segment.session,
            owner: segment.owner,
            key: segment.key,
            order: if deaf { 0 } else { segment.order },
            turn: segment.turn,
            confirmed: segment.verdict == Verdict::Confirmed,
            voiced_us: segment.voiced_us(),
        }
    }
}

/// Lists that every tick fills; the storage is kept.
#[derive(Default)]
struct Scratch {
    /// Segments in which somebody speaks.
    spoken: Vec<Seen>,
    /// Segments that are over and whose answer is not complete.
    owed: Vec<Seen>,
    /// Sessions whose answer was paused in an earlier tick.
    paused: Vec<Entity>,
}

/// The playouts of all sessions.
pub(crate) type Playouts<'w, 's> = Query<'w, 's, (Entity, &'static Session, &'static mut Playout)>;

/// The system for scenes that say how long speech must last to interrupt; a session may say so for itself.
pub(crate) fn barge_in() -> BoxedSystem {
    let mut scratch = Scratch::default();
    let system = move |mut turn_taking: TurnTaking<'_, '_>,
                       index: Res<'_, SessionIndex>,
                       mut stage_times: ResMut<'_, StageTimes>| {
        let now = *turn_taking.now;
        scratch.look(&turn_taking.segments.segments, &now);
        scratch.begin(&mut turn_taking.playouts, index.open() as usize);
        let late_us = if now.is_broken(Mutation::InterruptLate) { HOP_US } else { 0 };
        for seen in &scratch.spoken {
            turn_taking.user_speaks(seen);
        }
        for seen in scratch.spoken.iter().filter(|seen| seen.confirmed) {
            if turn_taking.lasts(seen, late_us) {
                turn_taking.interrupt(seen, scratch.owed_by(seen.session));
            }
        }
        // Speech that arrived late and ended within one tick was never seen spoken, and interrupts all the same.
        for seen in scratch.owed.iter().filter(|s| !s.key.is_line()) {
            let Ok((.., playout)) = turn_taking.playouts.get(seen.owner) else { continue };
            if playout.sounds() && playout.order < seen.key.serial && turn_taking.lasts(seen, late_us) {
                turn_taking.interrupt(seen, scratch.owed_by(seen.session));
            }
        }
        for owner in &scratch.paused {
            turn_taking.resume(*owner, &scratch);
        }
        stage_times.end_stage(EngineStage::Edge);
    };
    Box::new(IntoSystem::into_system(system))
}

impl Scratch {
    /// Begins a tick with nobody speaking, and lists the sessions whose answer is paused; there are at most `sessions`.
    fn begin(&mut self, playouts: &mut Playouts<'_, '_>, sessions: usize) {
        self.paused.clear();
        self.paused.reserve(sessions);
        for (owner, _, mut playout) in playouts {
            let playout = playout.bypass_change_detection();
            playout.speaking = 0;
            if playout.paused_by != 0 {
                self.paused.push(owner);
            }
        }
    }

    fn look(&mut self, segments: &Segments<'_, '_>, now: &Now) {
        self.spoken.clear();
        self.owed.clear();
        for segment in segments.active() {
            let seen = Seen::of(segment, now);
            if segment.is_spoken() {
                // A stretch that is forwarded before any speech was heard in it is not speech.
                if segment.voiced.1 > 0 && now.us < segment.voiced_at_us + STALE_US {
                    self.spoken.push(seen);
                }
            } else if seen.confirmed && segment.answer == Answer::Pending {
                self.owed.push(seen);
            }
        }
        let order = |seen: &Seen| (seen.session, seen.key.serial);
        self.spoken.sort_unstable_by_key(order);
        self.owed.sort_unstable_by_key(order);
    }

    fn owed_by(&self, session: SessionId) -> &[Seen] {
        let from = self.owed.partition_point(|seen| seen.session < session);
        let to = self.owed.partition_point(|seen| seen.session <= session);
        &self.owed[from..to]
    }
}

/// Who has the floor: the user or the answer.
#[derive(SystemParam)]
pub(crate) struct TurnTaking<'w, 's> {
    pub(crate) now: Res<'w, Now>,
    pub(crate) segments: SegmentParams<'w, 's>,
    pub(crate) playouts: Playouts<'w, 's>,
    pub(crate) links: Query<'w, 's, &'static mut HostLink>,
    pub(crate) log: ResMut<'w, EventLog>,
    settling: ResMut<'w, Settling>,
}

impl<'w, 's> TurnTaking<'w, 's> {
    /// The user speaks: older answers wait.
    fn user_speaks(&mut self, seen: &Seen) {
        let now_us = self.now.us;
        let Ok((.., mut playout)) = self.playouts.get_mut(seen.owner) else { return };
        if playout.interrupt_min_us == u32::MAX {
            return;
        }
        playout.speaking = playout.speaking.max(seen.key.serial);
        if playout.sounds() && playout.order < seen.key.serial && playout.paused_by == 0 {
            playout.paused_by = seen.key.serial;
            let quiet_us = playout.heard_until_us.max(now_us) + u64::from(playout.latency_us);
            let event = Event::AnswerPaused { segment: seen.key.serial, quiet_us };
            self.log.push(now_us, seen.session, playout.turn, event);
        }
    }

    /// Interrupts: the answers to older segments are withdrawn, and a new turn begins.
    fn interrupt(&mut self, seen: &Seen, owed: &[Seen]) {
        let mut turn = None;
        for old in owed.iter().filter(|old| old.order < seen.key.serial) {
            if self.answers().withdraw(old.key, seen.session, old.turn) {
                turn = turn.or(Some(old.turn));
            }
        }
        let Some(turn) = turn else { return };
        // What must not be interrupted goes on, whatever is withdrawn beside it.
        let goes_on =
            self.playouts.get(seen.owner).is_ok_and(|(.., playout)| playout.order >= seen.key.serial);
        let heard_us = if goes_on { 0 } else { self.stop(seen.owner) };
        let event = Event::AnswerInterrupted { turn, segment: seen.key.serial, heard_us };
        self.log.push(self.now.us, seen.session, turn, event);
        self.segments.segments.begin_turn(seen.key, seen.session);
    }

    /// Whether somebody speaks in the session.
    pub(crate) fn is_spoken(&self, session: SessionId) -> bool {
        let now_us = self.now.us;
        self.segments.segments.active().any(|segment| {
            segment.session == session
                && segment.is_spoken()
                && segment.voiced.1 > 0
                && now_us < segment.voiced_at_us + STALE_US
        })
    }

    /// Whether nobody speaks in the session, nothing sounds and nothing is to be answered.
    pub(crate) fn floor_is_free(&self, session: SessionId, owner: Entity) -> bool {
        let Ok((.., playout)) = self.playouts.get(owner) else { return false };
        let quiet = match self.links.get(owner).ok().and_then(|link| link.output.as_ref()) {
            Some(ring) => ring.unread() == 0,
            None => playout.heard_until_us <= self.now.us,
        };
        quiet && !playout.sounds() && !self.segments.segments.owes(owner) && !self.is_spoken(session)
    }

    /// Forgets what the user has said and what does not sound yet.
    pub(crate) fn discard(&mut self, session: SessionId, owner: Entity) -> bool {
        let sounds = self.playouts.get(owner).map_or(0, |(.., playout)| playout.segment);
        self.withdraw_for_host(session, owner, |segment| {
            segment.key.serial != sounds && (!segment.key.is_line() || segment.key.is_typed())
        })
    }

    /// Notes what the host says was heard of the answer to `turn`; false for a turn that is over.
    pub(crate) fn report(&mut self, owner: Entity, turn: u32, us: u64) -> bool {
        let Ok((.., mut playout)) = self.playouts.get_mut(owner) else { return false };
        let newer = playout.report(turn, us, self.now.us);
        if newer {
            self.settling.report(owner, turn, us);
        }
        newer
    }

    /// A line is not spoken.
    pub(crate) fn drop_line(&mut self, session: SessionId, line: u64, reason: LineDrop) -> bool {
        self.log.push(self.now.us, session, 0, Event::LineDropped { line, reason });
        false
    }

    /// Whether the speech in a segment lasts long enough to interrupt the session's answers.
    fn lasts(&self, seen: &Seen, late_us: u64) -> bool {
        let Ok((.., playout)) = self.playouts.get(seen.owner) else { return false };
        let min_us = playout.interrupt_min_us;
        min_us != u32::MAX && seen.voiced_us >= u64::from(min_us) + late_us
    }

    /// Stops the answer that sounds; returns how much of it was heard, microseconds.
    fn stop(&mut self, owner: Entity) -> u64 {
        let Ok((.., mut playout)) = self.playouts.get_mut(owner) else { return 0 };
        let Ok(mut link) = self.links.get_mut(owner) else { return 0 };
        let (segment, revision) = (playout.segment, playout.revision);
        let heard_us = playout.stop_answer(link.read_us(), self.now.us);
        if revision > 0 {
            self.settling.sounded(Sounded { owner, segment, revision, us: heard_us, at: 0 });
            link.flush();
        }
        heard_us
    }

    /// Stops the answer of `turn` for the host: segments whose end the speaker has reached, or seems to have, get no
    /// answer any more. False when there is nothing to stop.
    pub(crate) fn cancel_answer(&mut self, session: SessionId, owner: Entity, turn: u32) -> bool {
        self.withdraw_for_host(session, owner, |segment| segment.turn == turn)
    }

    /// Withdraws for the host what is to be answered or is being answered, as far as `asked` says so; each turn is told.
    /// False when there is nothing.
    pub(crate) fn withdraw_for_host(
        &mut self,
        session: SessionId,
        owner: Entity,
        asked: impl Fn(&Segment) -> bool,
    ) -> bool {
        let owed = |segment: &Segment| segment.session == session && segment.owes_answer() && asked(segment);
        let mut owed: Vec<Segment> =
            self.segments.segments.active().filter(|segment| owed(segment)).cloned().collect();
        owed.sort_unstable_by_key(|segment| (segment.turn, segment.key.serial));
        let mut turns: Vec<u32> = Vec::new();
        for segment in &owed {
            let (key, turn) = (segment.key, segment.turn);
            let withdrawn = match segment.extent {
                Extent::Ending(revision) => self.answers().withdraw_revision(key, session, turn, revision),
                _ => self.answers().withdraw(key, session, turn),
            };
            if withdrawn && !turns.contains(&turn) {
                turns.push(turn);
            }
        }
        let sounding = self.playouts.get(owner).map_or(0, |(.., playout)| playout.segment);
        for turn in &turns {
            // Another answer of the turn may go on.
            let sounds = owed.iter().any(|old| old.turn == *turn && old.key.serial == sounding);
            let heard_us = if sounds { self.stop(owner) } else { 0 };
            let event = Event::AnswerInterrupted { turn: *turn, segment: 0, heard_us };
            self.log.push(self.now.us, session, *turn, event);
        }
        self.go_on_in_a_new_turn(session, &turns);
        !turns.is_empty()
    }

    /// Who was speaking already when the answers of `turns` were withdrawn is answered in a turn of his own, as he is after
    /// an interruption.
    fn go_on_in_a_new_turn(&mut self, session: SessionId, turns: &[u32]) {
        let speaks = |segment: &&Segment| {
            segment.session == session
                && segment.verdict == Verdict::Confirmed
                && segment.extent == Extent::Open
                && turns.contains(&segment.turn)
                && segment.answer == Answer::Pending
        };
        let spoken = self.segments.segments.active().filter(speaks).map(|segment| segment.key);
        if let Some(key) = spoken.min_by_key(|key| key.serial) {
            self.segments.segments.begin_turn(key, session);
        }
    }

    /// Lets a paused answer go on, as nobody speaks any more; the segment that paused it is not answered.
    fn resume(&mut self, owner: Entity, scratch: &Scratch) {
        let Ok((_, session, mut playout)) = self.playouts.get_mut(owner) else { return };
        let session = session.id;
        if playout.paused_by == 0 || playout.speaking > 0 {
            return;
        }
        let (segment, turn) = (playout.paused_by, playout.turn);
        playout.paused_by = 0;
        let mut ignored = false;
        let owed = scratch.owed_by(session).iter();
        for short in owed.filter(|short| short.key.serial >= segment && !short.key.is_line()) {
            ignored |= self.answers().withdraw(short.key, session, short.turn);
        }
        self.log.push(self.now.us, session, turn, Event::AnswerResumed { segment, ignored });
    }

    fn answers(&mut self) -> AnswerWriter<'_, 'w, 's> {
        AnswerWriter { now_us: self.now.us, params: &mut self.segments, log: &mut self.log }
    }
}
