//! A node that panics costs the session whose lane it was; a system over all lanes that panics costs the sessions of its
//! shard. Everybody else gets the same events and samples as without the panic, and nothing is left behind.

#[path = "support/cued.rs"]
mod cued;
#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/weak.rs"]
mod weak;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bevy_ecs::prelude::*;
use cued::{Cue, Prompter};
use host::{Host, compiled, findings, one_shard};
use mynah_engine::edge::CloseReason;
use mynah_engine::observe::Census;
use mynah_engine::speech::CancelReason;
use mynah_engine::tick::Stage;
use mynah_engine::{EngineConfig, Event, NodeId, Out, Registry, ScenePlan, SessionEvent, SessionSpec, embed};
use weak::{Spot, USED_AFTER};

/// Steps of a session, and ticks a step: in the last one no frame is under way.
const STEPS: usize = 40;
const TICKS: usize = 3;
/// The step in which those hang up that do.
const LEAVES: usize = 21;

fn registry() -> Registry {
    let mut registry = mynah_systems::registry(None);
    registry.add_system::<Prompter>();
    weak::add(&mut registry);
    registry
}

/// A gate, the node under test, one behind it.
fn scene(node: &str) -> Arc<ScenePlan> {
    let text = format!(
        r#"(
            name: "weak",
            session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
            nodes: [(id: "gate", kind: Prompter()), {node} (id: "after", kind: Weak())],
            edges: [("input", "gate"), ("gate.audio", "node"), ("node", "after"), ("after", "output")],
            services: {{"oracle": (output: ScriptedReply(template: "Yes.", words_max: 3), timing: (latency: Fixed(ms: 12)))}},
        )"#
    );
    let text = if node.contains("asks") { text } else { without_services(&text) };
    compiled(&text, &[], &registry()).unwrap_or_else(|wrong| panic!("{node}: {wrong}"))
}

fn without_services(text: &str) -> String {
    text.lines().filter(|line| !line.contains("services:")).collect::<Vec<_>>().join("\n")
}

/// What a session's audio says in one step.
fn cues(step: usize) -> Vec<Cue> {
    match step % 8 {
        0 | 5 => vec![Cue::Open, Cue::Sound(160)],
        2 => vec![Cue::Confirm, Cue::Sound(160)],
        4 => vec![Cue::Sound(100), Cue::End],
        7 => vec![Cue::Sound(40), Cue::Cancel],
        _ => vec![Cue::Sound(160)],
    }
}

fn told(name: &str) -> SessionSpec {
    SessionSpec { events: true, ..SessionSpec::named(name) }
}

/// Sessions of these names side by side from their first cue to the last tick. Who is called `leaver` hangs up in the
/// middle.
fn play(
    plan: &Arc<ScenePlan>,
    config: EngineConfig,
    names: &[&str],
    weakly: impl Fn(usize) -> Vec<Cue>,
) -> Host {
    let mut host = Host::of(Arc::clone(plan), config);
    for name in names {
        host = host.with(told(name));
    }
    for step in 0..STEPS {
        for (name, session) in names.iter().zip(&host.sessions) {
            let cues = if name.starts_with("weak") { weakly(step) } else { cues(step) };
            // Who has failed, or has left, takes nothing.
            let taken = session.push(Cue::block(&cues));
            assert!(
                taken.is_ok() || name.starts_with("weak") || name.contains("leaver") || session.is_closed()
            );
        }
        host.ticks(TICKS - 1);
        let leavers = names.iter().zip(&host.sessions).filter(|(name, _)| name.contains("leaver"));
        leavers.filter(|_| step == LEAVES).for_each(|(_, session)| session.close());
        host.tick();
    }
    host.finish();
    host.ticks(30);
    host
}

/// All that one session's host and the log have of it.
fn seen(host: &Host, session: u32) -> String {
    // The place among the records of the shard is nobody's business.
    let records = host.records.iter().filter(|record| record.session.0 == session);
    let records: Vec<_> = records.map(|record| (record.t_us, record.turn, &record.event)).collect();
    let events: Vec<_> = host.events.iter().filter(|(of, ..)| *of == session).collect();
    let sounds: Vec<_> = host.sounds.iter().filter(|sound| sound.session == session).collect();
    format!("{records:#?}\n{events:#?}\n{sounds:?}")
}

fn reasons(host: &Host, session: u32) -> Vec<CloseReason> {
    let closed = host.events.iter().filter(|(of, ..)| *of == session).filter_map(|(.., event)| match event {
        SessionEvent::Closed { reason } => Some(reason.clone()),
        _ => None,
    });
    closed.collect()
}

fn failures(host: &Host, session: u32) -> Vec<(Option<NodeId>, String)> {
    let failed = host.events(|event| match event {
        Event::SessionFailed { node, reason } => Some((*node, reason.to_string())),
        _ => None,
    });
    failed.into_iter().filter(|(of, ..)| *of == session).map(|(.., what)| what).collect()
}

/// What is left of sessions that are all over, in words.
fn left(host: &Host) -> Vec<String> {
    let census = host.census();
    let mut left = host.imbalances();
    left.extend((census.blocks_out != 0).then(|| format!("{} blocks under way", census.blocks_out)));
    left.extend((census.segments_active != 0).then(|| format!("{} segments", census.segments_active)));
    left.extend((census.sessions_open != 0).then(|| format!("{} sessions", census.sessions_open)));
    let queued: u64 = host.queued().iter().sum();
    left.extend((queued != 0).then(|| format!("{queued} frames")));
    let calls = host.engine.hub().under_way();
    left.extend((calls != 0).then(|| format!("{calls} calls")));
    left.extend(segments(host));
    let used = USED_AFTER.load(Ordering::Relaxed);
    left.extend((used != 0).then(|| format!("states used {used} times after a panic")));
    left
}

/// Segments that have not exactly one end, of sessions that did not hang up.
fn segments(host: &Host) -> Vec<String> {
    let mut open: BTreeMap<(u32, u32), i32> = BTreeMap::new();
    for record in &host.records {
        let (segment, change) = match record.event {
            Event::SegmentOpened { segment, .. } => (segment, 1),
            Event::SegmentCancelled { segment, .. } | Event::SegmentEnded { segment, .. } => (segment, -1),
            _ => continue,
        };
        *open.entry((record.session.0, segment)).or_default() += change;
    }
    // The prompter leaves a confirmed one as it is when its session is over.
    let wrong = open.iter().filter(|((session, _), open)| {
        **open != 0 && reasons(host, *session).contains(&CloseReason::Finished)
    });
    wrong
        .map(|((session, segment), open)| format!("session {session}, segment {segment}: {open} open"))
        .collect()
}

/// Entities that are no places of segments.
fn entities(host: &Host) -> u64 {
    host.census().entities - host.census().segment_places as u64
}

/// A row: where it panics, at which call, further fields of the node's kind, and of the node.
type Row = (Spot, u32, &'static str, &'static str);

const ROWS: [Row; 17] = [
    (Spot::Open, 1, "", ""),
    (Spot::Step, 1, "", ""),
    (Spot::Step, 9, "", ""),
    (Spot::End, 1, "", ""),
    (Spot::Wake, 3, "", ""),
    (Spot::Ready, 7, "", ""),
    (Spot::Due, 1, "", ""),
    (Spot::Due, 31, "", ""),
    (Spot::Control, 1, "", ""),
    (Spot::Keeps, 1, "", ""),
    (Spot::Waiting, 5, "", ""),
    (Spot::Advise, 2, "", "deadline: (budget_ms: 20, margin_ms: 16, policy: Warn)"),
    (Spot::Skip, 2, "", "optional: true, deadline: (budget_ms: 20, margin_ms: 16, policy: SkipOptional)"),
    (Spot::Reply, 4, "asks: true", ""),
    (Spot::Step, 6, "asks: true", ""),
    (Spot::Waiting, 6, "asks: true", ""),
    (Spot::Control, 2, "asks: true", ""),
];

fn node(spot: Spot, at: u32, kind: &str, more: &str) -> String {
    format!("(id: \"node\", kind: Weak(panics: {spot:?}, at: {at}, {kind}), {more}),")
}

#[test]
fn a_panic_in_any_function_of_a_node_costs_its_session_and_nothing_else() {
    let mut wrong = Vec::new();
    for (spot, at, kind, more) in ROWS {
        let row = format!("{spot:?} {at} {kind} {more}");
        let plan = scene(&node(spot, at, kind, more));
        let calm = play(&plan, one_shard(), &["strong", "meek", "leaver", "last"], cues);
        let host = play(&plan, one_shard(), &["strong", "weak", "leaver", "last"], cues);
        for session in [0, 2, 3] {
            if seen(&host, session) != seen(&calm, session) {
                wrong.push(format!("{row}: session {session} noticed"));
            }
        }
        let said = format!("weak at {spot:?}");
        let want = CloseReason::Failed(format!("node: {said}").into());
        if reasons(&host, 1) != [want] {
            wrong.push(format!("{row}: closed for {:?}", reasons(&host, 1)));
        }
        if failures(&host, 1) != [(Some(NodeId(1)), said)] {
            wrong.push(format!("{row}: failed {:?}", failures(&host, 1)));
        }
        if host.count(|event| matches!(event, Event::SessionFailed { .. })) != 1 {
            wrong.push(format!("{row}: more than one session failed"));
        }
        wrong.extend(left(&calm).into_iter().map(|left| format!("{row}, without the panic: {left}")));
        wrong.extend(left(&host).into_iter().map(|left| format!("{row}: {left}")));
        if entities(&host) != entities(&calm) {
            wrong.push(format!("{row}: {} entities, {} expected", entities(&host), entities(&calm)));
        }
        assert!(calm.whole(1).len() > 2_000, "the comparison is worth something");
    }
    findings(&wrong);
}

#[test]
fn a_panic_as_a_session_hangs_up_changes_nothing_but_the_log() {
    let plan = scene(&node(Spot::HangUp, 1, "", ""));
    let calm = play(&plan, one_shard(), &["strong", "meek leaver", "last"], cues);
    let host = play(&plan, one_shard(), &["strong", "weak leaver", "last"], cues);
    for session in [0, 2] {
        assert_eq!(seen(&host, session), seen(&calm, session));
    }
    assert_eq!(reasons(&host, 1), [CloseReason::HungUp]);
    assert_eq!(failures(&host, 1).len(), 1);
    findings(&left(&host));
    assert_eq!(entities(&host), entities(&calm));
}

#[test]
fn a_hundred_panics_in_a_row_leave_nothing_and_the_name_can_be_used_again() {
    let plan = scene(&node(Spot::Step, 5, "asks: true", ""));
    let mut host = Host::of(Arc::clone(&plan), one_shard()).with(told("strong"));
    let mut before = None;
    for round in 0..100 {
        host.sessions.truncate(1);
        host = host.with(told("weak"));
        for step in 0..12 {
            drop(host.sessions[1].push(Cue::block(&cues(step))));
            host.tick();
        }
        assert!(host.sessions[1].is_closed(), "round {round}");
        host.tick();
        let census = host.census();
        let now = (census.entities, census.blocks_out, census.segments_active, census.sessions_open);
        if round >= 2 {
            assert_eq!(*before.get_or_insert(now), now, "round {round}");
        }
    }
    assert_eq!(host.count(|event| matches!(event, Event::SessionFailed { .. })), 100);
    host.sessions.truncate(1);
    host.finish();
    host.ticks(30);
    findings(&left(&host));
}

/// Two shards: sessions with even numbers live in the one, those with odd ones in the other.
fn two_shards() -> EngineConfig {
    EngineConfig { shards: Some(2), sessions_max: 8, ..EngineConfig::simulated() }
}

/// A scene, what each session is told, and what the host is told of the panic.
type Course = (Arc<ScenePlan>, fn(usize) -> Vec<Cue>, &'static str);

/// What panics over all lanes.
fn over_all_lanes() -> [Course; 4] {
    let spied = |text: &str| {
        let text = format!(
            r#"(
                name: "spied",
                session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
                nodes: [(id: "gate", kind: Prompter()), (id: "node", kind: Weak()), {text}],
                edges: [("input", "gate"), ("gate.audio", "node"), ("gate.audio", "spy"), ("node", "output")],
            )"#
        );
        compiled(&text, &[], &registry()).unwrap_or_else(|wrong| panic!("{wrong}"))
    };
    let speechless = |step| if step == 9 { vec![Cue::Sound(80), Cue::Text(99)] } else { cues(step) };
    [
        (scene("(id: \"node\", kind: Flock(at: 7)),"), cues, "node: a weak sheep"),
        (scene("(id: \"node\", kind: Flock(at_control: true)),"), cues, "node: a weak sheep"),
        (spied("(id: \"spy\", kind: Spy(at: 7))"), cues, "a spy is caught"),
        (scene("(id: \"node\", kind: Weak()),"), speechless, "gate: index out of bounds"),
    ]
}

#[test]
fn a_panic_over_all_lanes_ends_the_sessions_of_its_shard_and_no_others() {
    for (plan, weakly, said) in over_all_lanes() {
        let calm = play(&plan, two_shards(), &["s0", "meek", "s2", "s3", "s4", "s5"], weakly);
        let mut host = play(&plan, two_shards(), &["s0", "weak", "s2", "s3", "s4", "s5"], weakly);
        for session in [0, 2, 4] {
            assert_eq!(reasons(&host, session), [CloseReason::Finished], "{said}");
            assert_eq!(seen(&host, session), seen(&calm, session), "{said}");
        }
        for session in [1, 3, 5] {
            let told = reasons(&host, session);
            let [CloseReason::Failed(reason)] = told.as_slice() else {
                panic!("{said}, {session}: {told:?}")
            };
            assert!(reason.starts_with(said), "{said}: {reason}");
            assert_eq!(failures(&host, session).len(), 1, "{said}");
            assert!(!host.whole(session).is_empty(), "{said}: {session} was heard before");
        }
        findings(&left(&host));
        assert_eq!(entities(&host), entities(&calm), "{said}");
        // The shard takes sessions as before.
        host.sessions.clear();
        host.events.clear();
        host.sounds.clear();
        host = host.with(told("even")).with(told("odd"));
        for step in 0..STEPS {
            for session in &host.sessions {
                session.push(Cue::block(&cues(step))).expect("there is room");
            }
            host.ticks(TICKS);
        }
        host.finish();
        assert_eq!(host.sessions[1].id().0, 1, "{said}: ids are used again");
        for session in 0..2 {
            assert_eq!(reasons(&host, session), [CloseReason::Finished], "{said}");
            assert_eq!(host.whole(session).len(), calm.whole(0).len(), "{said}");
        }
    }
}

#[test]
fn a_torn_gate_leaves_no_segment_undecided() {
    let (plan, weakly, _) = over_all_lanes().into_iter().next_back().expect("four");
    let host = play(&plan, one_shard(), &["strong", "weak"], weakly);
    // Step 9 is the second of a segment that nobody had confirmed.
    let cancelled = host.events(|event| match event {
        Event::SegmentCancelled { segment, reason: CancelReason::Closed, from_us, to_us } => {
            Some((*segment, from_us < to_us))
        }
        _ => None,
    });
    let ends: Vec<_> = cancelled.iter().map(|(session, _, what)| (*session, *what)).collect();
    assert_eq!(ends, [(0, (3, true)), (1, (3, true))]);
    let told = |event: &SessionEvent| matches!(event, SessionEvent::SpeechCancelled { segment: 3, .. });
    assert_eq!(host.events.iter().filter(|(.., event)| told(event)).count(), 2, "their hosts are told");
    findings(&left(&host));
}

#[derive(Resource, Default)]
struct Owned {
    before: u32,
    behind: u32,
}

#[test]
fn the_owner_of_a_world_keeps_systems_that_stand_beside_one_that_panics() {
    let plan = scene("(id: \"node\", kind: Flock(at: 7)),");
    let mut world = World::new();
    world.init_resource::<Owned>();
    let handle = embed::embed(&mut world, &plan, one_shard());
    let panics = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&panics);
    world.resource_mut::<Schedules>().add_systems(
        embed::FirstHalf,
        (
            (|mut owned: ResMut<'_, Owned>| owned.before += 1).before(Stage::Control),
            (move |owned: Res<'_, Owned>| {
                let ill = owned.before == 60;
                count.fetch_add(u32::from(ill), Ordering::Relaxed);
                assert!(!ill, "the owner's own");
            })
            .after(Stage::Ingress)
            .before(Stage::Cancel(NodeId(0))),
            (|mut owned: ResMut<'_, Owned>| owned.behind += 1).after(Stage::Node(NodeId(2))),
        ),
    );
    // The node panics in the first round, the owner's system in the second.
    let mut told_why = Vec::new();
    let mut now_us = 0;
    for name in ["weak", "strong", "late"] {
        let session = handle.open(told(name)).expect("there is room");
        for step in 0..STEPS {
            drop(session.push(Cue::block(&cues(step))));
            embed::tick(&mut world, now_us);
            now_us += 5_000;
            while let Some(out) = session.poll() {
                match out {
                    Out::Event(SessionEvent::Closed { reason }) => told_why.push(reason.to_string()),
                    Out::Audio(audio) => session.give_back(audio.block),
                    _ => {}
                }
            }
            let owned = world.resource::<Owned>();
            assert_eq!(
                owned.before, owned.behind,
                "{name}, step {step}: what stands behind runs in the same tick"
            );
        }
        session.close();
    }
    assert_eq!(panics.load(Ordering::Relaxed), 1);
    assert_eq!(told_why, ["failed: node: a weak sheep", "failed: the owner's own"]);
    (0..4).for_each(|at| embed::tick(&mut world, now_us + at * 5_000));
    let mut census = Census::default();
    embed::census(&world, &mut census);
    assert_eq!((census.sessions_open, census.blocks_out, census.segments_active), (0, 0, 0));
}
