//! Bounds the time until nothing is left, once the faults have stopped and the input has ended.

use mynah_engine::ScenePlan;
use mynah_engine::edge::{ARRIVAL_COST_MS_MIN, BLOCK_MS_MAX, CREDIT_MS};
use mynah_engine::node::Node;
use mynah_engine::scene::{
    DeadlinePolicy, LATENCY_MS, Latency, Pace, PlanNode, PlanTarget, Port, PortType, parse_config,
};
use mynah_engine::wire::delivery::{RESEND_US, TRANSMITS_MAX};
use mynah_systems::service::ScriptedReply;

use super::plan::FaultPlan;
use super::site::Site;
use mynah_sim::transport::LinkedScene;

/// Calls of one session that may be under way or wait for one service.
const CALLS: u64 = 8;
/// Characters of an odd text that are read in a tick at least: sixteen, the slice after which a collector looks at how much
/// it has done.
const CHARACTERS_READ: u64 = 16;
/// Characters of a reply up to which it is spoken in that time.
const PROSE: u64 = 160;
/// Words of one answer.
const WORDS: u64 = 40;
/// Longest answer to one call that is expected of a voice, microseconds.
const ANSWER_US: u64 = 12_000_000;
/// Longest that a voice speaks for one character that is no prose, microseconds.
const CHARACTER_US: u64 = 200_000;
/// Audio that may wait in the session's output: 1,500 frames of 20 ms.
const OUTPUT_US: u64 = 30_000_000;
/// Longest that a follower may be told to wait for a word from the other end.
const WORD_US: u64 = 10_000_000;
/// Blocks of one session that its credit pays, however short they are.
const BLOCKS_PAID: f64 = CREDIT_MS as f64 / ARRIVAL_COST_MS_MIN as f64;
/// Blocks of silence in place of what was lost before one stamped block: a gap of a second is the longest that is filled,
/// and what is left of it makes a block of its own.
const BLOCKS_A_GAP: f64 = (1_000 / BLOCK_MS_MAX + 1) as f64;
/// Ticks for what is told to hosts, and what hosts do about it.
const TICKS: u64 = 64;
/// Ticks for each node on the longest way: to it, and to its service and back.
const TICKS_A_NODE: u64 = 2;

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
        parts.push(("the longest way", TICKS_A_NODE * nodes_in_a_row(plan) * tick_us));
        parts.push(("frames that wait for each other", (waiting(plan, faults) * tick_us as f64) as u64));
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
    let Answers { frames: answer_frames, us: answer_us } = Answers::of(plan, faults);
    let slower = faults.on(Site::ServiceSlow).map_or(1.0, |drawn| drawn.amount);
    let mut speaks = false;
    for node in &plan.nodes {
        let Some(frame_us) = throttled_us(&*node.spec) else { continue };
        let frames = u64::from(node.capabilities.queue_capacity) + answer_frames;
        parts.push(("a slow consumer", (frames as f64 * frame_us) as u64));
    }
    for node in &plan.nodes {
        if node.spec.follows_sender() {
            parts.push(("words from the other end", WORD_US));
        }
        if reads(&*node.spec) {
            let texts = CALLS * (answer_us / CHARACTER_US).div_ceil(CHARACTERS_READ);
            parts.push(("texts that are read", texts * u64::from(plan.scene.tick.period_ms) * 1_000));
        }
        let Some(service) = node.service.map(|service| &plan.services[service]) else { continue };
        // What takes the time that it takes is bounded by its timeout alone.
        parts.push(("a call that is given up", u64::from(service.timeout_ms) * 1_000));
        let timing = &service.timing.unwrap_or_default();
        let longest_ms = timing.scale
            * match timing.latency {
                Latency::Fixed { ms } => ms,
                // As far beyond the 99th percentile as that is beyond the median, twice.
                Latency::LogNormal { p50_ms, p99_ms } => {
                    (p99_ms * (p99_ms / p50_ms).powi(2)).min(*LATENCY_MS.end())
                }
            };
        let longest_ms = longest_ms * batch_cost(node, timing.batch_item_cost, sessions);
        let making_us = (answer_us as f64 / timing.speed) as u64;
        let speech = node.spec.outputs().first().is_some_and(|port| port.kind == PortType::Audio);
        let said_us = if timing.words_per_s > 0.0 {
            ((answer_frames / CALLS) as f64 * 1e6 / timing.words_per_s) as u64
        } else {
            0
        };
        let call_us = (longest_ms * 1_000.0) as u64 + if speech { making_us } else { said_us };
        let calls = CALLS * if speech { sentences(plan) } else { 1 };
        let rounds = (calls * u64::from(sessions)).div_ceil(u64::from(timing.workers()));
        // What began just before the heal is as slow as it was then.
        parts.push(("calls before the heal", (longest_ms * 1_000.0 * slower) as u64));
        parts.push(("calls that wait", rounds * call_us));
        if let Some(buffering) = &node.buffering {
            parts.push(("batches that wait for company", (buffering.max_wait_ms * 1_000.0) as u64 * CALLS));
        }
        speaks |= speech;
    }
    // What reads a ring does so as it is played.
    let played = faults.on(Site::Split).is_some();
    if played || matches!(plan.scene.session.output.pace, Pace::RealTime { .. }) {
        let answers_us = if speaks { CALLS * answer_us } else { 0 };
        parts.push(("audio that is played", OUTPUT_US + answers_us));
    }
    parts
}

/// How many times as long as one call the largest batch of a node takes.
fn batch_cost(node: &PlanNode<dyn Node>, item_cost: f64, sessions: u32) -> f64 {
    let Some(buffering) = &node.buffering else { return 1.0 };
    let grown = match node.deadline.map(|deadline| deadline.policy) {
        Some(DeadlinePolicy::GrowBatch { max }) => max,
        _ => 0,
    };
    // More than all calls of all sessions never wait.
    let items = buffering.max_batch_size.max(grown).min(CALLS as u32 * sessions);
    1.0 + f64::from(items.saturating_sub(1)) * item_cost
}

/// What may come of calls at most.
struct Answers {
    /// Of a service that says words: frames of all calls of a session.
    frames: u64,
    /// Of a voice: how long one speaks, microseconds.
    us: u64,
}

impl Answers {
    fn of(plan: &ScenePlan, faults: &FaultPlan) -> Self {
        let odd = faults.on(Site::HostileText).map_or(0, |drawn| drawn.amount as u64);
        let longest = templates(plan).map(|template| template.chars().count() as u64).max().unwrap_or(0);
        // A reply as they are is no longer than what is expected.
        let characters = odd.max(if longest > PROSE { longest } else { 0 });
        // No word is shorter than a character and a space.
        Self { frames: CALLS * WORDS.max(characters / 2), us: ANSWER_US.max(characters * CHARACTER_US) }
    }
}

/// What the replies of a scene are made of.
fn templates(plan: &ScenePlan) -> impl Iterator<Item = String> {
    let said = plan.scene.services.values().filter(|service| service.output.name == "ScriptedReply");
    let said = said.filter_map(|service| parse_config::<ScriptedReply>(&service.output.config).ok());
    said.map(|reply| reply.template)
}

/// Most calls of a voice that come of one call of the reply before it: it speaks sentence by sentence, and in a queue with
/// room for all of them they wait at once.
fn sentences(plan: &ScenePlan) -> u64 {
    let ends = |template: String| template.matches(['.', '?', '!']).count() as u64;
    templates(plan).map(ends).max().unwrap_or(0).max(1)
}

/// How long a node that is slow on purpose keeps each frame, microseconds; `None`: it is not.
fn throttled_us(spec: &dyn Node) -> Option<f64> {
    spec.frames_per_s().map(|per_s| 1e6 / per_s)
}

/// Whether a node reads its texts: it makes others of them, and not all in one tick.
fn reads(spec: &dyn Node) -> bool {
    let is_text = |ports: &[Port]| ports.first().is_some_and(|port| port.kind == PortType::Text);
    let passes = spec.service().is_some() || spec.frames_per_s().is_some();
    is_text(spec.inputs()) && is_text(spec.outputs()) && !passes
}

/// The sum over where `targets` lead of what `of` has for each node; the output counts nothing.
fn behind<N: Copy + std::iter::Sum>(plan: &ScenePlan, targets: &[PlanTarget], of: &[N]) -> N {
    targets.iter().filter_map(|target| of.get(plan.position(target.node).index()).copied()).sum()
}

/// Nodes on the longest way through the scene.
fn nodes_in_a_row(plan: &ScenePlan) -> u64 {
    let mut rows = vec![0; plan.nodes.len()];
    for (at, node) in plan.nodes.iter().enumerate().rev() {
        let next = node.targets.iter().filter_map(|target| rows.get(plan.position(target.node).index()));
        rows[at] = 1 + next.copied().max().unwrap_or(0);
    }
    rows.into_iter().max().unwrap_or(0)
}

/// Ticks that all frames of one session may need to pass queues whose senders wait.
///
/// While anything waits, such a queue passes at least as many frames a tick as it holds. At worst only one of them moves
/// at a time: then a frame costs its share of a tick at every such queue on every path that it and its copies take.
fn waiting(plan: &ScenePlan, faults: &FaultPlan) -> f64 {
    let answers = Answers::of(plan, faults);
    let tick_us = f64::from(plan.scene.tick.period_ms) * 1e3;
    let mut ticks = vec![0.0; plan.nodes.len()];
    let mut total = 0.0;
    for ((at, node), (input, _)) in plan.nodes.iter().enumerate().zip(plan.formats(plan.input)).rev() {
        let capacity = f64::from(node.capabilities.queue_capacity);
        let own = if node.blocks() {
            (1.0 / capacity).max(throttled_us(&*node.spec).unwrap_or(0.0) / tick_us)
        } else {
            0.0
        };
        let after = behind(plan, &node.targets, &ticks);
        ticks[at] = own + after;
        // What waits in its queue, what it has kept and sends at once, and what its service still answers.
        total += capacity * ticks[at] + f64::from(node.spec.max_out(input)) * after;
        if node.service.is_some() {
            let speech = node.spec.outputs().first().is_some_and(|port| port.kind == PortType::Audio);
            let block_us = u64::from(BLOCK_MS_MAX) * 1_000;
            total += (if speech { CALLS * answers.us / block_us } else { answers.frames }) as f64 * after;
        }
    }
    total + blocks_in(faults) * behind(plan, &plan.input_targets, &ticks)
}

/// Blocks of one session that may wait in front of the scene.
///
/// Silence costs no credit. Where the scene lets in less than is sent, much is refused between two blocks that are taken:
/// if the sender stamps them, each has a gap before it, and one more may show when the stream ends. Who stamps nothing
/// misses nothing: two gaps are left as room.
fn blocks_in(faults: &FaultPlan) -> f64 {
    let stamping = [Site::Stamps, Site::TimestampJumps, Site::ClockSteps];
    let gaps = if faults.any(&stamping) { BLOCKS_PAID + 1.0 } else { 2.0 };
    BLOCKS_PAID + gaps * BLOCKS_A_GAP
}

/// The bound in ticks.
pub(super) fn ticks(parts: &[(&'static str, u64)], tick_us: u64) -> u64 {
    parts.iter().map(|(_, us)| us).sum::<u64>().div_ceil(tick_us.max(1))
}
