//! Takes what was cancelled out of the output: what waits there, and what sounds. Reads cancellations; writes queues,
//! playouts, hosts' rings, event log, and how much was heard. Runs in `Stage::Cancel`, before what may leave does.

use bevy_ecs::prelude::*;
use bevy_ecs::system::{BoxedSystem, SystemParam};

use crate::base::ids::NodeId;
use crate::node::cancel::{Cancelling, Cancels, Progress, cancel_lanes};
use crate::node::params::lane_system_of;
use crate::node::purge::purge;
use crate::record::event::Event;
use crate::session::index::SessionLanes;
use crate::session::settling::{Settling, Sounded};
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::speech::playout::Playout;
use crate::tick::egress::state::{Egress, Output, OutputParams};

/// Builds the system that takes what was cancelled out of the output.
pub(crate) fn cancel_output(node: NodeId, world: &mut World) -> BoxedSystem {
    type Params = OutputParams<'static, 'static>;
    type More = Stopping<'static, 'static>;
    lane_system_of::<Egress, Params, More>(node, world, move |lanes, params, more| {
        params.stage_times.start();
        let keeps = |state: &Egress| state.next > 0 || !state.ends.is_empty();
        let mut progress = Progress::new(more.list());
        cancel_lanes(
            node,
            lanes,
            params,
            more,
            &mut progress,
            keeps,
            |row, cancellation, params, more, outs| {
                let Some(mut output) = params.of(node, row.lane, outs) else { return };
                if let Some(captions) = &mut row.state.captions {
                    captions.are_cut(cancellation, row.queue, &mut output.cx);
                }
                purge(row.queue, cancellation, &mut output.cx);
                stop_cancelled(row.state, cancellation, &mut more.settling, &mut output);
            },
        );
        params.stage_times.lap(node.index());
    })
}

/// What cancelling touches beside the output.
#[derive(SystemParam)]
struct Stopping<'w, 's> {
    cancelling: Cancelling<'w, 's>,
    settling: ResMut<'w, Settling>,
}

impl<'w, 's> Cancels<'w, 's> for Stopping<'w, 's> {
    fn list(&self) -> &Cancellations {
        self.cancelling.list()
    }
    fn lanes(&self) -> &SessionLanes<'w, 's> {
        self.cancelling.lanes()
    }
}

/// Stops what sounds and was cancelled, and reports outputs that had already left.
fn stop_cancelled(
    state: &mut Egress,
    cancellation: &Cancellation,
    settling: &mut Settling,
    output: &mut Output<'_>,
) {
    let (session, owner) = (output.cx.lane.session, output.cx.lane.owner);
    let heard = |playout: &Playout, us| Sounded {
        owner,
        segment: playout.segment,
        revision: playout.revision,
        us,
        at: 0,
    };
    for cut in state.aside.iter().filter(|cut| cancellation.covers(session, cut.segment, cut.revision)) {
        settling.sounded(heard(cut, cut.heard_us(None)));
    }
    state.ends.retain(|((segment, revision), _)| !cancellation.covers(session, *segment, *revision));
    state.aside.retain(|cut| !cancellation.covers(session, cut.segment, cut.revision));
    if state.next == 0 {
        // The session has released nothing yet.
        return;
    }
    let hit = |&&(segment, revision): &&(u32, u32)| match cancellation.scope {
        CancelScope::Segment { segment: s } => segment == s,
        CancelScope::Revision { segment: s, revision: r } => segment == s && revision == r,
        // An answer that is interrupted had begun: that is no race.
        CancelScope::Answer { .. } | CancelScope::Session => false,
    };
    let answer = |segment| cancellation.covers(cancellation.session, segment, 1);
    if let Some(&(segment, revision)) = state.started.iter().find(hit) {
        output.cx.event(0, Event::LateCancelled { segment, revision });
    }
    let playout = &mut *output.playout;
    let current = (playout.segment, playout.revision);
    let withdrawn =
        current.1 > 0 && answer(current.0) && !matches!(cancellation.scope, CancelScope::Revision { .. });
    if cancellation.scope == CancelScope::Session || withdrawn || hit(&&current) {
        if playout.revision > 0 {
            settling.sounded(heard(playout, playout.heard_us(output.link.read_us())));
        }
        playout.end();
        playout.flush(output.cx.now.us);
        if let Some(ring) = &mut output.link.output {
            ring.flush();
        }
        state.breaks_off();
    }
}
