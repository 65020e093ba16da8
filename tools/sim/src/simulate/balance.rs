//! Checks that nothing is lost silently: the counts of the engine against what went in and came out.
//!
//! The first half checks the engine's own counts. The second shares nothing with them: it knows only the samples the
//! host pushed and got, and the event log.

use mynah_engine::node::Node;
use mynah_engine::observe::Census;
use mynah_engine::scene::{Format, NodeRef, PortType, Release};
use mynah_engine::{Engine, ScenePlan};

use super::measure::{Measurement, SegmentStory};

/// What the host knows about one session.
#[derive(Clone, Copy, Debug)]
pub struct HostSide {
    /// Sample frames pushed.
    pub frames_pushed: u64,
}

/// Everything that does not add up, in words; empty = balanced.
pub fn imbalances(engine: &Engine, run: &Measurement, host: &[HostSide]) -> Vec<String> {
    let plan = &**engine.plan();
    let mut wrong = imbalances_inside(engine);
    samples(plan, engine.census(&mut Census::default()), run, host, &mut wrong);
    segments(plan, run, &mut wrong);
    wrong
}

/// What does not add up in the engine's own counts, whatever came in.
pub fn imbalances_inside(engine: &Engine) -> Vec<String> {
    let (mut census, mut queued) = (Census::default(), Vec::new());
    let (plan, census) = (&**engine.plan(), engine.census(&mut census));
    let mut wrong = Vec::new();
    for (at, balance) in census.balances(engine.queued(&mut queued)).enumerate() {
        if !balance.holds() {
            wrong.push(format!("node {}: {balance}", name(plan, at)));
        }
    }
    edges(plan, census, &mut wrong);
    wrong
}

fn name(plan: &ScenePlan, at: usize) -> &str {
    plan.nodes.get(at).map_or("output", |node| &node.id)
}

/// Per node: what arrived is what the nodes before it sent.
fn edges(plan: &ScenePlan, census: &Census, wrong: &mut Vec<String>) {
    let mut expected = vec![0; census.nodes.len()];
    for target in &plan.input_targets {
        expected[plan.position(target.node).index()] += census.edge.blocks + census.edge.concealed_blocks;
    }
    let lines = [(&plan.said_targets[..], census.edge.said), (plan.typed_targets(), census.edge.typed)];
    for (targets, count) in lines {
        targets.iter().for_each(|target| expected[plan.position(target.node).index()] += count);
    }
    for (node, counts) in plan.nodes.iter().zip(&census.nodes) {
        for target in &node.targets {
            expected[plan.position(target.node).index()] += counts.created[usize::from(target.port)];
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
    let got: u64 = run.sessions.iter().map(|o| o.released).sum();
    let sent = census.nodes.last().map_or(0, |output| output.samples_out);
    if got != sent {
        wrong.push(format!("output: {sent} samples released, {got} received"));
    }
    let Some(out) = plan.output.audio else { return };
    let lost: u64 = run.counts.dropped_samples.values().sum();
    if lost > 0 || !is_plain(plan) {
        return;
    }
    for (session, (heard, host)) in run.sessions.iter().zip(host).enumerate() {
        let want = converted(host.frames_pushed, plan.input.rate_hz, out.rate_hz) * u64::from(out.channels);
        if heard.released != want {
            wrong.push(format!(
                "session {session}: {want} samples due at the output, {} came",
                heard.released
            ));
        }
    }
}

/// What comes out is what goes in, at another rate at most.
pub fn is_plain(plan: &ScenePlan) -> bool {
    let is_quick = |spec: &dyn Node| !spec.decides_speech() && spec.frames_per_s().is_none();
    let plain = plan.nodes.iter().all(|node| node.spec.keeps_length() && is_quick(&*node.spec));
    plain && plan.input_targets.len() == 1 && plan.nodes.iter().all(|node| node.targets.len() == 1)
}

/// Sample frames at `to_hz` that `frames` at `from_hz` become, halves up.
pub fn converted(frames: u64, from_hz: u32, to_hz: u32) -> u64 {
    let (from, to) = (u64::from(from_hz), u64::from(to_hz));
    (frames * to * 2 + from) / (from * 2)
}

/// Every segment ends once; its own audio, or the answer that held, left whole. Those that a long run has forgotten
/// were looked at then.
fn segments(plan: &ScenePlan, run: &Measurement, wrong: &mut Vec<String>) {
    let law = StreamLaw::of(plan);
    wrong.extend_from_slice(&run.wrong);
    for (session, heard) in run.sessions.iter().enumerate() {
        for (serial, story) in &heard.segments {
            law.check(&format!("session {session} segment {serial}"), story, true, wrong);
        }
    }
}

/// What must come out of the streams of a scene's segments.
#[derive(Clone, Copy, Debug)]
pub struct StreamLaw {
    /// The format in which segments themselves leave, if they do.
    own: Option<Format>,
    /// Rates at which answers are made and leave, if the scene has any.
    answers: Option<(u32, u32)>,
    /// Answers leave only once the end of what they answer holds.
    confirms: bool,
}

impl StreamLaw {
    /// That of `plan`.
    pub fn of(plan: &ScenePlan) -> Self {
        let maker = plan.nodes.iter().rev().find(|n| {
            n.service.is_some() && n.spec.outputs().first().is_some_and(|port| port.kind == PortType::Audio)
        });
        let gate = plan.nodes.iter().find(|node| node.spec.decides_speech());
        let gate_to_output = gate.is_some_and(|g| g.targets.iter().any(|t| t.node == NodeRef::Output));
        let out = plan.output.audio;
        Self {
            own: out.filter(|_| gate_to_output),
            answers: maker.zip(out).map(|(node, out)| {
                let from = node.output.map_or(out.rate_hz, |f| f.rate_hz);
                (from, out.rate_hz)
            }),
            confirms: plan.scene.session.output.release == Release::OnConfirm,
        }
    }

    /// The same for a session whose audio leaves as `out`: it may have come in another format than the scene's.
    pub fn leaving_as(self, out: Option<Format>) -> Self {
        let answers = self.answers.zip(out).map(|((from, _), out)| (from, out.rate_hz));
        Self { own: self.own.and(out), answers, ..self }
    }

    /// Checks a segment that is over. `intact`: nothing of its session was lost or cut off; else less may have left.
    pub fn check(&self, place: &str, story: &SegmentStory, intact: bool, wrong: &mut Vec<String>) {
        if u32::from(story.cancelled) + u32::from(story.ended) != 1 {
            wrong.push(format!("{place}: cancelled {} times, ended {}", story.cancelled, story.ended));
        }
        if story.cancelled && story.confirmed {
            wrong.push(format!("{place}: confirmed and cancelled"));
        }
        if let (true, Some(format)) = (story.ended, self.own) {
            let due = story.to_us.saturating_sub(story.from_us);
            let frames = story.released_own / u64::from(format.channels);
            let heard = mynah_engine::base::frames_to_us(frames, format.rate_hz);
            // Block boundaries round to a microsecond each way.
            if heard > due + 2 || (intact && heard + 2 < due) {
                wrong.push(format!("{place}: {due} us of speech, {heard} us released"));
            }
        }
        if let Some(rates) = self.answers {
            self.held_answer(place, story, rates, intact, wrong);
        }
    }

    /// The answer to the revision that held left whole, and no other one did.
    fn held_answer(
        &self,
        place: &str,
        story: &SegmentStory,
        (from, to): (u32, u32),
        intact: bool,
        wrong: &mut Vec<String>,
    ) {
        // Of a recording nobody says how long it is.
        let is_known = |revision| !story.is_line || story.synthesized.contains_key(revision);
        for (revision, released) in story.released.iter().filter(|(revision, _)| is_known(*revision)) {
            let due = converted(story.synthesized.get(revision).copied().unwrap_or(0), from, to);
            let more = *released > due && !story.broken.contains(revision);
            if more || (intact && *released < due) {
                wrong.push(format!("{place} revision {revision}: {due} samples due, {released} released"));
            }
            if self.confirms && story.ended && *revision != story.revision {
                let held = story.revision;
                wrong.push(format!("{place}: revision {revision} was released whole, {held} held"));
            }
        }
        let held = story.ended && story.revision > 0;
        if held
            && intact
            && !story.withdrawn
            && story.synthesized.contains_key(&story.revision)
            && !story.released.contains_key(&story.revision)
        {
            wrong.push(format!("{place}: the answer to revision {} never left whole", story.revision));
        }
    }
}
