//! The figures of a report, by name: which direction is better, and from which difference on a user would notice.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Latencies and costs.
    Lower,
    /// What a machine carries.
    Higher,
    /// Counts say what happened, not how good it is.
    Neither,
}

/// Where a figure comes from, which says how much it moves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The model: in virtual time it repeats exactly.
    Model,
    /// The machine: it moves some.
    Machine,
    /// A stopwatch, which runs on while other programs have the core: one measurement proves nothing.
    Stopwatch,
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The group it is shown in.
    pub group: &'static str,
    /// Its unit; empty: a count or a ratio.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// Where it comes from.
    pub origin: Origin,
    /// Smaller differences are none.
    pub least: f64,
}

const LATENCY: Figure =
    Figure { group: "latency", unit: "ms", better: Better::Lower, origin: Origin::Model, least: 1.0 };
const COST: Figure =
    Figure { group: "cost", unit: "", better: Better::Lower, origin: Origin::Machine, least: 0.0 };
const COUNT: Figure =
    Figure { group: "", unit: "", better: Better::Neither, origin: Origin::Model, least: 0.0 };

const QUANTILES: [&str; 4] = ["p50", "p95", "p99", "max"];

/// Figures by name in the order they are shown in: group, place in the report.
pub(super) type Figures = Vec<(String, Figure, f64)>;

/// All figures of a report.
pub(super) fn of(report: &Value) -> Figures {
    let mut found = Figures::new();
    part(&mut found, "", report);
    costs(&mut found, report);
    if report["remote"].is_object() {
        part(&mut found, "remote.", &report["remote"]);
    }
    found
}

/// What a report and its part about the engine behind a link have in common.
fn part(found: &mut Figures, prefix: &str, report: &Value) {
    for (name, quantiles) in object(&report["latency_ms"]) {
        push_quantiles(found, &format!("{prefix}latency_ms.{name}"), quantiles, LATENCY);
    }
    push_counts(
        found,
        &format!("{prefix}segments"),
        &report["segments"],
        Figure { group: "segments", ..COUNT },
    );
    push_counts(found, &format!("{prefix}turns"), &report["turns"], Figure { group: "turns", ..COUNT });
    push_counts(found, &format!("{prefix}frames"), &report["frames"], Figure { group: "frames", ..COUNT });
    for node in report["nodes"].as_array().into_iter().flatten() {
        push_node(found, prefix, node);
    }
}

fn push_node(found: &mut Figures, prefix: &str, node: &Value) {
    let name = format!("{prefix}nodes.{}", node["id"].as_str().unwrap_or("?"));
    let group = "nodes";
    let (latency, count) = (Figure { group, ..LATENCY }, Figure { group, ..COUNT });
    push(found, format!("{name}.in"), &node["in"], count);
    push(found, format!("{name}.out"), &node["out"], count);
    push_quantiles(found, &format!("{name}.latency_ms"), &node["latency_ms"], latency);
    let work = Figure { group, unit: "us", origin: Origin::Stopwatch, least: 20_000.0, ..COST };
    push(found, format!("{name}.work_us"), &node["work_us"], work);
    push(found, format!("{name}.deadlines_missed"), &node["deadlines_missed"], count);
    let queue = &node["queue"];
    push(found, format!("{name}.queue.depth_max"), &queue["depth_max"], count);
    push(found, format!("{name}.queue.dropped"), &queue["dropped"], count);
    push_quantiles(found, &format!("{name}.queue.wait_ms"), &queue["wait_ms"], latency);
    let batch = &node["batch"];
    push(found, format!("{name}.batch.count"), &batch["count"], count);
    push(found, format!("{name}.batch.size_mean"), &batch["size_mean"], count);
    push_quantiles(found, &format!("{name}.batch.wait_ms"), &batch["wait_ms"], latency);
}

fn costs(found: &mut Figures, report: &Value) {
    let cost = &report["cost"];
    // What a core carries is the CPU time once more: as a quotient, a short run says little of it.
    let rows = [
        ("cpu_s", Figure { unit: "s", least: 0.2, ..COST }),
        (
            "session_s_per_cpu_s",
            Figure { better: Better::Higher, origin: Origin::Stopwatch, least: 1.0, ..COST },
        ),
        ("allocations_per_tick", Figure { least: 0.5, ..COST }),
        ("bytes_per_session", Figure { unit: "B", least: 1_024.0, ..COST }),
    ];
    for (name, figure) in rows {
        push(found, format!("cost.{name}"), &cost[name], figure);
    }
    let work = Figure { unit: "us", origin: Origin::Stopwatch, least: 100.0, ..COST };
    for name in ["p50", "p95", "p99"] {
        push(found, format!("tick_stats.work_us.{name}"), &report["tick_stats"]["work_us"][name], work);
    }
    push(
        found,
        "tick_stats.overruns".into(),
        &report["tick_stats"]["overruns"],
        Figure { group: "cost", ..COUNT },
    );
}

fn push_quantiles(found: &mut Figures, name: &str, quantiles: &Value, figure: Figure) {
    for quantile in QUANTILES {
        push(found, format!("{name}.{quantile}"), &quantiles[quantile], figure);
    }
}

/// Every number of an object, and of the objects in it.
fn push_counts(found: &mut Figures, name: &str, counts: &Value, figure: Figure) {
    for (field, value) in object(counts) {
        let name = format!("{name}.{field}");
        if value.is_object() {
            push_counts(found, &name, value, figure);
        } else {
            push(found, name, value, figure);
        }
    }
}

fn push(found: &mut Figures, name: String, value: &Value, figure: Figure) {
    if let Some(value) = value.as_f64() {
        found.push((name, figure, value));
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The values of each figure over several reports, `None` where one has none; figures in the order of the first
/// report that has them.
pub(super) fn of_all(reports: &[Value]) -> Vec<(String, Figure, Vec<Option<f64>>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<(String, Figure, Vec<Option<f64>>)> = Vec::new();
    for (at, report) in reports.iter().enumerate() {
        for (name, figure, value) in of(report) {
            let place = *places.entry(name.clone()).or_insert_with(|| {
                found.push((name, figure, vec![None; reports.len()]));
                found.len() - 1
            });
            found[place].2[at] = Some(value);
        }
    }
    found
}
