//! Scatters what arrived at the shard's edge to the input queues.
//! Reads the arrival ring; writes queues, sessions, ledger. Runs in `Stage::Ingress`.

use bevy_ecs::prelude::*;
use std::sync::Arc;

use crate::block::{Block, BlockPool};
use crate::correction::{Correction, Corrections, Void};
use crate::desk::Now;
use crate::event::{DropReason, Event, EventLog};
use crate::frame::{Frame, Mark, Payload, frames_to_us};
use crate::handle::{Arriving, BLOCK_MS_MAX, ShardPort};
use crate::ids::{SegmentKey, SessionId};
use crate::ledger::Ledger;
use crate::queue::{Pushed, Queue};
use crate::session::{Phase, SessionRow, SessionTable};

/// The shard's end of its rings.
#[derive(Resource)]
pub(crate) struct Edge(pub(crate) Arc<ShardPort>);

/// Longest gap that is filled with silence: one second.
const GAP_US_MAX: i64 = 1_000_000;

/// Arrivals that had no session any more, and samples that were no numbers.
#[derive(Resource, Debug, Default, Clone, Copy)]
pub struct EdgeFigures {
    /// Blocks that came for a session that was gone.
    pub homeless: u64,
    /// Samples that were not finite and became 0.
    pub non_finite: u64,
    /// Blocks taken from the ring.
    pub blocks: u64,
    /// Sample frames taken from the ring.
    pub frames: u64,
    /// Blocks of silence put in place of audio that the sender's times say is missing.
    pub concealed_blocks: u64,
    /// Sample frames of that silence.
    pub concealed_frames: u64,
    /// Steps in the sender's times that were too long to fill, or went back.
    pub discontinuities: u64,
}

#[expect(clippy::too_many_arguments, reason = "a system's parameters are its declaration of what it touches")]
pub(crate) fn ingress(
    edge: Res<'_, Edge>,
    now: Res<'_, Now>,
    mut figures: ResMut<'_, EdgeFigures>,
    mut sessions: ResMut<'_, SessionTable>,
    mut pool: ResMut<'_, BlockPool>,
    mut ledger: ResMut<'_, Ledger>,
    mut log: ResMut<'_, EventLog>,
    mut corrections: ResMut<'_, Corrections>,
    mut queues: Query<'_, '_, &'static mut Queue>,
) {
    let mut scatter = Scatter { now: *now, pool: &mut pool, ledger: &mut ledger, log: &mut log };
    for _ in 0..edge.0.arrivals.len() {
        let Some(arrival) = edge.0.arrivals.pop() else { break };
        let row = sessions.get_mut(arrival.session).filter(|row| row.opening == arrival.opening);
        let Some(row) = row.filter(|row| row.phase != Phase::Gone) else {
            figures.homeless += 1;
            if let Arriving::Audio(block) = arrival.what {
                scatter.pool.put(block);
            }
            continue;
        };
        row.port.give_credit(arrival.cost);
        match arrival.what {
            Arriving::Audio(mut block) => {
                let bad = zero_non_finite(&mut block, scatter.pool);
                if bad > 0 {
                    figures.non_finite += bad;
                    scatter.log.push(now.us, row.id, 0, Event::NonFinite { samples: bad });
                }
                figures.blocks += 1;
                let frames = (block.len() / usize::from(row.input.channels)) as u64;
                figures.frames += frames;
                let arrived_us = arrival.stamp.arrived_us.unwrap_or(now.us).min(now.us);
                if let Some(pts_us) = arrival.stamp.pts_us {
                    let missing = missing_frames(row, pts_us, &mut figures);
                    scatter.conceal(row, missing, arrived_us, &mut figures, &mut queues);
                }
                let frame = scatter.frame(row, Payload::Audio(block), arrived_us);
                row.frames_in += frames;
                scatter.send(row, frame, &mut queues);
            }
            Arriving::Finish => {
                row.phase = Phase::Finishing;
                let frame = scatter.frame(row, Payload::Mark(Mark::StreamEnd), now.us);
                scatter.send(row, frame, &mut queues);
            }
            Arriving::Close => {
                row.phase = Phase::Gone;
                corrections.push(Correction { session: row.id, void: Void::Session });
            }
        }
    }
}

struct Scatter<'a> {
    now: Now,
    pool: &'a mut BlockPool,
    ledger: &'a mut Ledger,
    log: &'a mut EventLog,
}

/// Frames missing before a block that the sender places at `pts_us`; at most one second.
fn missing_frames(row: &mut SessionRow, pts_us: u64, figures: &mut EdgeFigures) -> u64 {
    let rate_hz = row.input.rate_hz;
    let expected_us = frames_to_us(row.frames_in, rate_hz) as i64 + row.pts_origin_us;
    let ahead_us = pts_us as i64 - expected_us;
    // Sender and engine round to a microsecond each, and to a sample.
    let tolerance_us = 2 + 1_000_000 / i64::from(rate_hz);
    if ahead_us.abs() <= tolerance_us {
        return 0;
    }
    if (0..=GAP_US_MAX).contains(&ahead_us) {
        return (ahead_us as u64 * u64::from(rate_hz) + 500_000) / 1_000_000;
    }
    figures.discontinuities += 1;
    row.pts_origin_us += ahead_us;
    0
}

impl Scatter<'_> {
    /// Puts silence of exactly the missing length in place of lost audio.
    fn conceal(
        &mut self,
        row: &mut SessionRow,
        mut missing: u64,
        arrived_us: u64,
        figures: &mut EdgeFigures,
        queues: &mut Query<'_, '_, &'static mut Queue>,
    ) {
        let longest = u64::from(row.input.rate_hz * BLOCK_MS_MAX / 1_000);
        while missing > 0 {
            let frames = missing.min(longest);
            let mut block = self.pool.lease(frames as usize * usize::from(row.input.channels));
            block.try_mut().expect("a leased block has one owner").fill(0.0);
            let frame = self.frame(row, Payload::Audio(block), arrived_us);
            row.frames_in += frames;
            self.send(row, frame, queues);
            figures.concealed_blocks += 1;
            figures.concealed_frames += frames;
            missing -= frames;
        }
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
            let Some(sent) = (if last { frame.take() } else { frame.as_ref().map(Frame::share) }) else {
                return;
            };
            let Ok(mut queue) = queues.get_mut(target.queue) else { continue };
            let (counts, samples) = (Ledger::counts(&sent), sent.samples());
            let pushed = queue.bypass_change_detection().push(sent);
            let depth = queue.len() as u32;
            let ledger = self.ledger.node(target.node);
            ledger.depth_max = ledger.depth_max.max(depth);
            if counts {
                self.ledger.arrived(target.node, samples);
            }
            if let Pushed::Dropped(lost) = pushed {
                self.lost(target.node, lost);
            }
        }
    }

    fn lost(&mut self, node: crate::ids::NodeId, frame: Frame) {
        let reason = DropReason::Overflow;
        self.ledger.node(node).dropped[reason as usize] += 1;
        let samples = frame.samples() as u64;
        self.log.push(self.now.us, frame.session, frame.turn, Event::FrameDropped { node, reason, samples });
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

/// The id of a session that is leaving, for the Account stage.
#[derive(Resource, Debug, Default)]
pub(crate) struct Leaving(pub(crate) Vec<SessionId>);

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
