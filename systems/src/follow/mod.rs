//! `Follow`: a gate for audio that another engine's gate has let through. The node decides nothing: it opens,
//! confirms, cancels, ends and retracts its segments as the sender's control messages say, and sends on audio and
//! marks as the sender's gate does.
//!
//! Audio and messages take different paths and may overtake each other. A message that comes before its audio is kept
//! until then, work on an end of speech waits for the audio before it, and audio of a cancelled segment is dropped
//! whenever it comes. Segments never overlap: the next one's audio waits in the queue until the one before is
//! settled. All waiting ends after `wait_ms`; a segment without a verdict by then is not speech, and an end that was
//! never confirmed is not final. While nothing comes at all, the sender's microphone may be muted, and its gate
//! reports the end only after `silence_timeout_ms`: the wait is longer by that time. Segments keep the sender's
//! serials, and their audio keeps the sender's media time. A scene has one gate.
//!
//! Files: `memory` keeps messages, `lane` is one session.

mod lane;
mod memory;

use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut as _;
use bevy_ecs::prelude::{ResMut, World};
use bevy_ecs::system::BoxedSystem;
use mynah_engine::node::{
    Lanes, NodeContext, NodeKind, NodeParams, NodePlace, SegmentWriter, SessionContext, SystemNode,
    lane_system,
};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::session::SessionLanes;
use mynah_engine::speech::SegmentParams;
use mynah_engine::tick::Messages;
use serde::Deserialize;

pub use lane::FollowLane;

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

/// Configuration of the kind `Follow`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Follow {
    /// Longest time that audio waits for messages about it, and work for its audio; 50 to 10000 ms. Longer than a
    /// message takes that is sent again three times.
    pub wait_ms: f32,
    /// Engine time without any audio after which the sender's gate ends an open segment (its `silence_timeout_ms`);
    /// 100 to 600000 ms. While nothing comes, this node waits for that message.
    pub silence_timeout_ms: f32,
}

impl Default for Follow {
    fn default() -> Self {
        Self { wait_ms: 1_000.0, silence_timeout_ms: 1_000.0 }
    }
}

impl NodeKind for Follow {
    const NAME: &'static str = "Follow";
    type State = FollowLane;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(50.0..=10_000.0).contains(&self.wait_ms) {
            let text = format!("{} ms is out of range", self.wait_ms);
            issues.push(Issue::error("wait_ms", text).expected("50 to 10000 ms"));
        }
        if !(100.0..=600_000.0).contains(&self.silence_timeout_ms) {
            let text = format!("{} ms is out of range", self.silence_timeout_ms);
            issues.push(Issue::error("silence_timeout_ms", text).expected("100 to 600000 ms"));
        }
        input
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            // Audio that comes at once, and audio that waits meanwhile for the segment before it: some seconds.
            queue_capacity: 300,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn decides_speech(&self) -> bool {
        true
    }
    fn follows_sender(&self) -> bool {
        true
    }
    fn numbers(&self) -> &[&'static str] {
        &["wait_ms", "silence_timeout_ms"]
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        // A frame, and the end of speech and of the segment behind it.
        3
    }
    fn open(&self, context: &SessionContext) -> Result<FollowLane, String> {
        let input = context.input.ok_or("no audio arrives at this node")?;
        let us = |ms: f32| (f64::from(ms) * 1_000.0) as u64;
        Ok(FollowLane::new(input, us(self.wait_ms), us(self.silence_timeout_ms)))
    }
}

/// The system parameters it uses beside frames.
type Following = (SegmentParams<'static, 'static>, SessionLanes<'static, 'static>, ResMut<'static, Messages>);

impl SystemNode for Follow {
    fn is_idle(&self, state: &FollowLane) -> bool {
        state.is_idle()
    }
    fn hang_up(&self, state: &mut FollowLane, writer: &mut SegmentWriter<'_, '_, '_, '_>) {
        state.hang_up(writer);
    }
    fn system(self: Arc<Self>, place: NodePlace, world: &mut World) -> BoxedSystem {
        lane_system::<FollowLane, Following>(
            place,
            world,
            move |lanes, params, (segments, sessions, messages)| {
                hear(place, lanes, params, segments, sessions, messages);
                work(place, lanes, params, segments);
            },
        )
    }
}

/// Messages come before the audio that arrives with them.
fn hear(
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, FollowLane>,
    params: &mut NodeParams<'_, '_>,
    segments: &mut SegmentParams<'_, '_>,
    sessions: &SessionLanes<'_, '_>,
    messages: &mut Messages,
) {
    for received in messages.all_mut() {
        let Some(entity) = sessions.lane(received.session, place.node) else { continue };
        let Ok((_, mut wiring, _, mut lane)) = lanes.ins.get_mut(entity) else { continue };
        let mut cx = NodeContext::new(place.node, &mut wiring, params, &mut lanes.outs);
        received.effect |= lane.hear(&received.message.control, &mut SegmentWriter::new(&mut cx, segments));
    }
}

fn work(
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, FollowLane>,
    params: &mut NodeParams<'_, '_>,
    segments: &mut SegmentParams<'_, '_>,
) {
    for (_, mut wiring, mut queue, mut lane) in &mut lanes.ins {
        if queue.is_empty() && lane.is_idle() && !wiring.has_stalled() {
            continue;
        }
        let (queue, lane) = (queue.bypass_change_detection(), lane.bypass_change_detection());
        let mut cx = NodeContext::new(place.node, wiring.bypass_change_detection(), params, &mut lanes.outs);
        lane.work(queue, &mut SegmentWriter::new(&mut cx, segments));
    }
}
