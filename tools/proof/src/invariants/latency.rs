//! The stages of an answer add up to its latency: from the end of speech over every service to the first sound each
//! begins no earlier than what it follows from, and no time passes between two services of which the second waits for
//! nothing but the first. Lines and typed texts end when they are opened, and a recording sounds without any service. No
//! event bears another time than its tick's.

use std::collections::BTreeMap;

use mynah_engine::scene::{PlanTarget, PortType};
use mynah_engine::service::NOT_STARTED;
use mynah_engine::{Event, NodeId, Record, ScenePlan};

use super::checker::{Checker, Findings, Moment, Sessions, is_line, is_old_line, is_typed};

pub(super) const NAME: &str = "latency";

/// Calls of one session that a node has under way at most; what comes then waits in its queue.
const CALLS_MAX: i64 = 8;
/// Segments of a session that are remembered, counted back from the newest: an answer may wait half a minute for those
/// before it, and behind a gate that forwards everything a sender whose time jumps opens a hundred a second meanwhile.
const REMEMBERED: u32 = 4_096;

/// When something happened: engine time and tick.
type When = (u64, u64);

/// Where the question of a (segment, revision) enters the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// At the input: somebody has spoken.
    Heard,
    /// At the voice: the host has it said.
    Said,
    /// Behind the recogniser: it was typed.
    Typed,
}

impl Entry {
    fn of(segment: u32) -> Self {
        match segment {
            typed if is_typed(typed) => Self::Typed,
            line if is_line(line) => Self::Said,
            _ => Self::Heard,
        }
    }
}

/// One stage: what a service did for one revision.
#[derive(Debug, Default)]
struct Stage {
    submitted: Option<When>,
    /// The first that came of it.
    gave: Option<When>,
    done: Option<When>,
    /// Calls under way.
    calls: i64,
}

/// The answer to one revision.
#[derive(Debug, Default)]
struct Answer {
    endpoint: Option<When>,
    stages: BTreeMap<u8, Stage>,
}

impl Answer {
    fn is_under_way(&self) -> bool {
        self.stages.values().any(|stage| stage.calls > 0)
    }
}

#[derive(Debug, Default)]
struct Answers {
    by_origin: BTreeMap<(u32, u32), Answer>,
    /// Calls under way, by node.
    calls: BTreeMap<u8, i64>,
    /// Last tick after which something stood before a node whose senders wait.
    congested: u64,
}

/// A service's place in the scene.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: u8,
    /// The service whose answer it gets, and whether nothing stands between the two where anything could wait.
    after: Option<(u8, bool)>,
}

pub(super) struct Latency {
    /// Nodes where calls may wait for a batch, each with whether the scene says something in place of answers.
    batched: Vec<(u8, bool)>,
    /// By [`Entry`].
    places: [Vec<Place>; 3],
    /// The services of which something comes out: the last on each way. Where some speak, those that do.
    lasts: Vec<u8>,
    /// Text leaves the scene, what was typed among it.
    texts: bool,
    /// Nodes whose senders wait when their queue is full.
    blocking: Vec<u8>,
    /// How many nodes there are.
    nodes: u8,
    sessions: Sessions<Answers>,
    tick: u64,
    /// Earliest and latest time of this tick's records.
    range_us: Option<(u64, u64)>,
}

impl Latency {
    pub(super) fn new(plan: &ScenePlan) -> Self {
        let entries = [&plan.input_targets[..], &plan.said_targets[..], plan.typed_targets()];
        let places = entries.map(|entry| places(plan, entry));
        let blocking = plan.nodes.iter().zip(0u8..).filter(|(node, _)| node.blocks()).map(|(_, at)| at);
        let blocking = blocking.collect();
        let nodes = plan.nodes.len() as u8;
        let (lasts, texts) = (lasts(plan), plan.output.audio.is_none());
        Self {
            batched: batched(plan),
            places,
            lasts,
            texts,
            blocking,
            nodes,
            sessions: Sessions::default(),
            tick: 0,
            range_us: None,
        }
    }
}

/// See [`Latency::batched`].
fn batched(plan: &ScenePlan) -> Vec<(u8, bool)> {
    let instead = |service: usize| plan.services[service].fallback.is_some();
    let nodes = plan.nodes.iter().zip(0u8..).filter(|(node, _)| node.buffering.is_some());
    nodes.map(|(node, at)| (at, node.service.is_some_and(instead))).collect()
}

/// The services that what enters at `entry` comes to, each with the one before it.
fn places(plan: &ScenePlan, entry: &[PlanTarget]) -> Vec<Place> {
    let mut after: Vec<Option<(u8, bool)>> = vec![None; plan.nodes.len() + 1];
    let mut comes = vec![false; plan.nodes.len() + 1];
    entry.iter().for_each(|target| comes[plan.position(target.node).index()] = true);
    let mut places = Vec::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        if !comes[at] {
            continue;
        }
        let serves = node.service.is_some();
        if serves {
            let waits = node.buffering.is_some() || node.blocks();
            let after = after[at].map(|(n, direct)| (n, direct && !waits));
            places.push(Place { node: at as u8, after });
        }
        let sends = if serves { Some((at as u8, true)) } else { after[at].map(|(n, _)| (n, false)) };
        for target in &node.targets {
            let to = plan.position(target.node).index();
            (after[to], comes[to]) = (after[to].or(sends), true);
        }
    }
    places
}

/// See [`Latency::lasts`].
fn lasts(plan: &ScenePlan) -> Vec<u8> {
    // One bit for each node; a scene has 64 at most.
    let mut last = vec![0_u64; plan.nodes.len() + 1];
    for (at, node) in plan.nodes.iter().enumerate() {
        if node.service.is_some() {
            last[at] = 1 << at;
        }
        for target in &node.targets {
            let to = plan.position(target.node).index();
            last[to] |= last[at];
        }
    }
    let ends = last.last().copied().unwrap_or(0);
    let all: Vec<u8> = (0u8..).take(plan.nodes.len()).filter(|at| ends & (1 << at) != 0).collect();
    let speaks = |at: &u8| {
        plan.nodes[usize::from(*at)].spec.outputs().first().is_some_and(|port| port.kind == PortType::Audio)
    };
    let speaking: Vec<u8> = all.iter().copied().filter(speaks).collect();
    if speaking.is_empty() { all } else { speaking }
}

impl Answers {
    fn of(&mut self, segment: u32, revision: u32) -> &mut Answer {
        self.by_origin.entry((segment, revision)).or_default()
    }

    /// Forgets the answers to segments long before `segment`; a call that hangs outlives many segments.
    fn forget_before(&mut self, segment: u32) {
        let is_new = |old: u32| old.saturating_add(REMEMBERED) >= segment;
        self.by_origin.retain(|(old, _), answer| is_new(*old) || answer.is_under_way());
    }

    /// A line is at once all that is said.
    fn line_opens(&mut self, segment: u32, now: When) {
        let is_old = |old: u32| is_old_line(old, segment, REMEMBERED);
        self.by_origin.retain(|(old, _), answer| !is_old(*old) || answer.is_under_way());
        self.of(segment, 1).endpoint = Some(now);
    }

    /// A call was submitted; what is wrong with the moment.
    fn submitted(&mut self, place: Place, origin: (u32, u32), now: When) -> Option<String> {
        let calls = self.calls.entry(place.node).or_default();
        *calls += 1;
        let crowded = *calls > CALLS_MAX / 2;
        let congested = self.congested;
        let answer = self.of(origin.0, origin.1);
        let first = answer.stages.get(&place.node).is_none_or(|stage| stage.submitted.is_none());
        let cause = match place.after {
            Some((before, _)) => answer.stages.get(&before).and_then(|stage| stage.gave),
            None => answer.endpoint,
        };
        let done = place.after.filter(|(_, direct)| *direct);
        let done = done.and_then(|(before, _)| answer.stages.get(&before)).and_then(|stage| stage.done);
        let stage = answer.stages.entry(place.node).or_default();
        stage.submitted.get_or_insert(now);
        stage.calls += 1;
        let Some(cause) = cause else { return Some("submitted, and nothing asked for it".into()) };
        if now.0 < cause.0 {
            return Some(format!("submitted at {}, {} before its cause", now.0, cause.0 - now.0));
        }
        let idle = done.filter(|done| first && !crowded && now.1 > done.1 + 1 && congested < done.1);
        idle.map(|done| format!("submitted {} us after what it waited for", now.0.saturating_sub(done.0)))
    }

    fn gave(&mut self, node: u8, origin: (u32, u32), now: When, done: bool) -> Option<String> {
        if done {
            *self.calls.entry(node).or_default() -= 1;
        }
        let stage = self.of(origin.0, origin.1).stages.entry(node).or_default();
        stage.gave.get_or_insert(now);
        if done {
            stage.done = Some(now);
            stage.calls -= 1;
        }
        match stage.submitted {
            None => Some("answered, and never submitted".into()),
            Some(submitted) if submitted.0 > now.0 => Some(format!("answered before {}", submitted.0)),
            Some(_) => None,
        }
    }

    /// Whether a node's service was asked for the answer to a revision.
    fn asked(&mut self, node: u8, origin: (u32, u32)) -> bool {
        self.of(origin.0, origin.1).stages.get(&node).is_some_and(|stage| stage.submitted.is_some())
    }

    /// A call has failed that was never submitted, or something was said in its place.
    fn waited(&mut self, node: u8, origin: (u32, u32), now: When) {
        let stage = self.of(origin.0, origin.1).stages.entry(node).or_default();
        stage.gave.get_or_insert(now);
    }

    /// Something about a call, or an answer in words; what is wrong with that. `batched` says of a node where calls wait for
    /// batches whether something is said in place of answers.
    fn call(
        &mut self,
        event: &Event,
        asked: Option<Place>,
        batched: &dyn Fn(NodeId) -> Option<bool>,
        now: When,
    ) -> Option<String> {
        match *event {
            // Work on a segment's audio that follows from no end of speech is no part of an answer.
            Event::ServiceSubmitted { node, revision: 0, .. } => {
                *self.calls.entry(node.0).or_default() += 1;
                None
            }
            // It waited for its service all the time that it had.
            Event::ServiceFailed { node, segment, revision, ref reason, .. }
                if reason.starts_with(NOT_STARTED) =>
            {
                self.waited(node.0, (segment, revision), now);
                batched(node).is_none().then(|| "never submitted, and waits for no batch".into())
            }
            Event::ServiceDone { node, revision: 0, .. }
            | Event::ServiceFailed { node, revision: 0, .. }
            | Event::ServiceCancelled { node, revision: 0, .. } => {
                *self.calls.entry(node.0).or_default() -= 1;
                None
            }
            Event::ServiceSubmitted { segment, revision, .. } => {
                asked.and_then(|place| self.submitted(place, (segment, revision), now))
            }
            Event::Text { node, segment, revision, .. }
                if batched(node) == Some(true) && !self.asked(node.0, (segment, revision)) =>
            {
                self.waited(node.0, (segment, revision), now);
                None
            }
            Event::Text { node, segment, revision, .. } => self.gave(node.0, (segment, revision), now, false),
            Event::ServiceDone { node, segment, revision, .. }
            | Event::ServiceFailed { node, segment, revision, .. } => {
                self.gave(node.0, (segment, revision), now, true)
            }
            Event::ServiceCancelled { node, segment, revision, .. } => {
                *self.calls.entry(node.0).or_default() -= 1;
                let stage = self.of(segment, revision).stages.entry(node.0).or_default();
                stage.calls -= 1;
                None
            }
            _ => None,
        }
    }

    /// The first sound of an answer: it follows from the last service, and the stages make up the whole.
    fn sounds(&mut self, (lasts, texts): (&[u8], bool), origin: (u32, u32), now: When) -> Option<String> {
        let answer = self.of(origin.0, origin.1);
        let Some((from_us, _)) = answer.endpoint else {
            return Some("sounds, and nobody had finished".into());
        };
        let made = |node| answer.stages.get(node).and_then(|stage| stage.submitted);
        let made = lasts.iter().filter_map(made).min();
        let Some((made_us, _)) = made else {
            // A recording is played as it is, and a text shown.
            let may = match Entry::of(origin.0) {
                Entry::Said => answer.stages.is_empty(),
                Entry::Typed => texts,
                Entry::Heard => false,
            };
            return (!may || from_us > now.0).then(|| "sounds, and was never made".into());
        };
        if lasts.len() > 1 {
            // Where several may have made it, their stages are beside each other.
            let between = (from_us..=now.0).contains(&made_us);
            return (!between).then(|| format!("made at {made_us}, from {from_us} to {}", now.0));
        }
        let mut times: Vec<u64> =
            answer.stages.values().filter_map(|stage| Some(stage.submitted?.0)).collect();
        times.insert(0, from_us);
        times.push(now.0);
        let sum: i128 = times.windows(2).map(|pair| i128::from(pair[1].saturating_sub(pair[0]))).sum();
        let whole = i128::from(now.0) - i128::from(from_us);
        (sum != whole || made_us > now.0)
            .then(|| format!("stages at {times:?} add up to {sum} us, the whole took {whole} us"))
    }
}

impl Checker for Latency {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let now = (record.t_us, self.tick);
        let (from_us, to_us) = self.range_us.unwrap_or((now.0, now.0));
        self.range_us = Some((from_us.min(now.0), to_us.max(now.0)));
        let (lasts, texts) = (&self.lasts, self.texts);
        let place = |segment: u32, node: NodeId| {
            let places = &self.places[Entry::of(segment) as usize];
            places.iter().find(|place| place.node == node.0).copied()
        };
        let asked = match record.event {
            Event::ServiceSubmitted { node, segment, .. } => place(segment, node),
            _ => None,
        };
        let serves = match record.event {
            Event::Text { node, segment, .. } => place(segment, node).is_some(),
            _ => true,
        };
        let batched =
            |node: NodeId| self.batched.iter().find(|(at, _)| *at == node.0).map(|(_, instead)| *instead);
        let Some(answers) = self.sessions.of(record) else { return };
        let wrong = match record.event {
            Event::SegmentOpened { segment, .. } => {
                answers.forget_before(segment);
                None
            }
            Event::LineOpened { segment, .. } => {
                answers.line_opens(segment, now);
                None
            }
            Event::Endpoint { segment, revision, .. } => {
                answers.of(segment, revision).endpoint = Some(now);
                None
            }
            Event::OutputStarted { segment, revision } if revision > 0 && !lasts.is_empty() => {
                answers.sounds((lasts, texts), (segment, revision), now)
            }
            _ if serves => answers.call(&record.event, asked, &batched, now),
            _ => None,
        };
        if let Some(wrong) = wrong {
            findings.add(NAME, Some(record.session), || format!("{:?}: {wrong}", record.event));
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        self.tick = moment.tick;
        for session in moment.engine.sessions().filter(|_| !self.blocking.is_empty()) {
            let queued = |node: &u8| session.queue(NodeId(*node)).is_some_and(|queue| !queue.is_empty());
            // Where there is room for one, what is let in is gone by the end of the tick, and the rest stands outside.
            let mut nodes = (0..self.nodes).map(NodeId);
            let waits =
                self.blocking.iter().any(queued) || nodes.any(|node| session.stalled(node).next().is_some());
            if waits && let Some(answers) = self.sessions.at(session.id()) {
                answers.congested = moment.tick;
            }
        }
        let now_us = moment.engine.now_us();
        if let Some(range) = self.range_us.take().filter(|range| *range != (now_us, now_us)) {
            findings.add(NAME, None, || format!("events of {range:?} us in the tick of {now_us} us"));
        }
    }

    fn tick_elsewhere(&mut self, tick: u64) {
        (self.tick, self.range_us) = (tick, None);
        // Who cannot look takes it that something waits.
        if !self.blocking.is_empty() {
            self.sessions.all().for_each(|answers| answers.congested = tick);
        }
    }
}
