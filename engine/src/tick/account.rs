//! Closes the books of a tick.

use std::sync::Arc;

use bevy_ecs::prelude::*;

use crate::base::ids::SessionId;
use crate::base::time::Now;
use crate::edge::control::{CONTROLS_MAX, Control};
use crate::media::block::BlockPool;
use crate::record::edge_figures::ControlFigures;
use crate::record::event::{Event, EventLog};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::service::api::Inbox;
use crate::session::table::{Phase, SessionRow, SessionTable};
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::speech::segment::Segments;
use crate::tick::control::Messages;
use crate::tick::resources::{Closing, Edge, NeedsSweep};

/// Closes the tick's books: what the hosts are told, what may be used again, who is gone.
#[expect(clippy::too_many_arguments, reason = "a system's parameters are its declaration of what it touches")]
pub(crate) fn account(
    now: Res<'_, Now>,
    edge: Res<'_, Edge>,
    mut sessions: ResMut<'_, SessionTable>,
    mut log: ResMut<'_, EventLog>,
    mut cancellations: ResMut<'_, Cancellations>,
    mut inbox: ResMut<'_, Inbox>,
    mut closing: ResMut<'_, Closing>,
    mut pool: ResMut<'_, BlockPool>,
    mut segments: Segments<'_, '_>,
    mut messages: ResMut<'_, Messages>,
    mut controls: ResMut<'_, ControlFigures>,
    mut stage_times: ResMut<'_, StageTimes>,
    mut needs_sweep: ResMut<'_, NeedsSweep>,
) {
    cancellations.clear();
    inbox.replies.clear();
    let sessions = &mut *sessions;
    needs_sweep.0 |= !closing.0.is_empty();
    if needs_sweep.0 {
        all_gone(sessions, &mut closing.0);
    }
    for id in &closing.0 {
        let open_sessions = Arc::clone(&sessions.open_sessions);
        if let Some(row) = sessions.get_mut(*id) {
            row.phase = Phase::Gone;
            log.push(now.us, *id, 0, Event::SessionClosed);
            // Before its host hears of it: who is told that a session is over may open it again at once.
            open_sessions.release(&row.name, *id);
        }
    }
    needs_sweep.0 |= messages.applied(sessions, &mut controls);
    log.sort_late();
    needs_sweep.0 |= collect_controls(sessions, &log, &mut cancellations);
    log.forget_late();
    if needs_sweep.0 {
        tell_hosts(sessions);
        hang_up_abandoned(sessions, &mut cancellations);
        let calm =
            |row: &SessionRow| row.phase == Phase::Open && row.controls.is_empty() && row.backlog.is_empty();
        needs_sweep.0 = !sessions.rows.iter().flatten().all(calm);
    }
    for id in &closing.0 {
        if let Some(row) = sessions.get_mut(*id) {
            row.port.close(&mut row.controls);
        }
    }
    segments.recycle(|session, owner| {
        sessions.get(session).is_none_or(|row| row.entity != owner || row.phase == Phase::Gone)
    });
    // No more than are there by now: a host that goes on giving back keeps no tick.
    for _ in 0..edge.0.back.len() {
        let Some(block) = edge.0.back.pop() else { break };
        pool.adopt();
        pool.put(block);
    }
    restock(sessions, &edge, &mut pool);
    stage_times.end_stage(EngineStage::Account);
}

/// Adds all sessions that are gone to those that are leaving, in id order.
fn all_gone(sessions: &SessionTable, closing: &mut Vec<SessionId>) {
    closing.extend(sessions.rows.iter().flatten().filter(|row| row.phase == Phase::Gone).map(|row| row.id));
    closing.sort_unstable();
    closing.dedup();
}

/// A session whose last handle is gone can neither get audio nor be heard: as if its host had hung up.
fn hang_up_abandoned(sessions: &mut SessionTable, cancellations: &mut Cancellations) {
    for row in sessions.rows.iter_mut().flatten() {
        // Whose input goes on was hung up on with the handle. What has ended is finished unheard, as far as it fits into
        // the ring that nobody empties.
        let goes = row.phase == Phase::Finishing && row.port.outputs.is_full();
        if goes && Arc::strong_count(&row.port) == 1 {
            row.phase = Phase::Gone;
            cancellations.push(Cancellation { session: row.id, scope: CancelScope::Session });
        }
    }
}

/// What this tick's events mean for the hosts; it waits with what did not fit into their rings, up to a bound. True if
/// there is anything.
fn collect_controls(sessions: &mut SessionTable, log: &EventLog, cancellations: &mut Cancellations) -> bool {
    let mut any = false;
    for record in &log.records {
        let Some(row) = sessions.get_mut(record.session).filter(|row| row.wants_control) else { continue };
        let late = match record.event {
            Event::SegmentCancelled { segment, .. } => log.was_late(record.session, segment),
            _ => false,
        };
        let Some(control) = Control::from_event(&record.event, record.turn, late) else { continue };
        row.controls.push_back(control);
        any = true;
        if row.controls.len() >= CONTROLS_MAX && row.phase != Phase::Gone {
            // A host that reads nothing for this long is gone; corrections must never be dropped silently. The
            // nodes see this in the next tick and let go of what they hold, as after a hang-up.
            row.phase = Phase::Gone;
            cancellations.push(Cancellation { session: row.id, scope: CancelScope::Session });
        }
    }
    any
}

/// Puts control messages into the hosts' rings, oldest first.
fn tell_hosts(sessions: &mut SessionTable) {
    for row in sessions.rows.iter_mut().flatten() {
        let mut told = false;
        while !row.controls.is_empty() && !row.port.outputs.is_full() {
            if let Some(control) = row.controls.pop_front() {
                row.port.outputs.push(crate::edge::exchange::Out::Control(control));
                told = true;
            }
        }
        if told {
            row.port.wake();
        }
    }
}

/// Sends free blocks of the arriving size to the hosts, so that they need not allocate.
fn restock(sessions: &SessionTable, edge: &Edge, pool: &mut BlockPool) {
    // The largest of the arriving sizes fits every session.
    let samples = sessions.longest();
    if samples == 0 {
        return;
    }
    let wanted = (4 * sessions.active_peak.max(1)).min(edge.0.free.capacity());
    while edge.0.free.len() < wanted {
        let Some(block) = pool.surplus(samples, 4) else { break };
        drop(edge.0.free.push(block));
    }
}
