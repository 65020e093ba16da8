//! Takes what a cancellation voids out of the queues of a node.

use bevy_ecs::component::Mutable;
use bevy_ecs::prelude::*;

use crate::base::mutation::Mutation;
use crate::media::frame::Frame;
use crate::media::queue::{Lane, Queue};
use crate::node::context::Cx;
use crate::node::params::{Desk, Lanes};
use crate::node::site::Site;
use crate::record::counts::Ledger;
use crate::speech::cancellation::{Correction, Void};

/// Finding the lanes of a few sessions costs as much as going through this many one after the other.
const LOOKUPS_WORTH: usize = 8;

/// Applies this tick's corrections to the lanes of one node: first the queue, then `control` for the state. A node that
/// does not support control messages is told of the end of a session only: what it works on it finishes, and the output
/// drops it.
pub fn correct_lanes<S: Component<Mutability = Mutable>>(
    site: Site,
    lanes: &mut Lanes<'_, '_, S>,
    desk: &mut Desk<'_>,
    control: impl FnMut(&mut S, &Correction, &mut Cx<'_>),
) {
    correct_lanes_that(site, lanes, desk, |_| true, control);
}

/// The same, passing over lanes where nothing waits and whose state `keeps` nothing that could be void.
pub(crate) fn correct_lanes_that<S: Component<Mutability = Mutable>>(
    site: Site,
    lanes: &mut Lanes<'_, '_, S>,
    desk: &mut Desk<'_>,
    keeps: impl Fn(&S) -> bool,
    mut control: impl FnMut(&mut S, &Correction, &mut Cx<'_>),
) {
    // What is pushed meanwhile is for the nodes behind this one.
    let pushed = desk.corrections.all().len();
    if pushed == 0 {
        return;
    }
    let Lanes { ins, outs } = lanes;
    let mut correct = |lane: &mut Lane, queue: &mut Queue, state: &mut S, at: usize, desk: &mut Desk<'_>| {
        let correction = desk.corrections.all()[at];
        let mut cx = Cx::new(site.node, lane, desk, outs);
        purge(queue, &correction, &mut cx);
        // The end of a session is no message: everybody lets go of what is left.
        if site.controls || correction.void == Void::Session {
            control(state, &correction, &mut cx);
        }
    };
    if pushed * LOOKUPS_WORTH < desk.sessions.open() as usize {
        for at in 0..pushed {
            let session = desk.corrections.all()[at].session;
            let Some(entity) = desk.sessions.lane(session, site.node) else { continue };
            let Ok((mut lane, mut queue, mut state)) = ins.get_mut(entity) else { continue };
            correct(&mut lane, &mut queue, &mut state, at, desk);
        }
        return;
    }
    for (mut lane, mut queue, mut state) in ins.iter_mut() {
        if queue.is_empty() && !lane.has_unsent() && !keeps(&state) {
            continue;
        }
        let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
        let mut next = desk.corrections.first(lane.session);
        while let Some(at) = next.filter(|at| *at < pushed) {
            correct(lane, queue, state.bypass_change_detection(), at, desk);
            next = desk.corrections.after(at);
        }
    }
}

/// Takes what a correction voids out of a queue, and out of what its node has sent and stands outside others: counted
/// as cancelled (dropped when the session hangs up), logged once a node with the samples.
pub fn purge(queue: &mut Queue, correction: &Correction, cx: &mut Cx<'_>) {
    if cx.now.is_broken(Mutation::ReleaseVoid) && correction.void != Void::Session {
        return;
    }
    let mut lost = Lost::default();
    queue.purge(
        |frame| correction.voids_frame(frame),
        |frame| {
            lost.add(&frame);
            cx.discard(frame);
        },
    );
    cx.voided(cx.node, correction, lost.frames, lost.samples);
    if !cx.lane.has_unsent() {
        return;
    }
    for target in cx.lane.targets.into_iter().flatten() {
        let mut lost = Lost::default();
        for _ in 0..cx.lane.unsent.len() {
            let (to, frame) = cx.lane.unsent.pop_front().expect("counted");
            if to.queue == target.queue && correction.voids_frame(&frame) {
                lost.add(&frame);
                cx.discard(frame);
            } else {
                cx.lane.unsent.push_back((to, frame));
            }
        }
        cx.voided(target.node, correction, lost.frames, lost.samples);
    }
}

/// What a correction took out of one queue.
#[derive(Clone, Copy, Default)]
struct Lost {
    frames: u64,
    samples: u64,
}

impl Lost {
    fn add(&mut self, frame: &Frame) {
        if Ledger::counts(frame) {
            self.frames += 1;
            self.samples += frame.samples() as u64;
        }
    }
}
