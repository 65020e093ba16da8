//! Every shipped scene with the smallest queues whose senders wait: whoever pushes too fast is told so, and nothing is
//! lost, stuck or changed by it.

#![allow(clippy::print_stdout, reason = "what the labelled speech lacks is said to whoever runs this")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bevy_ecs::prelude::World;
use mynah_engine::media::{Lane, Payload, Queue};
use mynah_engine::record::Counts;
use mynah_engine::scene::{Catalogue as _, Override};
use mynah_engine::session::SessionIndex;
use mynah_engine::speech::SegmentPool;
use mynah_engine::{EngineConfig, Event, Out, PushError, ScenePlan, SessionHandle, SessionSpec, embed};
use mynah_load::chunk::ChunkSpec;
use mynah_sim::scenes::{self, SHIPPED};
use support::callers::Callers;
use support::stage::run;

const SECONDS: u64 = 20;
const TICK_US: u64 = 5_000;
/// Small enough that a pre-roll is more frames than leave in a step; where frames end decides where segments begin.
const CRUMB_MS: usize = 3;
/// Ticks within which all must be over.
const TICKS_MAX: u64 = 60_000;

/// How a source pushes, and how often its host polls.
#[derive(Clone, Copy, Debug)]
struct Habit {
    name: &'static str,
    /// Milliseconds at once.
    chunk_ms: usize,
    /// Not before its audio exists.
    in_real_time: bool,
    /// Ticks between two polls.
    polls_every: u64,
}

const HABITS: [Habit; 5] = [
    Habit { name: "in time", chunk_ms: 20, in_real_time: true, polls_every: 1 },
    Habit { name: "in time, polled late", chunk_ms: 20, in_real_time: true, polls_every: 200 },
    Habit { name: "in crumbs", chunk_ms: CRUMB_MS, in_real_time: true, polls_every: 1 },
    Habit { name: "as fast as it may", chunk_ms: 20, in_real_time: false, polls_every: 1 },
    Habit { name: "a second at once, polled late", chunk_ms: 1_000, in_real_time: false, polls_every: 200 },
];

/// What a scene does on purpose when time is short or something is slow; without it what is heard is the same however
/// long it takes.
const CALM: [(&str, &[&str]); 8] = [
    (
        "assistant",
        &["session.output.interrupt_min_ms=None", "asr.piece_ms=0", "tts.buffering.merge=KeepSeparate"],
    ),
    ("voice_assistant", &["session.output.interrupt_min_ms=None", "tts.deadline=None"]),
    ("voice_assistant_cloud", &["session.output.interrupt_min_ms=None", "tts.deadline=None"]),
    // Which sentences are spoken in one breath depends on which wait together.
    ("barge_in", &["session.output.interrupt_min_ms=None", "tts.buffering.merge=KeepSeparate"]),
    ("deadlines", &["tts.deadline=None", "polish.deadline=None", "polish.optional=false"]),
    // How much of what is cancelled has left by then depends on who polls when.
    ("remote_consumer", &["gate.forward=OnOnset", "gate.threshold=0.9"]),
    (
        "full",
        &[
            "session.output.interrupt_min_ms=None",
            "level.deadline=None",
            "level.optional=false",
            "asr.deadline=None",
            "asr.piece_ms=0",
            "text_collector.batch_window_ms=None",
            "tts.deadline=None",
            "tts.buffering.merge=KeepSeparate",
        ],
    ),
    ("overflow", &["slow_audio.per_s=10000", "slow_text.per_s=10000"]),
];

/// A reply that comes word by word, each spoken alone: services that answer into full queues.
const WORD_BY_WORD: &[&str] = &[
    "session.output.interrupt_min_ms=None",
    "tts.deadline=None",
    "services.reply.timing.words_per_s=200",
    "tts.buffering.merge=KeepSeparate",
    "tts.buffering.max_buffer_size=1000",
    "services.tts.timing.speed=100",
];

/// The settings that make every node of a scene block, with the smallest queue that is accepted.
fn blocking(scene: &str, own: &[&str]) -> Vec<String> {
    let own: Vec<String> = own.iter().map(|set| (*set).to_owned()).collect();
    let plan = compiled(scene, &own).expect("it is shipped");
    let policy = |id: &str| format!("{id}.capabilities.overflow_policy=Block");
    let mut sets = own;
    sets.extend(plan.nodes.iter().map(|node| policy(&node.id)));
    for node in &plan.nodes {
        let capacity = |frames: u32| format!("{}.capabilities.queue_capacity={frames}", node.id);
        let fits = |frames: &u32| {
            let with: Vec<String> = sets.iter().cloned().chain([capacity(*frames)]).collect();
            compiled(scene, &with).is_ok()
        };
        let smallest = (1..=100).find(fits).expect("a hundred frames are enough everywhere");
        sets.push(capacity(smallest));
    }
    sets
}

fn compiled(scene: &str, sets: &[String]) -> Result<Arc<ScenePlan>, mynah_files::failure::Failure> {
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    scenes::compile(scene, &sets, None, None).map(|(plan, _)| plan)
}

/// A session, its audio, and what came of it.
struct Source<'a> {
    habit: Habit,
    handle: SessionHandle,
    rate_hz: usize,
    samples: &'a [f32],
    pushed: usize,
    finished: bool,
    full: u64,
    /// Ticks until all of it was in.
    ticks: u64,
    heard: BTreeMap<(u32, u32), Vec<f32>>,
}

impl Source<'_> {
    /// Pushes what is due and fits.
    fn push(&mut self, tick: u64) {
        let chunk = self.rate_hz * self.habit.chunk_ms / 1_000;
        while self.pushed < self.samples.len() {
            let end = (self.pushed + chunk).min(self.samples.len());
            if self.habit.in_real_time && end as u64 * 1_000_000 > tick * TICK_US * self.rate_hz as u64 {
                return;
            }
            match self.handle.try_push(&self.samples[self.pushed..end]) {
                Ok(()) => self.pushed = end,
                Err(PushError::Full) => {
                    self.full += 1;
                    return;
                }
                Err(other) => panic!("{other}"),
            }
        }
        if !std::mem::replace(&mut self.finished, true) {
            self.ticks = tick;
            self.handle.finish();
        }
    }

    fn poll(&mut self) {
        while let Some(out) = self.handle.poll() {
            let Out::Audio(audio) = out else { continue };
            let heard = self.heard.entry((audio.segment, audio.revision)).or_default();
            heard.extend_from_slice(audio.block.samples());
            self.handle.give_back(audio.block);
        }
    }
}

/// Queues with more content than they may hold.
fn overfull(world: &mut World, plan: &ScenePlan) -> Vec<String> {
    let mut queues = world.query::<(&Lane, &Queue)>();
    let over = queues.iter(world).filter_map(|(lane, queue)| {
        let content = queue.iter().filter(|frame| !matches!(frame.payload, Payload::Mark(_))).count();
        let bound = queue.bound() as usize;
        (content > bound)
            .then(|| format!("session {:?}: {content} frames in a queue of {bound}", lane.session))
    });
    over.map(|what| format!("{}: {what}", plan.scene.name)).collect()
}

/// What the counts of a run that is over do not account for.
fn unaccounted(world: &World, plan: &ScenePlan) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, node) in world.resource::<Counts>().nodes().iter().enumerate() {
        let name = plan.nodes.get(at).map_or("output", |node| node.id.as_str());
        if node.dropped_all() > 0 {
            wrong.push(format!("{}: `{name}` dropped {:?}", plan.scene.name, node.dropped));
        }
        let balance = node.balance(0);
        if !balance.holds() {
            wrong.push(format!("{}: `{name}`: {balance}", plan.scene.name));
        }
    }
    let sessions = world.resource::<SessionIndex>().open();
    let segments = world.resource::<SegmentPool>().active();
    if (sessions, segments) != (0, 0) {
        wrong.push(format!("{}: {sessions} sessions, {segments} segments left", plan.scene.name));
    }
    wrong
}

/// Runs all habits as sessions of one engine until they have closed.
fn play<'a>(plan: &Arc<ScenePlan>, samples: &'a [f32], wrong: &mut Vec<String>) -> Vec<Source<'a>> {
    let mut world = World::new();
    let config = EngineConfig { sessions_max: HABITS.len() as u32, ..EngineConfig::simulated() };
    let door = embed::embed(&mut world, plan, config);
    let open = |habit: &Habit| Source {
        habit: *habit,
        handle: door.open(SessionSpec::named(habit.name)).expect("there is room"),
        rate_hz: plan.input.rate_hz as usize,
        samples,
        pushed: 0,
        finished: false,
        full: 0,
        ticks: 0,
        heard: BTreeMap::new(),
    };
    let mut sources: Vec<Source<'_>> = HABITS.iter().map(open).collect();
    let mut tick = 0;
    while !sources.iter().all(|source| source.handle.is_closed()) {
        tick += 1;
        if tick > TICKS_MAX {
            let open = sources.iter().filter(|source| !source.handle.is_closed());
            let names: Vec<_> = open.map(|source| (source.habit.name, source.pushed)).collect();
            wrong.push(format!("{}: still open after {} s: {names:?}", plan.scene.name, tick / 200));
            return sources;
        }
        sources.iter_mut().for_each(|source| source.push(tick));
        embed::tick(&mut world, tick * TICK_US);
        wrong.extend(overfull(&mut world, plan));
        for record in world.resource::<embed::Embedded>().records() {
            if matches!(record.event, Event::ServiceFailed { .. }) {
                wrong.push(format!("{}: {:?}", plan.scene.name, record.event));
            }
        }
        for source in sources.iter_mut().filter(|source| tick % source.habit.polls_every == 0) {
            source.poll();
        }
    }
    sources.iter_mut().for_each(Source::poll);
    embed::tick(&mut world, (tick + 1) * TICK_US);
    wrong.extend(unaccounted(&world, plan));
    sources
}

#[test]
fn scenes_whose_senders_wait_lose_nothing_and_say_the_same() {
    let mut wrong = Vec::new();
    let calm = |scene: &str| CALM.iter().find(|(of, _)| *of == scene).map_or(&[][..], |(_, sets)| *sets);
    // The far end of another engine hears nothing by itself, and words are not heard.
    let shipped = SHIPPED.iter().filter(|(scene, _)| !matches!(*scene, "remote_answers" | "transcribe"));
    let shipped = shipped.map(|(scene, _)| (*scene, calm(scene)));
    for (scene, own) in shipped.chain([("voice_assistant", WORD_BY_WORD)]) {
        let sets = blocking(scene, own);
        let plan = compiled(scene, &sets).unwrap_or_else(|failure| panic!("{scene} {sets:?}: {failure}"));
        let callers = Callers::new(4, 12, plan.input.rate_hz, SECONDS);
        let parts = callers.parts(1, SECONDS);
        let own_queues = |chunk_ms: usize| {
            let parts = [parts[0].clone().in_chunks(ChunkSpec::Time(chunk_ms as u64 * 1_000))];
            let outcome = run(scene, own, &parts, None).outcomes.remove(0);
            let mut want: BTreeMap<(u32, u32), Vec<f32>> = BTreeMap::new();
            for block in &outcome.audio {
                want.entry((block.segment, block.revision)).or_default().extend_from_slice(&block.samples);
            }
            assert!(!want.is_empty(), "{scene}: something is heard");
            want
        };
        let (blocks, crumbs) = (own_queues(20), own_queues(CRUMB_MS));
        for source in play(&plan, &parts[0].audio.samples, &mut wrong) {
            let Habit { name, in_real_time, .. } = source.habit;
            let lengths = |heard: &BTreeMap<(u32, u32), Vec<f32>>| -> Vec<_> {
                heard.iter().map(|(origin, samples)| (*origin, samples.len())).collect()
            };
            let want = if source.habit.chunk_ms == CRUMB_MS { &crumbs } else { &blocks };
            if source.heard != *want {
                let (got, want) = (lengths(&source.heard), lengths(want));
                wrong
                    .push(format!("{scene}, {name}: {got:?} is heard, {want:?} with the scene's own queues"));
            }
            // Without queues that block a second goes in with every tick.
            let hurried = source.ticks < SECONDS * 10;
            if !in_real_time && (source.full == 0 || hurried) {
                let (full, ticks) = (source.full, source.ticks);
                wrong.push(format!("{scene}, {name}: all in after {ticks} ticks, told {full} times to wait"));
            }
        }
    }
    wrong.truncate(30);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_queue_whose_senders_wait_may_hold_a_single_frame() {
    let registry = mynah_systems::registry(None);
    assert!(registry.kinds().contains(&"VadGate"));
    let sets = blocking("voice_assistant", &[]);
    let capacity = |node: &str| {
        let prefix = format!("{node}.capabilities.queue_capacity=");
        sets.iter()
            .find_map(|set| set.strip_prefix(&prefix)?.parse::<u32>().ok())
            .expect("every node has one")
    };
    let nodes = ["resample_in", "gate", "asr", "reply", "text_collector", "tts", "resample_out"];
    assert_eq!(nodes.map(capacity), [1; 7], "whoever waits may have the smallest queue there is");
}
