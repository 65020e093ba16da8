//! Takes out of a queue what must not be worked on any more.

use crate::base::mutation::Mutation;
use crate::media::frame::Frame;
use crate::media::queue::Queue;
use crate::node::context::NodeContext;
use crate::speech::cancellation::{CancelScope, Cancellation};

/// Takes what a cancellation covers out of a queue, and out of the frames of its node that are stalled before others:
/// counted as cancelled (dropped when the session hangs up), logged once a node with the samples.
pub(crate) fn purge(queue: &mut Queue, cancellation: &Cancellation, cx: &mut NodeContext<'_>) {
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

/// The frames that a cancellation took out of one queue.
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
