//! How long it may take until nothing is left, once nothing goes wrong any more and the input has ended.

use mynah_engine::ScenePlan;
use mynah_engine::delivery::{RESEND_US, TRANSMITS_MAX};
use mynah_engine::scene::{LATENCY_MS, Latency, Pace, PortType, parse_config};
use mynah_systems::Throttle;

use super::plan::FaultPlan;
use super::site::Site;
use crate::transport::LinkedScene;

/// Calls of one session that may be under way or wait for one service.
const CALLS: u64 = 8;
/// Frames that may be on their way to a consumer beside those in its queue: the words of so many calls' answers.
const FRAMES: u64 = CALLS * 40;
/// Longest answer to one call that is expected of a voice, microseconds.
const ANSWER_US: u64 = 12_000_000;
/// Audio that may wait in the session's output: 1,500 frames of 20 ms.
const OUTPUT_US: u64 = 30_000_000;
/// Longest that a follower may be told to wait for a word from the other end.
const WORD_US: u64 = 10_000_000;
/// Ticks for what is passed on from node to node and told to hosts.
const TICKS: u64 = 64;

/// The parts of the bound, microseconds each, with what they are for.
pub(super) fn bound(
    plan: &ScenePlan,
    far: Option<&ScenePlan>,
    faults: &FaultPlan,
    sessions: u32,
) -> Vec<(&'static str, u64)> {
    let tick_us = u64::from(plan.scene.tick.period_ms) * 1_000;
    let mut parts = vec![("ticks", TICKS * tick_us)];
    for plan in [Some(plan), far].into_iter().flatten() {
        parts.extend(of_one(plan, faults, sessions));
    }
    if let Some(link) = LinkedScene::of(plan) {
        let slowest_ms = link.delay_ms + link.jitter_ms + link.reorder_extra_ms;
        let resends_us = u64::from(TRANSMITS_MAX) * RESEND_US;
        let late = faults.on(Site::ControlLate).map_or(0, |drawn| drawn.amount_us());
        // Out, and the receipt back.
        parts.push(("link and resends", 2 * ((slowest_ms * 1_000.0) as u64 + late) + resends_us));
    }
    parts
}

fn of_one(plan: &ScenePlan, faults: &FaultPlan, sessions: u32) -> Vec<(&'static str, u64)> {
    let mut parts = Vec::new();
    let slower = faults.on(Site::ServiceSlow).map_or(1.0, |drawn| drawn.amount);
    let mut speaks = false;
    for said in plan.scene.nodes.iter().filter(|said| said.kind.name == "Throttle") {
        let node = plan.nodes.iter().find(|node| node.id == said.id);
        let (Some(node), Ok(slow)) = (node, parse_config::<Throttle>(&said.kind.config)) else { continue };
        let frames = u64::from(node.capabilities.queue_capacity) + FRAMES;
        parts.push(("a slow consumer", (frames as f64 * 1e6 / f64::from(slow.per_s)) as u64));
    }
    for node in &plan.nodes {
        if node.spec.kind() == "Follow" {
            parts.push(("words from the other end", WORD_US));
        }
        let Some(service) = node.service.map(|service| &plan.services[service]) else { continue };
        let timing = &service.timing;
        let longest_ms = timing.scale
            * match timing.latency {
                Latency::Fixed { ms } => ms,
                // As far beyond the 99th percentile as that is beyond the median, twice.
                Latency::LogNormal { p50_ms, p99_ms } => {
                    (p99_ms * (p99_ms / p50_ms).powi(2)).min(*LATENCY_MS.end())
                }
            };
        let making_us = (ANSWER_US as f64 / timing.speed) as u64;
        let speech = node.spec.outputs().first().is_some_and(|port| port.kind == PortType::Audio);
        let call_us = (longest_ms * 1_000.0) as u64 + if speech { making_us } else { 0 };
        let rounds = (CALLS * u64::from(sessions)).div_ceil(u64::from(timing.workers()));
        // What began just before the heal is as slow as it was then.
        parts.push(("calls before the heal", (longest_ms * 1_000.0 * slower) as u64));
        parts.push(("calls that wait", rounds * call_us));
        if let Some(buffering) = &node.buffering {
            parts.push(("batches that wait for company", (buffering.max_wait_ms * 1_000.0) as u64 * CALLS));
        }
        speaks |= speech;
    }
    if speaks && matches!(plan.scene.session.output.pace, Pace::RealTime { .. }) {
        parts.push(("answers that are played", OUTPUT_US + CALLS * ANSWER_US));
    }
    parts
}

/// The bound in ticks.
pub(super) fn ticks(parts: &[(&'static str, u64)], tick_us: u64) -> u64 {
    parts.iter().map(|(_, us)| us).sum::<u64>().div_ceil(tick_us.max(1))
}
