//! Callers that come and go at any moment: they hang up or end, their seats and ids are taken again, and some are sick.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::base::Mutation;
use mynah_engine::base::rng::Rng;
use mynah_engine::{Engine, EngineConfig, Out, ScenePlan, SessionHandle, SessionSpec, Stamp};
use mynah_load::load::Stream;
use mynah_load::load::schedule::Phase;
use mynah_proof::invariants::Invariants;
use mynah_sim::simulate::callers::{CallerScript, Load, session_name};
use mynah_sim::simulate::{Observer as _, TickView};

use super::{Verdict, compile};

/// Ticks in which no chunk is due: one of 20 ms in four of 5 ms.
const CHUNK_TICKS: u64 = 4;
/// Where callers come and go, the host of the second seat looks up only this often.
const SLEEPY_TICKS: u64 = 90;
/// Two seconds.
const MUTE_TICKS: u64 = 400;
/// After the last arrival, for what is under way.
const DRAIN_TICKS: u64 = 4_000;
/// With nobody there, before the last look.
const IDLE_TICKS: u64 = 300;

/// A crowd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd<'a> {
    pub(crate) scene: &'a str,
    pub(crate) sets: &'a [&'a str],
    pub(crate) seats: u32,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// Callers stay for a second or so, hang up or end, and others take their seats.
    pub(crate) churns: bool,
    /// Whoever is in the first seat: says nothing, and sends what no caller should.
    pub(crate) silent: bool,
    pub(crate) sick: bool,
    /// Microphones deliver nothing for two seconds in six, each at another time.
    pub(crate) mutes: bool,
    pub(crate) mutation: Option<Mutation>,
}

struct Seat {
    handle: SessionHandle,
    stream: Stream,
    leaves_at: u64,
    hangs_up: bool,
    left: bool,
    /// Sample frames that were not refused.
    pushed: u64,
}

struct Room<'a> {
    crowd: Crowd<'a>,
    plan: Arc<ScenePlan>,
    engine: Engine,
    invariants: Invariants,
    streams: VecDeque<(u32, Stream)>,
    seats: Vec<Option<Seat>>,
    rng: Rng,
    now_us: u64,
    ticks: u64,
}

impl Crowd<'_> {
    /// Lets them come and go, then waits until all is quiet.
    pub(crate) fn run(self) -> Verdict {
        let (plan, script) = compile(self.scene, self.sets);
        let ticks = self.seconds * 200;
        // One seat is taken about every second and a half.
        let callers = if self.churns { self.seats * (self.seconds as u32 + 4) } else { self.seats };
        let load = Load::prepare(None, self.seed, plan.input.rate_hz, &|_, _| {}).expect("a bank of callers");
        let streams = load.streams(callers, self.seed, self.seconds * 1_000_000, Phase::Staggered);
        CallerScript::fill(&script, streams.clone());
        let config = EngineConfig {
            sessions_max: self.seats,
            shards: Some(3),
            seed: self.seed,
            ..EngineConfig::simulated()
        };
        let mut room = Room {
            crowd: self,
            engine: broken(Engine::new(Arc::clone(&plan), config), self.mutation),
            invariants: Invariants::new(&plan),
            plan,
            streams: (0..).zip(streams).collect(),
            seats: (0..self.seats).map(|_| None).collect(),
            rng: Rng::new(self.seed, 0, 0),
            now_us: 0,
            ticks: 0,
        };
        room.engine.keep_metrics();
        for tick in 0..ticks {
            room.come_and_go(tick);
            room.speak(tick);
            room.tick();
        }
        for seat in room.seats.iter().flatten().filter(|seat| !seat.left) {
            seat.handle.finish();
            room.invariants.fed(seat.handle.id(), seat.handle.generation(), seat.pushed);
        }
        for _ in 0..DRAIN_TICKS {
            if room.seats.iter().flatten().all(|seat| seat.handle.is_closed()) {
                break;
            }
            room.tick();
        }
        (0..IDLE_TICKS).for_each(|_| room.tick());
        room.invariants.finish(&room.engine);
        Verdict::of(&room.invariants)
    }
}

impl Room<'_> {
    fn come_and_go(&mut self, tick: u64) {
        for at in 0..self.seats.len() {
            if let Some(seat) = &mut self.seats[at] {
                if self.crowd.churns && tick >= seat.leaves_at && !seat.left {
                    seat.left = true;
                    if seat.hangs_up {
                        seat.handle.close();
                    } else {
                        seat.handle.finish();
                        self.invariants.fed(seat.handle.id(), seat.handle.generation(), seat.pushed);
                    }
                }
                if !seat.handle.is_closed() {
                    continue;
                }
            }
            let empty_for_a_while = self.crowd.churns && self.rng.below(20) > 0;
            if empty_for_a_while && tick > 0 {
                continue;
            }
            let Some((index, stream)) = self.streams.pop_front() else { continue };
            let handle = self.engine.handle().open(SessionSpec::named(session_name(index)));
            let handle = handle.expect("a seat is free");
            let leaves_at = tick + 1 + self.rng.below(600);
            let hangs_up = self.rng.below(2) == 0;
            self.seats[at] = Some(Seat { handle, stream, leaves_at, hangs_up, left: false, pushed: 0 });
        }
    }

    fn speak(&mut self, tick: u64) {
        if !tick.is_multiple_of(CHUNK_TICKS) {
            return;
        }
        let format = self.plan.input;
        let frames = format.rate_hz as usize / 50;
        let mut mono = vec![0.0; frames];
        let Crowd { silent, sick, mutes, .. } = self.crowd;
        for (at, seat) in self.seats.iter_mut().enumerate() {
            let Some(seat) = seat.as_mut().filter(|seat| !seat.left) else { continue };
            seat.stream.fill(&mut mono);
            if mutes && (tick / MUTE_TICKS + at as u64).is_multiple_of(3) {
                continue;
            }
            if at == 0 && silent {
                mono.fill(0.0);
            }
            if at == 0 && sick {
                seat.pushed += poison(&mut mono, &seat.handle, tick, silent);
            }
            let channels = usize::from(format.channels);
            let samples: Vec<f32> = mono.iter().flat_map(|s| std::iter::repeat_n(*s, channels)).collect();
            // What a full edge refuses is lost, as it is for a caller.
            seat.pushed += if seat.handle.try_push(&samples).is_ok() { frames as u64 } else { 0 };
        }
    }

    fn tick(&mut self) {
        self.now_us += u64::from(self.plan.scene.tick.period_ms) * 1_000;
        self.engine.tick(self.now_us);
        self.invariants.records(self.engine.records());
        self.ticks += 1;
        for (at, seat) in self.seats.iter().enumerate().filter_map(|(at, seat)| Some((at, seat.as_ref()?))) {
            if self.crowd.churns && at == 1 && !self.ticks.is_multiple_of(SLEEPY_TICKS) {
                continue;
            }
            while let Some(out) = seat.handle.poll() {
                if let Out::Audio(audio) = out {
                    self.invariants.audio(seat.handle.id().0 as usize, &audio);
                    seat.handle.give_back(audio.block);
                }
            }
        }
        let view = TickView { engine: &self.engine, lines: &[], work_ns: 0, late_us: 0, started_us: 0 };
        self.invariants.tick(view);
    }
}

/// Makes a chunk sick, and sends what does not even count as one; returns the sample frames that were taken of that.
/// `quiet`: nothing in it can be taken for speech.
fn poison(mono: &mut [f32], handle: &SessionHandle, tick: u64, quiet: bool) -> u64 {
    let channels = u64::from(handle.input().channels);
    let frames = |taken: bool, samples: usize| if taken { samples as u64 / channels } else { 0 };
    let sickness = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE / 2.0, -0.0];
    for (at, sample) in mono.iter_mut().enumerate().skip(tick as usize % 3).step_by(3) {
        *sample = sickness[(at + tick as usize) % sickness.len()];
    }
    if quiet {
        return 0;
    }
    // Not whole frames, too long, far in the future and in the past, and a second at once.
    let mut pushed = frames(handle.try_push(&vec![f32::MAX; 200_001]).is_ok(), 200_001);
    let mut block = handle.lease(mono.len());
    block.fill_from(&vec![1e30; mono.len()]);
    let pts_us = Some(if tick.is_multiple_of(8) { u64::MAX / 4 } else { 0 });
    let stamp = Stamp { arrived_us: Some(u64::MAX), pts_us, ..Stamp::default() };
    pushed += frames(handle.push_stamped(block, stamp).is_ok(), mono.len());
    if tick.is_multiple_of(100) {
        let square: Vec<f32> = (0..12_000).map(|i| if i % 64 < 32 { 1.0 } else { -1.0 }).collect();
        pushed += frames(handle.try_push(&square).is_ok(), square.len());
    }
    pushed
}

#[cfg(feature = "mutations")]
fn broken(mut engine: Engine, mutation: Option<Mutation>) -> Engine {
    if let Some(mutation) = mutation {
        engine.mutate(mutation);
    }
    engine
}

#[cfg(not(feature = "mutations"))]
fn broken(engine: Engine, mutation: Option<Mutation>) -> Engine {
    assert_eq!(mutation, None, "nothing can be broken without the feature `mutations`");
    engine
}
