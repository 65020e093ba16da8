//! The metrics agree with what was observed: waiting times before a service, times to the first part of an answer,
//! the delay of forwarded audio, sizes of batches, segments. A law of `metrics`: everything is computed anew from the
//! log, the queues and what hosts heard, and compared when the run is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_engine::hdrhistogram::Histogram;
use mynah_engine::observe::metrics::{BATCH_BOUNDS, Buckets, Snapshot};
use mynah_engine::record::{FlushReason, NodeHistograms, latency_histogram};
use mynah_engine::scene::{NodeRef, PortType};
use mynah_engine::session::Phase;
use mynah_engine::{Event, NodeId, OutAudio, Record, ScenePlan, SessionId};

use super::asked::Asked;
use super::checker::{Checker, Findings, Moment, Sessions, is_line, is_old_line, is_typed};
use super::metrics::NAME;

/// Segments of a session that are remembered, counted back from the newest.
const REMEMBERED: u32 = 1_024;

/// Times, as the engine keeps them.
struct Times {
    histogram: Histogram<u32>,
    buckets: Buckets,
}

impl Times {
    fn new() -> Self {
        Self { histogram: latency_histogram(), buckets: Buckets::latency() }
    }

    fn record(&mut self, us: u64) {
        self.histogram.saturating_record(us);
        self.buckets.record(us);
    }
}

/// Count and quantiles in words.
fn words(times: &Histogram<u32>) -> String {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|at| times.value_at_quantile(at));
    format!("{} of P50 {p50}, P95 {p95}, P99 {p99} us", times.len())
}

/// Batches of a node behind the hub.
struct Batched {
    asked: Asked,
    waits: Times,
    sizes: Buckets,
    size_max: u32,
    reasons: [u64; 4],
}

/// Where the questions of a node come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The ends of speech that the scene's only gate suspects.
    Endpoint,
    /// The texts of a service.
    Text(u8),
}

/// A service that gives text.
struct Answering {
    node: u8,
    cause: Cause,
    /// What was typed comes to it first.
    typed: bool,
    times: Times,
}

/// What the log says of segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Decisions {
    opened: u64,
    confirmed: u64,
    cancelled: u64,
    retracted: u64,
}

/// When the question of each (node, segment, revision) came, until it is answered.
type Questions = BTreeMap<(u32, u32, u8), u64>;

pub(super) struct Figures {
    plan: Arc<ScenePlan>,
    batched: Vec<(NodeId, Batched)>,
    answering: Vec<Answering>,
    questions: Sessions<Questions>,
    decisions: Decisions,
    /// Delays of forwarded audio that came out.
    forwarded: Buckets,
    answers: u64,
    /// Outputs that hosts had not taken when their sessions were over.
    unread: usize,
    /// Most frames seen in a queue of each node.
    deepest: Vec<usize>,
    page: Snapshot,
}

impl Figures {
    pub(super) fn new(plan: &Arc<ScenePlan>) -> Self {
        let serves = |at: &usize| plan.nodes[*at].service.is_some();
        let behind = (0..plan.nodes.len()).filter(|at| serves(at) && plan.nodes[*at].buffering.is_some());
        let batched = behind.map(|at| NodeId(at as u8)).map(|node| {
            let sizes = Buckets::new(&BATCH_BOUNDS);
            let (asked, waits) = (Asked::new(node), Times::new());
            (node, Batched { asked, waits, sizes, size_max: 0, reasons: [0; 4] })
        });
        let texts = |at: &usize| {
            let port = plan.nodes[*at].spec.outputs().first();
            serves(at) && port.is_some_and(|port| port.kind == PortType::Text)
        };
        let answering = (0..plan.nodes.len()).filter(texts).filter_map(|at| {
            let typed = plan.typed_targets().iter().any(|target| target.node == NodeRef::Node(at as u16));
            Some(Answering { node: at as u8, cause: cause(plan, at)?, typed, times: Times::new() })
        });
        Self {
            batched: batched.collect(),
            answering: answering.collect(),
            questions: Sessions::default(),
            decisions: Decisions::default(),
            forwarded: Buckets::latency(),
            answers: 0,
            unread: 0,
            deepest: vec![0; plan.nodes.len() + 1],
            page: Snapshot::default(),
            plan: Arc::clone(plan),
        }
    }

    fn decide(&mut self, event: &Event) {
        let Decisions { opened, confirmed, cancelled, retracted } = &mut self.decisions;
        match event {
            Event::SegmentOpened { .. } => *opened += 1,
            Event::SegmentConfirmed { .. } => *confirmed += 1,
            Event::SegmentCancelled { .. } => *cancelled += 1,
            Event::EndpointRetracted { .. } => *retracted += 1,
            Event::OutputStarted { revision, .. } if *revision > 0 => self.answers += 1,
            _ => {}
        }
    }

    fn batch(&mut self, record: &Record) {
        for (node, batched) in &mut self.batched {
            if let Some(us) = batched.asked.waited_us(record) {
                batched.waits.record(us);
            }
            if let Event::Batch { node: at, size, reason } = record.event
                && at == *node
            {
                batched.sizes.record(u64::from(size));
                batched.size_max = batched.size_max.max(size);
                batched.reasons[place(reason)] += 1;
            }
        }
    }

    /// Questions come, and the first that comes of one answers it.
    fn answer(&mut self, record: &Record) {
        let Some(questions) = self.questions.of(record) else { return };
        let t_us = record.t_us;
        if let Event::SegmentOpened { segment, .. } = record.event {
            let least = segment.saturating_sub(REMEMBERED);
            questions.retain(|(old, ..), _| is_line(*old) || *old >= least);
        }
        if let Event::LineOpened { segment, .. } = record.event {
            questions.retain(|(old, ..), _| !is_old_line(*old, segment, REMEMBERED));
        }
        if let Event::ServiceSubmitted { node, revision, part, .. } = record.event
            && (revision == 0 || part > 0)
        {
            // It is asked piece by piece, and the log does not say when a piece was whole.
            self.answering.retain(|answering| answering.node != node.0);
        }
        for Answering { node, cause, typed, times } in &mut self.answering {
            let (by, segment, revision) = match record.event {
                Event::Endpoint { segment, revision, .. } => (None, segment, revision),
                Event::LineOpened { segment, .. } => {
                    if *typed && is_typed(segment) {
                        questions.entry((segment, 1, *node)).or_insert(t_us);
                    }
                    continue;
                }
                Event::Text { node: by, segment, revision, .. }
                | Event::ServiceDone { node: by, segment, revision, .. }
                | Event::ServiceFailed { node: by, segment, revision, .. } => (Some(by.0), segment, revision),
                _ => return,
            };
            let question = (segment, revision, *node);
            let asks = match cause {
                Cause::Endpoint => by.is_none(),
                Cause::Text(before) => by == Some(*before) && matches!(record.event, Event::Text { .. }),
            };
            if asks {
                questions.entry(question).or_insert(t_us);
            } else if by == Some(*node)
                && let Some(asked_us) = questions.get_mut(&question).filter(|us| **us != u64::MAX)
            {
                times.record(t_us - std::mem::replace(asked_us, u64::MAX));
            }
        }
    }

    /// What differs, in words.
    fn differences(&mut self, moment: &Moment<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut histograms = NodeHistograms::default();
        let name = |at: usize| self.plan.nodes.get(at).map_or("output", |node| &*node.id);
        for Answering { node, times, .. } in &self.answering {
            let told = &moment.engine.histograms(NodeId(*node), &mut histograms).latency;
            if *told != times.histogram {
                let (told, seen) = (words(told), words(&times.histogram));
                wrong.push(format!(
                    "node {}: latencies are {told}; seen were {seen}",
                    name(usize::from(*node))
                ));
            }
        }
        for (node, batched) in &self.batched {
            let Some(told) = moment.engine.hub().batches(*node) else { continue };
            let (name, seen) = (name(node.index()), &batched.waits.histogram);
            if told.wait != *seen {
                wrong.push(format!(
                    "node {name}: waits are {}; seen were {}",
                    words(&told.wait),
                    words(seen)
                ));
            }
            let (size_max, reasons) = (batched.size_max, batched.reasons);
            if (told.size_max, told.reasons, &told.sizes) != (size_max, reasons, &batched.sizes) {
                wrong.push(format!(
                    "node {name}: batches are {told:?}; seen were {reasons:?} up to {size_max}"
                ));
            }
        }
        for (at, (node, seen)) in moment.census.nodes.iter().zip(&self.deepest).enumerate() {
            if (node.depth_max as usize) < *seen {
                let (name, told) = (name(at), node.depth_max);
                wrong.push(format!("node {name}: the deepest queue is {told}; seen was {seen}"));
            }
        }
        let mut told = Decisions::default();
        for node in &moment.census.nodes {
            told.opened += node.segments_opened;
            told.confirmed += node.segments_confirmed;
            told.cancelled += node.segments_cancelled;
            told.retracted += node.retractions;
        }
        if told != self.decisions {
            wrong.push(format!("segments are {told:?}; the log says {:?}", self.decisions));
        }
        wrong
    }

    /// What the page says otherwise, where there is one.
    fn page(&mut self, moment: &Moment<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let page = &mut self.page;
        if !moment.engine.metrics(page) {
            return wrong;
        }
        for Answering { node, times, .. } in &self.answering {
            let told = &page.nodes[usize::from(*node)].latency;
            if *told != times.buckets {
                let node = &self.plan.nodes[usize::from(*node)].id;
                wrong.push(format!("the page says of node {node} {told:?}; seen were {:?}", times.buckets));
            }
        }
        // Answers are reckoned from what had arrived in their tick; where there are none the rest must be all.
        let whole = self.answers == 0 && self.unread == 0 && moment.sessions_live == 0;
        if whole && page.end_to_end != self.forwarded {
            wrong.push(format!("the page says {:?}; heard were {:?}", page.end_to_end, self.forwarded));
        }
        wrong
    }
}

/// The place of a reason in tables.
fn place(reason: FlushReason) -> usize {
    match reason {
        FlushReason::Count => 0,
        FlushReason::Timer => 1,
        FlushReason::Full => 2,
        FlushReason::Deadline => 3,
    }
}

/// What the node at `at` answers, if the log shows it.
fn cause(plan: &ScenePlan, at: usize) -> Option<Cause> {
    let sends = |from: &&usize| {
        plan.nodes[**from].targets.iter().any(|target| target.node == NodeRef::Node(at as u16))
    };
    let all: Vec<usize> = (0..plan.nodes.len()).collect();
    let senders: Vec<usize> = all.iter().filter(sends).copied().collect();
    let [from] = senders[..] else { return None };
    let sender = &plan.nodes[from];
    // Who follows a gate elsewhere says what was said there, and sends it on when its audio has come.
    if sender.spec.decides_speech() && !sender.spec.follows_sender() {
        return Some(Cause::Endpoint);
    }
    let texts = sender.spec.outputs().first().is_some_and(|port| port.kind == PortType::Text);
    (sender.service.is_some() && texts).then_some(Cause::Text(from as u8))
}

impl Checker for Figures {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        self.decide(&record.event);
        self.batch(record);
        self.answer(record);
    }

    fn audio(&mut self, _: SessionId, audio: &OutAudio, _: &mut Findings) {
        if audio.revision == 0 {
            self.forwarded.record(audio.released_us.saturating_sub(audio.arrived_us));
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, _: &mut Findings) {
        let now_us = moment.engine.now_us();
        for (_, batched) in &mut self.batched {
            batched.asked.look(moment.engine.hub(), now_us);
        }
        for session in moment.engine.sessions() {
            if session.phase() == Phase::Gone {
                // What went into rings was never seen.
                self.unread += session.unread() + usize::from(session.is_split());
            }
            for (at, deepest) in self.deepest.iter_mut().enumerate() {
                let Some(queue) = session.queue(NodeId(at as u8)) else { continue };
                if queue.len() > *deepest {
                    // Boundaries find their place whatever stands there, and are not counted.
                    *deepest = queue.iter().filter(|frame| frame.is_content()).count().max(*deepest);
                }
            }
        }
    }

    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let differences = self.differences(moment);
        for what in differences.into_iter().chain(self.page(moment)) {
            findings.add(NAME, None, || what);
        }
    }
}
