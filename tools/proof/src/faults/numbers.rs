//! Sets numbers of a scene to an end of their range, as overrides of the scene.
//!
//! The scene itself says where a range ends: at the most extreme value that it accepts beside all others.

use mynah_engine::ScenePlan;
use mynah_engine::scene::{Latency, Override, Pace};

use super::plan::{Dice, FaultPlan};
use super::site::Site;

/// Stream of dice of its own.
const STREAM: u64 = 1 << 43;

/// Numbers of a session and of the tick.
const SESSION: [&str; 6] = [
    "tick.period_ms",
    "session.input.channels",
    "session.input.chunk_ms",
    "session.input.pts_tolerance_ms",
    "session.output.pace.lead_ms",
    "session.output.interrupt_min_ms",
];
/// Numbers of every node, of those with a batch and of those with a deadline.
const NODE: [&str; 2] = ["capabilities.queue_capacity", "capabilities.avg_processing_us"];
const BUFFERING: [&str; 4] = [
    "buffering.min_batch_size",
    "buffering.max_batch_size",
    "buffering.max_wait_ms",
    "buffering.max_buffer_size",
];
const DEADLINE: [&str; 2] = ["deadline.budget_ms", "deadline.margin_ms"];
/// Numbers of a service's timing.
const TIMING: [&str; 6] = ["parallelism", "batch_item_cost", "reduced_cost", "words_per_s", "speed", "scale"];

/// Values between which ends are looked for, ascending.
const LADDER: [f64; 35] = [
    0.0, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.9, 0.95, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0,
    96.0, 128.0, 200.0, 300.0, 500.0, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 1e5, 6e5, 1e6, 1e7, 6e7,
];
/// Halvings between a value that is accepted and the next that is not.
const HALVINGS: usize = 12;

/// The overrides that set the drawn numbers to the least or the greatest that `accepts` lets through.
pub(super) fn overrides(
    plan: &ScenePlan,
    faults: &FaultPlan,
    mut accepts: impl FnMut(&[Override]) -> bool,
) -> Vec<Override> {
    let Some(drawn) = faults.on(Site::Numbers) else { return Vec::new() };
    let mut dice = Dice::new(faults.seed, STREAM);
    let mut chosen = Vec::new();
    for path in paths(plan) {
        let rng = dice.of(Site::Numbers);
        let (strikes, greatest) = (rng.chance(drawn.ratio), rng.chance(0.5));
        if !strikes {
            continue;
        }
        let mut fits = |value: f64| {
            let one = Override::parse(&format!("{path}={value}")).ok()?;
            chosen.push(one);
            let fits = accepts(&chosen);
            let one = chosen.pop();
            if fits { one } else { None }
        };
        if let Some(end) = end(greatest, &mut fits) {
            chosen.push(end);
        }
    }
    chosen
}

/// The numbers that the scene has.
fn paths(plan: &ScenePlan) -> Vec<String> {
    let scene = &plan.scene;
    let there = |path: &&&str| match path.rsplit('.').next() {
        Some("lead_ms") => matches!(scene.session.output.pace, Pace::RealTime { .. }),
        Some("interrupt_min_ms") => scene.session.output.interrupt_min_ms.is_some(),
        _ => true,
    };
    let mut paths: Vec<String> = SESSION.iter().filter(there).map(ToString::to_string).collect();
    for node in scene.nodes.iter().filter_map(|said| Some(&plan.nodes[plan.node(&said.id)?])) {
        let batch = if node.buffering.is_some() { &BUFFERING[..] } else { &[] };
        let deadline = if node.deadline.is_some() { &DEADLINE[..] } else { &[] };
        let all = [&NODE[..], batch, deadline, node.spec.numbers()].concat();
        paths.extend(all.iter().map(|field| format!("{}.{field}", node.id)));
    }
    for service in &plan.services {
        let Some(timing) = &service.timing else { continue };
        let latency: &[&str] = match timing.latency {
            Latency::Fixed { .. } => &["latency.ms"],
            Latency::LogNormal { .. } => &["latency.p50_ms", "latency.p99_ms"],
        };
        let all = [&TIMING[..], latency].concat();
        paths.extend(all.iter().map(|field| format!("services.{}.timing.{field}", service.name)));
    }
    paths
}

/// The least or the greatest value that fits, as near as it is worth.
fn end(greatest: bool, fits: &mut impl FnMut(f64) -> Option<Override>) -> Option<Override> {
    let rung = |at: usize| LADDER[if greatest { LADDER.len() - 1 - at } else { at }];
    let (at, mut best) = (0..LADDER.len()).find_map(|at| Some((at, fits(rung(at))?)))?;
    let (mut inside, mut outside) = (rung(at), rung(at.checked_sub(1).unwrap_or(at)));
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(inside, outside);
        // Numbers above 1 are mostly whole.
        let middle = if middle > 1.0 { middle.round() } else { (middle * 1e4).round() / 1e4 };
        if middle == inside || middle == outside {
            break;
        }
        match fits(middle) {
            Some(one) => (inside, best) = (middle, one),
            None => outside = middle,
        }
    }
    Some(best)
}
