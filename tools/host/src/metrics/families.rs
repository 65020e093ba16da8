//! The families of all metrics, in the order of the page.

use mynah_engine::observe::metrics::{
    BATCH_BOUNDS, Buckets, LATENCY_BOUNDS_US, NodeMetrics, QUANTILES, Snapshot, TICK_BOUNDS_US, WINDOW_NAMES,
};
use mynah_engine::record::NodeCounts;
use mynah_engine::scene::MergeStrategy;
use mynah_engine::service::ServiceFigures;
use mynah_engine::wire::delivery::OutgoingFigures;
use mynah_engine::{DropReason, ScenePlan};

use super::exposition::{Exposition, Form, Kind, Label, float};

/// What never changes while a scene runs.
#[derive(Clone, Debug)]
pub struct Facts {
    scene: String,
    scene_hash: String,
    nodes: Vec<NodeFacts>,
    /// The names of the services.
    services: Vec<String>,
    /// How control messages leave, if they do.
    transport: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct NodeFacts {
    id: String,
    /// It decides about segments.
    gates: bool,
    /// How waiting items become one, of a node behind the hub.
    merge: Option<String>,
    /// Most frames in one session's queue; the output's is not for the scene to say.
    bound: Option<u32>,
}

impl Facts {
    /// Of a compiled scene.
    pub fn of(plan: &ScenePlan) -> Self {
        let node = |node: &mynah_engine::scene::PlanNode<dyn mynah_engine::node::Node>| NodeFacts {
            id: node.id.clone(),
            gates: node.spec.decides_speech(),
            merge: node.buffering.as_ref().filter(|_| node.service.is_some()).map(|b| merge_name(&b.merge)),
            bound: Some(node.capabilities.queue_capacity),
        };
        let output = NodeFacts { id: "output".into(), gates: false, merge: None, bound: None };
        Self {
            scene: plan.scene.name.clone(),
            scene_hash: format!("{:016x}", plan.hash),
            nodes: plan.nodes.iter().map(node).chain([output]).collect(),
            services: plan.services.iter().map(|service| service.name.clone()).collect(),
            transport: None,
        }
    }

    /// The same under another name, for one of several engines whose scenes have the same.
    #[must_use]
    pub fn named(&self, scene: String) -> Self {
        Self { scene, ..self.clone() }
    }

    /// The name of the scene.
    #[must_use]
    pub fn scene(&self) -> &str {
        &self.scene
    }

    /// Control messages leave through this transport; the host gives their figures to the
    /// [publisher](super::Publisher::control).
    pub fn with_transport(self, name: &'static str) -> Self {
        Self { transport: Some(name), ..self }
    }
}

fn merge_name(merge: &MergeStrategy) -> String {
    match merge {
        MergeStrategy::ConcatenateText { .. } => "ConcatenateText".into(),
        MergeStrategy::ConcatenateAudio { .. } => "ConcatenateAudio".into(),
        MergeStrategy::KeepSeparate => "KeepSeparate".into(),
        MergeStrategy::Custom { name } => name.clone(),
    }
}

/// What is shown at one moment.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The figures of the engine.
    pub engine: Snapshot,
    /// Work of the ticks, microseconds.
    pub tick_work: Buckets,
    /// By how much ticks began after they were due, microseconds; 0 in virtual time.
    pub tick_late: Buckets,
    /// The control messages on their way out, over all sessions.
    pub control: OutgoingFigures,
}

impl Default for Shown {
    /// Before the first tick.
    fn default() -> Self {
        Self {
            engine: Snapshot::default(),
            tick_work: Buckets::new(&TICK_BOUNDS_US),
            tick_late: Buckets::new(&TICK_BOUNDS_US),
            control: OutgoingFigures::default(),
        }
    }
}

/// Bounds as labels, in `unit`s of the recorded values; behind the last: all.
struct Bounds {
    labels: Vec<String>,
    unit: f64,
}

/// Of values in microseconds, shown in seconds.
const MICROSECONDS: f64 = 1e6;

impl Bounds {
    fn new(bounds: &[u64], unit: f64) -> Self {
        let bounds = bounds.iter().map(|bound| *bound as f64 / unit).chain([f64::INFINITY]);
        Self { labels: bounds.map(float).collect(), unit }
    }

    fn write(&self, page: &mut Exposition, labels: &[Label<'_>], buckets: &Buckets) {
        let counts = buckets.cumulative().map(|(_, below)| below);
        page.histogram(labels, &self.labels, counts, buckets.sum() as f64 / self.unit);
    }
}

/// The page in `form`.
pub fn page(facts: &Facts, shown: &Shown, form: Form) -> String {
    page_of(&[(facts, shown)], form, |_| {})
}

/// One page of several engines, and of what `more` has to say: where there is not exactly one engine, every sample of theirs
/// has the label `scene`.
pub fn page_of(engines: &[(&Facts, &Shown)], form: Form, more: impl FnOnce(&mut Exposition)) -> String {
    let mut page = Exposition::new(form);
    for (facts, shown) in engines {
        page.of_scene((engines.len() > 1).then_some(&facts.scene));
        write(&mut page, facts, shown);
    }
    page.of_scene(None);
    more(&mut page);
    page.finish()
}

fn write(page: &mut Exposition, facts: &Facts, shown: &Shown) {
    let nodes: Vec<(&NodeFacts, &NodeMetrics)> = facts.nodes.iter().zip(&shown.engine.nodes).collect();
    latencies(page, &nodes, shown);
    frames(page, &nodes);
    queues(page, &nodes);
    services(page, facts, shown);
    speech(page, &nodes, shown);
    control(page, facts, shown);
    engine(page, facts, shown);
}

fn latencies(page: &mut Exposition, nodes: &[(&NodeFacts, &NodeMetrics)], shown: &Shown) {
    let bounds = Bounds::new(&LATENCY_BOUNDS_US, MICROSECONDS);
    page.family(
        "mynah_node_latency_seconds",
        Kind::Histogram,
        "From entering a node's queue to leaving the node, engine time; of a node that calls a service, to the first of the answer.",
    );
    for (facts, node) in nodes {
        bounds.write(page, &[("node", &facts.id)], &node.latency);
    }
    page.family(
        "mynah_node_latency_recent_seconds",
        Kind::Summary,
        "The same latency over the last 1, 5 and 15 minutes of engine time, renewed every 5 s; NaN: nothing in the window. Not to be aggregated.",
    );
    for (facts, node) in nodes {
        for (window, recent) in WINDOW_NAMES.iter().zip(&node.recent) {
            for (quantile, us) in QUANTILES.iter().zip(recent.quantiles_us) {
                let seconds = if recent.count > 0 { us as f64 / MICROSECONDS } else { f64::NAN };
                page.quantile(&[("node", &facts.id), ("window", window)], *quantile, seconds);
            }
        }
    }
    page.family(
        "mynah_node_avg_processing_seconds",
        Kind::Gauge,
        "Typical time of a call from submission to its last part, engine time: moving average with weight 0.1, the scene's figure before the first call.",
    );
    for (facts, node) in nodes {
        if let Some(us) = node.avg_processing_us {
            page.measure(&[("node", &facts.id)], us as f64 / MICROSECONDS);
        }
    }
    page.family(
        "mynah_end_to_end_seconds",
        Kind::Histogram,
        "Forwarded audio: from arrival, or the decision that let it through, to release. Answers: from the silence after the utterance to the first of the answer.",
    );
    if !nodes.is_empty() {
        bounds.write(page, &[], &shown.engine.end_to_end);
    }
}

/// Name, help, and which of a node's counts.
type Count = (&'static str, &'static str, fn(&NodeCounts) -> u64);

const FRAMES: [Count; 6] = [
    ("mynah_frames_in", "Frames that entered the node's queues.", |node| node.arrived),
    ("mynah_frames_out", "Frames that the node sent, over all its ports.", NodeCounts::created_all),
    ("mynah_frames_cancelled", "Frames that a correction took out of the node.", |node| node.cancelled),
    ("mynah_frames_merged", "Frames that became one with another at the node.", |node| node.merged),
    ("mynah_frames_gated", "Frames that the node withheld because they are no speech.", |node| node.gated),
    ("mynah_deadlines_missed", "Items that came out of the node after their deadline.", |node| {
        node.deadlines_missed
    }),
];

fn frames(page: &mut Exposition, nodes: &[(&NodeFacts, &NodeMetrics)]) {
    for (name, help, of) in FRAMES {
        page.family(name, Kind::Counter, help);
        for (facts, node) in nodes {
            page.count(&[("node", &facts.id)], of(&node.counts));
        }
    }
    page.family("mynah_frames_dropped", Kind::Counter, "Frames lost at the node, by reason.");
    for (facts, node) in nodes {
        for (reason, count) in DropReason::ALL.iter().zip(node.counts.dropped) {
            page.count(&[("node", &facts.id), ("reason", reason.name())], count);
        }
    }
}

fn queues(page: &mut Exposition, nodes: &[(&NodeFacts, &NodeMetrics)]) {
    page.family(
        "mynah_queue_depth",
        Kind::Gauge,
        "Frames that wait for the node over all sessions, items before its service included.",
    );
    for (facts, node) in nodes {
        page.count(&[("node", &facts.id)], node.queue_depth);
    }
    page.family(
        "mynah_queue_depth_max",
        Kind::Gauge,
        "Deepest that one session's queue was found by an arriving frame since the last 5 s rotation.",
    );
    for (facts, node) in nodes {
        page.count(&[("node", &facts.id)], u64::from(node.queue_depth_max));
    }
    page.family(
        "mynah_queue_bound",
        Kind::Gauge,
        "Most frames that one session's queue at the node may hold.",
    );
    for (facts, _) in nodes {
        if let Some(bound) = facts.bound {
            page.count(&[("node", &facts.id)], u64::from(bound));
        }
    }
    page.family(
        "mynah_queue_wait_seconds",
        Kind::Histogram,
        "From entering a node's queue to being taken out of it, engine time.",
    );
    let bounds = Bounds::new(&LATENCY_BOUNDS_US, MICROSECONDS);
    for (facts, node) in nodes {
        bounds.write(page, &[("node", &facts.id)], &node.wait);
    }
    page.family(
        "mynah_batch_size",
        Kind::Histogram,
        "Items in the batches that went to the node's service; merge says how items of one session become one.",
    );
    let bounds = Bounds::new(&BATCH_BOUNDS, 1.0);
    for (facts, node) in nodes {
        if let Some(merge) = &facts.merge {
            bounds.write(page, &[("node", &facts.id), ("merge", merge)], &node.batches);
        }
    }
}

/// Name, help, and which of a service's counts.
type ServiceCount = (&'static str, &'static str, fn(&ServiceFigures) -> u64);

const SERVICES: [ServiceCount; 8] = [
    ("mynah_service_calls", "Calls, or items of batches, that the service was given.", |s| s.items),
    ("mynah_service_failed", "Of these, those that failed, whatever the reason.", |s| s.failed),
    ("mynah_service_timed_out", "Of those that failed, those of which nothing came in time.", |s| {
        s.timed_out
    }),
    ("mynah_service_retried", "Calls that were started again after they had failed.", |s| s.retried),
    ("mynah_service_fallbacks", "Calls in whose place the scene's fallback was said.", |s| s.fallbacks),
    ("mynah_service_fillers", "Calls before whose answer the scene's filler was said.", |s| s.fillers),
    ("mynah_service_panics", "Times that the service panicked and was made anew.", |s| s.panics),
    ("mynah_service_cancelled", "Calls that were taken back while the service worked on them.", |s| {
        s.cancelled
    }),
];

fn services(page: &mut Exposition, facts: &Facts, shown: &Shown) {
    for (name, help, of) in SERVICES {
        page.family(name, Kind::Counter, help);
        for (service, figures) in facts.services.iter().zip(&shown.engine.services) {
            page.count(&[("service", service)], of(figures));
        }
    }
}

fn speech(page: &mut Exposition, nodes: &[(&NodeFacts, &NodeMetrics)], shown: &Shown) {
    let gates = || nodes.iter().filter(|(facts, node)| facts.gates || node.counts.segments_opened > 0);
    page.family(
        "mynah_segments",
        Kind::Counter,
        "Segments that the node opened, confirmed as speech, or cancelled.",
    );
    for (facts, node) in gates() {
        let outcomes = [
            ("opened", node.counts.segments_opened),
            ("confirmed", node.counts.segments_confirmed),
            ("cancelled", node.counts.segments_cancelled),
        ];
        for (outcome, count) in outcomes {
            page.count(&[("node", &facts.id), ("outcome", outcome)], count);
        }
    }
    page.family(
        "mynah_speculation_acceptance_ratio",
        Kind::Gauge,
        "Confirmed of the segments decided in the window; NaN: none was.",
    );
    for (facts, node) in gates() {
        for (window, recent) in WINDOW_NAMES.iter().zip(&node.recent) {
            let ratio = recent.acceptance_ratio().unwrap_or(f64::NAN);
            page.measure(&[("node", &facts.id), ("window", window)], ratio);
        }
    }
    page.family(
        "mynah_endpoint_retractions",
        Kind::Counter,
        "Ends of speech that were taken back because the speaker went on.",
    );
    page.count(&[], shown.engine.retractions);
}

fn control(page: &mut Exposition, facts: &Facts, shown: &Shown) {
    let OutgoingFigures { sent, acked, retried, failed, .. } = shown.control;
    let counts = [
        ("mynah_control_sent", "Control messages sent at least once.", sent),
        ("mynah_control_acked", "Control messages that the other end has acknowledged.", acked),
        (
            "mynah_control_retried",
            "Control messages sent again because no acknowledgement came in 50 ms.",
            retried,
        ),
        ("mynah_control_failed", "Control messages given up: not known to have arrived.", failed),
    ];
    for (name, help, count) in counts {
        page.family(name, Kind::Counter, help);
        if let Some(transport) = facts.transport {
            page.count(&[("transport", transport)], count);
        }
    }
}

fn engine(page: &mut Exposition, facts: &Facts, shown: &Shown) {
    page.family("mynah_sessions", Kind::Gauge, "Sessions open.");
    page.count(&[], u64::from(shown.engine.sessions));
    let bounds = Bounds::new(&TICK_BOUNDS_US, MICROSECONDS);
    page.family("mynah_tick_work_seconds", Kind::Histogram, "What a tick takes on the machine's clock.");
    bounds.write(page, &[], &shown.tick_work);
    page.family(
        "mynah_tick_late_seconds",
        Kind::Histogram,
        "By how much a tick began after it was due; always 0 in virtual time.",
    );
    bounds.write(page, &[], &shown.tick_late);
    page.family(
        "mynah_engine_time_seconds",
        Kind::Counter,
        "Engine time. On the wall clock it grows by one a second; where it does not, no tick happens.",
    );
    page.measure(&[], shown.engine.now_us as f64 / MICROSECONDS);
    page.family("mynah_build", Kind::Info, "What runs here.");
    let labels =
        [("version", env!("CARGO_PKG_VERSION")), ("scene", &facts.scene), ("scene_hash", &facts.scene_hash)];
    page.count(&labels, 1);
}
