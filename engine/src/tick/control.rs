//! Takes control messages of hosts: answers to stop, advice for batches, and messages about segments gated in another
//! engine. Reads the hosts' lanes; writes messages, segments, playouts, cancellations, event log, outbox. Runs in
//! `Stage::Control`, before audio arrives and before the nodes: what a message stops is out of every queue and
//! service when its tick is over, and only then is the host told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;
use bevy_ecs::system::BoxedSystem;

use crate::base::ids::SessionId;
use crate::edge::control::{CONTROLS_MAX, Control, ControlIn};
use crate::node::plan::ScenePlan;
use crate::record::edge_figures::ControlFigures;
use crate::service::api::{Outbox, SizeHint};
use crate::session::components::{HostLink, Phase};
use crate::session::index::SessionIndex;
use crate::tick::resources::Edge;
use crate::tick::turn_taking::TurnTaking;

/// A control message of this tick.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// The session.
    pub session: SessionId,
    /// The message.
    pub message: ControlIn,
    /// Whether it has changed something; set by the system that it concerns.
    pub effect: bool,
}

/// The control messages of this tick, by session, within a session in order of arrival.
#[derive(Resource, Debug, Default)]
pub struct Messages {
    list: Vec<Received>,
}

impl Messages {
    /// All messages, for nodes that follow what hosts say.
    pub fn all_mut(&mut self) -> &mut [Received] {
        &mut self.list
    }

    /// Ends the tick of these messages, and with it what they stop: `tell` gets the receipts for the hosts. True if
    /// there is any.
    pub(crate) fn applied(
        &mut self,
        figures: &mut ControlFigures,
        mut tell: impl FnMut(SessionId, Control),
    ) -> bool {
        let any = !self.list.is_empty();
        for Received { session, message: ControlIn { message_id, .. }, effect } in self.list.drain(..) {
            figures.arrived += 1;
            figures.without_effect += u64::from(!effect);
            tell(session, Control::Applied { message_id });
        }
        any
    }
}

/// The system for a scene.
pub(crate) fn inward(plan: &Arc<ScenePlan>) -> BoxedSystem {
    let batches = plan.nodes.iter().any(|node| node.buffering.is_some());
    let system = move |edge: Res<'_, Edge>,
                       index: Res<'_, SessionIndex>,
                       links: Query<'_, '_, (&'static HostLink, &'static Phase)>,
                       mut messages: ResMut<'_, Messages>,
                       mut turn_taking: TurnTaking<'_, '_>,
                       mut outbox: ResMut<'_, Outbox>| {
        if edge.0.controls.load(Ordering::Acquire) == 0 {
            return;
        }
        collect(&index, &links, &mut messages);
        for received in &mut messages.list {
            let session = received.session;
            received.effect = match received.message.control {
                Control::CancelAnswer { turn } => {
                    let owner = index.entity(session);
                    owner.is_some_and(|owner| turn_taking.cancel_answer(session, owner, turn))
                }
                Control::BatchHint { size: size @ 1.. } if batches => {
                    let host = index.entity(session).and_then(|owner| links.get(owner).ok());
                    let generation = host.map(|(link, _)| link.port.generation);
                    outbox.hints.extend(generation.map(|generation| SizeHint { session, generation, size }));
                    generation.is_some()
                }
                _ => false,
            };
        }
    };
    Box::new(IntoSystem::into_system(system))
}

/// Takes what the hosts have sent, as far as the receipts will fit where they wait; the other messages wait, too.
fn collect(
    index: &SessionIndex,
    links: &Query<'_, '_, (&'static HostLink, &'static Phase)>,
    messages: &mut Messages,
) {
    let links = index.entities().filter_map(|entity| links.get(entity).ok());
    for (link, _) in links.filter(|(_, phase)| **phase != Phase::Gone) {
        let room = (CONTROLS_MAX / 2).saturating_sub(link.controls.len());
        let session = link.port.id;
        link.port.take_controls(room, |message| {
            messages.list.push(Received { session, message, effect: false });
        });
    }
}
