//! Nothing is lost silently: the books of the engine against what went in and came out.
//!
//! The first half checks the engine's own ledgers. The second shares nothing with them: it knows only the samples the
//! host pushed and got, and the event log.

use mynah_engine::scene::{Format, NodeRef, PortType};
use mynah_engine::{Census, ScenePlan};

use super::measure::{Measurement, SegmentStory};

/// What the host knows about one session.
#[derive(Clone, Copy, Debug)]
pub struct HostSide {
    /// Sample frames pushed.
    pub frames_pushed: u64,
}

/// Everything that does not add up, in words; empty = balanced.
pub fn imbalances(plan: &ScenePlan, census: &Census, run: &Measurement, host: &[HostSide]) -> Vec<String> {
    let mut wrong = Vec::new();
    ledgers(plan, census, &mut wrong);
    edges(plan, census, &mut wrong);
    samples(plan, census, run, host, &mut wrong);
    segments(plan, run, &mut wrong);
    wrong
}

fn name(plan: &ScenePlan, at: usize) -> &str {
    plan.nodes.get(at).map_or("output", |node| &node.id)
}

/// Per node: in = consumed + gated + merged + cancelled + dropped + queued.
fn ledgers(plan: &ScenePlan, census: &Census, wrong: &mut Vec<String>) {
    for (at, (node, queued)) in census.nodes.iter().zip(&census.queued).enumerate() {
        let ends = node.consumed + node.gated + node.merged + node.cancelled + node.dropped_all() + queued;
        if node.arrived != ends {
            wrong.push(format!("node {}: {} frames in, {ends} accounted for", name(plan, at), node.arrived));
        }
    }
}

/// Per node: what arrived is what the nodes before it sent.
fn edges(plan: &ScenePlan, census: &Census, wrong: &mut Vec<String>) {
    let mut expected = vec![0; census.nodes.len()];
    for target in &plan.input_targets {
        expected[plan.position(target.node).index()] += census.edge.blocks + census.edge.concealed_blocks;
    }
    for (node, ledger) in plan.nodes.iter().zip(&census.nodes) {
        for target in &node.targets {
            expected[plan.position(target.node).index()] += ledger.created[usize::from(target.port)];
        }
    }
    for (at, (node, expected)) in census.nodes.iter().zip(expected).enumerate() {
        if node.arrived != expected {
            wrong.push(format!(
                "node {}: {expected} frames sent to it, {} arrived",
                name(plan, at),
                node.arrived
            ));
        }
    }
}

/// Samples the host pushed and got, against the edge's own count and, in a pipeline without a gate, each other.
fn samples(plan: &ScenePlan, census: &Census, run: &Measurement, host: &[HostSide], wrong: &mut Vec<String>) {
    let pushed: u64 = host.iter().map(|h| h.frames_pushed).sum();
    if pushed != census.edge.frames {
        wrong.push(format!("edge: {pushed} sample frames pushed, {} taken", census.edge.frames));
    }
    let got: u64 = run.observers.iter().map(|o| o.released).sum();
    let sent = census.nodes.last().map_or(0, |output| output.samples_out);
    if got != sent {
        wrong.push(format!("output: {sent} samples released, {got} received"));
    }
    let Some(out) = plan.output.audio else { return };
    let plain = plan.nodes.iter().all(|n| matches!(n.spec.kind(), "Pass" | "Resample"));
    let lost: u64 = run.counts.dropped_samples.values().sum();
    if !plain || lost > 0 || !is_chain(plan) {
        return;
    }
    for (session, (observer, host)) in run.observers.iter().zip(host).enumerate() {
        let (from, to) = (u64::from(plan.input.rate_hz), u64::from(out.rate_hz));
        let want = (host.frames_pushed * to * 2 + from) / (from * 2) * u64::from(out.channels);
        if observer.released != want {
            wrong.push(format!(
                "session {session}: {want} samples due at the output, {} came",
                observer.released
            ));
        }
    }
}

fn is_chain(plan: &ScenePlan) -> bool {
    plan.input_targets.len() == 1 && plan.nodes.iter().all(|node| node.targets.len() == 1)
}

/// What a scene promises about each segment: it ends once; its own audio, or the answer that held, left whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct SegmentRule {
    /// The gate's audio is what leaves, in this format.
    own: Option<Format>,
    /// Answers are synthesized at the first rate and leave at the second.
    answers: Option<(u64, u64)>,
}

impl SegmentRule {
    /// The rule of a scene.
    pub fn of(plan: &ScenePlan) -> Self {
        let service = plan.nodes.iter().rev().find(|n| {
            n.service.is_some() && n.spec.outputs().first().is_some_and(|port| port.kind == PortType::Audio)
        });
        let gate = plan.nodes.iter().find(|n| n.spec.kind() == "VadGate");
        let gate_to_output = gate.is_some_and(|g| g.targets.iter().any(|t| t.node == NodeRef::Output));
        let answers = service.zip(plan.output.audio).map(|(node, out)| {
            let from = node.output.map_or(out.rate_hz, |f| f.rate_hz);
            (u64::from(from), u64::from(out.rate_hz))
        });
        Self { own: plan.output.audio.filter(|_| gate_to_output), answers }
    }

    /// Appends what is wrong with a segment, in words.
    pub fn check(&self, session: usize, serial: u32, story: &SegmentStory, wrong: &mut Vec<String>) {
        let place = format!("session {session} segment {serial}");
        if u32::from(story.cancelled) + u32::from(story.ended) != 1 {
            wrong.push(format!("{place}: cancelled {} times, ended {}", story.cancelled, story.ended));
        }
        if story.cancelled && story.confirmed {
            wrong.push(format!("{place}: confirmed and cancelled"));
        }
        if let (true, Some(format)) = (story.ended, self.own) {
            let due = story.to_us.saturating_sub(story.from_us);
            let frames = story.released_own / u64::from(format.channels);
            let heard = mynah_engine::frames_to_us(frames, format.rate_hz);
            // Block boundaries round to a microsecond each way.
            if heard.abs_diff(due) > 2 {
                wrong.push(format!("{place}: {due} us of speech, {heard} us released"));
            }
        }
        if let Some((from, to)) = self.answers {
            held_answer(&place, story, from, to, wrong);
        }
    }
}

/// The segments that were not looked at before.
fn segments(plan: &ScenePlan, run: &Measurement, wrong: &mut Vec<String>) {
    let rule = SegmentRule::of(plan);
    wrong.extend_from_slice(&run.wrong);
    for (session, observer) in run.observers.iter().enumerate() {
        for (serial, story) in &observer.segments {
            rule.check(session, *serial, story, wrong);
        }
    }
}

/// The answer to the revision that held left whole, and no other one did.
fn held_answer(place: &str, story: &SegmentStory, from: u64, to: u64, wrong: &mut Vec<String>) {
    for (revision, released) in &story.released {
        let made = story.synthesized.get(revision).copied().unwrap_or(0);
        let due = (made * to * 2 + from) / (from * 2);
        if *released != due {
            wrong.push(format!("{place} revision {revision}: {due} samples due, {released} released"));
        }
        if story.ended && *revision != story.revision {
            wrong.push(format!("{place}: revision {revision} was released whole, {} held", story.revision));
        }
    }
    let held = story.ended && story.revision > 0;
    if held
        && !story.withdrawn
        && story.synthesized.contains_key(&story.revision)
        && !story.released.contains_key(&story.revision)
    {
        wrong.push(format!("{place}: the answer to revision {} never left whole", story.revision));
    }
}
