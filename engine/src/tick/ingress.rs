//! Scatters what arrived at the shard's edge to the input queues.
//! Reads the arrival ring; writes queues, sessions, counts. Runs in `Stage::Ingress`.

use bevy_ecs::prelude::*;

use crate::base::ids::SegmentKey;
use crate::base::mutation::Mutation;
use crate::base::time::{Now, frames_to_us};
use crate::edge::exchange::{BLOCK_MS_MAX, MEDIA_US_MAX, Stamp, Tag};
use crate::edge::sender_clock::Stamped;
use crate::edge::shard_inbox::{Arrival, Arriving};
use crate::media::block::{Block, BlockPool};
use crate::media::frame::{Frame, Mark, Payload};
use crate::media::queue::{Pushed, Queue};
use crate::record::counts::Counts;
use crate::record::edge_figures::EdgeFigures;
use crate::record::event::{DropReason, Event, EventLog};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::session::table::{Phase, SessionRow, SessionTable};
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::tick::resources::{Edge, NeedsSweep};

#[expect(clippy::too_many_arguments, reason = "a system's parameters are its declaration of what it touches")]
pub(crate) fn ingress(
    edge: Res<'_, Edge>,
    now: Res<'_, Now>,
    mut figures: ResMut<'_, EdgeFigures>,
    mut sessions: ResMut<'_, SessionTable>,
    mut pool: ResMut<'_, BlockPool>,
    mut counts: ResMut<'_, Counts>,
    mut log: ResMut<'_, EventLog>,
    mut cancellations: ResMut<'_, Cancellations>,
    mut queues: Query<'_, '_, &'static mut Queue>,
    mut stage_times: ResMut<'_, StageTimes>,
    mut needs_sweep: ResMut<'_, NeedsSweep>,
) {
    let mut scatter = Scatter {
        now: *now,
        pool: &mut pool,
        counts: &mut counts,
        log: &mut log,
        cancellations: &mut cancellations,
        figures: &mut figures,
        needs_sweep: &mut needs_sweep,
    };
    let held = if scatter.needs_sweep.0 { sessions.rows.len() } else { 0 };
    for slot in 0..held {
        // What waits outside a queue that blocks came before anything new.
        let Some(row) = sessions.rows[slot].as_mut().filter(|row| !row.backlog.is_empty()) else { continue };
        // Of a session that was cut off nothing is let in any more, and what it had waiting is counted.
        while !row.backlog.is_empty() && (row.phase == Phase::Gone || !blocked(row, &queues)) {
            let arrival = row.backlog.pop_front().expect("it is not empty");
            scatter.arrive(row, arrival, &mut queues);
        }
    }
    if !sessions.ahead.is_empty() {
        for mut arrival in std::mem::take(&mut sessions.ahead) {
            if scatter.now.is_broken(Mutation::KeepCredit) {
                arrival.cost = 0;
            }
            scatter.take(arrival, &mut sessions, &mut queues);
        }
    }
    edge.0.take(|arrival| {
        if matches!(arrival.what, Arriving::Audio(_)) {
            scatter.pool.adopt();
        }
        scatter.take(arrival, &mut sessions, &mut queues);
    });
    if scatter.now.is_broken(Mutation::DeafShard) {
        edge.0.settle();
    }
    stage_times.end_stage(EngineStage::Edge);
}

/// Whether some queue that the input feeds makes its senders wait.
fn blocked(row: &SessionRow, queues: &Query<'_, '_, &'static mut Queue>) -> bool {
    row.waits && row.input_targets.iter().any(|target| queues.get(target.queue).is_ok_and(Queue::blocks))
}

struct Scatter<'a> {
    now: Now,
    pool: &'a mut BlockPool,
    counts: &'a mut Counts,
    log: &'a mut EventLog,
    cancellations: &'a mut Cancellations,
    figures: &'a mut EdgeFigures,
    needs_sweep: &'a mut NeedsSweep,
}

impl Scatter<'_> {
    /// Hands an arrival to its session, keeps it beside a queue that blocks, or keeps it for the next tick where that
    /// one admits the session.
    fn take(
        &mut self,
        arrival: Arrival,
        sessions: &mut SessionTable,
        queues: &mut Query<'_, '_, &'static mut Queue>,
    ) {
        let row = sessions.get_mut(arrival.session).filter(|row| row.generation == arrival.generation);
        let Some(row) = row.filter(|row| row.phase != Phase::Gone) else {
            if sessions.is_ahead(&arrival) && !self.now.is_broken(Mutation::ForgetAhead) {
                sessions.ahead.push(arrival);
            } else {
                self.homeless(arrival);
            }
            return;
        };
        let hangs_up = matches!(arrival.what, Arriving::Close);
        if !hangs_up && (!row.backlog.is_empty() || blocked(row, queues)) {
            // Its credit stays taken: that is what the sender feels.
            row.backlog.push_back(arrival);
            self.needs_sweep.0 = true;
        } else {
            self.arrive(row, arrival, queues);
        }
    }

    fn homeless(&mut self, arrival: Arrival) {
        if let Arriving::Audio(block) | Arriving::Silence(block) = arrival.what {
            self.figures.homeless += 1;
            self.pool.put(block);
        }
    }

    fn arrive(
        &mut self,
        row: &mut SessionRow,
        arrival: Arrival,
        queues: &mut Query<'_, '_, &'static mut Queue>,
    ) {
        if row.phase == Phase::Gone {
            self.homeless(arrival);
            return;
        }
        row.arrived_us = self.now.us;
        row.port.give_credit(arrival.cost);
        if self.now.is_broken(Mutation::CreditTwice) {
            row.port.give_credit(arrival.cost);
        }
        match arrival.what {
            Arriving::Audio(block) => self.audio(row, block, arrival.stamp, queues),
            Arriving::Silence(block) => {
                let frames = (block.len() / usize::from(row.input.channels)) as u64;
                self.figures.concealed_blocks += 1;
                self.figures.concealed_frames += frames;
                let frame = self.frame(row, Payload::Audio(block), arrival.stamp.arrived_us.unwrap_or(0));
                row.frames_in += frames;
                row.concealed += frames;
                self.send(row, frame, queues);
            }
            Arriving::Finish => {
                let missing = row.clock.ends();
                if missing > 0 && row.waits {
                    row.backlog.push_front(Arrival::free(
                        row.id,
                        row.generation,
                        Arriving::Finish,
                        arrival.stamp,
                    ));
                    return self.hold_silence(row, missing, Stamp::default());
                }
                self.conceal(row, missing, self.now.us, queues);
                row.phase = Phase::Finishing;
                self.needs_sweep.0 = true;
                let frame = self.frame(row, Payload::Mark(Mark::StreamEnd), self.now.us);
                self.send(row, frame, queues);
            }
            Arriving::Close => {
                row.phase = Phase::Gone;
                self.needs_sweep.0 = true;
                while let Some(held) = row.backlog.pop_front() {
                    self.homeless(held);
                }
                self.cancellations.push(Cancellation { session: row.id, scope: CancelScope::Session });
            }
        }
    }

    fn audio(
        &mut self,
        row: &mut SessionRow,
        mut block: Block,
        stamp: Stamp,
        queues: &mut Query<'_, '_, &'static mut Queue>,
    ) {
        let now_us = self.now.us;
        if self.now.is_broken(Mutation::LoseAtEdge) && row.seq % 64 == 63 {
            row.seq = row.seq.wrapping_add(1);
            self.pool.put(block);
            return;
        }
        let bad = zero_non_finite(&mut block, self.pool);
        if self.now.is_broken(Mutation::SpreadPoison) && self.figures.non_finite > 0 {
            block.make_mut(self.pool).fill(0.0);
        }
        if bad > 0 {
            self.figures.non_finite += bad;
            self.log.push(now_us, row.id, 0, Event::NonFinite { samples: bad });
        }
        let arrived_us = stamp.arrived_us.unwrap_or(now_us).min(now_us);
        if let (Some(pts_us), 0) = (stamp.pts_us, stamp.tag.segment) {
            let frames = (block.len() / usize::from(row.input.channels)) as u32;
            let found = row.clock.takes(Stamped { pts_us, before: row.frames_in, frames });
            let missing = found.missing;
            self.figures.discontinuities += u64::from(found.stepped);
            if missing > 0 && row.waits {
                // The silence waits for room like any other audio, and the block behind it.
                let stamp = Stamp { arrived_us: Some(arrived_us), ..Stamp::default() };
                row.backlog.push_front(Arrival::free(row.id, row.generation, Arriving::Audio(block), stamp));
                return self.hold_silence(row, missing, stamp);
            }
            self.conceal(row, missing, arrived_us, queues);
        }
        self.figures.blocks += 1;
        let frames = (block.len() / usize::from(row.input.channels)) as u64;
        self.figures.frames += frames;
        let mut frame = self.frame(row, Payload::Audio(block), arrived_us);
        let Tag { segment, revision, turn } = stamp.tag;
        if segment != 0 {
            frame.segment = SegmentKey::elsewhere(segment);
            (frame.revision, frame.turn) = (revision, turn);
            frame.pts_us = stamp.pts_us.map_or(frame.pts_us, |us| us.min(MEDIA_US_MAX));
        }
        row.frames_in += frames;
        self.send(row, frame, queues);
    }

    /// Puts silence of exactly the missing length in place of lost audio.
    fn conceal(
        &mut self,
        row: &mut SessionRow,
        mut missing: u64,
        arrived_us: u64,
        queues: &mut Query<'_, '_, &'static mut Queue>,
    ) {
        while missing > 0 {
            let (block, frames) = self.silence(row, missing);
            let frame = self.frame(row, Payload::Audio(block), arrived_us);
            row.frames_in += frames;
            row.concealed += frames;
            self.send(row, frame, queues);
            self.figures.concealed_blocks += 1;
            self.figures.concealed_frames += frames;
            missing -= frames;
        }
    }

    /// The same, before what is held.
    fn hold_silence(&mut self, row: &mut SessionRow, mut missing: u64, stamp: Stamp) {
        self.needs_sweep.0 = true;
        while missing > 0 {
            let (block, frames) = self.silence(row, missing);
            row.backlog.push_front(Arrival::free(row.id, row.generation, Arriving::Silence(block), stamp));
            missing -= frames;
        }
    }

    fn silence(&mut self, row: &SessionRow, missing: u64) -> (Block, u64) {
        let frames = missing.min(u64::from(row.input.rate_hz * BLOCK_MS_MAX / 1_000));
        let mut block = self.pool.lease(frames as usize * usize::from(row.input.channels));
        block.try_mut().expect("a leased block has one owner").fill(0.0);
        (block, frames)
    }

    fn frame(&self, row: &mut SessionRow, payload: Payload, arrived_us: u64) -> Frame {
        row.seq = row.seq.wrapping_add(1);
        Frame {
            payload,
            pts_us: frames_to_us(row.frames_in, row.input.rate_hz),
            arrived_us,
            queued_us: self.now.us,
            deadline_us: 0,
            session: row.id,
            segment: SegmentKey::NONE,
            revision: 0,
            turn: 0,
            seq: row.seq,
        }
    }

    fn send(&mut self, row: &SessionRow, frame: Frame, queues: &mut Query<'_, '_, &'static mut Queue>) {
        let mut frame = Some(frame);
        for (at, target) in row.input_targets.iter().enumerate() {
            let last = at + 1 == row.input_targets.len();
            let sent = if last { frame.take() } else { frame.as_ref().map(|frame| frame.fork(self.pool)) };
            let Some(sent) = sent else { return };
            let Ok(mut queue) = queues.get_mut(target.queue) else { continue };
            let (content, samples) = (sent.is_content(), sent.samples());
            let pushed = queue.bypass_change_detection().push(sent, self.pool);
            let depth = queue.depth();
            if content {
                self.counts.arrived(target.node, samples);
                self.counts.record_depth(target.node, depth);
            }
            match pushed {
                Pushed::Queued => {}
                Pushed::Merged => self.counts.node(target.node).merged += 1,
                Pushed::Dropped(lost) => self.lost(target.node, lost),
            }
        }
    }

    fn lost(&mut self, node: crate::base::ids::NodeId, frame: Frame) {
        let reason = DropReason::Overflow;
        self.counts.node(node).dropped[reason as usize] += 1;
        let samples = frame.samples() as u64;
        if !self.now.is_broken(Mutation::HideDrop) {
            let event = Event::FrameDropped { node, reason, samples };
            self.log.push(self.now.us, frame.session, frame.turn, event);
        }
        if let Payload::Audio(block) = frame.payload {
            self.pool.put(block);
        }
    }
}

/// Makes samples that are no numbers silent and counts them: one of them would poison every filter behind.
fn zero_non_finite(block: &mut Block, pool: &mut BlockPool) -> u64 {
    const INFINITE: u32 = 0x7f80_0000;
    // The greatest magnitude as bits: one pass that the compiler turns into vector instructions.
    let greatest = block.samples().iter().fold(0, |m, s| u32::max(m, s.to_bits() & 0x7fff_ffff));
    if greatest < INFINITE {
        return 0;
    }
    let mut bad = 0;
    for sample in block.make_mut(pool).iter_mut().filter(|s| !s.is_finite()) {
        *sample = 0.0;
        bad += 1;
    }
    bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_number_becomes_zero() {
        let mut block = Block::from_samples(&[0.5, f32::NAN, -1.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0]);
        assert_eq!(zero_non_finite(&mut block, &mut BlockPool::default()), 2);
        assert_eq!(block.samples(), &[0.5, 0.0, -1.0, 0.0, f32::MIN_POSITIVE / 2.0]);
    }
}
