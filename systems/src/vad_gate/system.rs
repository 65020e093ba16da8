//! Runs the gates of a shard: one call of the detector's kernel takes every lane that has a hop ready. Reads queues and
//! messages of hosts; writes segments, cancellations, downstream queues. Runs in its node's rank.

use std::sync::Arc;

use bevy_ecs::change_detection::DetectChangesMut as _;
use bevy_ecs::prelude::{Entity, Query, ResMut, World};
use bevy_ecs::system::BoxedSystem;
use mynah_engine::Frame;
use mynah_engine::base::{Mutation, Now};
use mynah_engine::media::{Lane, Mark, Payload, Queue};
use mynah_engine::node::{Lanes, NodeContext, NodeParams, NodePlace, SegmentWriter, lane_system};
use mynah_engine::session::{Intake, SessionLanes};
use mynah_engine::speech::SegmentParams;
use mynah_engine::tick::Messages;

use crate::vad::VadKernel;
use crate::vad_gate::asked::Asked;
use crate::vad_gate::config::VadGate;
use crate::vad_gate::decision::Decision;
use crate::vad_gate::lane::GateLane;
use crate::vad_gate::settings::Settings;

/// Sessions in the engine below which a hop does not wait for the gather time.
const GATHER_SESSIONS_MIN: u32 = 16;

/// The gate of one node in one shard.
struct Gates {
    gate: Arc<VadGate>,
    place: NodePlace,
    settings: Settings,
    /// Lanes that have a hop ready.
    ready: Vec<Entity>,
    staged: Vec<usize>,
    decisions: Vec<Decision>,
}

/// The system parameters that a gate uses beside frames.
type Deciding = (
    SegmentParams<'static, 'static>,
    SessionLanes<'static, 'static>,
    Query<'static, 'static, &'static Intake>,
    ResMut<'static, Messages>,
);

pub(super) fn build(gate: Arc<VadGate>, place: NodePlace, world: &mut World) -> BoxedSystem {
    let mut gates = Gates {
        settings: Settings::new(&gate, gate.hop_us()),
        ready: Vec::new(),
        staged: Vec::with_capacity(VadKernel::TILE),
        decisions: Vec::with_capacity(8),
        gate,
        place,
    };
    // The weights are unpacked and this thread's scratch is made here, not in the first tick with audio.
    VadKernel::lend(gates.gate.vad, |_| ());
    lane_system::<GateLane, Deciding>(
        place,
        world,
        move |lanes, params, (segments, sessions, intakes, messages)| {
            gates.hear_hosts(lanes, params, segments, intakes, sessions, messages);
            gates.run(lanes, params, segments, sessions.open(), intakes);
        },
    )
}

impl Gates {
    /// Tells the lanes what their hosts ask.
    fn hear_hosts(
        &mut self,
        lanes: &mut Lanes<'_, '_, GateLane>,
        params: &mut NodeParams<'_, '_>,
        segments: &mut SegmentParams<'_, '_>,
        intakes: &Query<'_, '_, &'static Intake>,
        sessions: &SessionLanes<'_, '_>,
        messages: &mut Messages,
    ) {
        let now_us = params.now.us;
        for received in messages.all_mut() {
            let Some(asked) = Asked::of(&received.message.control) else { continue };
            let Some(entity) = sessions.lane(received.session, self.place.node) else { continue };
            let Ok((_, mut wiring, mut queue, mut lane)) = lanes.ins.get_mut(entity) else { continue };
            let (wiring, lane) = (wiring.bypass_change_detection(), lane.bypass_change_detection());
            let queue = queue.bypass_change_detection();
            let outs = &mut lanes.outs;
            let at_once = lane.waiting.is_empty()
                && self.take_before(now_us, queue, wiring, lane, params, outs, segments, intakes);
            received.effect |= if at_once {
                let mut cx = NodeContext::new(self.place.node, wiring, params, outs);
                let mut gate = SegmentWriter::new(&mut cx, segments);
                lane.obey(asked, &self.settings, &mut self.decisions, &mut gate)
            } else {
                lane.waiting.push(asked, now_us)
            };
        }
    }

    /// Obeys the messages that wait, as far as the audio before them can be taken; false if some still wait.
    #[expect(clippy::too_many_arguments, reason = "everything a lane touches, borrowed apart")]
    fn obey_waiting(
        &mut self,
        queue: &mut Queue,
        wiring: &mut Lane,
        lane: &mut GateLane,
        params: &mut NodeParams<'_, '_>,
        outs: &mut Query<'_, '_, &'static mut Queue>,
        segments: &mut SegmentParams<'_, '_>,
        intakes: &Query<'_, '_, &'static Intake>,
    ) -> bool {
        while let Some((asked, at_us)) = lane.waiting.first() {
            if !self.take_before(at_us, queue, wiring, lane, params, outs, segments, intakes) {
                return false;
            }
            lane.waiting.pop();
            let mut cx = NodeContext::new(self.place.node, wiring, params, outs);
            let mut gate = SegmentWriter::new(&mut cx, segments);
            lane.obey(asked, &self.settings, &mut self.decisions, &mut gate);
        }
        true
    }

    /// Takes and hears all audio that came to the gate before `at_us`; false if a full queue behind it holds up some, or
    /// the marks that may follow.
    #[expect(clippy::too_many_arguments, reason = "everything a lane touches, borrowed apart")]
    fn take_before(
        &mut self,
        at_us: u64,
        queue: &mut Queue,
        wiring: &mut Lane,
        lane: &mut GateLane,
        params: &mut NodeParams<'_, '_>,
        outs: &mut Query<'_, '_, &'static mut Queue>,
        segments: &mut SegmentParams<'_, '_>,
        intakes: &Query<'_, '_, &'static Intake>,
    ) -> bool {
        let (hop, place) = (self.hop(), self.place);
        let earlier = |queue: &Queue| queue.front().is_some_and(|frame| frame.queued_us < at_us);
        loop {
            let next = || if earlier(queue) { queue.pop() } else { None };
            let (settings, decisions) = (&self.settings, &mut self.decisions);
            if !fill(settings, hop, place, next, wiring, lane, params, outs, segments, decisions) {
                break;
            }
            // The same bits as beside other lanes.
            let p = VadKernel::lend(self.gate.vad, |kernel| {
                kernel.clear();
                let (memory, samples) = lane.staged(hop);
                let at = kernel.stage(memory, samples);
                kernel.run();
                kernel.take(at, lane.memory())
            });
            let mut cx = NodeContext::new(place.node, wiring, params, outs);
            lane.decide(p, hop, settings, decisions, &mut SegmentWriter::new(&mut cx, segments), intakes);
        }
        let may_step = NodeContext::new(place.node, wiring, params, outs).may_step();
        may_step && lane.ready_hop(hop).is_none() && !earlier(queue)
    }

    fn run(
        &mut self,
        lanes: &mut Lanes<'_, '_, GateLane>,
        params: &mut NodeParams<'_, '_>,
        segments: &mut SegmentParams<'_, '_>,
        shard_open: u32,
        intakes: &Query<'_, '_, &'static Intake>,
    ) {
        let run_now = self.runs_now(&params.now, shard_open);
        self.ready.clear();
        self.ready.reserve(shard_open as usize);
        for (entity, mut wiring, mut queue, mut lane) in &mut lanes.ins {
            if !lane.waiting.is_empty() {
                let (wiring, lane) = (wiring.bypass_change_detection(), lane.bypass_change_detection());
                let queue = queue.bypass_change_detection();
                if !self.obey_waiting(queue, wiring, lane, params, &mut lanes.outs, segments, intakes) {
                    continue;
                }
            }
            // Most lanes have nothing in most ticks: only the fields that show this are fetched from memory.
            if queue.is_empty() && lane.ready_hop(self.hop()).is_none() && !wiring.has_stalled() {
                if lane.may_starve(&params.now, &self.settings) {
                    let now_us = params.now.us;
                    let arrived_us =
                        intakes.get(wiring.owner).map_or(now_us, |intake| intake.last_us(now_us));
                    let mut cx = NodeContext::new(self.place.node, &mut wiring, params, &mut lanes.outs);
                    let mut gate = SegmentWriter::new(&mut cx, segments);
                    lane.starve(arrived_us, &self.settings, &mut self.decisions, &mut gate);
                }
                if lane.has_paused(params.now.us) {
                    let mut cx = NodeContext::new(self.place.node, &mut wiring, params, &mut lanes.outs);
                    lane.pause(&mut SegmentWriter::new(&mut cx, segments));
                }
                continue;
            }
            let wiring = wiring.bypass_change_detection();
            let lane = lane.bypass_change_detection();
            let next = || queue.bypass_change_detection().pop();
            if fill(
                &self.settings,
                self.hop(),
                self.place,
                next,
                wiring,
                lane,
                params,
                &mut lanes.outs,
                segments,
                &mut self.decisions,
            ) {
                self.ready.push(entity);
            }
        }
        if run_now && !self.ready.is_empty() {
            VadKernel::lend(self.gate.vad, |kernel| {
                while !self.ready.is_empty() {
                    self.hear(kernel, lanes, params, segments, intakes);
                }
            });
        }
    }

    fn hop(&self) -> usize {
        self.gate.vad.hop()
    }

    /// True at multiples of the gather time on the engine's clock: the same in every shard.
    fn runs_now(&self, now: &Now, shard_open: u32) -> bool {
        let open = if now.is_broken(Mutation::CountShard) { shard_open } else { now.sessions_open };
        let gather_us = (f64::from(self.gate.vad_gather_ms) * 1_000.0) as u64;
        gather_us == 0 || open < GATHER_SESSIONS_MIN || now.us / gather_us != now.last_us / gather_us
    }

    /// Computes one hop of every ready lane; keeps the lanes that have another one.
    fn hear(
        &mut self,
        kernel: &mut VadKernel,
        lanes: &mut Lanes<'_, '_, GateLane>,
        params: &mut NodeParams<'_, '_>,
        segments: &mut SegmentParams<'_, '_>,
        intakes: &Query<'_, '_, &'static Intake>,
    ) {
        let (hop, node) = (self.hop(), self.place.node);
        let mut kept = 0;
        let mut from = 0;
        while from < self.ready.len() {
            let to = (from + VadKernel::TILE).min(self.ready.len());
            kernel.clear();
            self.staged.clear();
            for entity in &self.ready[from..to] {
                let Ok((.., mut lane)) = lanes.ins.get_mut(*entity) else { continue };
                let (memory, samples) = lane.bypass_change_detection().staged(hop);
                self.staged.push(kernel.stage(memory, samples));
            }
            kernel.run();
            for at in from..to {
                let entity = self.ready[at];
                let Ok((_, mut wiring, mut queue, mut lane)) = lanes.ins.get_mut(entity) else { continue };
                let p = kernel.take(self.staged[at - from], lane.memory());
                let wiring = wiring.bypass_change_detection();
                let mut cx = NodeContext::new(node, wiring, params, &mut lanes.outs);
                let mut gate = SegmentWriter::new(&mut cx, segments);
                lane.decide(p, hop, &self.settings, &mut self.decisions, &mut gate, intakes);
                let next = || queue.pop();
                if fill(
                    &self.settings,
                    hop,
                    self.place,
                    next,
                    wiring,
                    &mut lane,
                    params,
                    &mut lanes.outs,
                    segments,
                    &mut self.decisions,
                ) {
                    self.ready[kept] = entity;
                    kept += 1;
                }
            }
            from = to;
        }
        self.ready.truncate(kept);
    }
}

/// Feeds a lane until it has a hop ready; true if it has. Frames behind that hop wait, so that each is forwarded or
/// kept by a decision made before it began, however large the chunks are in which audio arrives.
#[expect(clippy::too_many_arguments, reason = "everything a lane touches, borrowed apart")]
fn fill(
    settings: &Settings,
    hop: usize,
    place: NodePlace,
    mut next: impl FnMut() -> Option<Frame>,
    wiring: &mut Lane,
    lane: &mut GateLane,
    params: &mut NodeParams<'_, '_>,
    outs: &mut Query<'_, '_, &'static mut Queue>,
    segments: &mut SegmentParams<'_, '_>,
    decisions: &mut Vec<Decision>,
) -> bool {
    let mut cx = NodeContext::new(place.node, wiring, params, outs);
    while lane.ready_hop(hop).is_none() {
        if !cx.may_step() {
            return false;
        }
        let Some(frame) = next() else { return false };
        let ends = matches!(frame.payload, Payload::Mark(Mark::StreamEnd));
        if ends && !cx.lane.stream_ended() {
            continue;
        }
        cx.taken(&frame);
        cx.came_out(frame.deadline_us, frame.turn);
        let mut gate = SegmentWriter::new(&mut cx, segments);
        if ends {
            lane.finish(false, decisions, &mut gate);
        }
        lane.take(frame, settings, decisions, &mut gate);
    }
    // A hop may open a segment, and so forward all kept audio.
    cx.may_step()
}
