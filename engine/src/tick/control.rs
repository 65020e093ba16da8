//! Takes control messages of hosts: answers to stop, advice for batches, and messages about segments gated in another
//! engine. Reads the hosts' lanes; writes messages, segments, playouts, cancellations, event log, outbox. Runs in
//! `Stage::Control`, before audio arrives and before the nodes: what a message stops is out of every queue and
//! service when its tick is over, and only then is the host told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, SystemParam};

use crate::base::ids::SessionId;
use crate::edge::control::{CONTROLS_MAX, Control, ControlIn};
use crate::edge::params::Params;
use crate::node::plan::ScenePlan;
use crate::record::aside::Aside;
use crate::record::edge_figures::ControlFigures;
use crate::service::requests::{FromHost, Outbox, SizeHint};
use crate::session::components::{Phase, SessionParams};
use crate::session::index::SessionIndex;
use crate::session::lines::Lines;
use crate::speech::cancellation::Cancellations;
use crate::speech::line_drop::LineDrop;
use crate::speech::overrides::InterruptMode;
use crate::tick::lines::LineParams;
use crate::tick::resources::Edge;
use crate::tick::turn_taking::TurnTaking;

/// A control message of this tick.
#[derive(Clone, Debug)]
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
        mut tell: impl FnMut(SessionId, u64),
    ) -> bool {
        let any = !self.list.is_empty();
        for Received { session, message: ControlIn { message_id, .. }, effect } in self.list.drain(..) {
            figures.arrived += 1;
            figures.without_effect += u64::from(!effect);
            tell(session, message_id);
        }
        any
    }
}

/// Whether the system here runs in this tick: when a message has come, while a line waits, and when sessions are admitted,
/// so that no later tick sets up its access to their entities.
pub(crate) fn hosts_want(
    edge: Res<'_, Edge>,
    lines: Res<'_, Lines>,
    cancellations: Res<'_, Cancellations>,
) -> bool {
    edge.0.controls.load(Ordering::Acquire) > 0 || !lines.is_empty() || cancellations.concern_this_tick()
}

/// What every scene's system touches.
#[derive(SystemParam)]
struct ControlParams<'w, 's> {
    edge: Res<'w, Edge>,
    index: Res<'w, SessionIndex>,
    phases: Query<'w, 's, (&'static Phase, &'static mut SessionParams)>,
    messages: ResMut<'w, Messages>,
    turn_taking: TurnTaking<'w, 's>,
    outbox: ResMut<'w, Outbox>,
}

/// The system for a scene. Where nothing can be said, it touches no queue.
pub(crate) fn inward(plan: &Arc<ScenePlan>) -> BoxedSystem {
    let plan = Arc::clone(plan);
    let batches = plan.nodes.iter().any(|node| node.buffering.is_some());
    if plan.said_targets.is_empty() && plan.typed_targets().is_empty() {
        let system = move |mut params: ControlParams<'_, '_>| params.run(None, &plan, batches);
        return Box::new(IntoSystem::into_system(system));
    }
    let system = move |mut params: ControlParams<'_, '_>, mut lines: LineParams<'_, '_>| {
        params.run(Some(&mut lines), &plan, batches);
    };
    Box::new(IntoSystem::into_system(system))
}

impl ControlParams<'_, '_> {
    fn run(&mut self, mut lines: Option<&mut LineParams<'_, '_>>, plan: &ScenePlan, batches: bool) {
        if self.edge.0.controls.load(Ordering::Acquire) > 0 {
            self.collect();
        }
        let mut list = std::mem::take(&mut self.messages.list);
        for received in &mut list {
            let Some(owner) = self.index.entity(received.session) else { continue };
            received.effect = self.apply(received, owner, lines.as_deref_mut(), plan, batches);
        }
        self.messages.list = list;
        if let Some(lines) = lines.filter(|lines| !lines.is_idle()) {
            lines.begin_waiting(&mut self.turn_taking, plan);
        }
    }

    /// Does what one message says; true if that has changed something. Messages about segments have their effect in the
    /// gates.
    fn apply(
        &mut self,
        received: &Received,
        owner: Entity,
        lines: Option<&mut LineParams<'_, '_>>,
        plan: &ScenePlan,
        batches: bool,
    ) -> bool {
        let (session, turns) = (received.session, &mut self.turn_taking);
        let from = (session, owner, received.message.message_id);
        match &received.message.control {
            Control::CancelAnswer { turn } => turns.cancel_answer(session, owner, *turn),
            Control::BatchHint { size: size @ 1.. } if batches => {
                let generation = turns.links.get(owner).map(|link| link.port.generation);
                let hint = generation.map(|generation| SizeHint { session, generation, size: *size });
                self.outbox.hints.extend(hint);
                hint.is_ok()
            }
            Control::Say(line) => match lines {
                Some(lines) => lines.say(from, line, turns, plan),
                None => turns.drop_line(session, received.message.message_id, LineDrop::NoVoice),
            },
            Control::Interrupt { mode } => {
                let now = *mode == InterruptMode::Now;
                let dropped = lines.filter(|_| now).is_some_and(|lines| lines.drop_waiting(session, turns));
                turns.withdraw_for_host(session, owner, |segment| now || segment.order != u32::MAX) || dropped
            }
            Control::Discard => turns.discard(session, owner),
            Control::SendText { text } => {
                lines.is_some_and(|lines| lines.typed(from, Some(text), turns, plan))
            }
            // Where somebody speaks, the gate ends that.
            Control::Respond if !turns.is_spoken(session) => {
                lines.is_some_and(|lines| lines.typed(from, None, turns, plan))
            }
            Control::Heard { turn, us } => turns.report(owner, *turn, *us),
            Control::Set { params: changes } => self.set(owner, changes),
            Control::ToolResult { call_id, result } => {
                let (named, came) = (Arc::clone(call_id), Arc::clone(result));
                turns.log.aside(session, || Aside::ToolResult { call_id: named, result: came });
                let (call_id, result) = (Arc::clone(call_id), Arc::clone(result));
                self.outbox.from_hosts.push((session, FromHost::ToolResult { call_id, result }));
                true
            }
            Control::ReplyTo { request, text, last } => {
                let reply = FromHost::ReplyTo { request: *request, text: Arc::clone(text), last: *last };
                self.outbox.from_hosts.push((session, reply));
                true
            }
            _ => false,
        }
    }

    fn set(&mut self, owner: Entity, changes: &Params) -> bool {
        let Ok((_, mut params)) = self.phases.get_mut(owner) else { return false };
        let mut merged = (*params.0).clone();
        merged.merge(changes);
        // What would be too long together is refused as a whole.
        let fits = merged.check().is_ok();
        if fits {
            params.0 = Arc::new(merged);
        }
        fits
    }

    /// Takes what the hosts have sent, as far as the receipts will fit where they wait; the other messages wait, too.
    fn collect(&mut self) {
        for entity in self.index.entities() {
            let (Ok(link), Ok((phase, _))) = (self.turn_taking.links.get(entity), self.phases.get(entity))
            else {
                continue;
            };
            if *phase == Phase::Gone {
                continue;
            }
            let room = (CONTROLS_MAX / 2).saturating_sub(link.unsaid.len());
            let session = link.port.id;
            link.port.take_controls(room, |message| {
                self.messages.list.push(Received { session, message, effect: false });
            });
        }
    }
}
