//! One session's gate: its frames, its detector's memory, its segment.

use bevy_ecs::prelude::{Component, Entity};
use bevy_platform::cell::SyncCell;
use mynah_engine::base::{Mutation, Now, SegmentKey, frames_to_us, us_to_frames};
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{NodeContext, SessionContext};
use mynah_engine::scene::Format;
use mynah_engine::speech::{CancelReason, CancelScope, Extent, SegmentWriter};
use mynah_engine::{Event, Frame, SessionId};

use crate::dsp::downmix::Channels;
use crate::dsp::resampler::{self, Kernel, Mode, Quality, ResampleSpec};
use crate::vad::{SAMPLE_RATE_HZ, VadKind, VadLane};
use crate::vad_gate::config::{Forward, VadGate};
use crate::vad_gate::held::Held;
use crate::vad_gate::lookback::Lookback;
use crate::vad_gate::machine::{Decision, Machine, Settings};

/// A stream that has paused for this long, engine time, begins anew: what was kept of it is no pre-roll of what comes next.
const PAUSE_US: u64 = 1_000_000;

/// Frames kept for each that may leave at once: four of 2.5 ms make 10 ms, and one for odd rates. More there are only where
/// the gate's own queue has dropped what stood between; then the oldest go.
const CRUMBS: usize = 5;

/// State of one session's gate.
#[derive(Component)]
pub struct GateLane {
    /// What the detector remembers; there from the first frame on.
    detector: Option<VadLane>,
    vad: VadKind,
    channels: Channels,
    converter: Option<SyncCell<Box<dyn resampler::RateConverter>>>,
    /// 16 kHz mono that the detector has not seen yet.
    heard: Vec<f32>,
    mixed: Vec<f32>,
    /// Samples at 16 kHz that the detector is done with: media time.
    past: u64,
    hop_us: u64,
    pad_us: u64,
    machine: Machine,
    lookback: Lookback<Held>,
    /// Most frames of it that leave at once; the ring has room for them.
    kept_at_once: usize,
    /// Engine time at which the last frame was taken, and up to which something is known to have come, be it not so far.
    taken_us: u64,
    stirred_us: u64,
    input: Format,
    /// Every probability is logged.
    traced: bool,
    session: SessionId,
    owner: Entity,
    segment: SegmentKey,
    serial: u32,
    turn: u32,
    /// Media time of the open segment's first sample, and after the last one forwarded.
    from_us: u64,
    to_us: u64,
    /// Media time at which speech began in the open segment.
    speech_from_us: u64,
    /// Media time at which the speaker last seemed to have finished.
    finished_us: u64,
    /// Media time after the last frame.
    end_us: u64,
    seq: u32,
}

impl GateLane {
    pub(super) fn new(gate: &VadGate, context: &SessionContext) -> Result<Self, String> {
        let input = context.input.ok_or("no audio arrives at this node")?;
        if let Some(issue) = gate.channels.issue(Some(input.channels)) {
            return Err(issue.message);
        }
        let converter = if input.rate_hz == SAMPLE_RATE_HZ {
            None
        } else {
            let spec = ResampleSpec {
                from_hz: input.rate_hz,
                to_hz: SAMPLE_RATE_HZ,
                channels: 1,
                quality: Quality::Standard,
                mode: Mode::Streaming,
                kernel: Kernel::Auto,
            };
            Some(SyncCell::new(resampler::build(spec).map_err(|e| e.to_string())?))
        };
        let kept_at_once = gate.kept_at_once() as usize;
        let us = |ms: f32| (f64::from(ms) * 1_000.0) as u64;
        Ok(Self {
            detector: None,
            vad: gate.vad,
            channels: gate.channels,
            converter,
            heard: Vec::new(),
            mixed: Vec::new(),
            past: 0,
            hop_us: gate.hop_us(),
            pad_us: us(gate.pad_ms),
            machine: Machine::default(),
            lookback: Lookback::new(us(gate.kept_ms()), CRUMBS * kept_at_once),
            kept_at_once,
            taken_us: 0,
            stirred_us: 0,
            input,
            traced: gate.trace || context.traced,
            session: context.session,
            owner: context.owner,
            segment: SegmentKey::NONE,
            serial: 0,
            turn: 0,
            from_us: 0,
            to_us: 0,
            speech_from_us: 0,
            finished_us: 0,
            end_us: 0,
            seq: 0,
        })
    }

    /// Whether a segment is open, or an onset under way that may become one.
    pub(super) fn is_open(&self) -> bool {
        self.segment.is_some() || !self.machine.is_idle()
    }

    /// Whether what is kept has become worthless: while something is open it is not.
    pub(super) fn has_paused(&self, now_us: u64) -> bool {
        now_us >= self.taken_us + PAUSE_US && !self.lookback.is_bare() && !self.is_open()
    }

    /// Whether something is open and this gate has taken nothing for so long that it ends, unless something has come that
    /// has not got so far.
    pub(super) fn may_starve(&self, now: &Now, settings: &Settings) -> bool {
        now.us >= self.stirred_us + settings.silence_timeout_us
            && self.is_open()
            && !now.is_broken(Mutation::AwaitMicrophone)
    }

    /// The microphone delivers nothing: what is open ends as if silence had come. Something last came at `arrived_us`.
    pub(super) fn starve(
        &mut self,
        arrived_us: u64,
        settings: &Settings,
        decisions: &mut Vec<Decision>,
        gate: &mut Gate<'_, '_, '_, '_>,
    ) {
        self.stirred_us = self.stirred_us.max(arrived_us);
        // What is sent then must find room, like anything else.
        if !self.may_starve(&gate.cx.now, settings) || !gate.cx.may_step() {
            return;
        }
        if self.segment.is_some() {
            self.turn = gate.segments.segments.turn(self.segment, self.session);
        }
        self.machine.starve(frames_to_us(self.past, SAMPLE_RATE_HZ), settings, decisions);
        self.apply(decisions, gate);
    }

    /// Lets go of what is kept and of what was heard, and of the memory for it: the stream goes on as a new one would.
    pub(super) fn pause(&mut self, gate: &mut Gate<'_, '_, '_, '_>) {
        self.lookback.clear(|old| gate.let_go(old));
        // Too little for a hop is too little for a verdict.
        if let Some(converter) = &mut self.converter {
            converter.get().reset();
            self.past = us_to_frames(self.end_us, SAMPLE_RATE_HZ);
        } else {
            self.past += self.heard.len() as u64;
        }
        (self.heard, self.mixed) = (Vec::new(), Vec::new());
        self.detector = None;
        self.machine.abandon();
    }

    /// What the detector remembers of this session.
    pub(super) fn memory(&mut self) -> &mut VadLane {
        self.detector.get_or_insert_with(|| VadLane::new(self.vad))
    }

    /// The next hop of 16 kHz mono, if it is complete.
    pub(super) fn ready_hop(&self, hop: usize) -> Option<&[f32]> {
        self.heard.get(..hop)
    }

    /// What the detector needs for the next hop, which is [ready](Self::ready_hop).
    pub(super) fn staged(&mut self, hop: usize) -> (&VadLane, &[f32]) {
        let memory = self.detector.get_or_insert_with(|| VadLane::new(self.vad));
        (memory, &self.heard[..hop])
    }

    /// Takes one frame: the detector hears it, and it is forwarded or kept.
    pub(super) fn take(&mut self, mut frame: Frame, settings: &Settings, gate: &mut Gate<'_, '_, '_, '_>) {
        if frame.segment.is_elsewhere() && matches!(frame.payload, Payload::Audio(_)) {
            // What another gate said of it, its time too, is nothing to count on: this one judges for itself.
            (frame.segment, frame.revision, frame.turn) = (SegmentKey::NONE, 0, 0);
            frame.pts_us = self.end_us;
        }
        let Payload::Audio(block) = &frame.payload else {
            gate.cx.send(0, frame);
            return;
        };
        self.follow_on(frame.queued_us, gate);
        self.listen(block.samples());
        let frames = (block.len() / usize::from(self.input.channels)) as u64;
        let end_us = frame.pts_us + frames_to_us(frames, self.input.rate_hz);
        self.end_us = end_us;
        if settings.forward == Forward::Always && !self.segment.is_some() {
            self.machine.probe(frame.pts_us);
            self.open(frame.pts_us, gate);
        }
        if self.segment.is_some() && self.machine.is_open(settings) {
            self.forward(frame, end_us, gate);
        } else {
            self.keep(Held { frame, end_us, forwarded: false }, gate);
        }
    }

    /// Puts a frame into the ring, or behind the newest there if that is a crumb.
    fn keep(&mut self, held: Held, gate: &mut Gate<'_, '_, '_, '_>) {
        let apart = match self.lookback.newest_mut() {
            Some(newest) if newest.forwarded == held.forwarded && newest.is_crumb(self.input) => {
                newest.join(held, self.input, gate.cx)
            }
            _ => Some(held),
        };
        match apart {
            Some(held) => self.lookback.push(held, |old| gate.let_go(old)),
            None => self.lookback.age(|old| gate.let_go(old)),
        }
    }

    /// Another frame is taken, that came at `queued_us`: after a pause nothing of what was kept precedes it. One that had to
    /// wait here was no pause.
    fn follow_on(&mut self, queued_us: u64, gate: &mut Gate<'_, '_, '_, '_>) {
        if self.has_paused(queued_us) {
            self.pause(gate);
        }
        self.taken_us = gate.cx.now.us;
        self.stirred_us = self.taken_us;
        if self.lookback.is_bare() {
            // The one that makes the oldest go comes first.
            self.lookback.settle(self.kept_at_once + 1);
            let room = 2 * self.vad.hop();
            self.heard.reserve_exact(room.saturating_sub(self.heard.len()));
            self.memory();
        }
    }

    fn listen(&mut self, samples: &[f32]) {
        if self.converter.is_none() && self.input.channels == 1 {
            self.heard.extend_from_slice(samples);
            return;
        }
        self.mixed.clear();
        self.mixed.extend_from_slice(samples);
        self.channels.fold(&mut self.mixed, self.input.channels);
        match &mut self.converter {
            Some(converter) => converter.get().push(&self.mixed, &mut self.heard),
            None => self.heard.extend_from_slice(&self.mixed),
        }
    }

    /// The detector's verdict on the oldest hop.
    pub(super) fn decide(
        &mut self,
        p: f32,
        hop: usize,
        settings: &Settings,
        decisions: &mut Vec<Decision>,
        gate: &mut Gate<'_, '_, '_, '_>,
    ) {
        self.heard.drain(..hop);
        let from_us = frames_to_us(self.past, SAMPLE_RATE_HZ);
        self.past += hop as u64;
        let to_us = frames_to_us(self.past, SAMPLE_RATE_HZ);
        if self.segment.is_some() {
            // An interruption may have begun a new turn with this segment: what is decided now belongs to that one.
            self.turn = gate.segments.segments.turn(self.segment, self.session);
        }
        if self.traced {
            gate.cx.event(self.turn, Event::Probability { at_us: to_us, p });
        }
        self.machine.hop(p, from_us, to_us, settings, decisions);
        self.apply(decisions, gate);
        if self.segment.is_some() && p >= settings.release && self.machine.is_heard() {
            self.turn =
                gate.segments.segments.voiced(self.segment, self.session, (from_us, to_us), gate.cx.now.us);
        }
    }

    fn apply(&mut self, decisions: &mut Vec<Decision>, gate: &mut Gate<'_, '_, '_, '_>) {
        for decision in decisions.drain(..) {
            match decision {
                Decision::Open { from_us } => {
                    if !self.open(from_us.saturating_sub(self.pad_us), gate) {
                        break;
                    }
                    self.forward_lookback(gate);
                }
                Decision::Confirm { from_us } => {
                    // Of what came before the first sample forwarded nobody knows.
                    self.speech_from_us = from_us.max(self.from_us);
                    self.confirm(gate);
                }
                Decision::CancelNotSustained => self.cancel(CancelReason::NotSustained, gate),
                Decision::CancelSilence => self.cancel(CancelReason::Silence, gate),
                Decision::Endpoint { revision, at_us } => self.endpoint(revision, at_us, gate),
                Decision::Retract { revision } => self.retract(revision, gate),
                Decision::End { revision } => self.end(revision, gate),
                Decision::Split => self.split(gate),
            }
        }
    }

    /// Opens a segment at `from_us`, or at what the ring still has; false when no segment could be had.
    fn open(&mut self, from_us: u64, gate: &mut Gate<'_, '_, '_, '_>) -> bool {
        let Some(key) = gate.segments.segments.open(self.session, self.owner, self.serial + 1, from_us)
        else {
            self.machine.abandon();
            return false;
        };
        self.serial += 1;
        self.segment = key;
        self.turn = gate.segments.segments.get(key, self.session).map_or(0, |s| s.turn);
        let first_us = self.first_us(from_us, gate);
        self.from_us = first_us;
        self.to_us = first_us;
        self.speech_from_us = first_us;
        gate.cx.event(self.turn, Event::SegmentOpened { segment: key.serial, from_us: first_us });
        true
    }

    /// Media time of the first frame that the ring has from `from_us` on. From there on it has no more than may leave at
    /// once: neighbours become one where there are too many.
    fn first_us(&mut self, from_us: u64, gate: &mut Gate<'_, '_, '_, '_>) -> u64 {
        if self.lookback.from(from_us).count() > self.kept_at_once {
            self.lookback.join(|before, held| {
                // A segment begins where it would have begun.
                if before.end_us <= from_us { Some(held) } else { before.join(held, self.input, gate.cx) }
            });
        }
        // Still too many there are only between gaps.
        let beyond = self.lookback.from(from_us).count().saturating_sub(self.kept_at_once);
        self.lookback.from(from_us).nth(beyond).map_or(from_us, |held| held.frame.pts_us)
    }

    /// The pre-roll and everything since.
    fn forward_lookback(&mut self, gate: &mut Gate<'_, '_, '_, '_>) {
        let mut ring = std::mem::replace(&mut self.lookback, Lookback::new(0, 0));
        let now_us = gate.cx.now.us;
        let confirmed = self.machine.is_confirmed();
        ring.sift(|held| {
            if held.end_us <= self.from_us {
                gate.let_go(held);
                return None;
            }
            let (end_us, kept) = (held.end_us, gate.cx.share(&held.frame));
            let mut frame = held.frame;
            // Held back until now by decision, not by arrival.
            frame.arrived_us = now_us;
            self.send(frame, end_us, gate);
            if confirmed {
                gate.cx.discard(kept);
                return None;
            }
            Some(Held { frame: kept, end_us, forwarded: true })
        });
        self.lookback = ring;
    }

    fn forward(&mut self, frame: Frame, end_us: u64, gate: &mut Gate<'_, '_, '_, '_>) {
        if self.machine.is_confirmed() {
            self.send(frame, end_us, gate);
            return;
        }
        let kept = gate.cx.share(&frame);
        self.send(frame, end_us, gate);
        self.keep(Held { frame: kept, end_us, forwarded: true }, gate);
    }

    fn send(&mut self, mut frame: Frame, end_us: u64, gate: &mut Gate<'_, '_, '_, '_>) {
        frame.segment = self.segment;
        frame.turn = self.turn;
        self.seq = self.seq.wrapping_add(1);
        frame.seq = self.seq;
        self.to_us = end_us;
        gate.cx.send(0, frame);
    }

    fn mark(&mut self, mark: Mark, revision: u32, gate: &mut Gate<'_, '_, '_, '_>) {
        self.seq = self.seq.wrapping_add(1);
        let now_us = gate.cx.now.us;
        gate.cx.send(
            0,
            Frame {
                payload: Payload::Mark(mark),
                pts_us: self.to_us,
                arrived_us: now_us,
                queued_us: now_us,
                deadline_us: 0,
                session: self.session,
                segment: self.segment,
                revision,
                turn: self.turn,
                seq: self.seq,
            },
        );
    }

    fn confirm(&mut self, gate: &mut Gate<'_, '_, '_, '_>) {
        self.turn = gate.segments.segments.confirm(self.segment, self.session);
        self.lookback.sift(|held| {
            gate.let_go(held);
            None
        });
        let (segment, from_us, to_us) = (self.segment.serial, self.from_us, self.to_us);
        gate.cx.event(self.turn, Event::SegmentConfirmed { segment, from_us, to_us });
        if gate.cx.now.is_broken(Mutation::ConfirmTwice) {
            gate.cx.event(self.turn, Event::SegmentConfirmed { segment, from_us, to_us });
        }
    }

    fn cancel(&mut self, reason: CancelReason, gate: &mut Gate<'_, '_, '_, '_>) {
        let segment = self.segment.serial;
        gate.segments.segments.cancel(self.segment, self.session, reason);
        gate.segments.cancel(self.session, CancelScope::Segment { segment });
        let (from_us, to_us) = (self.from_us, self.to_us);
        if !gate.cx.now.is_broken(Mutation::ForgetCancel) {
            gate.cx.event(self.turn, Event::SegmentCancelled { segment, reason, from_us, to_us });
        }
        self.segment = SegmentKey::NONE;
    }

    fn endpoint(&mut self, revision: u32, at_us: u64, gate: &mut Gate<'_, '_, '_, '_>) {
        gate.segments.segments.set_extent(self.segment, self.session, Extent::Ending(revision));
        let segment = self.segment.serial;
        self.finished_us = at_us;
        gate.cx.event(self.turn, Event::Endpoint { segment, revision, at_us, seen_us: at_us + self.hop_us });
        self.mark(Mark::Endpoint, revision, gate);
    }

    fn retract(&mut self, revision: u32, gate: &mut Gate<'_, '_, '_, '_>) {
        gate.segments.segments.set_extent(self.segment, self.session, Extent::Open);
        let segment = self.segment.serial;
        gate.segments.cancel(self.session, CancelScope::Revision { segment, revision });
        gate.cx.event(self.turn, Event::EndpointRetracted { segment, revision, at_us: self.finished_us });
    }

    fn end(&mut self, revision: u32, gate: &mut Gate<'_, '_, '_, '_>) {
        gate.segments.segments.set_extent(self.segment, self.session, Extent::Ended(revision));
        self.ended(revision, self.finished_us, gate);
        self.mark(Mark::SegmentEnd, 0, gate);
        self.segment = SegmentKey::NONE;
    }

    /// Revision 0: the segment is split.
    fn ended(&mut self, revision: u32, speech_to_us: u64, gate: &mut Gate<'_, '_, '_, '_>) {
        let ended = Event::SegmentEnded {
            segment: self.segment.serial,
            revision,
            from_us: self.from_us,
            to_us: self.to_us,
            speech_from_us: self.speech_from_us,
            speech_to_us,
            split: revision == 0,
        };
        gate.cx.event(self.turn, ended);
    }

    /// Ends the segment and goes on with the next of the same turn, from the next sample.
    fn split(&mut self, gate: &mut Gate<'_, '_, '_, '_>) {
        let before = self.segment;
        gate.segments.segments.set_extent(before, self.session, Extent::Ended(0));
        self.ended(0, self.to_us, gate);
        self.mark(Mark::Split, 0, gate);
        if self.open(self.to_us, gate) {
            self.confirm(gate);
            gate.segments.segments.carry_on(before, self.segment, self.session);
        } else {
            self.segment = SegmentKey::NONE;
        }
        // The continuation carries the answer; confirmed before, so that the turn stays the same.
        gate.segments.segments.answered(before, self.session);
    }

    /// The input is over (`hang_up`: and so is everything else).
    pub(super) fn finish(
        &mut self,
        hang_up: bool,
        decisions: &mut Vec<Decision>,
        gate: &mut Gate<'_, '_, '_, '_>,
    ) {
        if self.has_paused(gate.cx.now.us) {
            // In a shard that is awake this has happened before now.
            self.pause(gate);
        }
        if self.segment.is_some() {
            self.turn = gate.segments.segments.turn(self.segment, self.session);
        }
        let at_us = frames_to_us(self.past, SAMPLE_RATE_HZ);
        let undecided = self.machine.finish(at_us, decisions).is_none();
        if undecided && self.segment.is_some() {
            self.cancel(CancelReason::Closed, gate);
        }
        self.apply(decisions, gate);
        self.lookback.sift(|held| {
            if hang_up {
                gate.hung_up(held);
            } else {
                gate.let_go(held);
            }
            None
        });
        self.heard.clear();
    }
}

/// What a lane needs beside itself while it decides.
pub(super) struct Gate<'a, 'b, 'w, 's> {
    pub(super) cx: &'a mut NodeContext<'b>,
    pub(super) segments: &'a mut SegmentWriter<'w, 's>,
}

impl Gate<'_, '_, '_, '_> {
    /// A frame that nobody needs any more: not speech, unless a copy of it was forwarded.
    fn let_go(&mut self, held: Held) {
        if held.forwarded { self.cx.discard(held.frame) } else { self.cx.gate(held.frame) }
    }

    fn hung_up(&mut self, held: Held) {
        if held.forwarded {
            self.cx.discard(held.frame);
        } else {
            self.cx.drop_frame(held.frame, mynah_engine::DropReason::Closed);
        }
    }
}
