//! One session's gate: its frames, its detector's memory, its segment.

use bevy_ecs::prelude::{Component, Query};
use bevy_platform::cell::SyncCell;
use mynah_engine::base::{Mutation, Now, SegmentKey, frames_to_us, us_to_frames};
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, OpenSegment, SegmentWriter, SessionContext};
use mynah_engine::scene::Format;
use mynah_engine::session::Intake;
use mynah_engine::speech::{CancelReason, GateMode};
use mynah_engine::{DropReason, Event, Frame};

use crate::dsp::downmix::Channels;
use crate::dsp::resampler::{self, Kernel, Mode, Quality, ResampleSpec};
use crate::vad::{SAMPLE_RATE_HZ, VadKind, VadLane};
use crate::vad_gate::asked::Waiting;
use crate::vad_gate::config::{Forward, VadGate};
use crate::vad_gate::decision::{Decision, Hop};
use crate::vad_gate::echo::EchoMemory;
use crate::vad_gate::held::Held;
use crate::vad_gate::lookback::Lookback;
use crate::vad_gate::machine::Machine;
use crate::vad_gate::overrides::{merged, own_settings};
use crate::vad_gate::settings::Settings;

/// Engine time without audio after which a stream begins anew: kept audio is then no pre-roll of what comes next.
const PAUSE_US: u64 = 1_000_000;

/// Frames kept for each that may leave at once: four of 2.5 ms make 10 ms, and one for odd rates. There are more only
/// where the gate's own queue has dropped frames between; then the oldest go.
const CRUMBS: usize = 5;

/// State of one session's gate.
#[derive(Component)]
pub struct GateLane {
    /// The detector's memory; present from the first frame on.
    detector: Option<VadLane>,
    vad: VadKind,
    channels: Channels,
    converter: Option<SyncCell<Box<dyn resampler::RateConverter>>>,
    /// Samples of 16 kHz mono that the detector has not heard yet.
    pub(super) heard: Vec<f32>,
    mixed: Vec<f32>,
    /// Samples at 16 kHz that the detector has finished: media time.
    past: u64,
    pub(super) hop_us: u64,
    pad_us: u64,
    pub(super) mode: GateMode,
    pub(super) waiting: Waiting,
    /// Settings of this session alone; `None`: the scene's.
    pub(super) own: Option<Box<Settings>>,
    pub(super) machine: Machine,
    pub(super) echo: EchoMemory,
    pub(super) lookback: Lookback<Held>,
    /// Most frames of the lookback that leave at once; the ring has room for them.
    kept_at_once: usize,
    /// Engine time at which the last frame was taken, or up to which audio is known to have come to an earlier place.
    taken_us: u64,
    stirred_us: u64,
    input: Format,
    /// Whether every probability is logged.
    traced: bool,
    pub(super) segment: OpenSegment,
    /// Media time after the last frame.
    pub(super) end_us: u64,
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
        let session = merged(gate, &context.gate);
        // How much may leave at once is the scene's.
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
            pad_us: us(session.pad_ms),
            mode: context.gate.mode,
            waiting: Waiting::default(),
            own: own_settings(&session, &context.gate),
            machine: Machine::default(),
            echo: EchoMemory::default(),
            lookback: Lookback::new(us(session.kept_ms().max(gate.kept_ms())), CRUMBS * kept_at_once),
            kept_at_once,
            taken_us: 0,
            stirred_us: 0,
            input,
            traced: gate.trace || context.traced,
            segment: OpenSegment::default(),
            end_us: 0,
        })
    }

    /// True if a segment is open, or an onset under way that may become one.
    pub(super) fn is_open(&self) -> bool {
        self.segment.is_open() || !self.machine.is_idle()
    }

    /// Who decides what is speech.
    pub fn mode(&self) -> GateMode {
        self.mode
    }

    /// True if the kept audio has become worthless: never while a segment is open.
    pub(super) fn has_paused(&self, now_us: u64) -> bool {
        now_us >= self.taken_us + PAUSE_US && !self.lookback.is_bare() && !self.is_open()
    }

    /// True if only audio, a message or a time changes anything here. A gate that the host has opened waits for audio to
    /// open a segment with.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_open() && self.mode != GateMode::Open && self.waiting.is_empty()
    }

    /// True if a segment is open and this gate has taken nothing for so long that it ends, unless audio has come that
    /// is still on its way here. What the host holds stays open.
    pub(super) fn may_starve(&self, now: &Now, settings: &Settings) -> bool {
        now.us >= self.stirred_us + settings.silence_timeout_us
            && self.is_open()
            && !self.machine.is_held()
            && !now.is_broken(Mutation::AwaitMicrophone)
    }

    /// Ends the open segment as if silence had come: the microphone delivers nothing. The last audio came at
    /// `arrived_us`.
    pub(super) fn starve(
        &mut self,
        arrived_us: u64,
        settings: &Settings,
        decisions: &mut Vec<Decision>,
        gate: &mut SegmentWriter<'_, '_, '_, '_>,
    ) {
        self.stirred_us = self.stirred_us.max(arrived_us);
        // The marks sent then must find room, like any other frame.
        if !self.may_starve(&gate.cx.now, settings) || !gate.cx.may_step() {
            return;
        }
        self.segment.renew_turn(gate);
        let settings = self.own.as_deref().unwrap_or(settings);
        self.machine.starve(frames_to_us(self.past, SAMPLE_RATE_HZ), settings, decisions);
        self.apply(decisions, gate);
    }

    /// Frees the kept audio and what the detector has not finished: the stream goes on as a new one would.
    pub(super) fn pause(&mut self, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        self.lookback.clear(|old| let_go(old, gate.cx));
        // Too little audio for a hop is too little for a verdict.
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

    /// The detector's memory of this session.
    pub(super) fn memory(&mut self) -> &mut VadLane {
        self.detector.get_or_insert_with(|| VadLane::new(self.vad))
    }

    /// The next hop of 16 kHz mono, if it is complete.
    pub(super) fn ready_hop(&self, hop: usize) -> Option<&[f32]> {
        self.heard.get(..hop)
    }

    /// The detector's memory and the next hop, which is [ready](Self::ready_hop).
    pub(super) fn staged(&mut self, hop: usize) -> (&VadLane, &[f32]) {
        let memory = self.detector.get_or_insert_with(|| VadLane::new(self.vad));
        (memory, &self.heard[..hop])
    }

    /// Takes one frame: the detector hears it, and it is forwarded or kept.
    pub(super) fn take(
        &mut self,
        mut frame: Frame,
        settings: &Settings,
        decisions: &mut Vec<Decision>,
        gate: &mut SegmentWriter<'_, '_, '_, '_>,
    ) {
        if frame.segment.is_elsewhere() && matches!(frame.payload, Payload::Audio(_)) {
            // The verdict of another gate, and its times, are not to be relied on: this gate judges for itself.
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
        if !self.segment.is_open() {
            match self.mode {
                GateMode::Auto if settings.forward == Forward::Always => {
                    self.machine.probe(frame.pts_us);
                    self.open(frame.pts_us, gate);
                }
                GateMode::Open => self.hold(frame.pts_us, settings, decisions, gate),
                GateMode::Auto | GateMode::Shut => {}
            }
        }
        if self.segment.is_open() && self.machine.is_open(settings) {
            self.forward(frame, end_us, gate);
        } else {
            self.keep(Held { frame, end_us, forwarded: false }, gate);
        }
    }

    /// Puts a frame into the ring, or appends it to the newest one if that is a crumb.
    fn keep(&mut self, held: Held, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        let apart = match self.lookback.newest_mut() {
            Some(newest) if newest.forwarded == held.forwarded && newest.is_crumb(self.input) => {
                newest.join(held, self.input, gate.cx)
            }
            _ => Some(held),
        };
        match apart {
            Some(held) => self.lookback.push(held, |old| let_go(old, gate.cx)),
            None => self.lookback.age(|old| let_go(old, gate.cx)),
        }
    }

    /// Prepares for a frame that came at `queued_us`: after a pause the kept audio does not precede it. A frame that
    /// had to wait here was no pause.
    fn follow_on(&mut self, queued_us: u64, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        if self.has_paused(queued_us) {
            self.pause(gate);
        }
        self.taken_us = gate.cx.now.us;
        self.stirred_us = self.taken_us;
        if self.lookback.is_bare() {
            // The frame that makes the oldest go is added first.
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
        gate: &mut SegmentWriter<'_, '_, '_, '_>,
        intakes: &Query<'_, '_, &'static Intake>,
    ) {
        let echo = self.own.as_deref().unwrap_or(settings).echo;
        let beside = echo.and_then(|echo| self.beside_answer(p, hop, echo, intakes, gate));
        self.heard.drain(..hop);
        let from_us = frames_to_us(self.past, SAMPLE_RATE_HZ);
        self.past += hop as u64;
        let to_us = frames_to_us(self.past, SAMPLE_RATE_HZ);
        // The decision belongs to the turn as it is now.
        self.segment.renew_turn(gate);
        if self.traced {
            gate.cx.event(self.segment.turn(), Event::Probability { at_us: to_us, p });
        }
        let heard = Hop { p, beside, from_us, to_us };
        if echo.is_some() && beside.is_none() {
            self.shed_echo(decisions);
        }
        let settings = self.own.as_deref().unwrap_or(settings);
        let speaks = self.machine.is_voiced(&heard, settings);
        // Where the host decides, the detector only listens; long segments are split all the same.
        if self.mode == GateMode::Auto || self.machine.is_held() {
            self.machine.hop(heard, settings, decisions);
        }
        self.apply(decisions, gate);
        if self.segment.is_open() && speaks && self.machine.is_heard() {
            self.segment.voiced((from_us, to_us), gate);
        }
    }

    /// Does what was decided, in order.
    pub(super) fn apply(&mut self, decisions: &mut Vec<Decision>, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        for decision in decisions.drain(..) {
            match decision {
                Decision::Open { from_us } => {
                    let from_us = if self.keeps_from(from_us) { self.pre_roll_us(from_us) } else { from_us };
                    if !self.open(from_us, gate) {
                        break;
                    }
                    self.forward_lookback(gate);
                }
                Decision::Confirm { from_us } => self.confirm(from_us, gate),
                Decision::CancelNotSustained => self.segment.cancel(CancelReason::NotSustained, gate),
                Decision::CancelSilence => self.segment.cancel(CancelReason::Silence, gate),
                Decision::Endpoint { revision, at_us } => {
                    self.segment.endpoint(revision, (at_us, at_us + self.hop_us), gate);
                }
                Decision::Retract { .. } => self.segment.retract(gate),
                Decision::End { .. } => self.segment.end(gate),
                Decision::Split => self.split(gate),
            }
        }
    }

    /// Whether any of the pre-roll of a segment that begins at `from_us` is in the ring.
    pub(super) fn keeps_from(&self, from_us: u64) -> bool {
        self.lookback.from(self.pre_roll_us(from_us)).next().is_some()
    }

    /// Where the pre-roll of a segment that begins at `from_us` begins.
    fn pre_roll_us(&self, from_us: u64) -> u64 {
        from_us.saturating_sub(self.pad_us).max(self.echo.deaf_until_us)
    }

    /// Opens a segment at `from_us`, or at the oldest frame in the ring; false if no segment was free.
    fn open(&mut self, from_us: u64, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        if !gate.has_room() {
            self.machine.abandon();
            return false;
        }
        let first_us = self.first_us(from_us, gate);
        self.segment.open(first_us, gate)
    }

    /// Media time of the first frame in the ring from `from_us` on. From there on the ring has at most as many frames
    /// as may leave at once: neighbours are joined where there are too many.
    fn first_us(&mut self, from_us: u64, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> u64 {
        if self.lookback.from(from_us).count() > self.kept_at_once {
            self.lookback.join(|before, held| {
                // A segment begins where it would have begun without joining.
                if before.end_us <= from_us { Some(held) } else { before.join(held, self.input, gate.cx) }
            });
        }
        // Too many can be left only between gaps.
        let beyond = self.lookback.from(from_us).count().saturating_sub(self.kept_at_once);
        self.lookback.from(from_us).nth(beyond).map_or(from_us, |held| held.frame.pts_us)
    }

    /// Forwards the pre-roll and everything since.
    fn forward_lookback(&mut self, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        let mut ring = std::mem::replace(&mut self.lookback, Lookback::new(0, 0));
        let now_us = gate.cx.now.us;
        let confirmed = self.machine.is_confirmed();
        ring.sift(|held| {
            if held.end_us <= self.segment.from_us() {
                let_go(held, gate.cx);
                return None;
            }
            let (end_us, kept) = (held.end_us, gate.cx.share(&held.frame));
            let mut frame = held.frame;
            // The gate's decision held the frame back until now, not its arrival.
            frame.arrived_us = now_us;
            self.segment.forward(frame, end_us, gate.cx);
            if confirmed {
                gate.cx.discard(kept);
                return None;
            }
            Some(Held { frame: kept, end_us, forwarded: true })
        });
        self.lookback = ring;
    }

    fn forward(&mut self, frame: Frame, end_us: u64, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        if self.machine.is_confirmed() {
            self.segment.forward(frame, end_us, gate.cx);
            return;
        }
        let kept = gate.cx.share(&frame);
        self.segment.forward(frame, end_us, gate.cx);
        self.keep(Held { frame: kept, end_us, forwarded: true }, gate);
    }

    /// Confirms the segment; audio kept for the verdict is dropped.
    fn confirm(&mut self, from_us: u64, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        self.lookback.sift(|held| {
            let_go(held, gate.cx);
            None
        });
        self.segment.confirm(from_us, gate);
    }

    /// Ends the segment and goes on with the next of the same turn, from the next sample.
    fn split(&mut self, gate: &mut SegmentWriter<'_, '_, '_, '_>) {
        self.segment.split(gate);
        if self.open(self.segment.to_us(), gate) {
            self.confirm(self.segment.from_us(), gate);
        } else {
            self.segment.settle_split(gate);
        }
    }

    /// Ends the input (`hang_up`: and the session).
    pub(super) fn finish(
        &mut self,
        hang_up: bool,
        decisions: &mut Vec<Decision>,
        gate: &mut SegmentWriter<'_, '_, '_, '_>,
    ) {
        if self.has_paused(gate.cx.now.us) {
            // In a shard that is awake this has happened before now.
            self.pause(gate);
        }
        self.segment.renew_turn(gate);
        let at_us = frames_to_us(self.past, SAMPLE_RATE_HZ);
        let undecided = self.machine.finish(at_us, decisions).is_none();
        if undecided && self.segment.is_open() {
            self.segment.cancel(CancelReason::Closed, gate);
        }
        self.apply(decisions, gate);
        self.lookback.sift(|held| {
            if hang_up {
                hung_up(held, gate.cx);
            } else {
                let_go(held, gate.cx);
            }
            None
        });
        self.heard.clear();
    }
}

/// Discards a frame that nobody needs any more: not speech, unless a copy of it was forwarded.
fn let_go(held: Held, cx: &mut NodeContext<'_>) {
    if held.forwarded { cx.discard(held.frame) } else { cx.gate(held.frame) }
}

fn hung_up(held: Held, cx: &mut NodeContext<'_>) {
    if held.forwarded { cx.discard(held.frame) } else { cx.drop_frame(held.frame, DropReason::Closed) }
}
