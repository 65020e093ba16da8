//! Moves arrivals from the shard's edge to the input queues. Reads the arrival ring; writes queues, intakes, phases,
//! counts and the event log, gives credit back, cancels sessions that hang up. Runs in `Stage::Ingress`.

use bevy_ecs::prelude::*;

use crate::base::ids::{SegmentKey, SessionId};
use crate::base::mutation::Mutation;
use crate::base::time::{Now, frames_to_us};
use crate::edge::exchange::{BLOCK_MS_MAX, MEDIA_US_MAX, STAGING_US, Stamp, Tag};
use crate::edge::sender_clock::Stamped;
use crate::edge::session_event::CloseReason;
use crate::edge::shard_inbox::{Arrival, Arriving};
use crate::media::block::{Block, BlockPool};
use crate::media::frame::{Frame, Mark, Payload};
use crate::media::queue::{Queue, Target};
use crate::node::enqueue::Enqueue;
use crate::record::counts::Counts;
use crate::record::edge_figures::EdgeFigures;
use crate::record::event::{Event, EventLog};
use crate::record::stage_times::{EngineStage, StageTimes};
use crate::session::components::{HostLink, Intake, Phase, Wiring};
use crate::session::index::SessionIndex;
use crate::speech::cancellation::{CancelScope, Cancellation, Cancellations};
use crate::tick::resources::{Edge, NeedsSweep};

/// The components of a session that an arrival touches.
type Arrived = (Entity, &'static Wiring, &'static mut HostLink, &'static mut Intake, &'static mut Phase);

#[expect(clippy::too_many_arguments, reason = "a system's parameters are its declaration of what it touches")]
pub(crate) fn ingress(
    edge: Res<'_, Edge>,
    now: Res<'_, Now>,
    mut figures: ResMut<'_, EdgeFigures>,
    mut index: ResMut<'_, SessionIndex>,
    mut sessions: Query<'_, '_, Arrived>,
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
        queues: &mut queues,
    };
    if scatter.needs_sweep.0 {
        for entity in index.entities() {
            // Arrivals that wait outside a queue that blocks came before anything new.
            let Ok(session) = sessions.get_mut(entity) else { continue };
            scatter.take_backlog(&mut Arriver::of(session));
        }
    }
    if !index.ahead.is_empty() {
        for mut arrival in std::mem::take(&mut index.ahead) {
            if scatter.now.is_broken(Mutation::KeepCredit) {
                arrival.cost = 0;
            }
            scatter.take(arrival, &mut index, &mut sessions);
        }
    }
    edge.0.take(|arrival| {
        if matches!(arrival.what, Arriving::Audio(_)) {
            scatter.pool.adopt();
        }
        scatter.take(arrival, &mut index, &mut sessions);
    });
    for at in 0..index.split.len() {
        let (_, entity) = index.split[at];
        let Ok(session) = sessions.get_mut(entity) else { continue };
        scatter.take_ring(&mut Arriver::of(session), false);
    }
    if scatter.now.is_broken(Mutation::DeafShard) {
        edge.0.settle();
    }
    stage_times.end_stage(EngineStage::Edge);
}

/// A session to which something arrives.
struct Arriver<'a> {
    entity: Entity,
    wiring: &'a Wiring,
    link: &'a mut HostLink,
    intake: &'a mut Intake,
    phase: &'a mut Phase,
}

impl<'a> Arriver<'a> {
    fn of(
        (entity, wiring, link, intake, phase): (
            Entity,
            &'a Wiring,
            Mut<'a, HostLink>,
            Mut<'a, Intake>,
            Mut<'a, Phase>,
        ),
    ) -> Self {
        let (link, intake, phase) = (link.into_inner(), intake.into_inner(), phase.into_inner());
        Self { entity, wiring, link, intake, phase }
    }

    fn id(&self) -> SessionId {
        self.link.port.id
    }

    /// An arrival of this session that takes no credit.
    fn uncredited(&self, what: Arriving, stamp: Stamp) -> Arrival {
        Arrival::uncredited(self.link.port.id, self.link.port.generation, what, stamp)
    }
}

struct Scatter<'a, 'w, 's> {
    now: Now,
    pool: &'a mut BlockPool,
    counts: &'a mut Counts,
    log: &'a mut EventLog,
    cancellations: &'a mut Cancellations,
    figures: &'a mut EdgeFigures,
    needs_sweep: &'a mut NeedsSweep,
    queues: &'a mut Query<'w, 's, &'static mut Queue>,
}

impl Scatter<'_, '_, '_> {
    /// Lets in arrivals that waited outside a queue, as far as there is room. A session that was cut off lets nothing
    /// in any more, and its waiting arrivals are counted.
    fn take_backlog(&mut self, to: &mut Arriver<'_>) {
        while !to.intake.backlog.is_empty() && (*to.phase == Phase::Gone || !self.blocked(to)) {
            let arrival = to.intake.backlog.pop_front().expect("it is not empty");
            if matches!(arrival.what, Arriving::Finish) && !self.take_ring(to, true) {
                // What was pushed before the end comes before it.
                to.intake.backlog.push_front(arrival);
                return;
            }
            self.arrive(to, arrival);
        }
    }

    /// Hands an arrival to its session, keeps it outside a queue that blocks, or keeps it for the next tick if that
    /// admits the session.
    fn take(
        &mut self,
        mut arrival: Arrival,
        index: &mut SessionIndex,
        sessions: &mut Query<'_, '_, Arrived>,
    ) {
        let entity = index.current(arrival.session, arrival.generation);
        let session = entity.and_then(|entity| sessions.get_mut(entity).ok());
        let Some(session) = session.filter(|(.., phase)| **phase != Phase::Gone) else {
            if index.is_ahead(&arrival) && !self.now.is_broken(Mutation::ForgetAhead) {
                index.ahead.push(arrival);
            } else {
                self.homeless(arrival);
            }
            return;
        };
        let mut to = Arriver::of(session);
        let hangs_up = matches!(arrival.what, Arriving::Close);
        let splits = match &mut arrival.what {
            Arriving::Split(rings) => {
                // At once: nothing more is to leave for an end that nobody has. What was pushed before comes in first.
                to.link.output = rings.output.take().map(Box::new);
                true
            }
            _ => false,
        };
        if !hangs_up
            && (!to.intake.backlog.is_empty()
                || self.blocked(&to)
                || (to.intake.ring.is_some() && !self.take_ring(&mut to, true)))
        {
            // Its credit stays taken: this is the back-pressure that the sender feels.
            to.intake.backlog.push_back(arrival);
            self.needs_sweep.0 = true;
        } else {
            self.arrive(&mut to, arrival);
        }
        if splits {
            index.add_split(to.link.port.id, to.entity);
        }
    }

    /// Takes what an audio callback has pushed, in blocks of at most 20 ms, while there is room. Less than 2.5 ms stay in
    /// the ring until more comes, unless `all`. True when nothing is left.
    fn take_ring(&mut self, to: &mut Arriver<'_>, all: bool) -> bool {
        if *to.phase != Phase::Open {
            return true;
        }
        let (format, channels) = (to.intake.format, usize::from(to.intake.format.channels));
        let longest = (format.rate_hz * BLOCK_MS_MAX / 1_000) as usize * channels;
        let least = (u64::from(format.rate_hz) * u64::from(STAGING_US) / 1_000_000) as usize * channels;
        let mut took = false;
        loop {
            let there = to.intake.ring.as_mut().map_or(0, |ring| ring.len() / channels * channels);
            if there == 0 || (there < least && !all) || !to.intake.backlog.is_empty() || self.blocked(to) {
                if took {
                    to.link.port.tell_room();
                }
                return there == 0;
            }
            let mut block = self.pool.lease(there.min(longest));
            let out = block.try_mut().expect("a leased block has one owner");
            if let Some(ring) = &mut to.intake.ring {
                ring.take(out);
            }
            took = true;
            to.intake.arrived_us = self.now.us;
            self.audio(to, block, Stamp::default());
        }
    }

    /// Whether some queue that the input feeds blocks and is full.
    fn blocked(&self, to: &Arriver<'_>) -> bool {
        let full = |target: &Target| self.queues.get(target.queue).is_ok_and(Queue::blocks);
        to.wiring.waits && to.wiring.inputs.iter().any(full)
    }

    fn homeless(&mut self, arrival: Arrival) {
        if let Arriving::Audio(block) | Arriving::Silence(block) = arrival.what {
            self.figures.homeless += 1;
            self.pool.put(block);
        }
    }

    fn arrive(&mut self, to: &mut Arriver<'_>, arrival: Arrival) {
        if *to.phase == Phase::Gone {
            self.homeless(arrival);
            return;
        }
        to.intake.arrived_us = self.now.us;
        to.link.port.give_credit(arrival.cost);
        if self.now.is_broken(Mutation::CreditTwice) {
            to.link.port.give_credit(arrival.cost);
        }
        match arrival.what {
            Arriving::Audio(block) => self.audio(to, block, arrival.stamp),
            Arriving::Silence(block) => {
                let frames = (block.len() / usize::from(to.intake.format.channels)) as u64;
                self.figures.concealed_blocks += 1;
                self.figures.concealed_frames += frames;
                let frame = self.frame(to, Payload::Audio(block), arrival.stamp.arrived_us.unwrap_or(0));
                to.intake.frames_in += frames;
                to.intake.concealed += frames;
                self.send(to, frame);
            }
            Arriving::Split(rings) => to.intake.ring = Some(Box::new(rings.input)),
            Arriving::Finish => self.finish(to, arrival.stamp),
            Arriving::Close => {
                *to.phase = Phase::Gone;
                to.link.reason = CloseReason::HungUp;
                self.needs_sweep.0 = true;
                while let Some(held) = to.intake.backlog.pop_front() {
                    self.homeless(held);
                }
                self.cancellations.push(Cancellation { session: to.id(), scope: CancelScope::Session });
            }
        }
    }

    /// Ends the input: first comes what the sender's times say is missing, then the end.
    fn finish(&mut self, to: &mut Arriver<'_>, stamp: Stamp) {
        let missing = to.intake.clock.ends();
        if missing > 0 && to.wiring.waits {
            let end = to.uncredited(Arriving::Finish, stamp);
            to.intake.backlog.push_front(end);
            return self.hold_silence(to, missing, Stamp::default());
        }
        self.conceal(to, missing, self.now.us);
        *to.phase = Phase::Finishing;
        self.needs_sweep.0 = true;
        let frame = self.frame(to, Payload::Mark(Mark::StreamEnd), self.now.us);
        for target in &to.wiring.only_said {
            let end = frame.fork(self.pool);
            self.enqueue(target, end);
        }
        self.send(to, frame);
    }

    fn audio(&mut self, to: &mut Arriver<'_>, mut block: Block, stamp: Stamp) {
        let now_us = self.now.us;
        if self.now.is_broken(Mutation::LoseAtEdge) && to.intake.seq % 64 == 63 {
            to.intake.seq = to.intake.seq.wrapping_add(1);
            self.pool.put(block);
            return;
        }
        let bad = zero_non_finite(&mut block, self.pool);
        if self.now.is_broken(Mutation::SpreadPoison) && self.figures.non_finite > 0 {
            block.make_mut(self.pool).fill(0.0);
        }
        if bad > 0 {
            self.figures.non_finite += bad;
            self.log.push(now_us, to.id(), 0, Event::NonFinite { samples: bad });
        }
        let arrived_us = stamp.arrived_us.unwrap_or(now_us).min(now_us);
        to.intake.edge_us = arrived_us;
        if let (Some(pts_us), 0) = (stamp.pts_us, stamp.tag.segment) {
            let frames = (block.len() / usize::from(to.intake.format.channels)) as u32;
            let found = to.intake.clock.takes(Stamped { pts_us, before: to.intake.frames_in, frames });
            let missing = found.missing;
            self.figures.discontinuities += u64::from(found.stepped);
            if missing > 0 && to.wiring.waits {
                // The silence waits for room like any other audio, and the block waits behind it.
                let stamp = Stamp { arrived_us: Some(arrived_us), ..Stamp::default() };
                let held = to.uncredited(Arriving::Audio(block), stamp);
                to.intake.backlog.push_front(held);
                return self.hold_silence(to, missing, stamp);
            }
            self.conceal(to, missing, arrived_us);
        }
        self.figures.blocks += 1;
        let frames = (block.len() / usize::from(to.intake.format.channels)) as u64;
        self.figures.frames += frames;
        let mut frame = self.frame(to, Payload::Audio(block), arrived_us);
        let Tag { segment, revision, turn } = stamp.tag;
        if segment != 0 {
            frame.segment = SegmentKey::elsewhere(segment);
            (frame.revision, frame.turn) = (revision, turn);
            frame.pts_us = stamp.pts_us.map_or(frame.pts_us, |us| us.min(MEDIA_US_MAX));
        }
        to.intake.frames_in += frames;
        self.send(to, frame);
    }

    /// Replaces lost audio by silence of exactly the missing length.
    fn conceal(&mut self, to: &mut Arriver<'_>, mut missing: u64, arrived_us: u64) {
        while missing > 0 {
            let (block, frames) = self.silence(to, missing);
            let frame = self.frame(to, Payload::Audio(block), arrived_us);
            to.intake.frames_in += frames;
            to.intake.concealed += frames;
            self.send(to, frame);
            self.figures.concealed_blocks += 1;
            self.figures.concealed_frames += frames;
            missing -= frames;
        }
    }

    /// Puts silence for lost audio into the backlog, before the block that follows.
    fn hold_silence(&mut self, to: &mut Arriver<'_>, mut missing: u64, stamp: Stamp) {
        self.needs_sweep.0 = true;
        while missing > 0 {
            let (block, frames) = self.silence(to, missing);
            let held = to.uncredited(Arriving::Silence(block), stamp);
            to.intake.backlog.push_front(held);
            missing -= frames;
        }
    }

    fn silence(&mut self, to: &Arriver<'_>, missing: u64) -> (Block, u64) {
        let frames = missing.min(u64::from(to.intake.format.rate_hz * BLOCK_MS_MAX / 1_000));
        let mut block = self.pool.lease(frames as usize * usize::from(to.intake.format.channels));
        block.try_mut().expect("a leased block has one owner").fill(0.0);
        (block, frames)
    }

    fn frame(&self, to: &mut Arriver<'_>, payload: Payload, arrived_us: u64) -> Frame {
        to.intake.seq = to.intake.seq.wrapping_add(1);
        Frame {
            payload,
            pts_us: frames_to_us(to.intake.frames_in, to.intake.format.rate_hz),
            arrived_us,
            queued_us: self.now.us,
            deadline_us: 0,
            session: to.id(),
            segment: SegmentKey::NONE,
            revision: 0,
            turn: 0,
            seq: to.intake.seq,
        }
    }

    fn send(&mut self, to: &Arriver<'_>, frame: Frame) {
        let mut frame = Some(frame);
        for (at, target) in to.wiring.inputs.iter().enumerate() {
            let last = at + 1 == to.wiring.inputs.len();
            let sent = if last { frame.take() } else { frame.as_ref().map(|frame| frame.fork(self.pool)) };
            let Some(sent) = sent else { return };
            self.enqueue(target, sent);
        }
    }

    fn enqueue(&mut self, target: &Target, frame: Frame) {
        let Ok(mut queue) = self.queues.get_mut(target.queue) else { return };
        let (now, pool, counts, log) = (self.now, &mut *self.pool, &mut *self.counts, &mut *self.log);
        Enqueue { now, pool, counts, log }.push(target.node, queue.bypass_change_detection(), frame);
    }
}

/// Sets samples that are not finite to 0 and counts them: one of them would poison every filter behind.
fn zero_non_finite(block: &mut Block, pool: &mut BlockPool) -> u64 {
    const MAGNITUDE: u32 = 0x7fff_ffff;
    // What carries an exponent of ones, and nothing else, into the bit of the sign.
    const CARRY: u32 = 0x0080_0000;
    // One pass of three vector instructions for four samples.
    let carried = block.samples().iter().fold(0, |any, s| any | ((s.to_bits() & MAGNITUDE) + CARRY));
    if carried <= MAGNITUDE {
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
        let mut finite = Block::from_samples(&[f32::MAX, f32::MIN, -0.0, 0.0]);
        assert_eq!(zero_non_finite(&mut finite, &mut BlockPool::default()), 0);
        for bad in [f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
            assert_eq!(zero_non_finite(&mut Block::from_samples(&[bad]), &mut BlockPool::default()), 1);
        }
    }
}
