//! Every type of another crate that stands in a public signature can be named through the engine: this crate depends on
//! none of theirs but `serde`. That it compiles is the test.

use std::path::Path;
use std::sync::Arc;

use mynah_engine::Registry;
use mynah_engine::bevy_ecs::component::Mutable;
use mynah_engine::bevy_ecs::prelude::{Component, Entity, Query, Res, ResMut, World};
use mynah_engine::bevy_ecs::schedule::SystemSet;
use mynah_engine::bevy_ecs::system::{BoxedSystem, SystemParam};
use mynah_engine::bevy_ecs::world::EntityWorldMut;
use mynah_engine::crossbeam::sync::{Parker, Unparker};
use mynah_engine::edge::Bell;
use mynah_engine::hdrhistogram::Histogram;
use mynah_engine::node::{Lanes, Node, NodeParams, NodePlace, SessionContext, lane_system};
use mynah_engine::record::latency_histogram;
use mynah_engine::ron::error::SpannedError;
use mynah_engine::scene::parse_config;
use mynah_engine::serde::de::DeserializeOwned;
use mynah_engine::serde_json::{Map, Value};
use mynah_engine::service::ServiceKind;
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{Metadata, SEGMENT_NAMESPACE, segment_id};

/// What a node kind of full access touches.
fn lanes<S: Component<Mutability = Mutable>>(place: NodePlace, world: &mut World) -> BoxedSystem {
    lane_system::<S, ()>(place, world, |_: &mut Lanes<'_, '_, S>, _, ()| {})
}

fn owner(context: &SessionContext) -> Entity {
    context.owner
}

fn opens(node: &dyn Node, context: &SessionContext, entity: &mut EntityWorldMut<'_>) -> Result<(), String> {
    node.open(context, entity)
}

fn installs(node: &dyn Node, place: NodePlace, world: &mut World) -> BoxedSystem {
    node.install(place, world)
}

fn takes<P: SystemParam>() {}

fn orders<S: SystemSet>() {}

fn reads<T: DeserializeOwned>(config: &str) -> Result<T, SpannedError> {
    parse_config(config)
}

fn answers(registry: &mut Registry, kind: Arc<dyn ServiceKind>) {
    let parse = move |_: &str| -> Result<Arc<dyn ServiceKind>, SpannedError> { Ok(Arc::clone(&kind)) };
    registry.add_service("Any", parse);
}

fn wakes(bell: &Bell, sleeper: Unparker) {
    bell.wakes(sleeper);
}

#[test]
fn whoever_names_a_foreign_type_finds_it_here() {
    let parker = Parker::new();
    wakes(&Bell::default(), parker.unparker().clone());
    let waits: Histogram<u32> = latency_histogram();
    assert!(waits.is_empty());
    let name: Uuid = segment_id("caller", 1, 1);
    assert_ne!(name, SEGMENT_NAMESPACE);
    let mut said = Metadata::default();
    said.insert("who", Value::Object(Map::new()));
    assert!(said.get("who").is_some_and(Value::is_object));
    let wrong: SpannedError = reads::<bool>("maybe").expect_err("it is neither");
    assert_eq!(wrong.span.start.line, 1);
    takes::<NodeParams<'static, 'static>>();
    takes::<Res<'static, mynah_engine::base::Now>>();
    takes::<ResMut<'static, mynah_engine::media::BlockPool>>();
    takes::<Query<'static, 'static, (Entity, &'static mynah_engine::media::Lane)>>();
    orders::<mynah_engine::tick::Stage>();
    let _compiled = (lanes::<mynah_engine::media::Queue>, owner, opens, installs, answers);
}

#[test]
fn this_crate_depends_on_no_crate_whose_versions_do_not_mix() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("cargo has read it");
    for foreign in ["bevy_ecs", "crossbeam", "hdrhistogram", "ron =", "uuid", "serde_json"] {
        assert!(!manifest.contains(foreign), "{foreign} should come through the engine");
    }
}
