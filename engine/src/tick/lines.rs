//! Lines that hosts have sessions say, and texts that they send in the user's name: each becomes a segment in which
//! nobody speaks, with an answer that goes the way of all answers. Works in `Stage::Control`, after the messages.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::base::ids::{NodeId, SegmentKey, SessionId};
use crate::base::mutation::Mutation;
use crate::base::time::frames_to_us;
use crate::edge::line::{Line, Words};
use crate::media::block::BlockPool;
use crate::media::frame::{Frame, Mark, Payload};
use crate::media::queue::{Lane, Queue};
use crate::node::enqueue::Enqueue;
use crate::node::plan::ScenePlan;
use crate::record::aside::Aside;
use crate::record::counts::Counts;
use crate::record::edge_figures::EdgeFigures;
use crate::record::event::Event;
use crate::scene::PlanTarget;
use crate::session::components::{Intake, Wiring};
use crate::session::lines::{Lines, Waiting};
use crate::speech::line_drop::LineDrop;
use crate::speech::segment::{LineRank, Segment};
use crate::tick::turn_taking::TurnTaking;

/// The system parameters that opening lines needs beside turn taking.
#[derive(SystemParam)]
pub(crate) struct LineParams<'w, 's> {
    lines: ResMut<'w, Lines>,
    pool: ResMut<'w, BlockPool>,
    counts: ResMut<'w, Counts>,
    figures: ResMut<'w, EdgeFigures>,
    queues: Query<'w, 's, &'static mut Queue>,
    lanes: Query<'w, 's, &'static Lane>,
    sessions: Query<'w, 's, (&'static Wiring, &'static Intake)>,
}

/// Where a line enters the scene.
#[derive(Clone, Copy)]
enum Entry {
    /// At the voice.
    Said,
    /// Where transcripts go.
    Typed,
}

/// What is opened.
struct Opening<'a> {
    session: SessionId,
    owner: Entity,
    message_id: u64,
    payload: Payload,
    rank: LineRank,
    entry: Entry,
    plan: &'a ScenePlan,
}

impl LineParams<'_, '_> {
    pub(crate) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes a line: it waits, begins at once or is dropped. True unless it is dropped.
    pub(crate) fn say(
        &mut self,
        (session, owner, message_id): (SessionId, Entity, u64),
        line: &Arc<Line>,
        turns: &mut TurnTaking<'_, '_>,
        plan: &ScenePlan,
    ) -> bool {
        let clip_fits = matches!(line.words, Words::Text(_)) || plan.clip_format().is_some();
        let taken = if plan.said_targets.is_empty() || !clip_fits {
            Err(LineDrop::NoVoice)
        } else if line.say.wait {
            self.lines.add(Waiting { session, owner, message_id, line: Arc::clone(line) })
        } else {
            self.say_now((session, owner, message_id), line, turns, plan)
        };
        match taken {
            Ok(()) => true,
            Err(reason) => turns.drop_line(session, message_id, reason),
        }
    }

    /// Begins a line in place of what sounds or is to be answered, unless that ranks higher.
    fn say_now(
        &mut self,
        (session, owner, message_id): (SessionId, Entity, u64),
        line: &Arc<Line>,
        turns: &mut TurnTaking<'_, '_>,
        plan: &ScenePlan,
    ) -> Result<(), LineDrop> {
        let priority = line.say.priority;
        // A line between the pieces of an answer would tear it apart, whether it sounds already or not.
        let outranks = |segment: &Segment| {
            segment.session == session && segment.owes_answer() && segment.priority > priority
        };
        if turns.segments.segments.active().any(outranks) {
            return Err(LineDrop::Outranked);
        }
        if !self.has_room(owner, &plan.said_targets, turns, plan) {
            return Err(LineDrop::Full);
        }
        turns.withdraw_for_host(session, owner, |segment| segment.priority <= priority);
        let opening = opening((session, owner, message_id), line, turns, plan);
        if self.open(opening, turns) { Ok(()) } else { Err(LineDrop::Full) }
    }

    /// Takes a text of the user, or with `None` the wish for an answer without words.
    pub(crate) fn typed(
        &mut self,
        (session, owner, message_id): (SessionId, Entity, u64),
        text: Option<&Arc<str>>,
        turns: &mut TurnTaking<'_, '_>,
        plan: &ScenePlan,
    ) -> bool {
        if plan.typed_targets().is_empty() {
            return false;
        }
        if !self.has_room(owner, plan.typed_targets(), turns, plan) {
            return turns.drop_line(session, message_id, LineDrop::Full);
        }
        // The user has the floor, as when speaking.
        turns.withdraw_for_host(session, owner, |segment| segment.order != u32::MAX);
        let payload = Payload::Text(text.map_or_else(|| "".into(), Arc::clone));
        let rank = LineRank { order: newest_serial(session, turns), priority: 0, typed: true };
        let opening = Opening { session, owner, message_id, payload, rank, entry: Entry::Typed, plan };
        let opened = self.open(opening, turns);
        opened || turns.drop_line(session, message_id, LineDrop::Full)
    }

    /// Drops the lines of a session that wait.
    pub(crate) fn drop_waiting(&mut self, session: SessionId, turns: &mut TurnTaking<'_, '_>) -> bool {
        let before = self.lines.waiting.len();
        let (now_us, log) = (turns.now.us, &mut turns.log);
        self.lines.take_out(session, |line| {
            log.push(now_us, session, 0, Event::LineDropped { line, reason: LineDrop::Interrupted });
        });
        self.lines.waiting.len() < before
    }

    /// Begins the first line of each session whose floor is free.
    pub(crate) fn begin_waiting(&mut self, turns: &mut TurnTaking<'_, '_>, plan: &ScenePlan) {
        let mut at = 0;
        let mut last = None;
        while at < self.lines.waiting.len() {
            let Waiting { session, owner, message_id, .. } = self.lines.waiting[at];
            let first = last.replace(session) != Some(session);
            if first && turns.floor_is_free(session, owner) {
                let line = Arc::clone(&self.lines.waiting[at].line);
                let opening = opening((session, owner, message_id), &line, turns, plan);
                if self.open(opening, turns) && !turns.now.is_broken(Mutation::SayTwice) {
                    self.lines.waiting.remove(at);
                    continue;
                }
            }
            at += 1;
        }
    }

    /// Opens a line and sends it on its way; false when there is no [room](Self::has_room).
    fn open(&mut self, opening: Opening<'_>, turns: &mut TurnTaking<'_, '_>) -> bool {
        let Opening { session, owner, message_id, payload, rank, entry, plan } = opening;
        let targets = match entry {
            Entry::Said => &plan.said_targets[..],
            Entry::Typed => plan.typed_targets(),
        };
        if !self.has_room(owner, targets, turns, plan) {
            return false;
        }
        let Ok((_, intake)) = self.sessions.get(owner) else { return false };
        let from_us = frames_to_us(intake.frames_in, intake.format.rate_hz);
        let opened = turns.segments.segments.open_line(session, owner, rank, from_us);
        let Some((key, turn)) = opened else { return false };
        turns.log.push(
            turns.now.us,
            session,
            turn,
            Event::LineOpened { segment: key.serial, line: message_id },
        );
        if let (Entry::Typed, Payload::Text(text)) = (entry, &payload) {
            let (segment, text) = (key.serial, Arc::clone(text));
            turns.log.aside(session, || Aside::Typed { segment, turn, text });
        }
        match entry {
            Entry::Said => self.figures.said += 1,
            Entry::Typed => self.figures.typed += 1,
        }
        let frame = Frame {
            payload,
            pts_us: from_us,
            arrived_us: turns.now.us,
            queued_us: turns.now.us,
            deadline_us: 0,
            session,
            segment: key,
            revision: 1,
            turn,
            seq: 2 * (key.serial & !(SegmentKey::LINES | SegmentKey::TYPED)),
        };
        let mut end = frame.with(Payload::Mark(Mark::AnswerEnd));
        end.seq += 1;
        for target in targets {
            self.send(owner, target, plan, frame.share(), turns);
            self.send(owner, target, plan, end.share(), turns);
        }
        true
    }

    /// Whether a line can be opened: a segment is free, and each of the targets takes what is sent to it. A full queue may
    /// have its senders wait; and what comes behind the end of the input comes too late, as the session closes with that.
    fn has_room(
        &self,
        owner: Entity,
        targets: &[PlanTarget],
        turns: &TurnTaking<'_, '_>,
        plan: &ScenePlan,
    ) -> bool {
        let Ok((wiring, _)) = self.sessions.get(owner) else { return false };
        let takes = |target: &PlanTarget| {
            let lane = wiring.lane(plan.position(target.node));
            let queue = lane.and_then(|lane| self.queues.get(lane).ok());
            let has_ended = lane
                .and_then(|lane| self.lanes.get(lane).ok())
                .is_none_or(|lane| lane.sources > 0 && lane.ends >= lane.sources);
            let ends = |queue: &Queue| {
                queue.iter().any(|frame| matches!(frame.payload, Payload::Mark(Mark::StreamEnd)))
            };
            !has_ended && queue.is_some_and(|queue| !queue.blocks() && !ends(queue))
        };
        turns.segments.segments.has_room() && targets.iter().all(takes)
    }

    fn send(
        &mut self,
        owner: Entity,
        target: &PlanTarget,
        plan: &ScenePlan,
        frame: Frame,
        turns: &mut TurnTaking<'_, '_>,
    ) {
        let node: NodeId = plan.position(target.node);
        let Some(lane) = self.sessions.get(owner).ok().and_then(|(wiring, _)| wiring.lane(node)) else {
            return;
        };
        let Ok(mut queue) = self.queues.get_mut(lane) else { return };
        let (now, pool, counts, log) = (*turns.now, &mut *self.pool, &mut *self.counts, &mut *turns.log);
        Enqueue { now, pool, counts, log }.push(node, queue.bypass_change_detection(), frame);
    }
}

fn opening<'a>(
    (session, owner, message_id): (SessionId, Entity, u64),
    line: &Line,
    turns: &TurnTaking<'_, '_>,
    plan: &'a ScenePlan,
) -> Opening<'a> {
    let payload = match &line.words {
        Words::Text(text) => Payload::Text(Arc::clone(text)),
        Words::Clip(clip) => Payload::Clip(Arc::clone(clip)),
    };
    let order = if line.say.interruptible { newest_serial(session, turns) } else { u32::MAX };
    let rank = LineRank { order, priority: line.say.priority, typed: false };
    Opening { session, owner, message_id, payload, rank, entry: Entry::Said, plan }
}

/// The newest segment in which the user speaks or has spoken: a line that begins now is older than the next one.
fn newest_serial(session: SessionId, turns: &TurnTaking<'_, '_>) -> u32 {
    let spoken = |segment: &&Segment| segment.session == session && !segment.key.is_line();
    turns.segments.segments.active().filter(spoken).map(|segment| segment.key.serial).max().unwrap_or(0)
}
