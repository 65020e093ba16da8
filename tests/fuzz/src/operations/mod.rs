//! Hosts that do anything in any order, against two engines that must agree and keep every law that shows outside.
//!
//! The first byte picks the scene, the second how many shards one of the engines has. Then one operation after the other:
//! a byte says which, the next ones what with.

mod deeds;
mod laws;
mod pair;
pub(crate) mod tone;

use std::sync::{Arc, OnceLock};

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Source, compile};

use crate::bytes::Bytes;
use deeds::Hosts;

const SCENES: [(&str, &str); 5] = [
    ("talk", include_str!("../../scenes/talk.ron")),
    ("waits", include_str!("../../scenes/waits.ron")),
    ("drops", include_str!("../../scenes/drops.ron")),
    ("follows", include_str!("../../scenes/follows.ron")),
    ("merges", include_str!("../../scenes/merges.ron")),
];
/// Most operations of one run.
const OPERATIONS_MAX: usize = 300;

/// Scene, shards, and what hosts do.
///
/// # Panics
/// When two engines do not agree, a node or an edge does not balance, a queue holds more than it may, a segment or a
/// session does what it must not, something leaves after it was taken back, or sessions stay open for ever.
pub fn operations(data: &[u8]) {
    let mut bytes = Bytes(data);
    let plan = &plans()[usize::from(bytes.u8()) % SCENES.len()];
    let mut hosts = Hosts::new(Arc::clone(plan), 2 + u32::from(bytes.u8() % 4));
    for _ in 0..OPERATIONS_MAX {
        if bytes.is_empty() {
            break;
        }
        hosts.act(&mut bytes);
    }
    hosts.leave();
}

/// The scenes, compiled once.
fn plans() -> &'static [Arc<ScenePlan>] {
    static PLANS: OnceLock<Vec<Arc<ScenePlan>>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let mut registry = mynah_systems::registry(None);
        tone::register(&mut registry);
        let plan = |(name, text): &(&str, &str)| {
            let (plan, _) = compile(&Source::new(*name, *text), &[], None, &registry)
                .unwrap_or_else(|found| panic!("{found}"));
            Arc::new(plan)
        };
        SCENES.iter().map(plan).collect()
    })
}
