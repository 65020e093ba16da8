//! Queues as small as a scene allows, as overrides of the scene.

use mynah_engine::ScenePlan;
use mynah_engine::scene::Override;

use super::plan::{Dice, FaultPlan};
use super::site::Site;

/// Stream of dice of its own.
const STREAM: u64 = 1 << 41;
/// A queue that needs more than this is left as it is.
const CAPACITY_MAX: u32 = 1 << 10;

/// The overrides that make the drawn nodes' queues hold 1 frame, or the least that `compiles` accepts.
pub(super) fn overrides(
    plan: &ScenePlan,
    faults: &FaultPlan,
    mut compiles: impl FnMut(&[Override]) -> bool,
) -> Vec<Override> {
    let Some(drawn) = faults.on(Site::QueueCapacity) else { return Vec::new() };
    let mut dice = Dice::new(faults.seed, STREAM);
    let mut chosen = Vec::new();
    for node in &plan.nodes {
        if !dice.of(Site::QueueCapacity).chance(drawn.ratio) {
            continue;
        }
        let field = if node.buffering.is_some() {
            "buffering.max_buffer_size"
        } else {
            "capabilities.queue_capacity"
        };
        let mut capacity = 1;
        while capacity <= CAPACITY_MAX {
            let Ok(one) = Override::parse(&format!("{}.{field}={capacity}", node.id)) else { break };
            chosen.push(one);
            if compiles(&chosen) {
                break;
            }
            chosen.pop();
            capacity *= 2;
        }
    }
    chosen
}
