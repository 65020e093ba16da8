//! Hands the answers of services to the shards.

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;

use crate::service::api::{Reply, ReplyPart};
use crate::service::batch::Settled;
use crate::service::calls::{Calls, LIVES, ServiceOrder};
use crate::service::slot::{ServiceFigures, ServiceInstance};
use crate::service::station::ProcessingTime;

/// The system parameters that collecting replies needs.
#[derive(SystemParam)]
pub(crate) struct Answers<'w, 's> {
    order: Res<'w, ServiceOrder>,
    services: Query<'w, 's, (&'static mut ServiceInstance, &'static mut ServiceFigures)>,
    times: Query<'w, 's, &'static mut ProcessingTime>,
    calls: ResMut<'w, Calls>,
    replies: Local<'s, Vec<Reply>>,
}

impl Answers<'_, '_> {
    /// Collects the replies that are ready; `deliver` gets them in service order.
    pub(crate) fn poll(&mut self, now_us: u64, mut deliver: impl FnMut(Reply)) {
        self.tell_settled(&mut deliver);
        for &entity in &self.order.services {
            let (mut service, mut figures) = self.services.get_mut(entity).expect(LIVES);
            service.0.poll(now_us, &mut self.replies);
            for reply in self.replies.drain(..) {
                figures.count(&reply.part);
                let goes_on = ReplyPart::goes_on(&reply.part);
                let flight = if goes_on { None } else { self.calls.flights.remove(&reply.key) };
                if let Some(submitted_us) = flight
                    && matches!(reply.part, ReplyPart::Done { .. })
                {
                    let node = self.order.nodes[reply.key.node.index()];
                    let mut time = self.times.get_mut(node).expect(LIVES);
                    time.measured.add(now_us.saturating_sub(submitted_us));
                }
                deliver(reply);
            }
        }
    }

    /// Tells nodes which of their calls were merged or dropped since the last tick.
    fn tell_settled(&mut self, deliver: &mut impl FnMut(Reply)) {
        let Calls { untold, told_now, .. } = &mut *self.calls;
        told_now.clear();
        for settled in untold.drain(..) {
            told_now.insert(settled.key());
            let (key, part) = match settled {
                Settled::Merged(key) => (key, ReplyPart::Merged),
                Settled::Dropped(key) => (key, ReplyPart::Dropped),
            };
            for &entity in &self.order.services {
                self.services.get_mut(entity).expect(LIVES).0.0.hold(key, false);
            }
            deliver(Reply { key, part });
        }
    }
}

impl ServiceFigures {
    fn count(&mut self, part: &ReplyPart) {
        match part {
            ReplyPart::Done { busy_us } => self.busy_us += busy_us,
            ReplyPart::Failed(_) => self.failed += 1,
            ReplyPart::Stopped { wasted_us } => {
                self.cancelled += 1;
                self.wasted_us += wasted_us;
            }
            _ => {}
        }
    }
}
