//! Closes a tick: tells hosts, recycles segments and blocks, frees the names of sessions that are gone.
//! Reads the event log; writes host links, phases, segments, pools. Runs in `Stage::Account`, last in a shard.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::{NodeId, SessionId};
use crate::base::time::{Now, frames_to_us};
use crate::edge::control::CONTROLS_MAX;
use crate::edge::exchange::Out;
use crate::edge::session_event::{CloseReason, SessionEvent};
use crate::media::block::BlockPool;
use crate::node::plan::ScenePlan;
use crate::record::edge_figures::ControlFigures;
use crate::record::event::{Event, EventLog, ToldCaption};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::service::requests::Inbox;
use crate::session::components::{HostLink, Intake, Phase, Session};
use crate::session::index::SessionIndex;
use crate::session::lines::Lines;
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::speech::line_drop::LineDrop;
use crate::speech::playout::Playout;
use crate::speech::segment::{Segment, SegmentParams};
use crate::tick::control::Messages;
use crate::tick::failures::Failures;
use crate::tick::resources::{Closing, Edge, NeedsSweep, ShardConfig};
use crate::tick::tell;

/// The components of a session that the account touches.
type Accounts =
    (&'static Session, &'static mut HostLink, &'static mut Phase, &'static Intake, &'static Playout);

/// Tells the hosts what happened, recycles segments and blocks, and removes sessions that are gone.
#[expect(clippy::too_many_arguments, reason = "a system's parameters are its declaration of what it touches")]
pub(crate) fn account(
    now: Res<'_, Now>,
    edge: Res<'_, Edge>,
    index: Res<'_, SessionIndex>,
    config: Res<'_, ShardConfig>,
    mut sessions: Query<'_, '_, Accounts>,
    mut log: ResMut<'_, EventLog>,
    mut inbox: ResMut<'_, Inbox>,
    mut closing: ResMut<'_, Closing>,
    mut pool: ResMut<'_, BlockPool>,
    mut segments: SegmentParams<'_, '_>,
    mut messages: ResMut<'_, Messages>,
    mut controls: ResMut<'_, ControlFigures>,
    mut lines: ResMut<'_, Lines>,
    mut stage_times: ResMut<'_, StageTimes>,
    mut needs_sweep: ResMut<'_, NeedsSweep>,
    mut failures: Failures<'_, '_>,
) {
    failures.drop_arrived(*now, &mut pool, &mut log);
    failures.end_segments(*now, &mut log, &config.plan, &mut segments, |owner| media_us(&sessions, owner));
    let cancellations = &mut *segments.cancellations;
    cancellations.clear();
    inbox.replies.clear();
    needs_sweep.0 |= !closing.0.is_empty();
    if needs_sweep.0 {
        all_gone(&sessions, &mut closing.0);
    }
    for id in &closing.0 {
        let session = index.entity(*id).and_then(|entity| sessions.get_mut(entity).ok());
        if let Some((session, _, mut phase, ..)) = session {
            *phase = Phase::Gone;
            // Another session may have the id in the next tick.
            lines.take_out(*id, |line| {
                log.push(now.us, *id, 0, Event::LineDropped { line, reason: LineDrop::Ended });
            });
            log.push(now.us, *id, 0, Event::SessionClosed);
            // Before its host is told: a host that knows that a session is over may open it again at once.
            index.open_sessions.release(&session.name, *id);
        }
    }
    needs_sweep.0 |= messages.applied(&mut controls, |session, message_id| {
        if let Some((_, mut link, ..)) =
            index.entity(session).and_then(|entity| sessions.get_mut(entity).ok())
        {
            let receipt = tell::applied(&link, message_id);
            link.unsaid.push_back(receipt);
        }
    });
    log.sort_late();
    needs_sweep.0 |= collect(&index, &mut sessions, &mut log, &config.plan, cancellations);
    log.forget_late();
    if needs_sweep.0 {
        needs_sweep.0 = tell_hosts(&mut sessions, now.us, cancellations);
    }
    for id in &closing.0 {
        if let Some((_, mut link, ..)) = index.entity(*id).and_then(|entity| sessions.get_mut(entity).ok()) {
            let HostLink { port, unsaid, .. } = &mut *link;
            port.close(unsaid);
        }
    }
    // What a session that is gone since a moment ago has open is ended by its gate in the next tick.
    let is_over = |segment: &Segment| closing.0.binary_search(&segment.session).is_ok();
    segments.segments.recycle(|segment| is_over(segment) || !sessions.contains(segment.owner));
    take_back(&edge, &mut pool);
    restock(&index, &edge, &mut pool);
    stage_times.end_stage(EngineStage::Account);
}

/// Adds all sessions that are gone to those that are closing, in id order.
fn all_gone(sessions: &Query<'_, '_, Accounts>, closing: &mut Vec<SessionId>) {
    let gone = sessions.iter().filter(|(_, _, phase, ..)| **phase == Phase::Gone);
    closing.extend(gone.map(|(session, ..)| session.id));
    closing.sort_unstable();
    closing.dedup();
}

/// Collects what this tick's events mean for the hosts, behind what did not fit into their rings, up to a bound. True if
/// there is anything.
fn collect(
    index: &SessionIndex,
    sessions: &mut Query<'_, '_, Accounts>,
    log: &mut EventLog,
    plan: &ScenePlan,
    cancellations: &mut Cancellations,
) -> bool {
    let mut any = false;
    let mut captions = std::mem::take(&mut log.captions);
    let mut waiting = captions.drain(..).peekable();
    for (at, record) in log.records.iter().enumerate() {
        while let Some(caption) = waiting.next_if(|caption| caption.after <= at) {
            any |= tell_caption(index, sessions, caption);
        }
        let session = index.entity(record.session).and_then(|entity| sessions.get_mut(entity).ok());
        let Some((session, mut link, mut phase, ..)) = session else { continue };
        // An answer that has left is told of once it was heard.
        any |= !link.is_heard_out();
        if let Event::SessionFailed { node, reason } = &record.event {
            // The nodes hear of this in the next tick, as of a hang-up.
            any = true;
            if link.reason == CloseReason::Finished {
                link.reason = CloseReason::Failed(failure(plan, *node, reason));
            }
            if *phase != Phase::Gone {
                *phase = Phase::Gone;
                cancellations.push(Cancellation { session: session.id, scope: CancelScope::Session });
            }
        }
        let Some(out) = tell::told(record, &mut link, log, plan) else { continue };
        link.unsaid.push_back(out);
        any = true;
        if link.unsaid.len() >= CONTROLS_MAX && *phase != Phase::Gone {
            // A host that reads nothing for this long is gone; cancellations must never be dropped silently. The
            // nodes see this in the next tick and drop what they hold, as after a hang-up.
            *phase = Phase::Gone;
            link.reason = CloseReason::ControlOverflow;
            cancellations.push(Cancellation { session: session.id, scope: CancelScope::Session });
        }
    }
    for caption in waiting {
        any |= tell_caption(index, sessions, caption);
    }
    log.captions = captions;
    any
}

/// Why a session failed, as its host is told: at which node, and what the panic said.
fn failure(plan: &ScenePlan, node: Option<NodeId>, said: &Arc<str>) -> Arc<str> {
    match node.and_then(|node| plan.nodes.get(node.index())) {
        Some(node) => format!("{}: {said}", node.id).into(),
        None => Arc::clone(said),
    }
}

fn tell_caption(index: &SessionIndex, sessions: &mut Query<'_, '_, Accounts>, caption: ToldCaption) -> bool {
    let session = index.entity(caption.session).and_then(|entity| sessions.get_mut(entity).ok());
    let Some((_, mut link, ..)) = session else { return false };
    if !link.wants_events() {
        return false;
    }
    link.unsaid.extend(tell::caption(caption));
    true
}

/// Puts what hosts are told into their rings, oldest first, and hangs up sessions without a handle. True if some
/// session must be looked at in the next tick, too.
fn tell_hosts(
    sessions: &mut Query<'_, '_, Accounts>,
    now_us: u64,
    cancellations: &mut Cancellations,
) -> bool {
    let mut again = false;
    for (session, mut link, mut phase, intake, playout) in sessions {
        let link = link.bypass_change_detection();
        while let Some((turn, heard_us)) = link.heard(now_us, playout) {
            // Nothing follows the end of the session.
            let is_over = matches!(link.unsaid.back(), Some(Out::Event(SessionEvent::Closed { .. })));
            let at = link.unsaid.len() - usize::from(is_over);
            link.unsaid.insert(at, Out::Event(SessionEvent::AnswerEnded { turn, heard_us }));
        }
        tell_host(link);
        // A session without a handle can neither get audio nor be heard. If its input goes on, it was hung up with
        // the last handle. If its input has ended, it is finished unheard, as far as its output fits into the ring
        // that nobody empties.
        let goes = *phase == Phase::Finishing && link.port.outputs.is_full();
        if goes && Arc::strong_count(&link.port) == 1 {
            *phase = Phase::Gone;
            link.reason = CloseReason::HungUp;
            cancellations.push(Cancellation { session: session.id, scope: CancelScope::Session });
        }
        again |= *phase != Phase::Open
            || !link.unsaid.is_empty()
            || !link.is_heard_out()
            || !intake.backlog.is_empty();
    }
    again
}

fn tell_host(link: &mut HostLink) {
    let HostLink { port, unsaid, .. } = link;
    let mut told = false;
    while !port.outputs.is_full()
        && let Some(out) = unsaid.pop_front()
    {
        port.outputs.push(out);
        told = true;
    }
    if told {
        port.wake();
    }
}

/// Media time of all audio of a session that has arrived.
fn media_us(sessions: &Query<'_, '_, Accounts>, owner: Entity) -> u64 {
    let intake = sessions.get(owner).map(|(.., intake, _)| intake);
    intake.map_or(0, |intake| frames_to_us(intake.frames_in, intake.format.rate_hz))
}

/// Takes the blocks that hosts give back. No more than are there now, so that a host that goes on giving blocks back
/// cannot hold up the tick.
fn take_back(edge: &Edge, pool: &mut BlockPool) {
    for _ in 0..edge.0.back.len() {
        let Some(block) = edge.0.back.pop() else { break };
        pool.adopt();
        pool.put(block);
    }
}

/// Sends free blocks of the arriving size to the hosts, so that they need not allocate.
fn restock(index: &SessionIndex, edge: &Edge, pool: &mut BlockPool) {
    // The largest of the arriving sizes fits every session.
    let samples = index.longest();
    if samples == 0 {
        return;
    }
    let wanted = (4 * index.active_peak.max(1)).min(edge.0.free.capacity());
    while edge.0.free.len() < wanted {
        let Some(block) = pool.surplus(samples, 4) else { break };
        drop(edge.0.free.push(block));
    }
}
