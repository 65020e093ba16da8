//! What entities there are and which components each has: listed from the worlds of a running engine, and compared with the
//! table in docs/architecture.md.

#[path = "support/spoken.rs"]
mod spoken;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::resource::IsResource;
use mynah_engine::observe::Census;
use mynah_engine::scene::{Source, compile};
use mynah_engine::tick::component_names;
use mynah_engine::{Engine, EngineConfig, Out, SessionSpec};

/// How many entities of a world have which components. Resources are not among them, though bevy_ecs keeps them as
/// entities.
fn entities(world: &World) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for entity in world.iter_entities() {
        if !entity.contains::<IsResource>() {
            *found.entry(component_names(world, entity.id()).join(" ")).or_insert(0) += 1;
        }
    }
    found
}

/// The table of the page: world, entity, components.
fn page() -> Vec<[String; 3]> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let text = std::fs::read_to_string(page).expect("the page is there");
    let table = text.lines().skip_while(|line| !line.starts_with("| world | entity |")).skip(2);
    let row = |line: &str| -> [String; 3] {
        let cells = line.split('|').map(|cell| cell.trim().replace('`', "")).filter(|cell| !cell.is_empty());
        let cells: Vec<String> = cells.take(3).collect();
        cells.try_into().expect("three cells")
    };
    table.take_while(|line| line.starts_with('|')).map(row).collect()
}

/// The page's rows of one world as a map from components to entity.
fn of_page(world: &str) -> BTreeMap<String, String> {
    let rows = page().into_iter().filter(|[of, ..]| of == world);
    rows.map(|[_, entity, components]| (components, entity)).collect()
}

#[test]
fn the_components_of_every_entity_are_those_that_the_page_shows() {
    let text = include_str!("../scenes/voice_assistant.ron");
    let source = Source::new("voice_assistant", text);
    let (plan, _) = compile(&source, &[], None, &mynah_systems::registry(None)).expect("it compiles");
    let nodes = plan.nodes.len();
    let config = EngineConfig { sessions_max: 4, ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::new(plan), config);
    let sessions: Vec<_> = (0..3)
        .map(|n| engine.handle().open(SessionSpec::named(format!("s{n}"))).expect("there is room"))
        .collect();
    let sound = spoken::speech(engine.plan().input.rate_hz, "how far is it. to the river");
    let (mut blocks, mut segments) = (0, 0);
    for step in 0..sound.len().div_ceil(480) {
        let piece = sound.chunks(480).nth(step).expect("counted");
        for session in &sessions {
            session.try_push(piece).expect("there is credit");
            while let Some(out) = session.poll() {
                if let Out::Audio(audio) = out {
                    blocks += 1;
                    session.give_back(audio.block);
                }
            }
        }
        engine.tick(step as u64 * 10_000);
        segments = segments.max(engine.census(&mut Census::default()).segments_active);
        let world = engine.shard_worlds().next().expect("a shard");
        let (found, page) = (entities(world), of_page("shard"));
        if step > 0 {
            assert_eq!(found.keys().collect::<Vec<_>>(), page.keys().collect::<Vec<_>>(), "step {step}");
            for (components, entity) in &page {
                let want = match entity.as_str() {
                    "session" => Some(3),
                    "queue" => Some(3 * nodes),
                    "output" => Some(3),
                    // Places are made ahead.
                    _ => None,
                };
                let count = found[components];
                assert!(want.is_none_or(|want| want == count), "step {step}: {count} of {entity}");
            }
        }
    }
    assert!(blocks > 10 && segments > 0, "speech went through: {blocks} blocks, {segments} segments");
    let (found, page) = (entities(engine.world()), of_page("engine"));
    assert_eq!(found.keys().collect::<Vec<_>>(), page.keys().collect::<Vec<_>>());
    for (components, entity) in &page {
        let of_plan = match entity.as_str() {
            "service" => engine.plan().services.len(),
            "station" => 1,
            _ => nodes - 1,
        };
        assert_eq!(found[components], of_plan, "{entity}");
    }
}
