//! The ends of a session on three threads, the driver on a fourth: audio goes in, audio comes out, and a host says lines,
//! interrupts, sets the gate, and ends the session, at any step of a tick.

use std::sync::Arc;

use bevy_ecs::prelude::Component;
use mynah_engine::edge::{AudioIn, AudioOut, CloseReason, SessionControl};
use mynah_engine::media::Payload;
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::observe::Census;
use mynah_engine::scene::{
    Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Source, Tick, compile,
};
use mynah_engine::shuttle;
use mynah_engine::shuttle::rand::{Rng as _, thread_rng};
use mynah_engine::shuttle::scheduler::{PctScheduler, RandomScheduler};
use mynah_engine::shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use mynah_engine::speech::{GateMode, InterruptMode};
use mynah_engine::{
    Block, Engine, EngineConfig, Frame, PushError, Registry, Say, ScenePlan, SessionEvent, SessionSpec,
};
use serde::Deserialize;

use crate::{TICK_US, run};

/// What the caller says comes out again, between the lines.
const SCENE: &str = r#"(
    name: "ends",
    session: (input: (rate_hz: 8000), output: (release: Immediately, pace: RealTime(lead_ms: 40))),
    nodes: [(id: "voice", kind: Chant())],
    edges: [("input", "output"), ("said", "voice"), ("voice", "output")],
)"#;
/// Samples of a line, in blocks of 10 ms: more than the lead.
const LINE: usize = 800;
const BLOCK: usize = 80;
/// Orders that each of the two schedulers tries.
const ORDERS: usize = 1_500;
/// Samples of the caller are counted upwards from 1, those of a line downwards.
const UNIT: f32 = 1.0 / 65_536.0;

/// Says of every text the same: a line that counts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chant {}

#[derive(Component)]
struct Nothing;

impl NodeKind for Chant {
    const NAME: &'static str = "Chant";
    type State = Nothing;

    fn inputs(&self) -> &[Port] {
        &[Port { name: "text", kind: PortType::Text }]
    }
    fn outputs(&self) -> &[Port] {
        &[Port { name: "audio", kind: PortType::Audio }]
    }
    fn check(&self, _: Option<Format>, _: &Tick, _: &mut Vec<Issue>) -> Option<Format> {
        Some(Format { rate_hz: 8_000, channels: 1 })
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 1,
            queue_capacity: 100,
            overflow_policy: OverflowPolicy::Block,
            supports_control_messages: true,
        }
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        (LINE / BLOCK) as u32
    }
    fn open(&self, _: &SessionContext) -> Result<Nothing, String> {
        Ok(Nothing)
    }
}

impl StepNode for Chant {
    fn step(&self, _: &mut Nothing, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        let Payload::Text(_) = frame.payload else { return cx.send(0, frame) };
        for at in (0..LINE).step_by(BLOCK) {
            let samples: Vec<f32> = (at..at + BLOCK).map(|at| -((at + 1) as f32) * UNIT).collect();
            cx.send(
                0,
                Frame {
                    payload: Payload::Audio(Block::from_samples(&samples)),
                    pts_us: frame.pts_us,
                    arrived_us: frame.arrived_us,
                    queued_us: frame.queued_us,
                    deadline_us: frame.deadline_us,
                    session: frame.session,
                    segment: frame.segment,
                    revision: frame.revision,
                    turn: frame.turn,
                    seq: frame.seq,
                },
            );
        }
        cx.discard(frame);
    }
}

fn plan() -> Arc<ScenePlan> {
    let mut registry = Registry::default();
    registry.add::<Chant>();
    let made = compile(&Source::new("ends.ron", SCENE), &[], None, &registry);
    let (plan, _) = made.unwrap_or_else(|found| panic!("{found}"));
    Arc::new(plan)
}

/// The microphone's thread: what it pushed, and what of it before anybody asked for the end.
fn microphone(mut input: AudioIn, ends: &AtomicBool, left: &AtomicUsize) -> (usize, usize, Vec<String>) {
    let (mut pushed, mut sure, mut wrong) = (0, 0, Vec::new());
    for _ in 0..6 {
        let piece: Vec<f32> = (0..50).map(|at| (pushed + at + 1) as f32 * UNIT).collect();
        match input.push(&piece) {
            Ok(()) => pushed += piece.len(),
            Err(PushError::Ended) => break,
            Err(error) => wrong.push(format!("a push: {error}")),
        }
        if !ends.load(Ordering::SeqCst) {
            sure = pushed;
        }
    }
    left.fetch_sub(1, Ordering::SeqCst);
    (pushed, sure, wrong)
}

/// The loudspeaker's thread, and what it has heard.
struct Loudspeaker {
    output: AudioOut,
    /// The last sample of the caller.
    own: usize,
    /// The last sample of the line that sounds; `None`: none does.
    line: Option<usize>,
    lines: usize,
    /// Something was withdrawn since a sample of the caller was heard.
    gap: bool,
    cuts: usize,
    wrong: Vec<String>,
}

impl Loudspeaker {
    fn read(&mut self, length: usize) {
        let mut out = vec![f32::NAN; length];
        let read = self.output.read(&mut out);
        if read.cut {
            (self.line, self.gap) = (None, true);
            self.cuts += 1;
        }
        if out[read.frames..].iter().any(|sample| *sample != 0.0) {
            self.wrong.push("the rest is no silence".into());
        }
        let mut ends = 0;
        let mut begins = 0;
        for sample in &out[..read.frames] {
            let at = (sample.abs() / UNIT) as usize;
            if *sample > 0.0 {
                if at != self.own + 1 && !(self.gap && at > self.own) {
                    self.wrong.push(format!("the caller's {at} after {}", self.own));
                }
                (self.own, self.gap) = (at, false);
            } else if at == 1 {
                begins += 1;
                if let Some(last) = self.line.filter(|last| *last != LINE) {
                    self.wrong.push(format!("a line begins after sample {last} of another one"));
                }
                (self.line, self.lines) = (Some(1), self.lines + 1);
            } else if self.line == Some(at - 1) {
                self.line = Some(at);
            } else {
                self.wrong.push(format!("sample {at} of a line after {:?}", self.line));
            }
            ends += usize::from(*sample < 0.0 && at == LINE);
        }
        if read.began != (begins > 0) {
            self.wrong.push(format!("{begins} lines begin: {read:?}"));
        }
        // The end is told with the last sample, or after it.
        if read.ended && ends == 0 && self.line != Some(LINE) {
            self.wrong.push(format!("it has ended, {:?} was heard: {read:?}", self.line));
        }
    }
}

/// What the host does.
fn host(mut control: SessionControl, ends: &AtomicBool, left: &AtomicUsize) -> Told {
    let mut told = Told::new();
    for _ in 0..5 {
        let sent = match thread_rng().gen_range(0..6) {
            0 | 1 => {
                told.lines += 1;
                let (priority, wait) = (0, thread_rng().gen_range(0..2) == 0);
                control.say("a line", Say { priority, wait, ..Say::default() })
            }
            2 => control.interrupt(InterruptMode::Now),
            3 => control.interrupt(InterruptMode::Soft),
            4 => control.gate([GateMode::Open, GateMode::Shut][thread_rng().gen_range(0..2)]),
            _ => {
                told.poll(&mut control);
                continue;
            }
        };
        match sent {
            Ok(id) => told.sent = id,
            Err(error) => told.wrong.push(format!("a message: {error}")),
        }
    }
    ends.store(true, Ordering::SeqCst);
    told.closes = thread_rng().gen_range(0..3) == 0;
    if told.closes {
        control.close()
    } else {
        control.finish()
    }
    left.fetch_sub(1, Ordering::SeqCst);
    told.control = Some(control);
    told
}

/// What the host was told.
struct Told {
    control: Option<SessionControl>,
    lines: usize,
    sent: u64,
    applied: u64,
    /// The turn that sounds.
    sounds: Option<u32>,
    ended: usize,
    cut: usize,
    closes: bool,
    closed: Option<CloseReason>,
    wrong: Vec<String>,
}

impl Told {
    fn new() -> Self {
        let (sounds, closed, wrong) = (None, None, Vec::new());
        let (lines, sent, applied, ended, cut) = (0, 0, 0, 0, 0);
        Self { control: None, lines, sent, applied, sounds, ended, cut, closes: false, closed, wrong }
    }

    fn poll(&mut self, control: &mut SessionControl) {
        while let Some(event) = control.poll() {
            if self.closed.is_some() {
                self.wrong.push(format!("{event:?} after the end"));
            }
            let turn = self.sounds;
            match event {
                SessionEvent::Applied { message_id } if message_id == self.applied + 1 => {
                    self.applied = message_id;
                }
                SessionEvent::AnswerStarted { turn, .. } => self.sounds = Some(turn),
                SessionEvent::AnswerInterrupted { turn: of, .. } => {
                    (self.sounds, self.cut) = (None, self.cut + 1);
                    // What had not begun may be withdrawn, too.
                    if turn.is_some_and(|turn| turn > of) {
                        self.wrong.push(format!("turn {of} is cut while {turn:?} sounds"));
                    }
                }
                SessionEvent::AnswerEnded { .. } => self.ended += 1,
                SessionEvent::Closed { reason } => self.closed = Some(reason),
                SessionEvent::LineDropped { .. } => {}
                other => self.wrong.push(format!("{other:?}, {turn:?} sounds, {} applied", self.applied)),
            }
        }
    }
}

/// One session on its threads, in one order. What is wrong afterwards.
fn played(plan: &Arc<ScenePlan>) -> Vec<String> {
    let config = EngineConfig { sessions_max: 2, ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::clone(plan), config);
    let session = engine.handle().open(SessionSpec::named("ends")).expect("there is room");
    let (input, output, control) = session.split().expect("nobody else has it");
    let (ends, left) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(2)));
    let shared = || (Arc::clone(&ends), Arc::clone(&left));
    let (of_microphone, of_host) = (shared(), shared());
    let microphone = shuttle::thread::spawn(move || microphone(input, &of_microphone.0, &of_microphone.1));
    let host = shuttle::thread::spawn(move || host(control, &of_host.0, &of_host.1));
    let mut loudspeaker =
        Loudspeaker { output, own: 0, line: None, lines: 0, gap: false, cuts: 0, wrong: Vec::new() };
    let mut listens = Vec::new();
    listens.push(shuttle::thread::spawn(move || {
        for _ in 0..10 {
            loudspeaker.read([64, 128, 300][thread_rng().gen_range(0..3)]);
        }
        loudspeaker
    }));
    while left.load(Ordering::SeqCst) > 0 {
        engine.tick(engine.now_us() + TICK_US);
        shuttle::thread::yield_now();
    }
    let (pushed, sure, mut wrong) = microphone.join().expect("it notes what is wrong");
    let mut told = host.join().expect("it notes what is wrong");
    let mut loudspeaker = listens.remove(0).join().expect("it notes what is wrong");
    // All is worked off: four lines of 100 ms each, in real time.
    let mut control = told.control.take().expect("it came back");
    for _ in 0..200 {
        engine.tick(engine.now_us() + TICK_US);
        loudspeaker.read(40);
        told.poll(&mut control);
    }
    wrong.append(&mut loudspeaker.wrong);
    wrong.append(&mut told.wrong);
    let mut says = |right: bool, what: String| {
        if !right {
            wrong.push(what);
        }
    };
    let reason = if told.closes { CloseReason::HungUp } else { CloseReason::Finished };
    says(told.closed == Some(reason), format!("closed: {:?}", told.closed));
    says(engine.handle().open(SessionSpec::named("ends")).is_ok(), "the name is not free".into());
    let Loudspeaker { own, line, lines, cuts, .. } = loudspeaker;
    says(own <= pushed, format!("{own} samples of {pushed}"));
    if !told.closes {
        says(told.applied == told.sent, format!("{} of {} messages applied", told.applied, told.sent));
        says(own >= sure || cuts > 0, format!("{own} samples of {pushed}, {sure} of them before the end"));
        let frames = engine.census(&mut Census::default()).edge.frames as usize;
        says((sure..=pushed).contains(&frames), format!("{frames} frames taken of {pushed}"));
        says(lines <= told.lines && told.ended <= lines, format!("{lines} lines of {}", told.lines));
        // Everything had left when the session closed: the rest of the last one is heard after that.
        says(told.ended + cuts + 1 >= lines, format!("{lines} lines: {} ended, {cuts} cut", told.ended));
        let whole = line.is_none_or(|last| last == LINE);
        says(whole, format!("{line:?} of the last line was heard"));
    }
    wrong
}

#[test]
fn in_no_order_do_the_ends_of_a_session_lose_or_swap_anything() {
    let plan = plan();
    let other = Arc::clone(&plan);
    run(RandomScheduler::new_from_seed(1, ORDERS), false, move || played(&plan));
    run(PctScheduler::new_from_seed(1, 3, ORDERS), false, move || played(&other));
}
