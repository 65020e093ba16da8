//! The engine inside a world that somebody else owns: same events and samples as by itself, the host's own things
//! untouched. The example is run as it is.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings, ScheduleLabel};
use mynah_engine::observe::Census;
use mynah_engine::observe::metrics::Snapshot;
use mynah_engine::record::{Counts, NodeHistograms};
use mynah_engine::scene::{Override, Source, compile};
use mynah_engine::tick::{Part, Stage, leaves_open, stages};
use mynah_engine::{
    Engine, EngineConfig, EngineHandle, Event, NodeId, Out, Record, ScenePlan, SessionHandle, SessionSpec,
    embed,
};
use spoken::speech;

#[allow(dead_code, reason = "the example's own main is not called here")]
#[path = "../tools/mynah/examples/foreign_world.rs"]
mod foreign_world;
#[path = "support/spoken.rs"]
mod spoken;

fn plan(name: &str, text: &str) -> Arc<ScenePlan> {
    let compiled = compile(&Source::new(name, text), &[], None, &mynah_systems::registry(None));
    let (plan, _) = compiled.unwrap_or_else(|found| panic!("{name}: {found:?}"));
    Arc::new(plan)
}

/// Engine time of the release, segment, revision, samples.
type Heard = (u64, u32, u32, Vec<f32>);

/// Everything a host can see of a run: events with time, session and turn; samples of every session.
#[derive(PartialEq, Default)]
struct Seen {
    events: Vec<(u64, u32, u32, Event)>,
    outputs: Vec<Vec<Heard>>,
}

/// Three callers, one of which hangs up in the middle, one finishes and is followed by another of the same name.
fn drive(handle: &EngineHandle, rate_hz: u32, mut tick: impl FnMut(u64) -> Vec<Record>) -> Seen {
    let lines = ["how far is it. to the river", "stop the music", "is anybody there. please say so"];
    let sounds: Vec<Vec<f32>> = lines.iter().map(|line| speech(rate_hz, line)).collect();
    let open = |name: &str| handle.open(SessionSpec::named(name)).expect("there is room");
    // Session, what it says, and since which step.
    let mut sessions: Vec<(SessionHandle, usize, usize)> =
        (0..3).map(|n| (open(&format!("s{n}")), n, 0)).collect();
    let mut seen = Seen { outputs: vec![Vec::new(); 4], ..Seen::default() };
    let piece = rate_hz as usize / 100;
    for step in 0..700usize {
        for (session, sound, since) in &sessions {
            match sounds[*sound].chunks(piece).nth(step - since) {
                // Refused after the hang-up.
                Some(piece) => assert!(session.try_push(piece).is_ok() || session.name() == "s2"),
                None => session.finish(),
            }
        }
        if step == 110 {
            sessions[2].0.close();
        }
        if sessions.len() == 3 && sessions[1].0.is_closed() {
            sessions.push((open("s1"), 0, step + 1));
        }
        let records = tick(step as u64 * 10_000);
        seen.events.extend(records.into_iter().map(|r| (r.t_us, r.session.0, r.turn, r.event)));
        for ((session, ..), outputs) in sessions.iter().zip(&mut seen.outputs) {
            while let Some(out) = session.poll() {
                let Out::Audio(audio) = out else { panic!("{out:?}") };
                let samples = audio.block.samples().to_vec();
                outputs.push((audio.released_us, audio.segment, audio.revision, samples));
                session.give_back(audio.block);
            }
        }
    }
    seen
}

/// Things of a host that an engine has no business with.
#[derive(Component, PartialEq, Debug, Clone)]
struct Own(u32);
#[derive(Resource, PartialEq, Debug)]
struct OwnResource(Vec<u32>);

#[test]
fn a_foreign_world_gives_the_same_events_and_samples() {
    let scenes = [
        ("gate_only", include_str!("../scenes/gate_only.ron")),
        ("streaming_resample", include_str!("../scenes/streaming_resample.ron")),
        ("voice_assistant", include_str!("../scenes/voice_assistant.ron")),
    ];
    for (name, text) in scenes {
        let plan = plan(name, text);
        let rate_hz = plan.input.rate_hz;
        let config = EngineConfig { sessions_max: 16, ..EngineConfig::simulated() };
        let mut engine = Engine::new(Arc::clone(&plan), EngineConfig { shards: Some(3), ..config });
        let alone = drive(&engine.handle(), rate_hz, |now_us| {
            engine.tick(now_us);
            engine.records().to_vec()
        });
        let mut world = World::new();
        world.insert_resource(OwnResource(vec![1, 2, 3]));
        let own: Vec<Entity> = (0..50).map(|n| world.spawn(Own(n)).id()).collect();
        let handle = embed::embed(&mut world, &plan, config);
        let embedded = drive(&handle, rate_hz, |now_us| {
            // The host's own systems, between the engine's ticks.
            world.query::<&mut Own>().iter_mut(&mut world).for_each(|mut own| own.0 += 1);
            embed::tick(&mut world, now_us);
            world.resource::<embed::Embedded>().records().to_vec()
        });
        let difference = alone.events.iter().zip(&embedded.events).find(|(a, b)| a != b);
        assert!(alone.events == embedded.events, "{name}: events differ, first {difference:?}");
        assert!(alone.outputs == embedded.outputs, "{name}: samples differ");
        // The comparison is worth something: there was speech, and audio came out of every session that did not hang up.
        let speech = alone.events.iter().filter(|e| matches!(e.3, Event::SegmentConfirmed { .. })).count();
        assert_eq!(speech > 0, name != "streaming_resample", "{name}: {speech} segments");
        let outs: Vec<usize> = alone.outputs.iter().map(Vec::len).collect();
        assert!(outs[0] > 10 && outs[1] > 10 && outs[3] > 10, "{name}: {outs:?} blocks");
        for (n, entity) in own.iter().enumerate() {
            assert_eq!(world.get::<Own>(*entity), Some(&Own(n as u32 + 700)), "{name}");
        }
        assert_eq!(world.query::<&Own>().iter(&world).count(), 50, "{name}");
        assert_eq!(world.resource::<OwnResource>(), &OwnResource(vec![1, 2, 3]), "{name}");
    }
}

/// An hour of three callers who talk for four seconds and pause for up to half a minute, each in a time of its own. What an
/// engine and a foreign world say of themselves after every ten minutes: counts, memory, metrics.
fn hour(
    handle: &EngineHandle,
    rate_hz: u32,
    mut tick: impl FnMut(u64, bool) -> Option<String>,
) -> Vec<String> {
    const TICK_MS: usize = 10;
    let open = |n: u32| handle.open(SessionSpec::named(format!("s{n}"))).expect("there is room");
    let sessions: Vec<SessionHandle> = (0..3).map(open).collect();
    let piece = rate_hz as usize * TICK_MS / 1_000;
    let mut told = Vec::new();
    for step in 0..3_600_000 / TICK_MS {
        let ms = step * TICK_MS;
        for (at, session) in sessions.iter().enumerate() {
            // Loud for four seconds of every 20, 27 and 34; the microphone goes off two seconds later.
            let since_ms = (ms + 1_000 * at) % (20_000 + 7_000 * at);
            if since_ms < 6_000 {
                let level = if since_ms < 4_000 { 0.4 } else { 0.0001 };
                let sound: Vec<f32> =
                    (0..piece).map(|i| level * (i as f32 * 0.3 + at as f32).sin()).collect();
                session.try_push(&sound).expect("there is room");
            }
        }
        told.extend(tick(ms as u64 * 1_000, ms % 600_000 == 599_990));
        for session in &sessions {
            while let Some(out) = session.poll() {
                if let Out::Audio(audio) = out {
                    session.give_back(audio.block);
                }
            }
        }
    }
    told
}

#[test]
fn after_an_hour_with_pauses_a_foreign_world_has_the_counts_memory_and_metrics_of_an_engine() {
    let sets = [Override::parse("gate.vad=Energy").expect("a setting")];
    let source = Source::new("voice_assistant", include_str!("../scenes/voice_assistant.ron"));
    let compiled = compile(&source, &sets, None, &mynah_systems::registry(None));
    let plan = Arc::new(compiled.unwrap_or_else(|found| panic!("{found:?}")).0);
    let rate_hz = plan.input.rate_hz;
    let config = EngineConfig { sessions_max: 16, shards: Some(1), ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::clone(&plan), config);
    engine.keep_metrics();
    // Bevy keeps resources in entities, too, some from the first run of a schedule on; a foreign world has a few more.
    engine.tick(0);
    let mut entities = [engine.census(&mut Census::default()).entities, 0];
    let mut events = [0usize; 2];
    let nodes = 0..=plan.nodes.len() as u8;
    let alone = hour(&engine.handle(), rate_hz, |now_us, ask| {
        engine.tick(now_us);
        events[0] += engine.records().len();
        ask.then(|| {
            let (mut census, mut queued, mut metrics) = (Census::default(), Vec::new(), Snapshot::default());
            engine.census(&mut census);
            engine.queued(&mut queued);
            assert!(engine.metrics(&mut metrics), "metrics are kept");
            census.entities -= entities[0];
            let histograms = nodes
                .clone()
                .map(|node| engine.histograms(NodeId(node), &mut NodeHistograms::default()).clone());
            format!("{now_us} {census:?} {queued:?} {metrics:?} {:?}", histograms.collect::<Vec<_>>())
        })
    });
    let mut world = World::new();
    let handle = embed::embed(&mut world, &plan, config);
    embed::keep_metrics(&mut world);
    embed::tick(&mut world, 0);
    entities[1] = embed::census(&world, &mut Census::default()).entities;
    let embedded = hour(&handle, rate_hz, |now_us, ask| {
        embed::tick(&mut world, now_us);
        events[1] += world.resource::<embed::Embedded>().records().len();
        ask.then(|| {
            let (mut census, mut queued, mut metrics) = (Census::default(), Vec::new(), Snapshot::default());
            embed::census(&world, &mut census);
            embed::queued(&world, &mut queued);
            assert!(embed::metrics(&world, &mut metrics), "metrics are kept");
            census.entities -= entities[1];
            let histograms = nodes
                .clone()
                .map(|node| embed::histograms(&world, NodeId(node), &mut NodeHistograms::default()).clone());
            format!("{now_us} {census:?} {queued:?} {metrics:?} {:?}", histograms.collect::<Vec<_>>())
        })
    });
    assert_eq!(alone.len(), 6, "asked every ten minutes");
    assert!(events[0] > 5_000, "{} events: there was speech", events[0]);
    assert_eq!(events[0], events[1], "as much happened");
    for (alone, embedded) in alone.iter().zip(&embedded) {
        // The first difference: the whole is long.
        let at = alone.bytes().zip(embedded.bytes()).position(|(a, b)| a != b);
        let around =
            |text: &str| at.map(|at| text[at.saturating_sub(60)..text.len().min(at + 40)].to_owned());
        assert_eq!((around(alone), alone.len()), (around(embedded), embedded.len()));
    }
}

/// Builds a schedule again, where two systems that touch the same thing in no order are an error.
fn strictly(world: &mut World, half: impl ScheduleLabel) -> Result<(), String> {
    world.schedule_scope(half, |world, schedule| {
        let settings = ScheduleBuildSettings {
            ambiguity_detection: LogLevel::Error,
            ..ScheduleBuildSettings::default()
        };
        schedule.set_build_settings(settings);
        schedule.initialize(world).map(|_| ()).map_err(|error| format!("{error:?}"))
    })
}

/// A scene that comes with mynah, in a world.
fn embedded_scene(name: &str) -> World {
    let mut world = World::new();
    let config = EngineConfig { sessions_max: 16, ..EngineConfig::simulated() };
    let compiled = mynah_sim::scenes::compile(name, &[], None, None);
    let (plan, _) = compiled.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    embed::embed(&mut world, &plan, config);
    world
}

#[test]
fn the_order_of_the_systems_leaves_nothing_open_in_any_shipped_scene() {
    for (name, _) in mynah_sim::scenes::SHIPPED {
        let mut world = embedded_scene(name);
        assert_eq!(strictly(&mut world, embed::FirstHalf), Ok(()), "{name}");
        assert_eq!(strictly(&mut world, embed::SecondHalf), Ok(()), "{name}");
    }
}

#[test]
fn a_missing_edge_in_the_order_of_a_tick_is_found() {
    let mut edges = 0;
    for (name, _) in mynah_sim::scenes::SHIPPED {
        let compiled = mynah_sim::scenes::compile(name, &[], None, None);
        let (plan, _) = compiled.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        for part in [Part::Engine, Part::First, Part::Second] {
            assert!(!leaves_open(&plan, part, None), "{name}, {part:?}: nothing is open");
            let stages = stages(&plan, part);
            for (at, stage) in stages.iter().enumerate().skip(1) {
                edges += 1;
                let open = leaves_open(&plan, part, Some(at));
                assert!(open, "{name}, {part:?}: nobody sees that {stage:?} does not wait");
            }
        }
    }
    assert!(edges > 100, "{edges} edges were left out");
}

/// What a system of the owner's touches, and whether it must say when it runs.
#[test]
fn a_system_that_touches_the_accounts_must_say_when_it_runs() {
    fn owns(_: ResMut<'_, Counts>) {}
    fn minds_its_own(_: ResMut<'_, OwnResource>) {}
    let judged = |add: fn(&mut Schedule)| {
        let mut world = embedded_scene("gate_only");
        world.insert_resource(OwnResource(Vec::new()));
        world.schedule_scope(embed::SecondHalf, |_, schedule| add(schedule));
        strictly(&mut world, embed::SecondHalf).is_ok()
    };
    let unordered = judged(|half| _ = half.add_systems(owns));
    let last = judged(|half| _ = half.add_systems(owns.after(Stage::Account)));
    let apart = judged(|half| _ = half.add_systems(minds_its_own));
    assert!(!unordered, "it might run before the output or after it");
    assert!(last, "the accounts are closed before it runs");
    assert!(apart, "the engine does not touch what it touches");
}

#[test]
fn the_example_of_a_foreign_world_tells_who_talks_when() {
    let world = foreign_world::play(250);
    let lines = &world.resource::<foreign_world::Story>().lines;
    let story: Vec<String> = lines
        .iter()
        .filter(|line| line.contains("talks") || line.contains("finished"))
        .map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(story, ["Ada stops", "Ada has", "Bo stops", "Bo has"], "{lines:#?}");
    assert!(lines.contains(&"100 trees listened".to_owned()), "{lines:#?}");
}
