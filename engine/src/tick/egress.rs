//! The session's output: releases what may be heard, at the scene's pace, and drops what was cancelled. Reads
//! segments; writes the hosts' rings, turns, event log. Runs in `Stage::Egress`, after the hub step.

mod cancel;
mod captions;
mod convert;
mod policy;
mod state;

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::BoxedSystem;

use crate::base::ids::NodeId;
use crate::base::mutation::Mutation;
use crate::base::time::{Now, frames_to_us};
use crate::edge::exchange::{Out, OutAudio};
use crate::media::block::Block;
use crate::media::frame::{Frame, Mark, Payload};
use crate::media::queue::Queue;
use crate::node::kind::IdleCheck;
use crate::node::params::lane_system_of;
use crate::node::run::node_idle_check;
use crate::record::aside::{Aside, Remembered};
use crate::record::event::{DropReason, Event};
use crate::scene::Release;
use crate::session::settling::{Settling, Sounded};
use crate::speech::playout::Playout;
use crate::speech::segment::{Segments, Standing};
pub(crate) use crate::tick::egress::cancel::cancel_output;
pub(crate) use crate::tick::egress::convert::Conversion;
use crate::tick::egress::convert::Formats;
pub(crate) use crate::tick::egress::policy::{Policy, answering_branches, has_several, line_branches};
pub(crate) use crate::tick::egress::state::Egress;
use crate::tick::egress::state::{Output, OutputParams, STARTED_MAX};
use crate::tick::resources::Closing;

/// What the releasing system touches beside frames.
type Releasing = (Segments<'static, 'static>, ResMut<'static, Settling>, ResMut<'static, Closing>);

pub(crate) fn egress_system(policy: Policy, node: NodeId, world: &mut World) -> BoxedSystem {
    type Params = OutputParams<'static, 'static>;
    lane_system_of::<Egress, Params, Releasing>(
        node,
        world,
        move |lanes, params, (segments, settling, closing)| {
            params.stage_times.start();
            for (_, mut lane, mut queue, mut state) in &mut lanes.ins {
                if queue.is_empty() {
                    continue;
                }
                let (lane, queue) = (lane.bypass_change_detection(), queue.bypass_change_detection());
                let session = lane.session;
                let Some(mut output) = params.of(node, lane, &mut lanes.outs) else { continue };
                let converts = state.conversion().map(|conversion| conversion.formats());
                let stream = Stream { policy, converts };
                if stream.release(queue, &mut state, segments, settling, &mut output)
                    && output.cx.lane.stream_ended()
                {
                    closing.0.push(session);
                }
            }
            params.stage_times.lap(node.index());
        },
    )
}

/// Says whether nothing waits at the output of any session.
pub(crate) fn egress_idle_check(node: NodeId, world: &mut World) -> IdleCheck {
    node_idle_check::<Egress>(node, world, |_| true)
}

struct Stream {
    policy: Policy,
    /// The formats of its converter. Then an end makes audio, too: what the converter still holds.
    converts: Option<Formats>,
}

impl Stream {
    /// Releases what may leave now; true when the end of the stream was reached.
    fn release(
        &self,
        queue: &mut Queue,
        state: &mut Egress,
        segments: &mut Segments<'_, '_>,
        settling: &mut Settling,
        output: &mut Output<'_>,
    ) -> bool {
        let mut woken = false;
        let mut ended = false;
        while let Some((at, standing)) = self.next(queue, segments, output) {
            let mut frame = queue.take(at).expect("looked at above");
            output.cx.taken(&frame);
            if frame.revision > 0 {
                // The segment may have become an interruption, with a turn of its own, after the call was submitted.
                frame.turn = segments.turn_now(&frame);
            }
            match frame.payload {
                Payload::Mark(Mark::StreamEnd) => {
                    self.flush(&frame, state, output);
                    ended = true;
                    break;
                }
                Payload::Mark(mark) => {
                    if let Some(sounded) = self.bound(mark, &frame, standing, state, segments, output) {
                        settling.sounded(sounded);
                    }
                }
                _ if standing == Standing::Cancelled => output.cx.drop_frame(frame, DropReason::Cancelled),
                Payload::Caption(caption) => {
                    if output.cx.log.remembers() || output.link.wants_events() {
                        let origin = (frame.segment.serial, frame.revision);
                        state.captions.get_or_insert_default().comes(caption, origin, &mut output.cx);
                    }
                }
                _ => {
                    let early = output.cx.now.is_broken(Mutation::WakeEarly);
                    if early {
                        output.link.port.wake();
                    }
                    self.let_out(frame, state, segments, output);
                    woken |= !early;
                }
            }
        }
        // An audio callback needs nobody to wake it.
        if woken && output.link.output.is_none() {
            output.link.port.wake();
        }
        ended
    }

    /// The place of the frame that leaves next, and the standing of its segment; `None`: nothing may leave now.
    ///
    /// This is the oldest frame. Where branches meet, a short one may bring a frame of an undecided segment before a
    /// long one brings the rest of an older segment: the rest passes by, or both would wait for audio that the queues
    /// before the long branch do not let in. A branch brings its segments in order, so a frame that passes came from
    /// another branch. A line that was said meanwhile passes undecided text, for the same reason: behind the line may
    /// wait what decides. It never passes undecided sound.
    fn next(
        &self,
        queue: &Queue,
        segments: &mut Segments<'_, '_>,
        output: &Output<'_>,
    ) -> Option<(usize, Standing)> {
        let (mut newest, mut silent) = (u32::MAX, true);
        for (at, frame) in queue.iter().enumerate() {
            let passes = |order| order < newest || (silent && frame.segment.is_line());
            if at > 0 && (frame.segment.serial == 0 || !passes(segments.order_of(frame))) {
                continue;
            }
            let mut standing = segments.standing(frame.segment, frame.session, frame.revision);
            if standing == Standing::Cancelled && output.cx.now.is_broken(Mutation::ReleaseVoid) {
                standing = Standing::Holds;
            }
            let spoken_over = frame.revision > 0 && segments.order_of(frame) < output.playout.speaking;
            if !self.waits(frame, standing, spoken_over, output) {
                return Some((at, standing));
            }
            if !self.policy.several || standing != Standing::Undecided {
                return None;
            }
            newest = newest.min(segments.order_of(frame));
            silent &= !matches!(frame.payload, Payload::Audio(_) | Payload::Caption(_));
        }
        None
    }

    /// Whether a frame stays for now. While the user speaks, no older answer begins or goes on: it is spoken over.
    fn waits(&self, frame: &Frame, standing: Standing, spoken_over: bool, output: &Output<'_>) -> bool {
        let (playout, now) = (&*output.playout, &output.cx.now);
        let undecided = standing == Standing::Undecided;
        match &frame.payload {
            Payload::Mark(Mark::AnswerEnd) if undecided || (spoken_over && standing == Standing::Holds) => {
                true
            }
            Payload::Mark(_) => self.converts.is_some_and(|formats| output.is_full(formats.out_max(0))),
            _ if standing == Standing::Cancelled => false,
            _ if spoken_over => true,
            _ if undecided && self.policy.release == Release::OnConfirm => true,
            Payload::Audio(block) => {
                self.too_early(playout, now) || output.is_full(self.out_max(block.len()))
            }
            Payload::Caption(_) => self.too_early(playout, now),
            Payload::Text(_) | Payload::Clip(_) => output.link.port.outputs.is_full(),
        }
    }

    fn too_early(&self, playout: &Playout, now: &Now) -> bool {
        if playout.lead_us == u32::MAX {
            return false;
        }
        // With a lead of 0 the next block leaves once the previous ones have sounded.
        let ahead_us = playout.heard_until_us.saturating_sub(now.us);
        let lead_us = u64::from(playout.lead_us);
        ahead_us > lead_us || (ahead_us > 0 && ahead_us == lead_us && !now.is_broken(Mutation::StretchLead))
    }

    /// Most samples that leave for a block of `samples`.
    fn out_max(&self, samples: usize) -> usize {
        self.converts.map_or(samples, |formats| formats.out_max(samples))
    }

    fn let_out(
        &self,
        frame: Frame,
        state: &mut Egress,
        segments: &mut Segments<'_, '_>,
        output: &mut Output<'_>,
    ) {
        let (segment, revision) = (frame.segment.serial, frame.revision);
        let sounds = matches!(frame.payload, Payload::Audio(_)) || output.cx.lane.input.is_none();
        // Beside sound, captions do not begin an answer.
        if sounds && segment != 0 && (output.playout.segment, output.playout.revision) != (segment, revision)
        {
            let order = segments.order_of(&frame);
            self.begin(&frame, order, state, output);
        }
        let Output { cx, playout, link } = output;
        match frame.payload {
            Payload::Text(text) => {
                if revision > 0 && cx.log.remembered == Remembered::Texts {
                    let (origin, text) = ((segment, revision), Arc::clone(&text));
                    cx.log.aside(cx.lane.session, || Aside::Written { origin, text });
                }
                // There was room a moment ago, and only this system pushes.
                link.port.outputs.push(Out::Text { text, segment, revision, turn: frame.turn });
            }
            Payload::Audio(block) => {
                if let Some(captions) = state.captions.as_mut().filter(|_| revision > 0) {
                    captions.leaves(playout, cx);
                }
                if revision == 0 {
                    cx.forwarded(cx.now.us.saturating_sub(frame.arrived_us));
                }
                let origin = Origin {
                    pts_us: frame.pts_us,
                    arrived_us: frame.arrived_us,
                    segment,
                    revision,
                    turn: frame.turn,
                };
                sound(block, origin, state, output);
            }
            Payload::Mark(_) | Payload::Clip(_) | Payload::Caption(_) => {}
        }
    }

    /// An answer, or forwarded audio, begins to leave.
    fn begin(&self, frame: &Frame, order: u32, state: &mut Egress, output: &mut Output<'_>) {
        let (segment, revision) = (frame.segment.serial, frame.revision);
        let Output { cx, playout, link } = output;
        // Voices are not equally quick: one may begin the next answer before another has ended this one.
        if self.policy.branches > 1 {
            state.set_aside(playout);
        }
        playout.end();
        (playout.segment, playout.revision, playout.turn) = (segment, revision, frame.turn);
        playout.order = order;
        let earlier = state.take_up((segment, revision));
        if let Some(earlier) = &earlier {
            (playout.samples, playout.released_us) = (earlier.samples, earlier.released_us);
        }
        state.started[state.next % STARTED_MAX] = (segment, revision);
        state.next += 1;
        if let Some(conversion) = state.conversion() {
            conversion.reset();
        }
        if let Some(ring) = link.output.as_mut().filter(|_| revision > 0) {
            ring.begin(frame.turn);
        }
        // What goes on after another answer cut into it has begun before.
        if earlier.is_none() {
            cx.event(frame.turn, Event::OutputStarted { segment, revision });
        }
    }

    /// Lets out what a converter still holds of the stream that ends with `frame`.
    fn flush(&self, frame: &Frame, state: &mut Egress, output: &mut Output<'_>) {
        let Some(conversion) = state.conversion() else { return };
        conversion.flush();
        let origin = Origin {
            pts_us: frame.pts_us,
            arrived_us: frame.arrived_us,
            segment: frame.segment.serial,
            revision: frame.revision,
            turn: frame.turn,
        };
        let out = std::mem::take(&mut conversion.out);
        hand_over(&out, origin, output);
        conversion.out = out;
    }

    /// Handles a mark: answers end, turns close. Returns the answer that is complete with it, if it sounds.
    fn bound(
        &self,
        mark: Mark,
        frame: &Frame,
        standing: Standing,
        state: &mut Egress,
        segments: &mut Segments<'_, '_>,
        output: &mut Output<'_>,
    ) -> Option<Sounded> {
        let origin = (frame.segment.serial, frame.revision);
        let over = match mark {
            Mark::AnswerEnd => standing != Standing::Cancelled && self.is_over(frame, state),
            // Beside answers the caller's own audio is no answer.
            Mark::SegmentEnd => self.policy.branches == 0,
            Mark::Endpoint | Mark::Split | Mark::StreamEnd => false,
        };
        if !over {
            return None;
        }
        let (segment, revision) = origin;
        let mut ended = (0, 0);
        if (output.playout.segment, output.playout.revision) == origin {
            self.flush(frame, state, output);
            let Output { cx, playout, .. } = output;
            if let Some(captions) = &mut state.captions {
                captions.ends(playout, cx);
            }
            ended = (playout.samples, playout.released_us);
            playout.end();
        } else if let Some(cut) = state.take_up(origin) {
            ended = (cut.samples, cut.released_us);
        }
        let (samples, released_us) = ended;
        let mut sounded = None;
        let hushed = frame.segment.is_line() && output.cx.now.is_broken(Mutation::HushLine);
        if samples > 0 && !hushed {
            output.cx.event(frame.turn, Event::OutputEnded { segment, revision, samples });
            if revision > 0 {
                let at = output.link.ends(frame.turn, released_us, output.playout.heard_until_us);
                let owner = output.cx.lane.owner;
                sounded = Some(Sounded { owner, segment, revision, us: released_us, at });
            }
        }
        segments.answered(frame.segment, frame.session);
        sounded
    }

    /// Whether this end makes the answer complete on all branches.
    fn is_over(&self, frame: &Frame, state: &mut Egress) -> bool {
        let origin = (frame.segment.serial, frame.revision);
        let branches = match frame.segment {
            line if line.is_typed() => self.policy.typed,
            line if line.is_line() => self.policy.said,
            _ => self.policy.branches,
        };
        if branches <= 1 {
            return true;
        }
        let Some(at) = state.ends.iter().position(|(other, _)| *other == origin) else {
            state.ends.push((origin, 1));
            return false;
        };
        state.ends[at].1 += 1;
        let over = state.ends[at].1 >= branches;
        if over {
            state.ends.swap_remove(at);
        }
        over
    }
}

/// What a block that leaves belongs to.
#[derive(Clone, Copy)]
struct Origin {
    pts_us: u64,
    arrived_us: u64,
    segment: u32,
    revision: u32,
    turn: u32,
}

/// Lets a block out, which counts as heard from now on.
fn sound(mut block: Block, origin: Origin, state: &mut Egress, output: &mut Output<'_>) {
    let Output { cx, playout, link } = output;
    let format = cx.lane.input.expect("audio reaches only lanes with a format");
    let us = frames_to_us(block.len() as u64 / u64::from(format.channels), format.rate_hz);
    playout.sounds_until(cx.now.us, playout.heard_until_us.max(cx.now.us) + us);
    playout.released_us += us;
    if let Some(captions) = &mut state.captions {
        captions.left(us);
    }
    if let Some(conversion) = state.conversion() {
        conversion.push(block.samples());
        cx.pool.put(block);
        let out = std::mem::take(&mut conversion.out);
        hand_over(&out, origin, output);
        conversion.out = out;
        return;
    }
    playout.samples += block.len() as u64;
    cx.released(block.len() as u64);
    if cx.now.is_broken(Mutation::CutBlock) {
        block.set_len(block.len() - 1);
    }
    if let Some(ring) = &mut link.output {
        ring.push(block.samples());
        cx.pool.put(block);
        return;
    }
    cx.pool.give();
    link.port.outputs.push(out_audio(block, origin, cx.now.us));
}

/// Hands converted samples to the host.
fn hand_over(samples: &[f32], origin: Origin, output: &mut Output<'_>) {
    let Output { cx, playout, link } = output;
    if samples.is_empty() {
        return;
    }
    playout.samples += samples.len() as u64;
    cx.released(samples.len() as u64);
    if let Some(ring) = &mut link.output {
        return ring.push(samples);
    }
    let mut block = cx.pool.lease(samples.len());
    block.fill_from(samples);
    cx.pool.give();
    link.port.outputs.push(out_audio(block, origin, cx.now.us));
}

fn out_audio(block: Block, origin: Origin, released_us: u64) -> Out {
    let Origin { pts_us, arrived_us, segment, revision, turn } = origin;
    Out::Audio(OutAudio { block, pts_us, released_us, arrived_us, segment, revision, turn })
}
