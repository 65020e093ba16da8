//! `Tremolo`: the loudness swings up and down. A plain system over all lanes, because they share one table.

use std::sync::Arc;

use mynah_engine::Frame;
use mynah_engine::bevy_ecs;
use mynah_engine::bevy_ecs::change_detection::DetectChangesMut as _;
use mynah_engine::bevy_ecs::prelude::{Component, World};
use mynah_engine::bevy_ecs::system::BoxedSystem;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{
    Lanes, NodeContext, NodeKind, NodeParams, NodePlace, SessionContext, SystemNode, lane_system,
};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use serde::Deserialize;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];
/// Steps of one swing.
const STEPS: usize = 256;

/// Configuration of the kind `Tremolo`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tremolo {
    /// Swings a second, 0.1 to 20.
    pub rate_hz: f32,
    /// How far the gain falls, 0 to 1.
    pub depth: f32,
}

impl Default for Tremolo {
    fn default() -> Self {
        Self { rate_hz: 5.0, depth: 0.5 }
    }
}

/// Where one session's swing stands.
#[derive(Component, Clone, Copy, Debug)]
pub struct TremoloState {
    /// A whole swing is 2^32.
    phase: u32,
    per_frame: u32,
}

impl NodeKind for Tremolo {
    const NAME: &'static str = "Tremolo";
    type State = TremoloState;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        for (field, value, least, most) in
            [("rate_hz", self.rate_hz, 0.1, 20.0), ("depth", self.depth, 0.0, 1.0)]
        {
            if !(least..=most).contains(&value) {
                let issue = Issue::error(field, format!("{value} is out of range"));
                issues.push(issue.expected(format!("{least:?} to {most:?}")));
            }
        }
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: true,
            avg_processing_us: 1,
            queue_capacity: 100,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        1
    }
    fn open(&self, context: &SessionContext) -> Result<TremoloState, String> {
        let input = context.input.ok_or("no audio arrives at this node")?;
        let per_frame = f64::from(self.rate_hz) / f64::from(input.rate_hz) * 4_294_967_296.0;
        Ok(TremoloState { phase: 0, per_frame: per_frame as u32 })
    }
}

impl SystemNode for Tremolo {
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        let table = self.table();
        lane_system::<TremoloState, ()>(place, world, move |lanes, params, ()| {
            swing_lanes(&table, place, lanes, params);
        })
    }
}

impl Tremolo {
    /// The gain over one swing: a parabola down and up again, from exactly rounded operations only.
    fn table(&self) -> [f32; STEPS] {
        std::array::from_fn(|step| {
            let x = step as f32 / (STEPS / 2) as f32 - 1.0;
            1.0 - self.depth * (1.0 - x * x)
        })
    }
}

fn swing_lanes(
    table: &[f32; STEPS],
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, TremoloState>,
    params: &mut NodeParams<'_, '_>,
) {
    for (_, mut lane, mut queue, mut state) in &mut lanes.ins {
        let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
        let mut cx = NodeContext::new(place.node, lane, params, &mut lanes.outs);
        while cx.may_step() {
            let Some(frame) = queue.pop() else { break };
            if matches!(frame.payload, Payload::Mark(Mark::StreamEnd)) && !cx.lane.stream_ended() {
                continue;
            }
            cx.taken(&frame);
            swing(table, &mut state, frame, &mut cx);
        }
    }
}

fn swing(table: &[f32; STEPS], state: &mut TremoloState, mut frame: Frame, cx: &mut NodeContext<'_>) {
    let channels = cx.lane.input.map_or(1, |format| usize::from(format.channels));
    if let Payload::Audio(block) = &mut frame.payload {
        for samples in block.make_mut(cx.pool).chunks_exact_mut(channels) {
            let gain = table[(state.phase >> 24) as usize];
            samples.iter_mut().for_each(|sample| *sample *= gain);
            state.phase = state.phase.wrapping_add(state.per_frame);
        }
    }
    cx.send(0, frame);
}
