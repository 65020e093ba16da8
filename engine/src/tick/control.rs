//! Control messages of hosts on their way in: answers to stop, advice for batches, and what is said about segments that
//! were gated elsewhere.
//! Reads the hosts' lanes; writes messages, segments, playouts, cancellations, event log, outbox. Runs in
//! `Stage::Control`, before audio arrives and before the nodes: what a message stops is out of every queue and service
//! when its tick is over, and only then is the host told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;
use bevy_ecs::system::BoxedSystem;

use crate::base::ids::SessionId;
use crate::base::time::Now;
use crate::edge::control::{CONTROLS_MAX, Control, ControlIn};
use crate::node::plan::ScenePlan;
use crate::record::edge_figures::ControlFigures;
use crate::record::event::EventLog;
use crate::service::api::Outbox;
use crate::session::table::{Phase, SessionTable};
use crate::speech::cancellation::Cancellations;
use crate::speech::playout::Playouts;
use crate::speech::segment::Segments;
use crate::tick::resources::Edge;
use crate::tick::turn_taking::TurnTaking;

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

/// The system for a scene.
pub(crate) fn inward(plan: &Arc<ScenePlan>) -> BoxedSystem {
    let batches = plan.nodes.iter().any(|node| node.buffering.is_some());
    let system = move |edge: Res<'_, Edge>,
                       now: Res<'_, Now>,
                       sessions: Res<'_, SessionTable>,
                       mut messages: ResMut<'_, Messages>,
                       mut segments: Segments<'_, '_>,
                       mut playouts: ResMut<'_, Playouts>,
                       mut cancellations: ResMut<'_, Cancellations>,
                       mut log: ResMut<'_, EventLog>,
                       mut outbox: ResMut<'_, Outbox>| {
        if edge.0.controls.load(Ordering::Acquire) == 0 {
            return;
        }
        collect(&sessions, &mut messages);
        let mut turn_taking = TurnTaking {
            now_us: now.us,
            segments: &mut segments,
            playouts: &mut playouts,
            cancellations: &mut cancellations,
            log: &mut log,
        };
        for received in &mut messages.list {
            let session = received.session;
            received.effect = match received.message.control {
                Control::CancelAnswer { turn } => turn_taking.cancel_answer(session, turn),
                Control::BatchHint { size: size @ 1.. } if batches => {
                    outbox.hints.push((session, size));
                    true
                }
                _ => false,
            };
        }
    };
    Box::new(IntoSystem::into_system(system))
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
