//! Takes what a cancellation covers out of the queues of a node.

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;

use crate::base::mutation::Mutation;
use crate::media::frame::Frame;
use crate::media::queue::{Lane, Queue};
use crate::node::context::NodeContext;
use crate::node::params::{Lanes, NodeParams};
use crate::node::place::NodePlace;
use crate::speech::cancellation::{CancelScope, Cancellation};

/// Finding the lanes of a few sessions costs as much as going through this many one after the other.
const LOOKUPS_WORTH: usize = 8;

/// Applies this tick's cancellations to the lanes of one node: first the queue, then `control` for the state. A node that
/// does not support control messages is told of the end of a session only: what it works on it finishes, and the output
/// drops it.
pub fn cancel_lanes<S: Component<Mutability = Mutable>>(
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, S>,
    params: &mut NodeParams<'_>,
    control: impl FnMut(&mut S, &Cancellation, &mut NodeContext<'_>),
) {
    cancel_lanes_that(place, lanes, params, |_| true, control);
}

/// The same, passing over lanes where nothing waits and whose state `keeps` nothing that could be void.
pub(crate) fn cancel_lanes_that<S: Component<Mutability = Mutable>>(
    place: NodePlace,
    lanes: &mut Lanes<'_, '_, S>,
    params: &mut NodeParams<'_>,
    keeps: impl Fn(&S) -> bool,
    mut control: impl FnMut(&mut S, &Cancellation, &mut NodeContext<'_>),
) {
    // What is pushed meanwhile is for the nodes behind this one.
    let pushed = params.cancellations.all().len();
    if pushed == 0 {
        return;
    }
    let Lanes { ins, outs } = lanes;
    let mut correct =
        |lane: &mut Lane, queue: &mut Queue, state: &mut S, at: usize, params: &mut NodeParams<'_>| {
            let cancellation = params.cancellations.all()[at];
            let mut cx = NodeContext::new(place.node, lane, params, outs);
            purge(queue, &cancellation, &mut cx);
            // The end of a session is no message: everybody lets go of what is left.
            if place.controls || cancellation.scope == CancelScope::Session {
                control(state, &cancellation, &mut cx);
            }
        };
    if pushed * LOOKUPS_WORTH < params.sessions.open() as usize {
        for at in 0..pushed {
            let session = params.cancellations.all()[at].session;
            let Some(entity) = params.sessions.lane(session, place.node) else { continue };
            let Ok((mut lane, mut queue, mut state)) = ins.get_mut(entity) else { continue };
            correct(&mut lane, &mut queue, &mut state, at, params);
        }
        return;
    }
    for (mut lane, mut queue, mut state) in ins.iter_mut() {
        if queue.is_empty() && !lane.has_stalled() && !keeps(&state) {
            continue;
        }
        let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
        let mut next = params.cancellations.first(lane.session);
        while let Some(at) = next.filter(|at| *at < pushed) {
            correct(lane, queue, state.bypass_change_detection(), at, params);
            next = params.cancellations.after(at);
        }
    }
}

/// Takes what a cancellation covers out of a queue, and out of what its node has sent and stands outside others: counted
/// as cancelled (dropped when the session hangs up), logged once a node with the samples.
pub fn purge(queue: &mut Queue, cancellation: &Cancellation, cx: &mut NodeContext<'_>) {
    if cx.now.is_broken(Mutation::ReleaseVoid) && cancellation.scope != CancelScope::Session {
        return;
    }
    let mut lost = Lost::default();
    queue.purge(
        |frame| cancellation.covers_frame(frame),
        |frame| {
            lost.add(&frame);
            cx.discard(frame);
        },
    );
    cx.count_cancelled(cx.node, cancellation, lost.frames, lost.samples);
    if !cx.lane.has_stalled() {
        return;
    }
    for target in cx.lane.targets.into_iter().flatten() {
        let mut lost = Lost::default();
        for _ in 0..cx.lane.stalled.len() {
            let (to, frame) = cx.lane.stalled.pop_front().expect("counted");
            if to.queue == target.queue && cancellation.covers_frame(&frame) {
                lost.add(&frame);
                cx.discard(frame);
            } else {
                cx.lane.stalled.push_back((to, frame));
            }
        }
        cx.count_cancelled(target.node, cancellation, lost.frames, lost.samples);
    }
}

/// What a cancellation took out of one queue.
#[derive(Clone, Copy, Default)]
struct Lost {
    frames: u64,
    samples: u64,
}

impl Lost {
    fn add(&mut self, frame: &Frame) {
        if frame.is_content() {
            self.frames += 1;
            self.samples += frame.samples() as u64;
        }
    }
}
