//! Control messages of hosts on their way in: answers to stop, advice for batches, and what is said about segments that
//! were gated elsewhere.
//! Reads the hosts' lanes; writes messages, segments, playouts, corrections, event log, outbox. Runs in
//! `Stage::Control`, before audio arrives and before the nodes: what a message stops is out of every queue and service
//! when its tick is over, and only then is the host told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;

use crate::barge_in::Floor;
use crate::control::{Control, ControlError, ControlIn};
use crate::correction::Corrections;
use crate::desk::Now;
use crate::engine::ScenePlan;
use crate::event::EventLog;
use crate::handle::{SessionHandle, SessionPort};
use crate::ids::SessionId;
use crate::ingress::Edge;
use crate::playout::Playouts;
use crate::segment::Segments;
use crate::service::Outbox;
use crate::session::{CONTROLS_MAX, Phase, SessionTable};

/// A control message of this tick.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Whose.
    pub session: SessionId,
    /// The message.
    pub message: ControlIn,
    /// It has changed something; set by whoever it concerns.
    pub effect: bool,
}

/// The control messages that this tick works off, by session, within a session as they came.
#[derive(Resource, Debug, Default)]
pub struct Messages {
    list: Vec<Received>,
}

impl Messages {
    /// All of them, for nodes that follow what hosts say.
    pub fn all_mut(&mut self) -> &mut [Received] {
        &mut self.list
    }

    /// The tick is over, and with it what they stopped: the hosts are told. True if there is anything to tell.
    pub(crate) fn applied(&mut self, sessions: &mut SessionTable, figures: &mut ControlFigures) -> bool {
        let any = !self.list.is_empty();
        for Received { session, message: ControlIn { message_id, .. }, effect } in self.list.drain(..) {
            figures.arrived += 1;
            figures.without_effect += u64::from(!effect);
            if let Some(row) = sessions.get_mut(session) {
                row.controls.push_back(Control::Applied { message_id });
            }
        }
        any
    }
}

/// Counts of what hosts said.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlFigures {
    /// Messages worked off.
    pub arrived: u64,
    /// Those that changed nothing: about something unknown or settled, or of no concern to this scene.
    pub without_effect: u64,
}

/// The system for a scene.
pub(crate) fn inward(plan: &Arc<ScenePlan>) -> ScheduleConfigs<ScheduleSystem> {
    let batches = plan.nodes.iter().any(|node| node.buffering.is_some());
    let system = move |edge: Res<'_, Edge>,
                       now: Res<'_, Now>,
                       sessions: Res<'_, SessionTable>,
                       mut messages: ResMut<'_, Messages>,
                       mut segments: Segments<'_, '_>,
                       mut playouts: ResMut<'_, Playouts>,
                       mut corrections: ResMut<'_, Corrections>,
                       mut log: ResMut<'_, EventLog>,
                       mut outbox: ResMut<'_, Outbox>| {
        if edge.0.controls.load(Ordering::Acquire) == 0 {
            return;
        }
        collect(&sessions, &mut messages);
        let mut floor = Floor {
            now_us: now.us,
            segments: &mut segments,
            playouts: &mut playouts,
            corrections: &mut corrections,
            log: &mut log,
        };
        for received in &mut messages.list {
            let session = received.session;
            received.effect = match received.message.control {
                Control::CancelAnswer { turn } => floor.cancel_answer(session, turn),
                Control::BatchHint { size: size @ 1.. } if batches => {
                    outbox.hints.push((session, size));
                    true
                }
                _ => false,
            };
        }
    };
    system.into_configs()
}

/// Takes what the hosts have sent. What they are told in return must fit where it waits for them; the rest of what
/// they sent waits, too.
fn collect(sessions: &SessionTable, messages: &mut Messages) {
    for row in sessions.rows.iter().flatten().filter(|row| row.phase != Phase::Gone) {
        let room = (CONTROLS_MAX / 2).saturating_sub(row.controls.len());
        let session = row.id;
        row.port.take_controls(room, |message| {
            messages.list.push(Received { session, message, effect: false });
        });
    }
}

impl SessionPort {
    /// Takes up to `most` control messages, oldest first. While the host is putting one in nothing is taken: its bell
    /// makes the next tick.
    pub(crate) fn take_controls(&self, most: usize, mut take: impl FnMut(ControlIn)) {
        let Ok(mut inward) = self.inward.try_lock() else { return };
        let count = inward.len().min(most);
        self.shard.controls.fetch_sub(count as u32, Ordering::AcqRel);
        inward.drain(..count).for_each(&mut take);
    }
}

impl SessionHandle {
    /// Hands the engine a control message. It is worked off in the next tick, before audio that arrives with it, and
    /// comes back as [`Control::Applied`] when it has taken effect and what it stops has stopped. An input that has
    /// ended does not end this; what still waits when the session ends goes with it.
    ///
    /// # Errors
    /// [`ControlError::Overflow`] when [`CONTROLS_MAX`] wait; [`ControlError::Ended`] when the session is gone.
    pub fn control(&self, message: ControlIn) -> Result<(), ControlError> {
        let port = &*self.port;
        let mut inward = port.inward.lock().map_err(|_| ControlError::Ended)?;
        if self.is_closed() {
            return Err(ControlError::Ended);
        }
        if inward.len() >= CONTROLS_MAX {
            return Err(ControlError::Overflow);
        }
        inward.push_back(message);
        port.shard.controlled();
        drop(inward);
        port.bell.ring();
        Ok(())
    }
}
