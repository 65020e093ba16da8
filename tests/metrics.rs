//! What the metrics say is what happened: the page's shape, its counts against the report, its windows against a plain
//! model and under silence, and outside programs that read it.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

#[path = "support/host.rs"]
mod host;
mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use host::{Host, plan};
use mynah::metrics::{PageObserver, facts};
use mynah_engine::observe::metrics::{SLOT_US, Snapshot};
use mynah_engine::scene::Override;
use mynah_engine::{EngineConfig, Event, Record, SessionSpec};
use mynah_host::metrics::{Board, Server};
use mynah_load::load::schedule::Phase;
use mynah_sim::report::{NodeFigures, Report};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Observers, Options, RunClock, Simulation, TickView};
use support::given::{Skip, program};
use support::page::{OPEN_METRICS, Samples, feed, get};
use support::program::{number, simulate};

/// A finished simulation whose page can still be read.
struct Served {
    report: Report,
    server: Server,
}

fn served(scene: &str, sets: &[&str], sessions: u32, seconds: u64) -> Served {
    watched(scene, sets, (sessions, seconds), &mut Nobody)
}

struct Nobody;

impl Observer for Nobody {}

fn watched<W: Observer>(
    scene: &str,
    sets: &[&str],
    (sessions, seconds): (u32, u64),
    observer: &mut W,
) -> Served {
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let script = Arc::new(CallerScript::default());
    let compiled = scenes::compile(scene, &sets, None, Some(script.clone()));
    let (plan, _) = compiled.unwrap_or_else(|failure| panic!("{failure}"));
    let options = Options {
        sessions,
        duration_us: seconds * 1_000_000,
        seed: 3,
        clock: RunClock::Virtual,
        threads: 1,
        shards: Some(3),
        recordings: None,
        phase: Phase::Staggered,
        set: Vec::new(),
        linked: None,
    };
    let board = Arc::new(Board::new(facts(&plan)));
    let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&board));
    let mut publisher = PageObserver::new(board);
    let mut observers = Observers(vec![&mut publisher, observer]);
    let mut simulation = Simulation::new(plan, &script, options, &mut observers).expect("the scene fits");
    simulation.keep_metrics();
    let report = simulation.run(&mut observers);
    Served { report, server: server.expect("some port is free") }
}

fn samples(served: &Served) -> Samples {
    Samples::of(&get(served.server.address(), "/metrics", "").body)
}

/// The contract: name, type, labels beside `le` and `quantile`.
const CONTRACT: [(&str, &str, &str); 36] = [
    ("mynah_node_latency_seconds", "histogram", "node"),
    ("mynah_node_latency_recent_seconds", "summary", "node window"),
    ("mynah_node_avg_processing_seconds", "gauge", "node"),
    ("mynah_end_to_end_seconds", "histogram", ""),
    ("mynah_frames_in_total", "counter", "node"),
    ("mynah_frames_out_total", "counter", "node"),
    ("mynah_frames_cancelled_total", "counter", "node"),
    ("mynah_frames_merged_total", "counter", "node"),
    ("mynah_frames_gated_total", "counter", "node"),
    ("mynah_deadlines_missed_total", "counter", "node"),
    ("mynah_frames_dropped_total", "counter", "node reason"),
    ("mynah_queue_depth", "gauge", "node"),
    ("mynah_queue_depth_max", "gauge", "node"),
    ("mynah_queue_bound", "gauge", "node"),
    ("mynah_queue_wait_seconds", "histogram", "node"),
    ("mynah_batch_size", "histogram", "node merge"),
    ("mynah_service_calls_total", "counter", "service"),
    ("mynah_service_failed_total", "counter", "service"),
    ("mynah_service_timed_out_total", "counter", "service"),
    ("mynah_service_retried_total", "counter", "service"),
    ("mynah_service_fallbacks_total", "counter", "service"),
    ("mynah_service_fillers_total", "counter", "service"),
    ("mynah_service_panics_total", "counter", "service"),
    ("mynah_service_cancelled_total", "counter", "service"),
    ("mynah_segments_total", "counter", "node outcome"),
    ("mynah_speculation_acceptance_ratio", "gauge", "node window"),
    ("mynah_endpoint_retractions_total", "counter", ""),
    ("mynah_control_sent_total", "counter", "transport"),
    ("mynah_control_acked_total", "counter", "transport"),
    ("mynah_control_retried_total", "counter", "transport"),
    ("mynah_control_failed_total", "counter", "transport"),
    ("mynah_sessions", "gauge", ""),
    ("mynah_tick_work_seconds", "histogram", ""),
    ("mynah_tick_late_seconds", "histogram", ""),
    ("mynah_engine_time_seconds_total", "counter", ""),
    ("mynah_build_info", "gauge", "version scene scene_hash"),
];

#[test]
fn the_page_has_the_agreed_shape_in_both_forms() {
    let mut page = Vec::new();
    for scene in ["batched_tts", "remote_consumer"] {
        let served = served(scene, &[], 2, 4);
        page.push(get(served.server.address(), "/metrics", "").body);
        let open = get(served.server.address(), "/metrics", OPEN_METRICS).body;
        let [text, open] = [&page[page.len() - 1], &open].map(|page| {
            let lines = page.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(text, open, "both forms have the same samples");
    }
    for page in &page {
        let declared = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let wanted: Vec<String> = CONTRACT.iter().map(|(name, kind, _)| format!("{name} {kind}")).collect();
        assert_eq!(declared.collect::<Vec<_>>(), wanted);
        for (name, ..) in CONTRACT {
            let help = page.lines().find_map(|line| line.strip_prefix(&format!("# HELP {name} ")));
            assert!(help.is_some_and(|help| help.len() > 10 && help.ends_with('.')), "{name}: {help:?}");
        }
    }
    let mut without = BTreeSet::new();
    for (name, kind, labels) in CONTRACT {
        let mut wanted: BTreeSet<&str> = labels.split_whitespace().collect();
        let names: &[&str] = match kind {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        for suffix in names {
            let full = format!("{name}{suffix}");
            let extra = [("_bucket", "le"), ("", "quantile")];
            let extra = extra.iter().find(|(s, l)| s == suffix && (*l == "le" || kind == "summary"));
            wanted.extend(extra.map(|(_, label)| *label));
            for page in &page {
                let samples = Samples::of(page);
                let mine: Vec<_> = samples.iter().filter(|sample| sample.name == full).collect();
                if mine.is_empty() {
                    without.insert(name);
                }
                for sample in mine {
                    let has: BTreeSet<&str> = sample.labels.iter().map(|(label, _)| label.as_str()).collect();
                    assert_eq!(has, wanted, "{full}");
                }
            }
            wanted.remove("le");
        }
    }
    let has_own = |name: &&str| name.starts_with("mynah_control") || name.starts_with("mynah_service");
    let links: Vec<&str> = without.into_iter().filter(|name| !has_own(name)).collect();
    let services = ["mynah_batch_size", "mynah_node_avg_processing_seconds"];
    assert_eq!(links, services, "only scenes without a service, a hub or a link lack a series");
    assert!(!page.concat().contains("caller-"), "no session is named");
}

#[test]
fn bounds_have_the_promised_limits_among_them() {
    let served = served("passthrough", &[], 1, 1);
    let samples = samples(&served);
    for bound in ["0.005", "0.01", "0.25", "0.3", "+Inf"] {
        samples.value("mynah_node_latency_seconds_bucket", &[("node", "output"), ("le", bound)]);
        samples.value("mynah_end_to_end_seconds_bucket", &[("le", bound)]);
        samples.value("mynah_queue_wait_seconds_bucket", &[("node", "output"), ("le", bound)]);
    }
}

/// Compares the counts of one node on the page with those of the report.
fn node_counts(node: &NodeFigures, samples: &Samples, same: &mut dyn FnMut(String, f64, f64)) {
    let of = |name: &str| samples.value(name, &[("node", &node.id)]);
    same(format!("{} in", node.id), of("mynah_frames_in_total"), node.taken_in as f64);
    same(format!("{} out", node.id), of("mynah_frames_out_total"), node.out as f64);
    same(format!("{} merged", node.id), of("mynah_frames_merged_total"), node.queue.merged as f64);
    same(format!("{} late", node.id), of("mynah_deadlines_missed_total"), node.deadlines_missed as f64);
    let latencies = node.latency_ms.map_or(0, |latency| latency.count);
    same(format!("{} latency", node.id), of("mynah_node_latency_seconds_count"), latencies as f64);
    let processing = samples
        .iter()
        .filter(|sample| sample.name == "mynah_node_avg_processing_seconds" && sample.labels[0].1 == node.id);
    let processing: Vec<f64> = processing.map(|sample| (sample.value * 1e6).round()).collect();
    let reported = node.avg_processing_us.map(|us| us as f64);
    same(format!("{} has a call's time", node.id), processing.len() as f64, f64::from(reported.is_some()));
    same(
        format!("{} call's time", node.id),
        processing.first().copied().unwrap_or(0.0),
        reported.unwrap_or(0.0),
    );
    let waits = node.queue.wait_ms.map_or(0, |wait| wait.count);
    same(format!("{} wait", node.id), of("mynah_queue_wait_seconds_count"), waits as f64);
    for reason in ["overflow", "closed", "failed"] {
        let dropped = samples.value("mynah_frames_dropped_total", &[("node", &node.id), ("reason", reason)]);
        let reported = node.queue.dropped_by.get(reason).copied().unwrap_or(0);
        same(format!("{} {reason}", node.id), dropped, reported as f64);
    }
    if let Some(batch) = &node.batch {
        let sizes = samples.iter().find(|s| s.name == "mynah_batch_size_count").map_or(-1.0, |s| s.value);
        same(format!("{} batches", node.id), sizes, batch.count as f64);
    }
}

#[test]
fn counts_are_those_of_the_report() {
    for (scene, sets) in [
        ("voice_assistant", &[][..]),
        ("gate_only", &["gate.threshold=0.5"]),
        ("batched_tts", &[]),
        ("overflow", &[]),
        ("remote_consumer", &[]),
    ] {
        let served = served(scene, sets, 5, 20);
        let (report, samples) = (&served.report, samples(&served));
        let mut differ = Vec::new();
        let mut same = |what: String, shown: f64, reported: f64| {
            if shown != reported {
                differ.push(format!("{what}: {shown} and not {reported}"));
            }
        };
        for node in &report.nodes {
            node_counts(node, &samples, &mut same);
        }
        let over_nodes = |name: &str| samples.iter().filter(|s| s.name == name).map(|s| s.value).sum::<f64>();
        same("gated".into(), over_nodes("mynah_frames_gated_total"), report.frames.gated as f64);
        same("cancelled".into(), over_nodes("mynah_frames_cancelled_total"), report.frames.cancelled as f64);
        let segments = |outcome: &str| {
            let mine = |s: &&support::page::Sample| s.labels.iter().any(|(_, value)| value == outcome);
            samples.iter().filter(mine).map(|s| s.value).sum::<f64>()
        };
        same("opened".into(), segments("opened"), report.segments.opened as f64);
        same("confirmed".into(), segments("confirmed"), report.segments.confirmed as f64);
        let cancelled: u64 = report.segments.cancelled.values().sum();
        let shown = samples.iter().filter(|s| s.name == "mynah_segments_total");
        let shown: f64 = shown.filter(|s| s.labels[1].1 == "cancelled").map(|s| s.value).sum();
        same("segments cancelled".into(), shown, cancelled as f64);
        let plain = |name: &str| samples.value(name, &[]);
        same("retracted".into(), plain("mynah_endpoint_retractions_total"), report.segments.retracted as f64);
        same("ticks".into(), plain("mynah_tick_work_seconds_count"), report.tick_stats.count as f64);
        same("sessions".into(), plain("mynah_sessions"), 0.0);
        same("waiting".into(), over_nodes("mynah_queue_depth"), report.frames.queued_at_end as f64);
        if scene == "remote_consumer" {
            let of = |name: &str| samples.value(name, &[("transport", "SimulatedLink")]);
            let [sent, acked, failed] =
                ["sent", "acked", "failed"].map(|w| of(&format!("mynah_control_{w}_total")));
            assert!(sent > 10.0, "{sent} control messages");
            same("control".into(), acked + failed, sent);
            assert!(of("mynah_control_retried_total") > 0.0, "the link loses some");
        }
        assert!(differ.is_empty(), "{scene}: {}", differ.join("\n"));
    }
}

/// The windows by their definition, from the event log alone.
#[derive(Default)]
struct Model {
    /// By slot of 5 s: segments confirmed and cancelled.
    slots: Vec<(u64, u64)>,
    answers: u64,
    retracted: u64,
    shown: Snapshot,
    compared: u32,
    wrong: Vec<String>,
}

impl Observer for Model {
    fn records(&mut self, records: &[Record]) {
        for record in records {
            let slot = (record.t_us / SLOT_US) as usize;
            self.slots.resize(self.slots.len().max(slot + 1), (0, 0));
            match record.event {
                Event::SegmentConfirmed { .. } => self.slots[slot].0 += 1,
                Event::SegmentCancelled { .. } => self.slots[slot].1 += 1,
                Event::EndpointRetracted { .. } => self.retracted += 1,
                Event::OutputStarted { revision, .. } if revision > 0 => self.answers += 1,
                _ => {}
            }
        }
    }

    fn tick(&mut self, TickView { engine, .. }: TickView<'_>) {
        assert!(engine.metrics(&mut self.shown), "metrics are kept");
        let over = (engine.now_us() / SLOT_US) as usize;
        self.slots.resize(self.slots.len().max(over + 1), (0, 0));
        let from_minute = |minutes: usize| (over.saturating_sub(1) / 12 + 1).saturating_sub(minutes) * 12;
        let starts = [over.saturating_sub(12), from_minute(5), from_minute(15)];
        for gate in self.shown.nodes.iter().filter(|node| node.counts.segments_opened > 0) {
            for (recent, start) in gate.recent.iter().zip(starts) {
                let slots = &self.slots[start.min(over)..over];
                let wanted = slots.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
                if (recent.confirmed, recent.cancelled) != wanted {
                    self.wrong.push(format!("{} us: {recent:?} and not {wanted:?}", engine.now_us()));
                }
                self.compared += u32::from(wanted != (0, 0));
            }
        }
        if (self.shown.end_to_end.count(), self.shown.retractions) != (self.answers, self.retracted) {
            self.wrong.push(format!("{} us: answers or retractions differ", engine.now_us()));
        }
    }
}

#[test]
fn windows_are_what_the_event_log_says() {
    let mut model = Model::default();
    let served = watched("voice_assistant", &[], (4, 100), &mut model);
    model.wrong.truncate(5);
    assert!(model.wrong.is_empty(), "{}", model.wrong.join("\n"));
    assert!(model.compared > 10_000 && model.answers > 20, "{} {}", model.compared, model.answers);
    // The end holds after 128 ms of silence, the first 32 ms of which are the hop in which it is heard.
    let shown = samples(&served);
    let count = shown.value("mynah_end_to_end_seconds_count", &[]);
    let mean_s = shown.value("mynah_end_to_end_seconds_sum", &[]) / count;
    println!("{count} answers, {mean_s:.3} s from the silence on average");
    assert!((0.096..0.3).contains(&mean_s), "{mean_s} s");
}

/// A session in a scene that passes everything on, with metrics kept.
fn passing() -> Host {
    let config = EngineConfig { sessions_max: 1, ..EngineConfig::simulated() };
    let mut host = Host::of(plan("passthrough", &[]), config).with(SessionSpec::named("one"));
    host.engine.keep_metrics();
    host
}

impl Host {
    /// One tick, before it so many ms of audio.
    fn spoken(&mut self, ms: usize, now_us: u64) {
        let rate_hz = self.sessions[0].input().rate_hz as usize;
        self.sessions[0].try_push(&vec![0.1; rate_hz * ms / 1_000]).expect("there is room");
        self.tick_at(now_us);
    }

    fn snapshot(&self) -> Snapshot {
        let mut shown = Snapshot::default();
        assert!(self.engine.metrics(&mut shown), "metrics are kept");
        shown
    }

    /// How much the three windows of the output hold.
    fn windows(&self) -> [u64; 3] {
        self.snapshot().nodes.last().expect("the output").recent.map(|recent| recent.count)
    }
}

#[test]
fn windows_empty_out_in_silence() {
    const S: u64 = 1_000_000;
    let mut host = passing();
    for at in 0..250 {
        host.spoken(20, at * 20_000);
    }
    let mut seen = vec![(0, host.windows())];
    for at in 1_000..200_000 {
        host.engine.tick(at * 5_000);
        let windows = host.windows();
        if seen.last().is_some_and(|(_, last)| *last != windows) {
            seen.push((at * 5_000 / S, windows));
        }
    }
    let (full, none) = (250, 0);
    // Speech ends at 5 s, and is in no window after as much silence as the window's name says.
    let wanted = [
        (0, [none; 3]),
        (5, [full; 3]),
        (65, [none, full, full]),
        (305, [none, none, full]),
        (905, [none; 3]),
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn slots_that_a_stall_skips_are_empty() {
    const S: u64 = 1_000_000;
    // When the stall ends; what the windows hold then, and when the tick that ended it has become a slot.
    let cases = [
        (9 * S, [1, 1, 1], [2, 2, 2]),
        (64 * S, [1, 1, 1], [1, 2, 2]),
        (70 * S, [0, 1, 1], [1, 2, 2]),
        (299 * S, [0, 1, 1], [1, 2, 2]),
        (310 * S, [0, 0, 1], [1, 1, 2]),
        (904 * S, [0, 0, 1], [1, 1, 1]),
        (906 * S, [0, 0, 0], [1, 1, 1]),
        (1_000_000 * S, [0, 0, 0], [1, 1, 1]),
    ];
    for (until_us, at_once, later) in cases {
        let mut host = passing();
        host.spoken(20, 3 * S);
        host.spoken(20, until_us);
        assert_eq!(host.windows(), at_once, "a stall until {until_us}");
        host.engine.tick((until_us / SLOT_US + 1) * SLOT_US);
        assert_eq!(host.windows(), later, "after a stall until {until_us}");
    }
}

#[test]
fn depths_are_of_the_present_slot() {
    let mut host = passing();
    let depths = |host: &Host| {
        let shown = host.snapshot();
        (shown.nodes[0].queue_depth_max, shown.nodes.iter().map(|node| node.queue_depth).sum::<u64>())
    };
    host.spoken(100, 1_000);
    assert_eq!(depths(&host), (5, 0), "100 ms came in five blocks, and went");
    host.tick_at(5_100_000);
    assert_eq!(depths(&host), (0, 0), "a new slot, in which nothing came");
    host.spoken(20, 5_200_000);
    assert_eq!(depths(&host), (1, 0));
}

#[test]
fn metrics_change_no_result_and_allocate_nothing_in_a_tick() {
    let line = ["passthrough", "--sessions", "20", "--duration", "30s", "--threads", "1"];
    let without = simulate(&line);
    let with = simulate(&[&line[..], &["--metrics", "127.0.0.1:0"]].concat());
    assert_eq!(with["event_hash"], without["event_hash"]);
    assert_eq!(number(&with, "cost.allocations_per_tick"), 0.0, "rotations included");
}

/// A Python that has the reference parser: named by `MYNAH_TEST_PYTHON`, or the one of the path.
fn python() -> Option<OsString> {
    let named = std::env::var_os("MYNAH_TEST_PYTHON").unwrap_or("python3".into());
    let has = Command::new(&named).args(["-c", "import prometheus_client.openmetrics.parser"]).output();
    let has = has.is_ok_and(|out| out.status.success());
    if !has {
        Skip::Absent("prometheus_client").say();
    }
    has.then_some(named)
}

const PARSE: &str = "import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(len(families), 'families', sum(len(family.samples) for family in families), 'samples')";

#[test]
fn outside_programs_accept_the_page() {
    let promtool = program(&["promtool"]);
    let python = python();
    for scene in ["voice_assistant", "batched_tts", "passthrough", "remote_consumer"] {
        let served = served(scene, &[], 3, 8);
        let [text, open] =
            ["", OPEN_METRICS].map(|accept| get(served.server.address(), "/metrics", accept).body);
        if let Some(promtool) = &promtool {
            let (code, said) = feed(Command::new(promtool).args(["check", "metrics"]), &text);
            assert_eq!((code, said.trim()), (Some(0), ""), "{scene}: {said}\n{text}");
        }
        if let Some(python) = &python {
            let (code, said) = feed(Command::new(python).args(["-c", PARSE]), &open);
            assert_eq!(code, Some(0), "{scene}: {said}");
            println!("{scene}: {}", said.trim());
            assert!(said.contains("27 families"), "{said}");
        }
    }
}
