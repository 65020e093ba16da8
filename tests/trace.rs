//! The trace of a simulation is what the ticks were: read back as any viewer would.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mynah_engine::observe::Census;
use mynah_sim::flight::chrome;
use mynah_sim::flight::ring::{Ring, TICKS, Tick};
use mynah_sim::flight::{Recorder, names};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Options, Simulation, TickView};
use serde_json::Value;
use support::program::number;

/// A tracing file rounds to a nanosecond.
const EXACT_US: f64 = 0.002;

struct Span {
    name: String,
    from_us: f64,
    took_us: f64,
    args: Value,
}

impl Span {
    fn end_us(&self) -> f64 {
        self.from_us + self.took_us
    }
    fn arg(&self, name: &str) -> f64 {
        self.args[name].as_f64().unwrap_or_else(|| panic!("no {name} in {}", self.args))
    }
}

/// The ticks of a trace with the spans inside each, and the counters by name.
struct Trace {
    ticks: Vec<(Span, Vec<Span>)>,
    counters: BTreeMap<String, Vec<f64>>,
}

fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_else(|| panic!("no {key} in {event}")).to_owned()
}

fn time(event: &Value, key: &str) -> f64 {
    event[key].as_f64().filter(|us| *us >= 0.0).unwrap_or_else(|| panic!("no {key} in {event}"))
}

impl Trace {
    /// Reads a trace; spans must follow each other or lie within a tick.
    fn read(bytes: &[u8]) -> Self {
        let page: Value = serde_json::from_slice(bytes).expect("a trace is JSON");
        let (mut ticks, mut counters) = (Vec::<(Span, Vec<Span>)>::new(), BTreeMap::new());
        for event in page["traceEvents"].as_array().expect("a trace has events") {
            assert_eq!(event["pid"], 1, "{event}");
            let name = text(event, "name");
            match text(event, "ph").as_str() {
                "M" => {}
                "C" => {
                    let depths: &mut Vec<f64> = counters.entry(name).or_default();
                    time(event, "ts");
                    depths.push(event["args"]["frames"].as_f64().expect("frames are a number"));
                }
                "X" => {
                    let (from_us, took_us) = (time(event, "ts"), time(event, "dur"));
                    let span = Span { name, from_us, took_us, args: event["args"].clone() };
                    place(&mut ticks, span);
                }
                other => panic!("an event of kind {other}: {event}"),
            }
        }
        Self { ticks, counters }
    }

    fn names(&self) -> BTreeSet<&str> {
        self.ticks.iter().flat_map(|(_, inside)| inside).map(|span| span.name.as_str()).collect()
    }
}

fn place(ticks: &mut Vec<(Span, Vec<Span>)>, span: Span) {
    if span.name == "tick" {
        if let Some((before, _)) = ticks.last() {
            assert!(span.from_us >= before.end_us() - EXACT_US, "two ticks at {}", span.from_us);
            assert_eq!(span.arg("tick"), before.arg("tick") + 1.0, "a tick is missing");
        }
        ticks.push((span, Vec::new()));
        return;
    }
    let (tick, inside) = ticks.last_mut().expect("a tick comes before what is in it");
    let from_us = inside.last().map_or(tick.from_us, Span::end_us);
    assert!(span.from_us >= from_us - EXACT_US, "{} at {} overlaps", span.name, span.from_us);
    assert!(span.end_us() <= tick.end_us() + EXACT_US, "{} at {} leaves its tick", span.name, span.from_us);
    inside.push(span);
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Everything a trace must be, whatever the clock; returns it with the report.
fn traced(name: &str, flags: &[&str]) -> (Trace, Value) {
    let path = file(name);
    let shown = path.display().to_string();
    let all = [&["simulate"], flags, &["--trace", &shown, "--json"]].concat();
    // On a busy machine a run on the wall clock may come to no verdict; its trace is good all the same.
    let out = Command::new(env!("CARGO_BIN_EXE_mynah")).args(all).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    let report: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{name}: {e}\n{errors}"));
    let trace = Trace::read(&std::fs::read(&path).expect("the trace was written"));
    let run = number(&report, "tick_stats.count");
    assert_eq!(trace.ticks.len() as f64, run.min(TICKS as f64), "{name}");
    assert_eq!(trace.ticks.last().map(|(tick, _)| tick.arg("tick")), Some(run), "{name}");
    let nodes: Vec<&str> = report["nodes"]
        .as_array()
        .expect("nodes are a list")
        .iter()
        .map(|node| node["id"].as_str().expect("a node has an id"))
        .collect();
    let beside = ["edge", "hub", "output", "account"];
    let due: BTreeSet<&str> = nodes.iter().copied().chain(beside).collect();
    assert_eq!(trace.names(), due, "{name}");
    let counters: BTreeSet<String> =
        nodes.iter().chain(&["output"]).map(|node| format!("waiting at {node}")).collect();
    assert_eq!(trace.counters.keys().cloned().collect::<BTreeSet<_>>(), counters, "{name}");
    (trace, report)
}

#[test]
fn a_trace_has_every_tick_with_the_scenes_nodes_in_it() {
    // So short that all ticks are kept: then the sums are the report's.
    let flags = ["voice_assistant", "--sessions", "12", "--duration", "3s", "--threads", "1"];
    let (trace, report) = traced("virtual.json", &flags);
    for node in report["nodes"].as_array().expect("nodes are a list") {
        let spans = trace.ticks.iter().flat_map(|(_, inside)| inside).filter(|span| node["id"] == span.name);
        let traced_us: f64 = spans.map(|span| span.arg("work_us")).sum();
        let reported_us = node["work_us"].as_f64().expect("work is a number");
        assert!(traced_us > 0.0 && (traced_us - reported_us).abs() <= 1.0, "{traced_us} us of {node}");
    }
    for (tick, inside) in &trace.ticks {
        let sum_us: f64 = inside.iter().map(|span| span.took_us).sum();
        // One worker: what the shards did is what the tick took, less what is between the systems.
        assert!((sum_us - tick.arg("work_us")).abs() < 0.1 && sum_us <= tick.took_us + 0.1, "{sum_us}");
        assert_eq!(tick.arg("engine_us") % 5_000.0, 0.0);
    }
}

#[test]
fn of_a_longer_run_the_last_ticks_are_kept() {
    let flags = ["voice_assistant", "--sessions", "24", "--duration", "10s", "--threads", "2"];
    let (trace, report) = traced("last.json", &flags);
    let kept_us: f64 = trace.ticks.iter().map(|(tick, _)| tick.arg("work_us")).sum();
    let nodes = report["nodes"].as_array().expect("nodes are a list");
    let all_us: f64 = nodes.iter().filter_map(|node| node["work_us"].as_f64()).sum();
    assert!(kept_us > 0.0 && kept_us < all_us, "{kept_us} of {all_us} us");
    assert!(trace.counters.values().flatten().any(|depth| *depth > 0.0), "nothing ever waited");
    let path = file("not-there").join("trace.json");
    let out = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(["simulate", "passthrough", "--sessions", "1", "--duration", "1s", "--trace"])
        .arg(&path)
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{errors}");
    assert!(errors.contains("not-there") && out.stdout.is_empty(), "{errors}");
}

#[test]
fn on_the_wall_clock_ticks_are_where_they_were() {
    let flags = ["gate_only", "--sessions", "20", "--duration", "2s", "--clock", "wall"];
    let (trace, _) = traced("wall.json", &flags);
    // A tick begins at its engine time, however late that is, and is over when the next one begins.
    let moved = trace.ticks.iter().filter(|(tick, _)| (tick.from_us - tick.arg("engine_us")).abs() > 1.0);
    assert_eq!(moved.count(), 0, "ticks of {} are not where they were", trace.ticks.len());
}

#[test]
fn a_tick_that_takes_too_long_is_kept_at_once_and_said() {
    let folder = file("overrun");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    // Three hundred detectors hear their hops in the same tick: milliseconds on any machine.
    let run = |flags: &[&str]| {
        let all = [&["simulate", "gate_only", "--sessions", "300", "--duration", "3s"], flags].concat();
        let out = Command::new(env!("CARGO_BIN_EXE_mynah"))
            .args(all)
            .args(["--clock", "wall", "--aligned", "--set", "tick.period_ms=1"])
            .current_dir(&folder)
            .output()
            .expect("the program starts");
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    let listed = || -> BTreeSet<String> {
        let entries = std::fs::read_dir(&folder).expect("it was made above").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let said = run(&[]);
    assert!(said.contains("took longer than 1 ms") && said.contains("--trace FILE"), "{said}");
    assert_eq!(listed(), BTreeSet::new(), "nobody asked for a file");
    let said = run(&["--trace", "t.json"]);
    assert!(said.contains("are in t.overrun.json"), "{said}");
    assert_eq!(listed(), ["t.json", "t.overrun.json"].map(String::from).into());
    let trace = Trace::read(&std::fs::read(folder.join("t.overrun.json")).expect("it is listed"));
    let (tick, _) = trace.ticks.last().expect("it has ticks");
    assert!(tick.took_us > 1_000.0, "the last tick took {} us", tick.took_us);
}

/// Compares what waits by the counts with what is found in the queues.
#[derive(Default)]
struct Lookout {
    census: Census,
    queued: Vec<u64>,
    seen: u64,
}

impl Observer for Lookout {
    fn tick(&mut self, view: TickView<'_>) {
        let census = view.engine.census(&mut self.census);
        let queued = view.engine.queued(&mut self.queued);
        assert_eq!(census.sessions_open as usize, view.engine.sessions().count());
        let hub = |at: usize| view.engine.hub().waiting(mynah_engine::NodeId(at as u8)) as u64;
        let due: Vec<u64> = queued.iter().enumerate().map(|(at, queued)| queued + hub(at)).collect();
        assert_eq!(census.waiting, due, "at {} us", view.engine.now_us());
        self.seen += due.iter().sum::<u64>();
    }
}

#[test]
fn what_waits_is_what_the_counts_say() {
    // Queues that block and queues that drop, calls that wait behind the hub, frames outside of full queues.
    for (scene, sets) in [("overflow", &[][..]), ("batched_tts", &["services.tts.timing.scale=8"])] {
        let script = Arc::new(CallerScript::default());
        let overrides: Vec<_> = sets
            .iter()
            .map(|set| mynah_engine::scene::Override::parse(set).expect("it is a setting"))
            .collect();
        let (plan, _) = scenes::compile(scene, &overrides, None, Some(script.clone()))
            .unwrap_or_else(|failure| panic!("{scene}: {failure}"));
        let options = Options { shards: Some(2), ..Options::in_virtual_time(6, 12_000_000, 1) };
        let mut lookout = Lookout::default();
        let simulation = Simulation::new(plan, &script, options, &mut lookout).expect("the load is built in");
        simulation.run(&mut lookout);
        assert!(lookout.seen > 0, "{scene}: nothing ever waited");
    }
}

#[test]
fn spans_share_a_tick_in_which_several_workers_were_busy() {
    let script = Arc::new(CallerScript::default());
    let (plan, _) = scenes::compile("passthrough", &[], None, Some(script))
        .unwrap_or_else(|failure| panic!("passthrough: {failure}"));
    let names = names(&plan);
    let mut ring = Ring::new(names.stages.len(), names.queues.len());
    let tick = |serial, at_us, took_ns| Tick { serial, at_us, took_ns, sessions: 1, ..Tick::default() };
    // Three workers did 3 ms of work in 1 ms; the tick after it is due before that is over; then one did less.
    let busy = [1_000_000, 1_000_000, 0, 500_000, 500_000, 0, 0];
    ring.push(tick(1, 5_000, 1_000_000), busy.into_iter(), [0, 2].into_iter());
    ring.push(tick(2, 5_500, 2_000_000), busy.into_iter(), [0, 2].into_iter());
    ring.push(tick(3, 20_000, 9_000_000), busy.into_iter(), [1, 2].into_iter());
    let mut page = Vec::new();
    chrome::write(&ring, &names, &mut page).expect("memory takes everything");
    let trace = Trace::read(&page);
    let froms: Vec<f64> = trace.ticks.iter().map(|(tick, _)| tick.from_us).collect();
    assert_eq!(froms, [5_000.0, 6_000.0, 20_000.0]);
    for ((tick, inside), scale) in trace.ticks.iter().zip([1.0 / 3.0, 2.0 / 3.0, 1.0]) {
        assert_eq!(tick.arg("work_us"), 3_000.0);
        for span in inside {
            assert!((span.took_us - span.arg("work_us") * scale).abs() < EXACT_US, "{} {scale}", span.name);
        }
    }
    let depths = |at: usize| &trace.counters[&format!("waiting at {}", names.queues[at])];
    assert_eq!((depths(0), depths(1)), (&vec![0.0, 1.0], &vec![2.0]), "only changes are written");
    assert_eq!(Recorder::new(3).ring().rows().count(), 0);
}
