//! Remembers what was said, and what of the answers was heard; tells the services what came of each segment whose end
//! holds, once its answer is settled: heard to its end, interrupted, withdrawn, or none to come. Reads the event log,
//! segments, playouts, host links; writes conversations, the shard's answers that are not settled, its outbox, and the
//! histories that hosts see. Runs in `Stage::Settle`, before segments are recycled, in scenes that call services.

use bevy_ecs::prelude::*;

use crate::base::time::Now;
use crate::edge::session_event::CloseReason;
use crate::service::requests::{Commit, Outbox};
use crate::session::components::{Phase, Session};
use crate::session::settling::{Listener, Settling, Unheard};
use crate::speech::heard::Heard;
use crate::speech::segment::{Answer, Extent, Segment, Segments, Verdict};
use crate::tick::memory::{Listeners, Memory};
use crate::tick::resources::Closing;

/// Commits the segments that are settled, in order within each session.
pub(crate) fn settle(
    now: Res<'_, Now>,
    mut closing: ResMut<'_, Closing>,
    sessions: Query<'_, '_, Listeners>,
    segments: Segments<'_, '_>,
    mut settling: ResMut<'_, Settling>,
    mut outbox: ResMut<'_, Outbox>,
    mut memory: Memory<'_, '_>,
) {
    memory.listen();
    closing.0.sort_unstable();
    let before = settling.unheard.len();
    for segment in segments.active() {
        let Ok((session, phase, ..)) = sessions.get(segment.owner) else { continue };
        let over = *phase == Phase::Gone || closing.0.binary_search(&session.id).is_ok();
        if let Some(unheard) = unheard(segment, session, over, &mut settling) {
            settling.unheard.push(unheard);
        }
    }
    settling.unheard[before..].sort_unstable_by_key(|unheard| {
        let Unheard { session, turn, segment, .. } = *unheard;
        (session, turn, segment.serial)
    });
    let Settling { sounded, .. } = &mut *settling;
    // What was said of a revision that does not hold, or of a segment that is none, is of no answer.
    sounded.retain(|sounded| {
        let is_of =
            |segment: &Segment| segment.owner == sounded.owner && segment.key.serial == sounded.segment;
        segments.active().any(is_of)
    });
    let mut at = 0;
    while at < settling.unheard.len() {
        let listener = listener(&settling.unheard[at], &sessions, &closing);
        match heard(&mut settling, at, (now.us, listener), &sessions) {
            Some(mut heard) => {
                let unheard = settling.unheard.remove(at);
                heard.text = memory.settle(&unheard, &heard);
                let Unheard { session, generation, segment, revision, .. } = unheard;
                outbox.commits.push(Commit { session, generation, segment, revision, heard });
            }
            None => at += 1,
        }
    }
    memory.publish(&sessions);
}

/// The segment as one to be settled, if its end holds and nothing more of its answer leaves.
fn unheard(segment: &Segment, session: &Session, over: bool, settling: &mut Settling) -> Option<Unheard> {
    let Extent::Ended(revision) = segment.extent else { return None };
    let settled = segment.answer != Answer::Pending || over;
    if segment.verdict != Verdict::Confirmed || !settled {
        return None;
    }
    let (owner, key) = (segment.owner, segment.key);
    let sounded = settling.take(owner, key.serial, revision);
    Some(Unheard {
        session: session.id,
        generation: session.generation,
        owner,
        segment: key,
        revision,
        turn: segment.turn,
        us: sounded.map_or(0, |sounded| sounded.us),
        at: sounded.map_or(0, |sounded| sounded.at),
        complete: segment.answer == Answer::Complete,
        reported_us: 0,
        read_us: None,
        by_report: false,
    })
}

fn listener(unheard: &Unheard, sessions: &Query<'_, '_, Listeners>, closing: &Closing) -> Listener {
    let Ok((session, phase, link, _)) = sessions.get(unheard.owner) else { return Listener::Left };
    let over = *phase == Phase::Gone || closing.0.binary_search(&session.id).is_ok();
    match link.reason {
        _ if !over => Listener::Listens,
        CloseReason::Finished => Listener::Finishes,
        _ => Listener::Left,
    }
}

/// What was heard of the answer at `at`; `None`: the rest may still be heard, or an older one of the session waits.
fn heard(
    settling: &mut Settling,
    at: usize,
    (now_us, listener): (u64, Listener),
    sessions: &Query<'_, '_, Listeners>,
) -> Option<Heard> {
    let owner = settling.unheard[at].owner;
    if settling.unheard[..at].iter().any(|older| older.owner == owner) {
        return None;
    }
    let crowded = settling.is_crowded_out(at);
    let unheard = &mut settling.unheard[at];
    let (.., link, playout) = sessions.get(owner).ok()?;
    let us = match unheard.heard_us(now_us, listener, link, playout) {
        None if crowded => unheard.heard_us(now_us, Listener::Left, link, playout),
        us => us,
    }?;
    Some(Heard { us, whole: unheard.complete && us == unheard.us, ..Heard::default() })
}
